"""Kill supervised fine-tuning at random moments; what comes out must be bitwise what an unharmed run gives.

    python -m tests.battery.sft_kills --kills 200

Every odd kill happens inside a save: at a random one of the file operations under the checkpoint's
folders. The others come from outside after a random time. Each victim is a process of its own that
gets SIGKILL; the next attempt resumes from what it left. Prints one JSON line; exit code 1 on a
difference.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

SETTINGS = {
    "dtype": "float32",
    "learning_rate": 0.01,
    "batch_size": 4,
    "micro_batch": 3,
    "epochs": 2,
    "lora_rank": 4,
    "lora_dropout": 0.1,
    "save_every": 3,
    "scheduler": "cosine",
    "warmup": 0.2,
}
KILLS_A_TRAINING = 5
WRITES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.move", "shutil.rmtree"}


@dataclass
class Case:
    """Where one training lives: base model and labeled traces go in, adapter and checkpoints come out."""

    base_model: str
    labeled: str
    adapter: str
    checkpoint_root: str
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))


@dataclass
class Sink:
    """The part of a KFP artifact that the stage uses."""

    path: str
    metrics: dict[str, float] = field(default_factory=dict)

    def log_metric(self, metric: str, value: float) -> None:
        """Keep one number."""
        self.metrics[metric] = value


def attempt(case: Case, kill_at: int = 0, counted: Any = None) -> None:
    """One attempt, in a process of its own. Kills itself at the `kill_at`-th write under a checkpoint.

    counted: shared integer that gets the number of such writes.
    """
    import torch

    from components.sft.run import run

    torch.set_num_threads(1)
    if kill_at or counted is not None:
        _watch_writes(case.checkpoint_root, kill_at, counted)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the process ends with it
    metrics = Sink("")
    run(
        Sink(case.labeled),
        case.base_model,
        json.dumps(case.settings),
        "",
        case.checkpoint_root,
        Sink(case.adapter),
        metrics,
        Sink(case.adapter + ".html"),
    )
    Path(case.adapter + ".json").write_text(json.dumps(metrics.metrics))


def _watch_writes(root: str, kill_at: int, counted: Any) -> None:
    """Count file operations on checkpoints, wherever they are being put together."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in WRITES or (event == "open" and not _writes(arguments)):
            return
        path = str(arguments[0])
        if not path.startswith(root) and "checkpoint-" not in path and "whetstone-sft-" not in path:
            return
        seen += 1
        if counted is not None:
            counted.value = seen
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


class Killer:
    """Starts attempts from a server process that has torch imported already."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["components.sft.run", "components.storage"])

    def warm_up(self) -> None:
        """Start the server, so that its imports are in nobody's time."""
        process = self.context.Process(target=os.getpid)
        process.start()
        process.join()

    def start(self, case: Case, kill_at: int = 0, counted: Any = None) -> BaseProcess:
        """Start one attempt."""
        process = self.context.Process(target=attempt, args=(case, kill_at, counted))
        process.start()
        return process

    def finish(self, case: Case, counted: Any = None) -> float:
        """Run one attempt to its end; returns its seconds."""
        began = time.monotonic()
        process = self.start(case, counted=counted)
        process.join(300)
        if process.exitcode != 0:
            raise RuntimeError(f"an attempt that nobody killed ended with exit code {process.exitcode}")
        return time.monotonic() - began


def weights_digest(case: Case) -> str:
    """SHA-256 of the adapter's weights."""
    return hashlib.sha256((Path(case.adapter) / "adapter_model.safetensors").read_bytes()).hexdigest()


def leftovers(case: Case) -> list[str]:
    """What still lies under the checkpoint root."""
    root = Path(case.checkpoint_root)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def batter(folder: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """Train once unharmed, then again and again with `kills` kills in all, until each training is done.

    A training gets up to KILLS_A_TRAINING, then it may finish; the next begins without checkpoints.
    """
    killer, chance = Killer(), random.Random(seed)
    base_model, labeled = prepare(folder)
    unharmed = Case(base_model, labeled, str(folder / "unharmed"), str(folder / "unharmed-checkpoints"))
    counted = killer.context.Value("i", 0)
    killer.warm_up()
    seconds = killer.finish(unharmed, counted)
    expected, writes = weights_digest(unharmed), int(counted.value)
    done = inside = resumed = trainings = partial = 0
    different: list[int] = []
    while done < kills:
        case = Case(
            base_model, labeled, str(folder / f"{trainings}"), str(folder / f"{trainings}-checkpoints")
        )
        for _ in range(min(KILLS_A_TRAINING, kills - done)):
            in_save = done % 2 == 1
            process = killer.start(case, chance.randint(1, writes) if in_save else 0)
            if not in_save:
                process.join(chance.uniform(0.3, 1.0) * seconds)
                process.kill()
            process.join()
            if process.exitcode == 0:
                break
            done, inside = done + 1, inside + in_save
            left = leftovers(case)
            folders = {Path(name).parent for name in left}
            partial += any(str(parent / "manifest.json") not in left for parent in folders)
        killer.finish(case)
        resumed += json.loads(Path(case.adapter + ".json").read_text())["resumed_from_step"] > 0
        if weights_digest(case) != expected or leftovers(case):
            different.append(trainings)
        trainings += 1
    return {
        "name": "sft_kills",
        "kills": done,
        "inside_a_save": inside,
        "left_a_partial_checkpoint": partial,
        "trainings": trainings,
        "resumed": resumed,
        "different": different,
    }


def prepare(folder: Path) -> tuple[str, str]:
    """A tiny base model and its labeled traces under `folder`."""
    from components.policy.load import open_chat
    from tests.tiny_model import build_tiny_model, make_trace, write_labeled

    base_model = build_tiny_model(folder / "base")
    chat = open_chat(str(base_model), "hermes")
    traces = [make_trace(chat, number) for number in range(30)]
    return str(base_model), str(write_labeled(folder / "labeled", traces))


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = batter(Path(folder), kills=given.kills, seed=given.seed)
    print(json.dumps(result))
    return 1 if result["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
