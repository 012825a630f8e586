"""bfcl-eval in an environment of its own, with no more than what its checker imports. Not a test."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import PeerUnavailableError, peer_python

VERSION = "2026.3.23"
# Pinned as bfcl-eval pins them, where it does. mpmath is for its multi-turn classes.
REQUIREMENTS = (
    "numpy==1.26.4",
    "pandas==2.3.3",
    "python-dotenv==1.2.1",
    "tqdm==4.67.1",
    "tenacity==9.1.2",
    "overrides==7.7.0",
    "filelock==3.20.0",
    "tree_sitter==0.21.3",
    "tree-sitter-java==0.21.0",
    "tree-sitter-javascript==0.21.4",
    "mpmath==1.3.0",
)
SCRIPT = Path(__file__).with_name("bfcl_official.py")


@dataclass
class Outcome:
    """What one part of the parity battery found. more: further numbers for the last line."""

    items: int = 0
    verdicts: int = 0
    agreed: int = 0
    disagreements: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


def official_python() -> Path:
    """The other environment's Python.

    Raises:
        PeerUnavailableError: it can't be built.
    """
    return peer_python(f"bfcl-eval-{VERSION}", REQUIREMENTS, alone=[f"bfcl-eval=={VERSION}"])


def official_data(python: Path) -> Path:
    """The `data` folder of the package that is in there.

    Raises:
        PeerUnavailableError: there is none.
    """
    found = sorted(python.parent.parent.glob("lib/python*/site-packages/bfcl_eval/data"))
    if not found:
        raise PeerUnavailableError(f"bfcl-eval {VERSION} has no data folder")
    return found[0]


def ask_official(python: Path, arguments: Iterable[str], lines: Iterable[Any]) -> list[Any]:
    """What `bfcl_official.py` prints for the given JSON lines, one JSON value a line.

    Raises:
        PeerUnavailableError: it failed; its last line.
    """
    with tempfile.TemporaryDirectory() as folder:  # the package makes folders for results where it is told to
        done = subprocess.run(
            [python, "-I", SCRIPT, *arguments],
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "BFCL_PROJECT_ROOT": folder, "OMP_NUM_THREADS": "1"},
        )
    if done.returncode:
        raise PeerUnavailableError((done.stderr.strip().splitlines() or ["no output"])[-1])
    values = '[{"-0123456789'  # the package prints lines of its own between ours
    return [json.loads(line) for line in done.stdout.splitlines() if line and line[0] in values]
