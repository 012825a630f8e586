"""Which ways of training a run uses: one text that goes through the whole pipeline.

A training stage whose name is not in it is off and hands its adapter on; `none` is off for all, practice
included. An empty text leaves every stage on, as it is when run by itself.
"""

from collections.abc import Sequence

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

METHODS = ("sft", "ppo", "mcts", "dpo")
NONE = "none"
WHOLE_KINDS = ("response", "conversation", "masked_conversation")  # of PairKind, those made from outcomes


def is_on(stage: str, method: str) -> bool:
    """Whether `stage` works: a training stage by its name, any other unless `method` is `none`.

    method: names of `METHODS`, comma separated; `none` by itself; or empty.

    Raises:
        InputError: an unknown name; the nearest is offered. `none` beside other names.
    """
    names = method_names(method, (*METHODS, NONE))
    if not names:
        return True
    if NONE in names:
        return False
    return stage in names or stage not in METHODS


def is_named(stage: str, method: str) -> bool:
    """Whether the run asked for `stage` by name: an empty text, which leaves it on, does not.

    Raises:
        InputError: an unknown name; the nearest is offered.
    """
    return stage in method_names(method, (*METHODS, NONE))


def method_names(method: str, known: Sequence[str]) -> tuple[str, ...]:
    """The names in a method's text, each one of `known`.

    Raises:
        InputError: an unknown name; the nearest is offered. `none` beside other names.
    """
    names = tuple(name.strip() for name in method.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise InputError(f"method: unknown {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    if NONE in names and len(set(names)) > 1:
        raise InputError(
            f"method: {method!r} says none and more; expected {NONE!r} alone, or the names without it"
        )
    return names


def check_kind(kind: str) -> None:
    """Refuse a kind of preference pairs that is none of WHOLE_KINDS; empty leaves it to the stage's settings.

    Raises:
        InputError: an unknown kind; the nearest is offered.
    """
    if kind and kind not in WHOLE_KINDS:
        raise InputError(
            f"kind: unknown {kind!r}{nearest(kind, WHOLE_KINDS)}; known: {', '.join(WHOLE_KINDS)}"
        )
