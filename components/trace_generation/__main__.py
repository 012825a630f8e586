"""`python -m components.trace_generation`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.trace_generation.component import trace_generation

main = StageCommand(trace_generation.python_func)

if __name__ == "__main__":
    sys.exit(main())
