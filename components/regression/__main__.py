"""`python -m components.regression`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.regression.component import regression

main = StageCommand(regression.python_func)

if __name__ == "__main__":
    sys.exit(main())
