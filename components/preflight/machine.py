"""What this machine has: GPUs asked for, free disk, secrets by name."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.settings import StageSettings
from components.preflight.checks import Skipped

GPU_VALUES = {"device": "cuda", "quantization": "nf4", "method": "qlora", "kind": "vllm"}


def gpu_wishes(stages: Mapping[str, StageSettings]) -> list[str]:
    """The settings that only work on a GPU, such as `sft.method=qlora`."""
    return [wish for stage, settings in stages.items() for wish in _wishes(stage, settings.model_dump())]


def look_at_gpu(wishes: list[str]) -> str:
    """The GPUs here, when a stage's settings ask for one.

    Raises:
        InputError: a stage needs a GPU and this machine shows none.
        Skipped: nobody asks for one, or this is a pod, whose node is not the training's.
    """
    found = visible_gpus()
    if not wishes:
        raise Skipped("no stage's settings ask for one" + (f"; here: {', '.join(found)}" if found else ""))
    if found:
        return f"{', '.join(found)} (asked for by {', '.join(wishes)})"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        raise Skipped(
            f"{', '.join(wishes)} need one; they run in pods of their own: check <stage>_accelerators"
        )
    raise InputError(
        f"{wishes[0]} needs a GPU, and this machine shows none; change it or run on a GPU machine"
    )


def visible_gpus() -> list[str]:
    """The names of the NVIDIA GPUs that this process may use, without importing torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return []
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return found.stdout.strip().splitlines() if found.returncode == 0 else []


def look_at_disk(folder: Path, least_gb: float) -> str:
    """Free space under `folder`, in 10^9 bytes.

    Raises:
        InputError: less than `least_gb`.
    """
    free = shutil.disk_usage(folder).free / 1e9
    if free < least_gb:
        raise InputError(
            f"disk: {free:.1f} GB free in {folder}, expected {least_gb:g}; make room or lower min_free_gb"
        )
    return f"{free:.1f} GB free, {least_gb:g} asked for"


def look_at_secret(name: str) -> str:
    """Whether the environment variable is set; its value is never shown.

    Raises:
        InputError: it is not.
    """
    if not os.environ.get(name):
        raise InputError(f"secret: {name} is not set; name its secret in the run's parameters, or export it")
    return "set"


def _wishes(where: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in GPU_VALUES and GPU_VALUES[key] == inner:
                yield f"{where}.{key}={inner}"
            yield from _wishes(f"{where}.{key}", inner)
