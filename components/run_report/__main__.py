"""`python -m components.run_report`: the stage from a shell; the status is KFP's, as JSON."""

import sys

from components.contracts.stage_command import StageCommand
from components.run_report.component import run_report

main = StageCommand(run_report.python_func)

if __name__ == "__main__":
    sys.exit(main())
