"""`python -m components.rounds`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.rounds.component import rounds

main = StageCommand(rounds.python_func, earlier={"earlier": "history"})

if __name__ == "__main__":
    sys.exit(main())
