"""Preference tuning: pairs and search trees in packed rows, against separate rows and against TRL.

    python -m tests.benchmarks.dpo

One step's forward passes of the reference and of the policy, and the backward pass of the DPO loss: LoRA (q, v) on a
random Llama with SmolLM2's body and vocabulary, fp32. The reference is a frozen copy of the adapter that came in, as
in TRL.

- `shared` and `separate`: 4 pairs, each two completions of 24 tokens of a prompt of 300; a pair is one packed row, or
  two rows. `ratio` = separate seconds / shared seconds.
- `tree` and `tree_separate`: a search tree with two actions of 24 tokens at each of 7 expanded nodes, three deep,
  after a prompt of 800; each node's two actions are a pair. All are one packed row, or each pair two rows of a
  forward pass of its own, which bounds its memory. `tree_ratio` = tree_separate seconds / tree seconds.
- `trl`: TRL's DPOTrainer as shipped (its defaults, gradient checkpointing among them), its reference not
  precomputed, on the 4 pairs, its optimizer included; `trl_plain`: without gradient checkpointing. In an
  environment of its own that is built at first use (`peers`); null, with the reason, where it can't be.
  `trl_ratio` = trl seconds / shared seconds. TRL on a CPU makes logits at every position: never quote it without
  `ratio`.

Each measurement is a process of its own, so that its peak memory is its own; arms alternate, medians, CPU time of one
thread, after a forward and backward pass to warm up. TRL is measured once, its second step. The last line is JSON;
exit code 1 when log-probabilities of the same sequences differ by more than 1e-4 or gradients by more than 1e-5
(relative to the largest of their tensor), 2 when a ratio is below what is wanted, 3 when one could not be measured
(`not_measured` names it), so that nothing is known of it.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.arms import HIDDEN, VOCABULARY, gradient_difference, make_model, peak_mib, run_arm

ROUNDS = 3
PAIRS, PROMPT, COMPLETION = 4, 300, 24
TREE_PROMPT, STEP, EXPANDED = 800, 24, 7
BETA, MAX_TOKENS = 0.1, 16_384
OURS = {"shared": "separate", "tree": "tree_separate"}  # each with what it has to equal
PEERS = ("trl", "trl_plain")
TRL = "1.16.0"
WANTED = {"ratio": 1.5, "tree_ratio": 5.0, "trl_ratio": 3.0}
LOGPROBS, GRADIENTS = 1e-4, 1e-5  # nats; relative
STOP = 1  # the token that ends a completion
Pair = tuple[list[int], list[int], int]  # both sides, and how many tokens of them are the prompt


def sibling_pairs() -> list[Pair]:
    """Two completions of each of `PAIRS` prompts; they end in the stop token, as TRL wants it."""
    import torch

    generator = torch.Generator().manual_seed(1)
    size = PAIRS, PROMPT + 2 * (COMPLETION - 1)
    rows = torch.randint(2, VOCABULARY, size, generator=generator).tolist()
    ends = PROMPT + COMPLETION - 1
    return [([*row[:ends], STOP], [*row[:PROMPT], *row[ends:], STOP], PROMPT) for row in rows]


def tree_pairs() -> list[Pair]:
    """The two actions at each of the first `EXPANDED` nodes, breadth first."""
    import torch

    generator = torch.Generator().manual_seed(1)
    size = TREE_PROMPT + 2 * EXPANDED * STEP
    tokens = torch.randint(2, VOCABULARY, (size,), generator=generator).tolist()
    nodes = [tokens[:TREE_PROMPT]]
    for number in range(EXPANDED):
        start = TREE_PROMPT + 2 * number * STEP
        nodes += [nodes[number] + tokens[start + side * STEP :][:STEP] for side in range(2)]
    return [(nodes[2 * n + 1], nodes[2 * n + 2], len(nodes[n])) for n in range(EXPANDED)]


def forward_passes(arm: str) -> list[list[Pair]]:
    """The pairs of each forward pass."""
    if arm in ("shared", "separate"):
        return [sibling_pairs()]
    return [tree_pairs()] if arm == "tree" else [[pair] for pair in tree_pairs()]


def run_step(model: Any, passes: Sequence[Sequence[Pair]], *, packed: bool) -> list[float]:
    """Add the gradient of the pairs' mean loss to the parameters; the policy's log-probabilities, pair by pair."""
    import torch

    from components.dpo.losses import sigmoid_loss
    from components.policy.shared_rows import plan_rows
    from components.policy.tree_logprobs import sequence_logprobs

    found: list[float] = []
    count = sum(map(len, passes))
    for pairs in passes:
        sequences = [side for pair in pairs for side in pair[:2]]
        weights = [[0.0] * pair[2] + [1.0] * (len(side) - pair[2]) for pair in pairs for side in pair[:2]]
        rows = [(number,) for number in range(len(sequences))]
        if packed:
            rows = plan_rows(sequences, hidden_size=HIDDEN, max_tokens=MAX_TOKENS)
        with torch.no_grad():
            model.set_adapter("reference")
            reference = sequence_logprobs(model, sequences, weights, rows)
            model.set_adapter("default")
        policy = sequence_logprobs(model, sequences, weights, rows)
        sides = [each[side::2] for each in (policy, reference) for side in range(2)]
        losses = sigmoid_loss(*sides, beta=BETA)
        torch.autograd.backward(losses.sum() / count)
        found += policy.tolist()
    return found


def measure(arm: str, gradients: Path) -> dict[str, Any]:
    """One process's measurement: CPU seconds a step, peak resident MiB, log-probabilities; the gradient to a file."""
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    model = make_model()
    model.add_adapter("reference", model.peft_config["default"])
    for name, parameter in model.named_parameters():
        if ".default." in name:
            model.get_parameter(name.replace(".default.", ".reference.")).data.copy_(parameter.data)
    passes = forward_passes(arm)
    run_step(model, passes[:1], packed=arm in OURS)  # to warm up
    model.zero_grad()
    start = time.process_time()
    logprobs = run_step(model, passes, packed=arm in OURS)
    seconds = time.process_time() - start
    save_file({n: p.grad for n, p in model.named_parameters() if p.grad is not None}, gradients)
    return {"seconds": seconds, "mib": peak_mib(), "logprobs": logprobs}


def measure_trl(arm: str) -> dict[str, Any]:
    """TRL's trainer on `sibling_pairs`, all in one forward pass."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import DPOConfig, DPOTrainer

    torch.set_num_threads(1)
    clocks: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clocks.append(time.process_time())

    columns: dict[str, list[str]] = {"prompt": [], "chosen": [], "rejected": []}
    for chosen, rejected, prompt in sibling_pairs() * 2:
        texts = words(chosen[:prompt]), words(chosen[prompt:]), words(rejected[prompt:])
        for column, text in zip(columns.values(), texts, strict=True):
            column.append(text)
    choices: dict[str, Any] = {} if arm == "trl" else {"gradient_checkpointing": False}
    with tempfile.TemporaryDirectory() as folder:
        arguments = DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=PAIRS,
            max_steps=2,
            learning_rate=0.0,
            beta=BETA,
            bf16=False,
            use_cpu=True,
            report_to=[],
            logging_steps=1,
            save_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="sequential",
            **choices,
        )
        trainer = DPOTrainer(
            make_model(),
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            processing_class=word_tokenizer(),
            callbacks=[Clock()],
        )
        trainer.train()
    logged = next(row for row in trainer.state.log_history if "loss" in row)
    return {
        "seconds": clocks[1] - clocks[0],
        "mib": peak_mib(),
        "logprobs": [logged["logps/chosen"], logged["logps/rejected"]],  # means over the pairs
        "torch": torch.__version__,
    }


def words(ids: Sequence[int]) -> str:
    """Text that `word_tokenizer` turns into `ids`."""
    return "".join("</s>" if one == STOP else f" w{one}" for one in ids)


def word_tokenizer() -> Any:
    """TRL asks for text: one word a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "</s>": STOP, **{f"w{number}": number for number in range(2, VOCABULARY)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")


def main() -> int:
    """Measure the arms in turn and print the result."""
    from tests.benchmarks.peers import STACK, PeerUnavailableError, peer_python

    pythons, trl_why = dict.fromkeys([*OURS, *OURS.values()], sys.executable), ""
    try:
        peer = str(peer_python(f"trl-{TRL}-torch-2.13.0", (f"trl=={TRL}", *STACK)))
        pythons.update(dict.fromkeys(PEERS, peer))
    except PeerUnavailableError as error:
        trl_why = str(error)
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in pythons}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(ROUNDS):
            for arm in [arm for arm in found if number == 0 or arm not in PEERS]:
                try:
                    measured = run_arm(
                        "tests.benchmarks.dpo", pythons[arm], arm, folder / f"{arm}.safetensors"
                    )
                except RuntimeError as error:
                    if arm not in PEERS:
                        raise
                    del found[arm]
                    trl_why = str(error)
                    continue
                found[arm].append(measured)
                shown = f"{measured['seconds']:.2f} s a step, {measured['mib']:.0f} MiB"
                print(f"[dpo] round {number + 1}/{ROUNDS} {arm}: {shown}", flush=True)
        gradients = {one: gradient_difference(folder, one, other) for one, other in OURS.items()}
    result = summarize(found, gradients, trl_why)
    print(json.dumps(result))
    return exit_code(result)


def exit_code(result: dict[str, Any]) -> int:
    """What the process says of a result; see the module."""
    if result["logprob_difference"] > LOGPROBS or result["gradient_difference"] > GRADIENTS:
        return 1
    if any(result[name] < bar for name, bar in WANTED.items() if name not in result["not_measured"]):
        return 2
    return 3 if result["not_measured"] else 0


def summarize(
    found: dict[str, list[dict[str, Any]]], gradients: dict[str, float], trl_why: str
) -> dict[str, Any]:
    """What the last line says."""
    seconds = {arm: statistics.median(one["seconds"] for one in ones) for arm, ones in found.items()}
    logprobs = {arm: ones[0]["logprobs"] for arm, ones in found.items()}
    trl: dict[str, Any] = {"trl_ratio": None, "trl": None, "trl_why": trl_why}
    if "trl" in found:
        sides = [statistics.fmean(logprobs["shared"][side::2]) for side in range(2)]
        trl = {
            "trl_ratio": round(seconds["trl"] / seconds["shared"], 3),
            "trl": {
                f"seconds_of_{arm}": round(seconds["trl"] / seconds[arm], 3)
                for arm in ("separate", "trl_plain")
                if arm in seconds
            }
            | {
                "logprob_difference": largest_difference(logprobs["trl"], sides),
                "torch": found["trl"][0]["torch"],
            },
        }
    ratios = {
        "ratio": round(seconds["separate"] / seconds["shared"], 3),
        "tree_ratio": round(seconds["tree_separate"] / seconds["tree"], 3),
        **trl,
    }
    return {
        "name": "dpo",
        **ratios,
        "wanted": WANTED,
        "not_measured": [name for name in WANTED if ratios[name] is None],
        "memory": {arm: round(statistics.median(one["mib"] for one in ones)) for arm, ones in found.items()},
        "seconds": {arm: round(value, 3) for arm, value in seconds.items()},
        "logprob_difference": max(
            largest_difference(logprobs[one], logprobs[other]) for one, other in OURS.items()
        ),
        "gradient_difference": max(gradients.values()),
    }


def largest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    """Of numbers in the same order."""
    return max(abs(one - other) for one, other in zip(first, second, strict=True))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        arm = sys.argv[1]
        print(json.dumps(measure_trl(arm) if arm in PEERS else measure(arm, Path(sys.argv[2]))))
        sys.exit(0)
    sys.exit(main())
