"""Sampling in this process: batching, the shared prefix and the cache change nothing but the time."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from components.contracts.errors import InputError
from components.contracts.records import Message
from components.policy.chat import Chat
from components.policy.engine import Completion, Conversation, Sampling
from components.policy.kv_cache import common_length
from components.policy.load import Policy
from components.policy.sampling import choose_tokens, draw_uniforms
from components.policy.transformers_engine import TransformersEngine
from tests.chat_families import family_tokenizer

GREEDY = Sampling(temperature=0, top_p=1, max_new_tokens=12)


@lru_cache
def policy(context: int = 512, sliding_window: int | None = None) -> Policy:
    """A random model: 2 layers, grouped heads, fp32."""
    tokenizer = family_tokenizer("chatml")
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "initializer_range": 0.3,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if sliding_window:
        from transformers import MistralConfig, MistralForCausalLM

        model: Any = MistralForCausalLM(MistralConfig(**shape, sliding_window=sliding_window))
    else:
        model = LlamaForCausalLM(LlamaConfig(**shape))
    return Policy(model.eval(), tokenizer, Chat(tokenizer, "paper"), "random", torch.device("cpu"))


def conversations(count: int = 7) -> list[Conversation]:
    """Of different lengths, with a common beginning; the last two are alike; every third is prefilled."""
    system = Message(role="system", content="Answer the question. Use the tools.")
    found = []
    for number in range(count):
        number = min(number, count - 2)
        user = Message(role="user", content=f"{number} is " + "long " * (3 * number % 7) + "?")
        prefill = "Action: calculator[" if number % 3 == 2 else ""
        found.append(Conversation((system, user), prefill=prefill))
    return found


def alone(conversation: Conversation, count: int, held: Policy) -> tuple[list[int], list[float]]:
    """Greedy, reading everything again for each token, as the plainest loop does."""
    chat = held.chat
    ids = chat.encode(conversation.messages, prefill=conversation.prefill, generation_prompt=True).ids
    found: list[int] = []
    logprobs: list[float] = []
    for _ in range(count):
        with torch.inference_mode():
            scores = held.model(input_ids=torch.tensor([ids + found])).logits[0, -1].log_softmax(-1)
        found.append(int(scores.argmax()))
        logprobs.append(float(scores.max()))
        if found[-1] in chat.stop_ids:
            break
    return found, logprobs


@pytest.mark.parametrize("window", [None, 24])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_greedy_equals_reading_everything_again_one_at_a_time(batch_size: int, window: int | None) -> None:
    held = policy(512, window)
    engine = TransformersEngine(held, batch_size=batch_size)
    asked = conversations()
    for _ in range(2):  # the second time the prefix is known
        for conversation, completion in zip(
            asked, engine.complete(asked, GREEDY, seeds=range(7)), strict=True
        ):
            ids, logprobs = alone(conversation, 12, held)
            sampled = completion.token_ids[completion.prefilled :]
            assert list(sampled) == ids[: len(sampled)]
            assert completion.logprobs[completion.prefilled :] == pytest.approx(
                logprobs[: len(sampled)], abs=1e-4
            )
            assert len(sampled) == len(ids) or completion.finish_reason == "complete"


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    sampling = Sampling(temperature=0.9, top_p=0.8, max_new_tokens=16)
    asked = conversations()
    together = TransformersEngine(policy()).complete(asked, sampling, seeds=range(7))
    for number in (6, 0, 3):
        single = TransformersEngine(policy()).complete([asked[number]], sampling, seeds=[number])[0]
        assert single.token_ids == together[number].token_ids
    assert together[5].token_ids != together[6].token_ids  # the same prompt, another seed
    assert [len(c.logprobs) == len(c.token_ids) for c in together] == [True] * 7


def test_a_second_turn_keeps_the_first_ones_ids() -> None:
    engine = TransformersEngine(policy())
    first = engine.complete(conversations(2), GREEDY, seeds=[0, 1])[0]
    messages = (
        *conversations(2)[0].messages,
        Message(role="assistant", content=first.text),
        Message(role="tool", content="42"),
    )
    second = Conversation(messages, sampled={2: first.token_ids})
    completion = engine.complete([second], GREEDY, seeds=[0])[0]
    fresh = TransformersEngine(policy(), prefix_cache=0).complete([second], GREEDY, seeds=[0])[0]
    assert completion.token_ids == fresh.token_ids
    encoding = engine.policy.chat.encode(messages, sampled={2: first.token_ids})
    span = next(span for span in encoding.spans if span.message == 2)
    assert tuple(encoding.ids[span.start : span.end])[: len(first.token_ids)] == first.token_ids


class SayingModel:
    """Makes the random model say given ids, one after the other, whatever it would say."""

    def __init__(self, held: Policy, ids: list[int]) -> None:
        self.held = held
        self.ids = ids
        self.config, self.device = held.model.config, held.model.device
        self.step = 0

    def __call__(self, **arguments: Any) -> Any:
        output = self.held.model(**arguments)
        output.logits[:] = -9.0
        output.logits[..., self.ids[min(self.step, len(self.ids) - 1)]] = 9.0
        self.step += 1
        return output


def say(text: str, *, prefill: str = "", stop: bool = False, limit: int = 60) -> Completion:
    held = policy()
    ids = family_tokenizer("chatml").encode(text) + ([held.chat.stop_ids[0]] if stop else [])
    saying = Policy(SayingModel(held, ids), held.tokenizer, held.chat, "random", held.device)
    engine = TransformersEngine(saying, prefix_cache=0)
    engine._shares = False
    engine._prefixes = None  # type: ignore[assignment]
    conversation = Conversation((Message(role="user", content="Q"),), prefill=prefill)
    return engine.complete([conversation], Sampling(0, 1, limit), seeds=[0])[0]


def test_a_turn_ends_where_its_action_is_complete() -> None:
    completion = say("Thought: sum.\nAction: calculator[1 + [2]]\nRationale: no")
    assert completion.finish_reason == "complete"
    assert completion.text == "Thought: sum.\nAction: calculator[1 + [2]]"


def test_a_prefill_counts_as_given_and_is_part_of_the_text() -> None:
    completion = say("6*7] and", prefill="Action: calculator[")
    assert completion.text == "Action: calculator[6*7]"
    given = completion.prefilled
    assert policy().chat.decode(completion.token_ids[:given]) == "Action: calculator["
    assert completion.logprobs[:given] == (0.0,) * given
    assert completion.finish_reason == "complete"


def test_a_stop_token_ends_the_turn_and_is_kept() -> None:
    completion = say("Answer: 42", stop=True)
    assert (completion.text, completion.finish_reason) == ("Answer: 42", "stop")
    assert completion.token_ids[-1] in policy().chat.stop_ids


def test_the_limit_ends_the_turn() -> None:
    completion = say("Answer: 42 and more", limit=3)
    assert completion.finish_reason == "length"
    assert len(completion.token_ids) == 3


def test_a_prompt_that_fills_the_context_gets_an_empty_turn() -> None:
    engine = TransformersEngine(policy(64))
    asked = [conversations(2)[0], Conversation((Message(role="user", content="a b " * 200),))]
    short, long = engine.complete(asked, GREEDY, seeds=[0, 1])
    assert len(short.token_ids) > 0
    assert (long.text, long.token_ids, long.finish_reason) == ("", (), "length")


def test_seeds_must_be_as_many_as_conversations() -> None:
    with pytest.raises(InputError, match="2 conversations, but 1 seeds"):
        TransformersEngine(policy()).complete(conversations(2), GREEDY, seeds=[0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.2, 3), st.floats(0.05, 1))
def test_sampling_follows_the_nucleus_by_definition(seed: int, temperature: float, top_p: float) -> None:
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(seed)) * 3
    ids, logprobs = choose_tokens(
        logits, draw_uniforms([seed] * 3, 1)[:, 0], temperature=temperature, top_p=top_p
    )
    expected = logits.log_softmax(-1).gather(-1, ids[:, None])[:, 0]
    torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)
    for row, token_id in enumerate(ids.tolist()):
        probabilities = (logits[row] / temperature).softmax(-1)
        likelier = probabilities[probabilities > probabilities[token_id]].sum().item()
        assert likelier < top_p + 1e-5


def test_sampled_frequencies_are_the_probabilities() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).expand(20_000, 4)
    uniforms = draw_uniforms([7], 20_000)[0]
    for top_p, kept in ((1.0, 4), (0.8, 2)):
        ids, _ = choose_tokens(logits, uniforms, temperature=1.0, top_p=top_p)
        expected = logits[0].softmax(-1)[:kept] / logits[0].softmax(-1)[:kept].sum()
        found = torch.bincount(ids, minlength=4)[:kept] / 20_000
        torch.testing.assert_close(found, expected, atol=0.012, rtol=0)
        assert int(ids.max()) < kept


@given(st.lists(st.lists(st.integers(0, 2), max_size=6).map(tuple), min_size=1, max_size=5))
def test_common_length_by_definition(rows: list[tuple[int, ...]]) -> None:
    length = common_length(rows)
    assert len({row[:length] for row in rows}) == 1
    assert min(map(len, rows)) == length or len({row[: length + 1] for row in rows}) > 1


def test_the_engine_refuses_an_adapter_of_another_template(tmp_path: Path) -> None:
    from components.contracts.policy_card import read_card
    from components.policy.card import check_card, make_card, write_card

    chat = policy().chat
    card = make_card(chat, "random", settings={"epochs": 1}, lineage={})
    write_card(card, tmp_path)
    check_card(read_card(tmp_path), chat, "random")
    other = Chat(family_tokenizer("gemma"), "paper")
    with pytest.raises(InputError, match="trained with chat template"):
        check_card(card, other, "random")
    with pytest.raises(InputError, match="trained with call format 'paper', but this run uses 'hermes'"):
        check_card(card, Chat(family_tokenizer("chatml"), "hermes"), "random")
    with pytest.raises(InputError, match=r"has no policy\.json"):
        read_card(tmp_path / "nowhere")


def test_a_template_that_was_saved_beside_an_adapter_is_looked_at(tmp_path: Path) -> None:
    from components.policy.card import check_adapter

    chatml, gemma = (family_tokenizer(family) for family in ("chatml", "gemma"))
    check_adapter(tmp_path, Chat(gemma, "hermes"), "random")
    chatml.save_pretrained(tmp_path / "saved")
    (tmp_path / "older").mkdir()
    kept = {"chat_template": [{"name": "default", "template": chatml.chat_template}]}
    (tmp_path / "older" / "tokenizer_config.json").write_text(json.dumps(kept))
    for folder in (tmp_path / "saved", tmp_path / "older"):
        check_adapter(folder, Chat(chatml, "hermes"), "random")
        with pytest.raises(InputError, match="saved with another chat template than that of random"):
            check_adapter(folder, Chat(gemma, "hermes"), "random")
    (tmp_path / "older" / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match=r"the chat template in .*older can't be read"):
        check_adapter(tmp_path / "older", Chat(gemma, "hermes"), "random")
