"""Kill supervised fine-tuning at random moments; what comes out must be bitwise what an unharmed run gives.

    python -m tests.battery.sft_kills --kills 200 [--checkpoint-root s3://bucket/prefix]

Every odd kill happens inside a save: before a random one of its file operations and of what it sends to
the object store. The others come from outside after a random time. Each victim is a process of its own
that gets SIGKILL; the next attempt resumes from what it left. Prints one JSON line; exit code 1 on a
difference.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import re
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
TRACES = 30
STEPS = 16  # what TRACES and SETTINGS come to
KILLS_A_TRAINING = 5
CHANGES = {
    *("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.move", "shutil.rmtree"),
    "http.client.send",  # heads and bodies of requests to the object store
}


@dataclass
class Case:
    """Where one training lives: base model and labeled traces go in, adapter and checkpoints come out.

    scratch: gets what the dead leave in their temporary folders. environment: what boto3 reads, since
    the server process that victims are forked from may be older than the object store.
    """

    base_model: str
    labeled: str
    adapter: str
    checkpoint_root: str
    scratch: str
    environment: dict[str, str]
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
    """One attempt, in a process of its own. Kills itself before the `kill_at`-th change made by its saves.

    counted: shared integer that gets the number of such changes.
    """
    import torch

    from components.sft.run import run

    torch.set_num_threads(1)
    os.environ.update(case.environment)
    tempfile.tempdir = case.scratch
    if kill_at or counted is not None:
        _watch_saves(kill_at, counted)
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


def _watch_saves(kill_at: int, counted: Any) -> None:
    """Count what is changed, on disk or in the store, between a save's begin and its end."""
    from components.policy.checkpoints import CheckpointCallback
    from components.policy.step_trainer import StepTrainer

    seen, saving = 0, False
    write, commit = StepTrainer._save_checkpoint, CheckpointCallback.on_save

    def begin(*arguments: Any, **named: Any) -> None:
        nonlocal saving
        saving = True
        write(*arguments, **named)

    def end(*arguments: Any, **named: Any) -> None:
        nonlocal saving
        commit(*arguments, **named)
        saving = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if not saving or event not in CHANGES or (event == "open" and not _writes(arguments)):
            return
        seen += 1
        if counted is not None:
            counted.value = seen
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    StepTrainer._save_checkpoint, CheckpointCallback.on_save = begin, end
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
        loads_torch = ("components.sft.training", "components.policy.trainable", "components.policy.save")
        self.context.set_forkserver_preload(["components.sft.run", *loads_torch, "components.storage"])

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

    def kill(self, case: Case, *, change: int = 0, seconds: float = 0.0) -> bool:
        """Kill one attempt: before that change made by its saves, else after that time.

        False when the attempt was done before.
        """
        process = self.start(case, change)
        if not change:
            process.join(seconds)
            process.kill()
        process.join()
        if process.exitcode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"an attempt failed by itself, with exit code {process.exitcode}")
        return process.exitcode != 0

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
    """What still lies under the checkpoint root, here or in the object store."""
    from components.storage import open_storage

    return [stored.name for stored in open_storage(case.checkpoint_root).list()]


def saved_share(left: list[str]) -> float:
    """The part of a training, 0 to 1, that its newest whole checkpoint holds."""
    steps = [int(match[1]) for name in left if (match := re.search(r"step-(\d+)/manifest.json$", name))]
    return max(steps, default=0) / STEPS


def batter(folder: Path, *, kills: int, seed: int, checkpoint_root: str = "") -> dict[str, Any]:
    """Train once unharmed, then again and again with `kills` kills in all, until each training is done.

    A training gets up to KILLS_A_TRAINING, then it may finish; the next begins without checkpoints.
    checkpoint_root: folder or s3:// prefix (boto3's environment set); empty is a folder under `folder`.
    """
    killer, chance = Killer(), random.Random(seed)
    base_model, labeled = prepare(folder)
    root = checkpoint_root or str(folder / "checkpoints")
    (folder / "scratch").mkdir()
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    def case_named(name: str) -> Case:
        adapter, scratch = str(folder / name), str(folder / "scratch")
        return Case(base_model, labeled, adapter, f"{root}/{name}", scratch, environment)

    unharmed = case_named("unharmed")
    counted = killer.context.Value("i", 0)
    killer.warm_up()
    seconds = killer.finish(unharmed, counted)
    expected, changes = weights_digest(unharmed), int(counted.value)
    done = inside = resumed = trainings = partial = 0
    different: list[int] = []
    while done < kills:
        case = case_named(f"training-{trainings}")
        left: list[str] = []
        for _ in range(min(KILLS_A_TRAINING, kills - done)):
            in_save, ahead = done % 2 == 1, 1 - saved_share(left)
            if in_save:
                killed = killer.kill(case, change=chance.randint(1, max(1, round(ahead * changes))))
            else:
                killed = killer.kill(case, seconds=chance.uniform(0.2, max(0.3, ahead)) * seconds)
            if not killed:
                break
            done, inside = done + 1, inside + in_save
            left = leftovers(case)
            folders = {str(Path(name).parent) for name in left}
            partial += any(f"{parent}/manifest.json" not in left for parent in folders)
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
    traces = [make_trace(chat, number) for number in range(TRACES)]
    return str(base_model), str(write_labeled(folder / "labeled", traces))


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-root", default="", help="folder or s3:// prefix; a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.checkpoint_root
        result = batter(Path(folder), kills=given.kills, seed=given.seed, checkpoint_root=root)
    print(json.dumps(result))
    return 1 if result["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
