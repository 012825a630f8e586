"""The one exception whose message is written for the person who started the run."""


class InputError(ValueError):
    """Something a user gave (a file, a parameter, an address, an artifact) can't be used.

    The message is one line: what was wrong, where (file and line, parameter or field), and what
    was expected. The command line prints it without a traceback and exits with a non-zero code.
    """


class NothingToLearnError(InputError):
    """What a training stage was given holds nothing that it could train on.

    A stage that goes on from a trained adapter hands that on instead, and so does one that may be given nothing.
    """

    def __init__(self, message: str, *, foreseen: bool = False) -> None:
        """foreseen: by what made the input, which may come to nothing."""
        super().__init__(message)
        self.foreseen = foreseen
