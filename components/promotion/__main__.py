"""`python -m components.promotion`: the stage from a shell, on artifact folders.

`python -m components.promotion compare`: two evaluations of the same questions, suite by suite, and no more.
"""

import sys
from collections.abc import Sequence

from components.contracts.stage_command import StageCommand
from components.promotion.component import promotion

promote = StageCommand(promotion.python_func)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage, or its command `compare`; exit codes as `StageCommand`'s."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["compare"]:
        from components.promotion.compare_command import write_comparison

        return write_comparison(words[1:])
    return promote(words)


if __name__ == "__main__":
    sys.exit(main())
