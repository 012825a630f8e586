"""`python -m components.dpo`: the stage from a shell, on artifact folders."""

import sys

from components.contracts.stage_command import StageCommand
from components.dpo.component import dpo
from components.policy.finite import NonFiniteError

main = StageCommand(dpo.python_func, failures=(NonFiniteError,))

if __name__ == "__main__":
    sys.exit(main())
