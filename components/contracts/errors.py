"""The one exception whose message is written for the person who started the run."""


class InputError(ValueError):
    """Something a user gave (a file, a parameter, an address, an artifact) can't be used.

    The message is one line: what was wrong, where (file and line, parameter or field), and what
    was expected. The command line prints it without a traceback and exits with a non-zero code.
    """
