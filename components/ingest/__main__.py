"""`python -m components.ingest`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.ingest.component import ingest

main = StageCommand(ingest.python_func)

if __name__ == "__main__":
    sys.exit(main())
