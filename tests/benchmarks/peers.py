"""Other people's packages in an environment of their own, so that a comparison is with what they ship."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from components.storage.cache import build_once

# What both sides of a comparison stand on: the versions of our own lock file.
STACK = ("torch==2.13.0", "transformers==5.23.0", "peft==0.21.2", "accelerate==1.15.0")


class PeerUnavailableError(RuntimeError):
    """The environment can't be built here; the text says why, in one line."""


def peer_python(name: str, requirements: Sequence[str], *, alone: Sequence[str] = ()) -> Path:
    """The Python of a virtual environment with `requirements`, built by pip under the cache folder at first use.

    name: of the environment; it should change with the requirements. alone: installed without what they require.

    Raises:
        PeerUnavailableError: pip can't install them.
    """

    def build(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)
        if alone:
            _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", *alone)

    return build_once(f"peers/{name}", build) / "bin" / "python"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")]
        raise PeerUnavailableError((errors or lines)[-1])
