"""`python -m components.sft`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.policy.finite import NonFiniteError
from components.sft.component import sft

main = StageCommand(sft.python_func, failures=(NonFiniteError,))

if __name__ == "__main__":
    sys.exit(main())
