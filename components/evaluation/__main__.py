"""`python -m components.evaluation`: the stage from a shell, on artifact folders.

`python -m components.evaluation profile`: where the calls of an evaluation go wrong, as a page.
"""

import sys
from collections.abc import Sequence

from components.contracts.stage_command import StageCommand
from components.evaluation.component import evaluation

judge = StageCommand(evaluation.python_func)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage, or its command `profile`; exit codes as `StageCommand`'s."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["profile"]:
        from components.evaluation.profile_command import write_profile

        return write_profile(words[1:])
    return judge(words)


if __name__ == "__main__":
    sys.exit(main())
