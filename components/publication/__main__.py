"""`python -m components.publication`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.publication.component import publication

main = StageCommand(publication.python_func)

if __name__ == "__main__":
    sys.exit(main())
