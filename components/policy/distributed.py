"""One process an accelerator: a stage that trains starts itself again under torchrun when it sees several.

Each process takes its share of every step's examples; gradients are averaged (DDP). An outer launcher
(`accelerate launch`, torchrun) is recognised by its WORLD_SIZE and left in charge.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.contracts.errors import InputError
from components.policy.finite import NonFiniteError


def process_count() -> int:
    """How many processes train together with this one; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """True in the one process that writes what comes out."""
    return int(os.environ.get("RANK", "0")) == 0


def missing_processes() -> int:
    """How many processes to start here: the number of accelerators, or 0 when all is as it should be."""
    import torch  # a stage that hands its adapter on never needs it

    devices = torch.cuda.device_count()
    return devices if devices > 1 and "WORLD_SIZE" not in os.environ else 0


def take_own_device() -> None:
    """Make this process's accelerator the current one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def run_in_processes(
    module: str, count: int, options: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run `python -m <module>` with `options` in `count` processes; returns the stage's metrics.

    Raises:
        InputError, NonFiniteError: as the stage itself would have.
        RuntimeError: a process ended otherwise than well.
    """
    with tempfile.TemporaryDirectory() as folder:
        outcome = Path(folder) / "metrics.json"
        finished = subprocess.run(
            [*_torchrun(count), "-m", module, *_command_line(options), "--metrics", str(outcome)],
            env={**os.environ, **(environment or {})},
            check=False,
        )
        content = json.loads(outcome.read_text()) if outcome.is_file() else {}
    if "error" in content:
        kind = NonFiniteError if content.get("kind") == NonFiniteError.__name__ else InputError
        raise kind(content["error"])
    if finished.returncode:
        raise RuntimeError(f"training in {count} processes ended with exit code {finished.returncode}")
    return {name: float(value) for name, value in content.items()}


def _torchrun(count: int) -> Sequence[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]


def _command_line(options: Mapping[str, str]) -> list[str]:
    return [part for name, value in options.items() if value for part in (f"--{name}", value)]
