"""The language that BFCL says a function is written in."""

from components.scoring.bfcl.reference import JAVA, JAVASCRIPT

LANGUAGES = {JAVA: "Java", JAVASCRIPT: "JavaScript"}  # of a group; all others are Python's
_SYNTAX = {"Java": "Java 8 SDK", "JavaScript": "JavaScript", "Python": "Python 3"}


def told_language(description: object, group: str) -> str:
    """A function's description with what the benchmark's prompt adds to it, word for word."""
    return f"{description} Note that the provided function is in {_SYNTAX[LANGUAGES.get(group, 'Python')]} syntax."
