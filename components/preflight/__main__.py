"""`python -m components.preflight`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.preflight.component import preflight

main = StageCommand(preflight.python_func)

if __name__ == "__main__":
    sys.exit(main())
