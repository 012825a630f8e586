"""`python -m components.preferences`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.preferences.component import preferences

main = StageCommand(preferences.python_func)

if __name__ == "__main__":
    sys.exit(main())
