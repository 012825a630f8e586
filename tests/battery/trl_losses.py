"""What TRL's own trainers say of a batch of preference pairs: where tests/unit/test_dpo_losses.py has its constants from.

    python -m tests.battery.trl_losses

A random policy and a random reference (two layers, fp32) and three pairs of different lengths go through TRL's
DPOTrainer (sigmoid, ipo) and its experimental CPOTrainer (simpo) and ORPOTrainer, one step at a learning rate of 0, in
an environment of its own that is built at first use (see tests/benchmarks/peers.py). For each the batch that the trainer made is
read back, and the log-probabilities of its completions are computed from the models' whole logits in float64. The last
line is JSON: those, the numbers of tokens, and the loss that the trainer logged (of ORPO: less its likelihood term,
which TRL computes over the prompt as well).
"""

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import STACK, peer_python

TRL = "1.16.0"
BETA, GAMMA = 0.3, 0.7
WORDS = 60
PAIRS = (
    ("w3 w4 w5", "w6 w7 w8 w9", "w10 w11"),
    ("w12 w13", "w14", "w15 w16 w17"),
    ("w20 w21 w22 w23", "w24 w25 w26", "w27 w28 w29"),
)


def make_model(seed: int) -> Any:
    """A random Llama; the seed is its weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=WORDS + 3,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


def make_tokenizer() -> Any:
    """Words are tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "<bos>": 1, "<eos>": 2} | {f"w{n}": n + 3 for n in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")


def make_trainer(loss: str, folder: str) -> Any:
    """TRL's trainer of that loss on `PAIRS`."""
    from datasets import Dataset

    columns = ("prompt", "chosen", "rejected")
    # The experimental trainers join prompt and completion without a space.
    rows = [
        {"prompt": prompt, "chosen": f" {chosen}", "rejected": f" {rejected}"}
        for prompt, chosen, rejected in PAIRS
    ]
    data = Dataset.from_dict({name: [row[name] for row in rows] for name in columns})
    shared: dict[str, Any] = {
        "output_dir": folder,
        "per_device_train_batch_size": len(PAIRS),
        "max_steps": 1,
        "learning_rate": 0.0,
        "beta": BETA,
        "bf16": False,
        "use_cpu": True,
        "report_to": [],
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    given: dict[str, Any] = {"train_dataset": data, "processing_class": make_tokenizer()}
    if loss in ("sigmoid", "ipo"):
        trl: Any = importlib.import_module("trl")
        arguments = trl.DPOConfig(loss_type=[loss], **shared)
        return trl.DPOTrainer(make_model(1), ref_model=make_model(2), args=arguments, **given)
    if loss == "simpo":
        cpo: Any = importlib.import_module("trl.experimental.cpo")
        arguments = cpo.CPOConfig(loss_type="simpo", cpo_alpha=0.0, simpo_gamma=GAMMA, **shared)
        return cpo.CPOTrainer(make_model(1), args=arguments, **given)
    orpo: Any = importlib.import_module("trl.experimental.orpo")
    return orpo.ORPOTrainer(make_model(1), args=orpo.ORPOConfig(**shared), **given)


def sides_of(batch: dict[str, Any]) -> tuple[Any, Any]:
    """(ids, labels) of all chosen and then all rejected rows; -100 where nothing is trained."""
    import torch

    if "completion_mask" in batch:
        return batch["input_ids"], batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    sides = ("chosen", "rejected")
    width = max(batch[f"{side}_input_ids"].shape[1] for side in sides)

    def joined(name: str, padding: int) -> Any:
        parts = [batch[f"{side}_{name}"] for side in sides]
        return torch.cat(
            [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=padding) for part in parts]
        )

    return joined("input_ids", 0), joined("labels", -100)


def logprobs(model: Any, ids: Any, labels: Any) -> list[float]:
    """Of each row's labels, sums in nats, from whole logits in float64; rows are padded on the right."""
    import torch

    with torch.no_grad():
        scores = model.double()(input_ids=ids).logits[:, :-1].log_softmax(-1)
    wanted = labels[:, 1:]
    found = scores.gather(-1, wanted.clamp_min(0)[..., None])[..., 0]
    return [float(value) for value in (found * (wanted != -100)).sum(-1)]


def measure(loss: str) -> dict[str, Any]:
    """One loss, in the peer's environment."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(loss, folder)
        ids, labels = sides_of(next(iter(trainer.get_train_dataloader())))
        trainer.train()
    logged = next(row for row in trainer.state.log_history if "loss" in row)
    value = logged["loss"] - logged["nll_loss"] if loss == "orpo" else logged["loss"]
    counts = [int(count) for count in (labels[:, 1:] != -100).sum(-1)]
    found: dict[str, Any] = {
        "policy": logprobs(make_model(1), ids, labels),
        "reference": logprobs(make_model(2), ids, labels),
    }
    found["counts"] = counts
    half = len(PAIRS)
    return {**{name: [both[:half], both[half:]] for name, both in found.items()}, "loss": value}


def main(losses: Sequence[str] = ("sigmoid", "ipo", "simpo", "orpo")) -> int:
    """Print what TRL says."""
    python = peer_python(f"trl-{TRL}-torch-2.13.0", [f"trl=={TRL}", *STACK])
    found: dict[str, Any] = {}
    for loss in losses:
        command = [str(python), "-m", "tests.battery.trl_losses", loss]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            return 1
        found[loss] = json.loads(done.stdout.strip().splitlines()[-1])
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        sys.exit(0)
    sys.exit(main())
