"""bfcl-eval's own command line, with the model of this folder in its table of models.

    python run_bfcl.py generate --model NAME --test-category simple_python --temperature 0
    python run_bfcl.py evaluate --model NAME --test-category simple_python

Results and scores go into this folder, unless BFCL_PROJECT_ROOT names another.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Register the model and hand over."""
    os.environ.setdefault("BFCL_PROJECT_ROOT", str(HERE))
    sys.path.insert(0, str(HERE / "lib"))
    from components.evaluation.bfcl_handler.register import register

    register(HERE / "model.json")
    from bfcl_eval.__main__ import cli

    cli()


if __name__ == "__main__":
    main()
