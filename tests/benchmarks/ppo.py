"""PPO steps a second: ours against TRL's last PPOTrainer, and against our own without the tricks.

    python -m tests.benchmarks.ppo

A step is 8 rollouts of 40 tokens after distinct prompts of 230, one PPO epoch, LoRA (q, v) on actor and critic,
fp32, on a random Llama (6 layers, H = 384, V = 32,000). The arms:

- ours: the stage's step. No prompt is shared, so reading shared ones once brings nothing here.
- plain: the same step with logits everywhere, an actor pass for the old log-probabilities, one for the old
  values, and the reference as a model of its own.
- trl: experimental PPOTrainer of TRL 1.11 (later ones have none) on the same torch and transformers, in
  a virtual environment made in the cache, gradient checkpointing (its default) off. It makes
  logits everywhere and the old values in a pass of their own.

Each measurement is a process of its own; arms alternate; CPU time of one thread; medians of the steps after the first.
`ratio` is trl / ours and never to be quoted without `own_ratio`, plain / ours. The last line is JSON; exit code
2 when the environment for TRL can't be built, 1 when `ratio` is below 1.4 or ours and plain differ in their first
losses.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TRL = "1.11.0"
WANTED = 1.4
ROUNDS, STEPS, BATCH = 3, 4, 8
PROMPT, RESPONSE, VOCABULARY, RANK = 230, 40, 32_000, 16
ARMS = ("ours", "plain", "trl")


def make_job(folder: Path) -> dict[str, Any]:
    """The model, and prompts that are equally long and all different."""
    from components.contracts.records import Message
    from components.policy.load import open_chat
    from tests.benchmarks.ppo_arms import make_model

    make_model(folder / "model", VOCABULARY)
    chat = open_chat(str(folder / "model"), "hermes")
    source = random.Random(0)
    frame = len(chat.encode([Message(role="user", content="")], generation_prompt=True).ids)
    texts = ["".join(source.choices("abcdefghij", k=PROMPT - frame)) for _ in range(STEPS * BATCH)]
    prompts = [
        chat.encode([Message(role="user", content=text)], generation_prompt=True).ids for text in texts
    ]
    return {
        "model": str(folder / "model"),
        "work": str(folder / "work"),
        "texts": texts,
        "prompts": prompts,
        "response": RESPONSE,
        "steps": STEPS,
        "lora_rank": RANK,
    }


def run_arm(arm: str, job: Path, python: Path) -> dict[str, Any]:
    """What one process measured: `seconds` of each step, and `losses` of the first step (not trl)."""
    script = str(Path(__file__).with_name("ppo_trl.py"))
    command = (
        [str(python), script, str(job)]
        if arm == "trl"
        else [sys.executable, "-m", "tests.benchmarks.ppo", arm, str(job)]
    )
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"arm {arm} failed: {done.stderr[-3000:]}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> int:
    """Measure the arms in turn and print the result."""
    from tests.benchmarks.peers import STACK, PeerUnavailableError, peer_python

    try:
        python = peer_python(f"trl-{TRL}-torch-2.13.0", (f"trl=={TRL}", *STACK))
    except PeerUnavailableError as error:
        print(f"[ppo] no environment with TRL {TRL}: {error}", flush=True)
        return 2
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    losses: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(json.dumps(make_job(Path(folder))))
        for number in range(ROUNDS):
            for arm in ARMS:
                measured = run_arm(arm, job, python)
                found[arm].append(statistics.median(measured["seconds"][1:]))
                losses[arm] = measured.get("losses", [])
                print(f"[ppo] round {number + 1}/{ROUNDS} {arm}: {found[arm][-1]:.2f} s a step", flush=True)
    seconds = {arm: statistics.median(values) for arm, values in found.items()}
    ratio = seconds["trl"] / seconds["ours"]
    difference = max(abs(one - other) for one, other in zip(losses["ours"], losses["plain"], strict=True))
    result = {
        "name": "ppo",
        "ratio": round(ratio, 3),
        "own_ratio": round(seconds["plain"] / seconds["ours"], 3),
        "wanted": WANTED,
        "seconds": {arm: round(value, 3) for arm, value in seconds.items()},
        "loss_difference": difference,
        "samples_per_second": {arm: round(BATCH / value, 3) for arm, value in seconds.items()},
    }
    print(json.dumps(result))
    return 0 if ratio >= WANTED and difference <= 1e-4 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from tests.benchmarks.ppo_arms import measure

        print(json.dumps(measure(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
        sys.exit(0)
    sys.exit(main())
