"""`python -m components.error_labeling`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.error_labeling.component import error_labeling

main = StageCommand(error_labeling.python_func)

if __name__ == "__main__":
    sys.exit(main())
