"""What the checker says of a call that is not accepted."""

from typing import NamedTuple


class Fault(NamedTuple):
    """kind: the official checker's `error_type`. category: one of `scoring.calls.CATEGORIES`."""

    kind: str
    category: str
    text: str
