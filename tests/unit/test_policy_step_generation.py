"""Going on from kept keys and values, and sampling by noise, against plain forward passes and counts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from components.policy.kv_cache import PrefixCache
from components.policy.load import Policy, load_policy
from components.policy.noise_sampling import choose_by_noise
from components.policy.settings import ModelSettings
from components.policy.step_generation import StepGenerator
from tests.tiny_model import build_tiny_model

FLOAT32 = ModelSettings(dtype="float32", device="cpu", threads=1)
PROMPTS = [tuple(range(3, 3 + count)) for count in (40, 25, 60)]


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return load_policy(str(build_tiny_model(tmp_path)), settings=FLOAT32)


@dataclass
class Row:
    """A turn of so many tokens, kept at half way."""

    prompt: tuple[int, ...]
    path: tuple[int, ...]
    seed: int
    wanted: int = 8
    sampled: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def take(self, token_id: int, logprob: float) -> bool:
        self.sampled.append(token_id)
        self.logprobs.append(logprob)
        return len(self.sampled) < self.wanted

    def reached(self) -> tuple[int, ...]:
        half = self.wanted // 2
        return (*self.path, *self.sampled[:half]) if len(self.sampled) == half + 1 else ()


@torch.inference_mode()
def one_by_one(model: Any, row: Row) -> tuple[list[int], list[float]]:
    sampled: list[int] = []
    logprobs: list[float] = []
    for place in range(row.wanted):
        ids = torch.tensor([[*row.prompt, *row.path, *sampled]])
        chosen, logprob = choose_by_noise(
            model(input_ids=ids).logits[:, -1], [row.seed], place, temperature=1.2, top_p=0.95
        )
        sampled.append(int(chosen))
        logprobs.append(float(logprob))
    return sampled, logprobs


def make_rows() -> list[Row]:
    """Rows that share prompts and paths or don't, and that end at different times."""
    rows = [Row(prompt, (), seed, 6 + seed) for prompt in PROMPTS for seed in range(3)]
    return [*rows, *(Row(PROMPTS[0], (9, 8, 7), seed, 10) for seed in range(2)), Row((5,), (), 1)]


def sample(generator: StepGenerator, rows: list[Row]) -> list[Row]:
    generator.sample(rows, temperature=1.2, top_p=0.95)
    return rows


def check(model: Any, rows: list[Row]) -> None:
    for row in rows:
        ids, logprobs = one_by_one(model, row)
        assert row.sampled == ids
        assert row.logprobs == pytest.approx(logprobs, abs=1e-4)


@pytest.mark.parametrize("kept_tokens", [0, 45, 10_000])
def test_rows_are_what_plain_passes_give(policy: Policy, kept_tokens: int) -> None:
    generator = StepGenerator(policy, kept_tokens=kept_tokens)
    rows = sample(generator, make_rows()[:-1])
    check(policy.model, rows)
    further = [Row(row.prompt, (*row.path, *row.sampled[:count]), 77) for row in rows for count in (2, 4)]
    check(policy.model, sample(generator, further))
    check(policy.model, sample(generator, make_rows()))  # a prompt of one token has nothing to keep


def test_an_adapter_that_is_not_merged_is_no_different(policy: Policy) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model: Any = get_peft_model(policy.model, LoraConfig(target_modules=["q_proj", "v_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    policy.model = model.eval()
    generator = StepGenerator(policy)
    check(policy.model, sample(generator, make_rows()))


def test_probabilities_of_one_token_are_those_of_plain_passes(policy: Policy) -> None:
    rows = [(PROMPTS[0], (5, 6)), (PROMPTS[1], (7,)), (PROMPTS[0], (5, 6, 7, 8)), (PROMPTS[2], (9, 9))]
    wanted = [11, 12, 13, 14]
    found = StepGenerator(policy).next_probabilities(rows, wanted)
    for (shared, rest), token_id, probability in zip(rows, wanted, found, strict=True):
        with torch.inference_mode():
            logits = policy.model(input_ids=torch.tensor([[*shared, *rest]])).logits[0, -1]
        assert probability == pytest.approx(float(logits.softmax(-1)[token_id]), rel=1e-4)


def test_no_more_prompts_are_kept_than_asked_for(policy: Policy) -> None:
    cache = PrefixCache(policy.model, 10, max_tokens=70)
    first, second, third = (cache.get(prompt) for prompt in PROMPTS)  # 40, 25 and 60 tokens
    assert cache.get(PROMPTS[2]) is third
    assert cache.get(PROMPTS[1]) is not second
    again = cache.get(PROMPTS[0])
    assert again is not first
    assert torch.allclose(again[0][0], first[0][0], atol=1e-5)


def test_noise_draws_by_probability_and_only_from_the_nucleus() -> None:
    probabilities = torch.tensor([0.5, 0.2, 0.12, 0.08, 0.05, 0.04, 0.009, 0.001])
    logits = probabilities.log().expand(20_000, 8)

    def counts(top_p: float, temperature: float = 1.0) -> torch.Tensor:
        drawn = [
            choose_by_noise(logits, range(20_000), place, temperature=temperature, top_p=top_p)[0]
            for place in range(5)
        ]
        return torch.bincount(torch.cat(drawn), minlength=8).double()

    expected = 100_000 * probabilities
    assert float(((counts(1.0) - expected) ** 2 / expected).sum()) < 24.3  # chi-squared, 7 degrees, p = 0.001
    assert counts(0.75)[:4].tolist() == pytest.approx([60_976, 24_390, 14_634, 0], abs=700)
    warm = (probabilities**0.5 / (probabilities**0.5).sum()) * 100_000
    assert float(((counts(1.0, 2.0) - warm) ** 2 / warm).sum()) < 24.3


def test_a_rows_noise_is_its_own() -> None:
    logits = torch.zeros(4, 50)
    drawn, logprobs = choose_by_noise(logits, [1, 2, 3, 1], 5, temperature=1.0, top_p=1.0)
    alone, _ = choose_by_noise(logits[:1], [3], 5, temperature=1.0, top_p=1.0)
    assert drawn[2] == alone[0]
    assert drawn[0] == drawn[3]
    assert logprobs.tolist() == pytest.approx([-torch.tensor(50.0).log().item()] * 4)
    later = [
        int(choose_by_noise(logits[:1], [3], place, temperature=1.0, top_p=1.0)[0]) for place in range(20)
    ]
    assert len(set(later)) > 5
    greedy, _ = choose_by_noise(torch.eye(4), [1] * 4, 0, temperature=0, top_p=0.5)
    assert greedy.tolist() == [0, 1, 2, 3]
