"""Are the run's ways of training and its kind of preference pairs known?"""

from collections.abc import Sequence

from components.contracts.methods import METHODS, check_kind, method_names


def look_at_choices(method: str, kind: str, stages: Sequence[str]) -> str:
    """What the run trains by. A kind is fine without dpo, which alone reads it.

    stages: those that the run has.

    Raises:
        InputError: an unknown kind, or a method that is unknown or none of the run's.
    """
    known = [name for name in METHODS if name in stages]
    names = method_names(method, known)
    check_kind(kind)
    return ", ".join(names or known) or "nothing to choose"
