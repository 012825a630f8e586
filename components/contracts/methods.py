"""Which ways of training a run uses: one text that goes through the whole pipeline.

A training stage whose name is not in it is off and hands its adapter on; `none` is off for all, practice
included. An empty text leaves every stage on, as it is when run by itself.
"""

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

METHODS = ("sft", "ppo", "mcts", "dpo")
NONE = "none"


def is_on(stage: str, method: str) -> bool:
    """Whether `stage` works: a training stage by its name, any other unless `method` is `none`.

    method: names of `METHODS`, comma separated; `none`; or empty.

    Raises:
        InputError: an unknown name; the nearest is offered.
    """
    names = [name.strip() for name in method.split(",") if name.strip()]
    for name in names:
        if name not in (*METHODS, NONE):
            known = (*METHODS, NONE)
            raise InputError(f"method: unknown {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    if not names:
        return True
    if NONE in names:
        return False
    return stage in names or stage not in METHODS
