"""The loss at supervised positions against full logits, as transformers computes its own loss.

    python -m tests.benchmarks.sft

Forward and backward of a LoRA step (q, v) on a random Llama with SmolLM2's body and vocabulary: 4 rows of 512
tokens, a quarter of them supervised, fp32. Each measurement is a process of its own, so that its peak memory is
its own; arms alternate, medians, CPU time of one thread. The last line is JSON; exit code 1 when the losses
differ by more than 1e-5.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

ROUNDS = 3
STEPS = 2  # timed, after one to warm up
ROWS, TOKENS, SUPERVISED = 4, 512, 0.25
ARMS = ("full_logits", "ours")


def make_model() -> Any:
    """SmolLM2-135M's shape, random weights, LoRA on q and v as in the paper."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    model: Any = LlamaForCausalLM(config)
    return get_peft_model(model, LoraConfig(r=16, lora_alpha=8, target_modules=["q_proj", "v_proj"])).train()


def measure(arm: str) -> dict[str, float]:
    """One process's measurement: CPU seconds a step, peak resident MiB, loss."""
    import torch

    from components.policy.loss import supervised_cross_entropy

    torch.set_num_threads(1)
    model = make_model()
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(49_152, (ROWS, TOKENS), generator=generator)
    mask = torch.ones_like(ids)
    weights = torch.zeros(ROWS, TOKENS)
    for row in range(ROWS):  # turns of 32 tokens, as a conversation has them
        for turn in range(int(SUPERVISED * TOKENS / 32)):
            first = 96 + turn * 96 + 4 * row
            weights[row, first : first + 32] = 1.0
    labels = torch.where(weights > 0, ids, -100)

    def step() -> float:
        model.zero_grad()
        if arm == "ours":
            loss = supervised_cross_entropy(model, ids, mask, weights)
        else:
            loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    value = step()
    start = time.process_time()
    for _ in range(STEPS):
        step()
    seconds = (time.process_time() - start) / STEPS
    return {
        "seconds": seconds,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loss": value,
    }


def main() -> int:
    """Measure the arms in turn and print the result."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for number in range(ROUNDS):
        for arm in ARMS:
            command = [sys.executable, "-m", "tests.benchmarks.sft", arm]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[arm].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"[sft] round {number + 1}/{ROUNDS} {arm}: {found[arm][-1]}", flush=True)
    seconds = {arm: statistics.median(one["seconds"] for one in ones) for arm, ones in found.items()}
    memory = {arm: statistics.median(one["mib"] for one in ones) for arm, ones in found.items()}
    difference = max(abs(a["loss"] - b["loss"]) for a, b in zip(*found.values(), strict=True))
    result = {
        "name": "sft",
        "ratio": round(seconds["full_logits"] / seconds["ours"], 3),
        "memory_ratio": round(memory["ours"] / memory["full_logits"], 3),
        "time_ratio": round(seconds["ours"] / seconds["full_logits"], 3),
        "arms": {arm: {"seconds": round(seconds[arm], 3), "mib": round(memory[arm])} for arm in ARMS},
        "loss_difference": difference,
    }
    print(json.dumps(result))
    return 0 if difference <= 1e-5 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        sys.exit(0)
    sys.exit(main())
