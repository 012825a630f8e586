"""Supervised fine-tuning: shared prefixes against separate rows, and supervised positions against full logits.

    python -m tests.benchmarks.sft

Forward and backward of a LoRA step (q, v) on a random Llama with SmolLM2's body and vocabulary, fp32.

- `shared` and `linear`: 8 continuations of 48 tokens, all supervised, of one prompt of 400; as the stage plans
  its micro-batches with and without sharing. `ratio` = linear seconds / shared seconds.
- `supervised` and `full_logits`: 4 rows of 512 tokens, a quarter of them supervised; our loss against
  transformers' own. `supervised_ratio` = full_logits seconds / supervised seconds.
- `trl`: TRL's SFTTrainer as shipped (its defaults, gradient checkpointing among them) on the 8 rows of `linear`,
  its optimizer included, in an environment of its own that is built at first use (`peers`); null, with the
  reason, where it can't be. TRL on a CPU makes logits at every position: never quote its figure without the others.

Each measurement is a process of its own, so that its peak memory is its own; arms alternate, medians, CPU time of
one thread. TRL, many times slower, is measured once, one step after one to warm up. The last line is JSON; exit code 1 when losses or gradients of the same rows differ by more than 1e-5
(gradients relative to the largest of their tensor).
"""

import json
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.arms import HIDDEN, VOCABULARY, gradient_difference, make_model, peak_mib, run_arm

ROUNDS = 3
STEPS = 2  # timed, after one to warm up
PROMPT, CONTINUATIONS, NEW, MICRO_BATCH = 400, 8, 48, 4
ROWS, TOKENS, SUPERVISED = 4, 512, 0.25
OURS = ("shared", "linear", "supervised", "full_logits")
TRL = "1.16.0"
TOLERANCE = 1e-5
Step = Callable[[Any], float]  # adds the gradient to the model's parameters, returns the loss


def continuations() -> list[list[int]]:
    """Rows of one prompt, each with its own supervised end."""
    import torch

    generator = torch.Generator().manual_seed(1)
    prompt = torch.randint(VOCABULARY, (PROMPT,), generator=generator).tolist()
    ends = torch.randint(VOCABULARY, (CONTINUATIONS, NEW), generator=generator).tolist()
    return [prompt + end for end in ends]


def shared_step(*, share: bool) -> Step:
    """One optimizer step's gradient of `continuations`, as the stage computes it."""
    from components.policy.loss import supervised_cross_entropy, tree_cross_entropy
    from components.sft.dataset import Example
    from components.sft.micro_batches import plan_micro_batches

    weights = array("f", [0.0] * PROMPT + [1.0] * NEW)
    examples = [Example(str(n), array("i", row), weights) for n, row in enumerate(continuations())]

    def step(model: Any) -> float:
        total = 0.0
        for micro_batch in plan_micro_batches(examples, MICRO_BATCH, hidden_size=HIDDEN if share else None):
            batch = micro_batch.collate()
            loss = (
                tree_cross_entropy(model, batch)
                if "parents" in batch
                else supervised_cross_entropy(
                    model, batch["input_ids"], batch["attention_mask"], batch["weights"]
                )
            )
            part = loss * (batch["weights"].sum() / (CONTINUATIONS * NEW))
            part.backward()  # type: ignore[no-untyped-call]
            total += float(part.detach())
        return total

    return step


def supervised_step(*, full_logits: bool) -> Step:
    """The gradient of rows with turns of 32 supervised tokens, as a conversation has them."""
    import torch

    from components.policy.loss import supervised_cross_entropy

    ids = torch.randint(VOCABULARY, (ROWS, TOKENS), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    weights = torch.zeros(ROWS, TOKENS)
    for row in range(ROWS):
        for turn in range(int(SUPERVISED * TOKENS / 32)):
            first = 96 + turn * 96 + 4 * row
            weights[row, first : first + 32] = 1.0
    labels = torch.where(weights > 0, ids, -100)

    def step(model: Any) -> float:
        if full_logits:
            loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        else:
            loss = supervised_cross_entropy(model, ids, mask, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    return step


def measure(arm: str, gradients: Path) -> dict[str, float | str]:
    """One process's measurement: CPU seconds a step, peak resident MiB, loss; the gradient goes to a file."""
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    model = make_model()
    step = {
        "shared": lambda: shared_step(share=True),
        "linear": lambda: shared_step(share=False),
        "supervised": lambda: supervised_step(full_logits=False),
        "full_logits": lambda: supervised_step(full_logits=True),
    }[arm]()
    loss = step(model)
    save_file({n: p.grad for n, p in model.named_parameters() if p.grad is not None}, gradients)
    start = time.process_time()
    for _ in range(STEPS):
        model.zero_grad()
        step(model)
    return {"seconds": (time.process_time() - start) / STEPS, "mib": peak_mib(), "loss": loss}


def measure_trl() -> dict[str, float | str]:
    """TRL's trainer on `continuations`, one optimizer step of `CONTINUATIONS` examples at a time."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(1)
    rows = continuations()
    labels = [[-100] * PROMPT + row[PROMPT:] for row in rows]
    clocks: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clocks.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=MICRO_BATCH,
            gradient_accumulation_steps=CONTINUATIONS // MICRO_BATCH,
            max_steps=2,
            max_length=None,
            learning_rate=0.0,
            bf16=False,
            use_cpu=True,
            report_to=[],
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            make_model(),
            args=arguments,
            train_dataset=Dataset.from_dict({"input_ids": rows, "labels": labels}),
            processing_class=stand_in_tokenizer(),
            callbacks=[Clock()],
        )
        trainer.train()
    loss = next(row["loss"] for row in trainer.state.log_history if "loss" in row)
    return {"seconds": clocks[1] - clocks[0], "mib": peak_mib(), "loss": loss, "torch": torch.__version__}


def stand_in_tokenizer() -> Any:
    """TRL asks for a tokenizer; the rows are token ids already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1})),
        pad_token="<pad>",
        eos_token="<eos>",
    )


def main() -> int:
    """Measure the arms in turn and print the result."""
    from tests.benchmarks.peers import STACK, PeerUnavailableError, peer_python

    pythons, trl_why = dict.fromkeys(OURS, sys.executable), ""
    try:
        pythons["trl"] = str(peer_python(f"trl-{TRL}-torch-2.13.0", (f"trl=={TRL}", *STACK)))
    except PeerUnavailableError as error:
        trl_why = str(error)
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in pythons}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(ROUNDS):
            for arm in [arm for arm in found if number == 0 or arm != "trl"]:
                try:
                    found[arm].append(
                        run_arm("tests.benchmarks.sft", pythons[arm], arm, folder / f"{arm}.safetensors")
                    )
                except RuntimeError as error:
                    if arm != "trl":
                        raise
                    del found[arm]
                    trl_why = str(error)
                    continue
                print(f"[sft] round {number + 1}/{ROUNDS} {arm}: {found[arm][-1]}", flush=True)
        gradients = {
            "shared": gradient_difference(folder, "shared", "linear"),
            "supervised": gradient_difference(folder, "supervised", "full_logits"),
        }
    result = summarize(found, gradients, trl_why)
    print(json.dumps(result))
    worst = max(result["loss_difference"], result["gradient_difference"])
    return 0 if worst <= TOLERANCE else 1


def summarize(
    found: dict[str, list[dict[str, Any]]], gradients: dict[str, float], trl_why: str
) -> dict[str, Any]:
    """What the last line says."""
    seconds = {arm: statistics.median(one["seconds"] for one in ones) for arm, ones in found.items()}
    memory = {arm: round(statistics.median(one["mib"] for one in ones)) for arm, ones in found.items()}
    losses = {arm: ones[0]["loss"] for arm, ones in found.items()}
    trl: dict[str, Any] = {"trl": None, "trl_why": trl_why}
    if "trl" in found:
        trl = {
            "trl": {
                "seconds_of_shared": round(seconds["trl"] / seconds["shared"], 3),
                "seconds_of_linear": round(seconds["trl"] / seconds["linear"], 3),
                "loss": losses["trl"],
                "torch": found["trl"][0]["torch"],
            }
        }
    return {
        "name": "sft",
        "ratio": round(seconds["linear"] / seconds["shared"], 3),
        "supervised_ratio": round(seconds["full_logits"] / seconds["supervised"], 3),
        "memory": memory,
        "seconds": {arm: round(value, 3) for arm, value in seconds.items()},
        "gradient_difference": max(gradients.values()),
        "loss_difference": max(
            abs(losses["shared"] - losses["linear"]), abs(losses["supervised"] - losses["full_logits"])
        ),
        **trl,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure_trl() if sys.argv[1] == "trl" else measure(sys.argv[1], Path(sys.argv[2]))))
        sys.exit(0)
    sys.exit(main())
