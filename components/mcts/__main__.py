"""`python -m components.mcts`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.mcts.component import mcts

main = StageCommand(mcts.python_func)

if __name__ == "__main__":
    sys.exit(main())
