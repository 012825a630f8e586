"""Beginnings that prompts share are read once; what is sampled does not change."""

import random
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from components.contracts.records import Message
from components.policy.chat import Chat
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.load import Policy
from components.policy.prompt_groups import PromptGroup, plan_groups
from components.policy.transformers_engine import TransformersEngine
from tests.chat_families import family_tokenizer

GREEDY = Sampling(temperature=0, top_p=1, max_new_tokens=6)
PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple), min_size=1, max_size=9)


@lru_cache
def policy() -> Policy:
    """A random model: 2 layers, grouped heads, fp32."""
    tokenizer = family_tokenizer("chatml")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            initializer_range=0.3,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    return Policy(model.eval(), tokenizer, Chat(tokenizer, "paper"), "random", torch.device("cpu"))


def suite() -> list[Conversation]:
    """Five sets of tools, each with several questions and with conversations that grow."""
    found = []
    for number in range(5):
        system = Message(
            role="system", content=f"Tool {number}: " + f"does {number} things. " * (6 * number + 9)
        )
        said: list[Message] = []
        for turn in range(number + 1):
            said.append(Message(role="user", content=f"Do it {turn} times" + " more" * (turn % 3)))
            found.append(Conversation((system, *said)))
            said.append(Message(role="assistant", content=f"Done {turn}."))
    return found


def tokens_read(engine: TransformersEngine) -> list[int]:
    """Grows by the ids of every forward pass, padding included."""
    read: list[int] = []
    inner = engine._model.forward

    def counting(*positional: object, **named: object) -> object:
        ids = named["input_ids"]
        assert isinstance(ids, torch.Tensor)
        read.append(ids.numel())
        return inner(*positional, **named)

    engine._model.forward = counting
    return read


@pytest.mark.parametrize("prefix_cache", [4, 0])
def test_groups_change_nothing_but_what_is_read(prefix_cache: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = suite()
    random.Random(1).shuffle(asked)

    def sampled(batch_size: int) -> list[Completion]:
        engine = TransformersEngine(policy(), batch_size=batch_size, prefix_cache=prefix_cache)
        return engine.complete(asked, GREEDY, seeds=[0] * len(asked))

    alone, together = sampled(1), sampled(len(asked))
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    plans: list[int] = []
    monkeypatch.setattr(
        "components.policy.transformers_engine.plan_groups",
        lambda prompts, forward: [
            plans.append(len(prompts)) or PromptGroup(0, len(prompts), 0)  # type: ignore[func-returns-value]
        ],
    )
    unshared = sampled(len(asked))
    assert plans
    assert [one.token_ids for one in unshared] == [one.token_ids for one in together]


def test_equal_tools_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = suite()
    held = policy()
    monkeypatch.setattr(held.model, "forward", held.model.forward)
    engine = TransformersEngine(held, batch_size=len(asked))
    read = tokens_read(engine)
    engine.complete(asked, Sampling(0, 1, 1), seeds=[0] * len(asked))
    lengths = [engine.count_tokens(conversation) for conversation in asked]
    assert sum(read) < 0.5 * len(asked) * max(lengths)


@settings(max_examples=200, deadline=None)
@given(prompts=PROMPTS, forward=st.integers(0, 12))
def test_groups_cover_all_prompts_and_share_what_they_say(
    prompts: list[tuple[int, ...]], forward: int
) -> None:
    ordered = sorted(set(prompts))
    groups = plan_groups(ordered, forward=forward)
    assert [group.start for group in groups] == [0, *(group.end for group in groups[:-1])]
    assert groups[-1].end == len(ordered)
    for group in groups:
        chosen = ordered[group.start : group.end]
        assert len({prompt[: group.shared] for prompt in chosen}) == 1
        assert all(len(prompt) > group.shared for prompt in chosen)
