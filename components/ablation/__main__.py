"""`python -m components.ablation`: the stage from a shell, on artifact folders."""

import sys

from components.ablation.component import ablation
from components.contracts.stage_command import StageCommand

main = StageCommand(ablation.python_func, shows="table")

if __name__ == "__main__":
    sys.exit(main())
