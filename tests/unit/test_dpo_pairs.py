"""What of a pair is trained, by kind, against a reading of the text that knows nothing of spans."""

from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Message, PairKind, PreferencePair
from components.dpo.pairs import EQUAL, TOO_LONG, UNTRAINED, Side, encode_pair, prepare_pairs
from components.policy.chat import Chat
from components.policy.load import open_chat
from tests.preference_pairs import KINDS, make_pair, make_turn
from tests.tiny_model import build_tiny_model

HEAD = "<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Chat:
    return open_chat(str(build_tiny_model(tmp_path_factory.mktemp("tiny"))), "hermes")


def text_of(chat: Chat, ids: Any) -> str:
    return str(chat.tokenizer.decode(list(ids), skip_special_tokens=False))


def trained_text(chat: Chat, side: Side) -> str:
    return text_of(chat, [token for token, weight in zip(side.ids, side.weights, strict=True) if weight])


def expected_text(pair: PreferencePair, messages: tuple[Message, ...]) -> str:
    """What is trained, written out by hand from the messages and the template."""
    if pair.kind == "conversation":
        first, *others = messages
        roles = {
            "assistant": "assistant",
            "tool": "user",
        }  # as the template, which knows no tools, shows them
        rest = "".join(f"\n<|im_start|>{roles[one.role]}\n{one.content}<|im_end|>" for one in others)
        return f"{first.content}<|im_end|>{rest}"
    return "".join(f"{one.content}<|im_end|>" for one in messages if one.role == "assistant")


@pytest.mark.parametrize("kind", ["response", "conversation", "masked_conversation"])
@pytest.mark.parametrize("number", [0, 3])
def test_trained_tokens_of_whole_turns(chat: Chat, kind: PairKind, number: int) -> None:
    pair = make_pair(chat, number, kind)
    chosen, rejected, prompt = encode_pair(pair, chat)
    for side, messages in ((chosen, pair.chosen), (rejected, pair.rejected)):
        assert trained_text(chat, side) == expected_text(pair, messages)
        assert set(side.weights) == {0.0, 1.0}
        assert side.weights[-1] == 1.0
        assert side.weights.index(1.0) == prompt
    shown = "".join(f"<|im_start|>{one.role}\n{one.content}<|im_end|>\n" for one in pair.prompt)
    assert text_of(chat, chosen.ids[:prompt]) == shown + HEAD
    assert chosen.ids[:prompt] == rejected.ids[:prompt]


def test_sampled_ids_are_taken_verbatim(chat: Chat) -> None:
    """A turn sampled letter by letter is trained so, not as its text would be encoded."""
    pair = make_pair(chat, 1, "response")
    letters = [chat.tokenizer.encode(letter)[0] for letter in pair.rejected[0].content]
    turn = pair.rejected_turns[0].model_copy(
        update={"token_ids": (*letters, *chat.stop_ids[:1]), "logprobs": (-1.0,) * (len(letters) + 1)}
    )
    spelled = pair.model_copy(update={"rejected_turns": (turn,)})
    _, rejected, prompt = encode_pair(spelled, chat)
    assert list(rejected.ids[prompt:]) == [*letters, chat.stop_ids[0]]


def test_step_trains_what_is_behind_the_shared_tokens(chat: Chat) -> None:
    pair = make_pair(chat, 2, "step")
    chosen, rejected, prompt = encode_pair(pair, chat)
    whole, _, before = encode_pair(pair.model_copy(update={"shared": 0}), chat)
    assert prompt == before + 6
    assert whole.ids == chosen.ids
    for side, turn in ((chosen, pair.chosen_turns[0]), (rejected, pair.rejected_turns[0])):
        assert tuple(side.ids[prompt:]) == turn.token_ids[6:]
        assert list(side.weights) == [0.0] * prompt + [1.0] * (len(turn.token_ids) - 6)
    pieces = {
        f"{side}_turns": (make_turn(chat, getattr(pair, side)[0].content, 2, "complete"),)
        for side in ("chosen", "rejected")
    }
    chosen, rejected, prompt = encode_pair(pair.model_copy(update=pieces), chat)
    assert chat.stop_ids[0] not in (chosen.ids[-1], rejected.ids[-1])


@pytest.mark.parametrize("kind", ["response", "conversation", "masked_conversation"])
def test_a_turn_that_was_cut_does_not_teach_to_stop(chat: Chat, kind: PairKind) -> None:
    pair = make_pair(chat, 1, kind, finish="length")
    _, rejected, _ = encode_pair(pair, chat)
    assert trained_text(chat, rejected) == pair.rejected[0].content
    complete = make_pair(chat, 1, kind, finish="complete")
    _, rejected, _ = encode_pair(complete, chat)
    assert trained_text(chat, rejected) == pair.rejected[0].content + "<|im_end|>"


def test_a_cut_turn_in_the_middle_of_a_conversation(chat: Chat) -> None:
    pair = make_pair(chat, 1, "conversation")
    cut = make_turn(chat, pair.chosen[0].content, 2, "length")
    pair = pair.model_copy(update={"chosen_turns": (cut, pair.chosen_turns[1])})
    chosen, _, prompt = encode_pair(pair, chat)
    untrained = [place for place in range(prompt, len(chosen.ids)) if not chosen.weights[place]]
    assert untrained == [prompt + len(cut.token_ids)]
    assert chosen.ids[untrained[0]] == chat.stop_ids[0]


def test_turns_of_the_prompt_are_context(chat: Chat) -> None:
    pair = make_pair(chat, 4, "response")
    call = make_turn(chat, pair.chosen[0].content, 2)
    answers = tuple(Message(role="assistant", content=text) for text in ("It is 13", "It is 14"))
    later = pair.model_copy(
        update={
            "prompt": (*pair.prompt, pair.chosen[0], Message(role="tool", content="13", name="calculator")),
            "prompt_turns": (call,),
            "chosen": answers[:1],
            "rejected": answers[1:],
            "chosen_turns": (make_turn(chat, answers[0].content, 4),),
            "rejected_turns": (make_turn(chat, answers[1].content, 4),),
        }
    )
    chosen, rejected, prompt = encode_pair(later, chat)
    assert trained_text(chat, chosen) == "It is 13<|im_end|>"
    assert trained_text(chat, rejected) == "It is 14<|im_end|>"
    assert text_of(chat, chosen.ids[:prompt]).endswith(f"13<|im_end|>\n{HEAD}")


def test_text_without_ids_is_encoded_as_the_policy_would_see_it(chat: Chat) -> None:
    pair = make_pair(chat, 2)
    plain = pair.model_copy(
        update={
            "template_hash": "",
            "chosen_turns": tuple(
                turn.model_copy(update={"retokenized": True}) for turn in pair.chosen_turns
            ),
            "rejected_turns": tuple(
                turn.model_copy(update={"retokenized": True}) for turn in pair.rejected_turns
            ),
        }
    )
    found = prepare_pairs([plain], chat, max_tokens=1000).pairs[0]
    assert trained_text(chat, found.chosen) == expected_text(pair, pair.chosen)


def test_what_is_dropped_is_counted_by_reason(chat: Chat) -> None:
    good = make_pair(chat, 0)
    same = good.model_copy(update={"rejected": good.chosen, "rejected_turns": good.chosen_turns})
    letters = [chat.tokenizer.encode(letter)[0] for letter in good.rejected[0].content]
    spelled = good.rejected_turns[0].model_copy(
        update={"token_ids": tuple(letters), "logprobs": (-1.0,) * len(letters)}
    )
    same_text = good.model_copy(
        update={"chosen": good.rejected, "chosen_turns": (spelled,), "kind": "response"}
    )
    step = make_pair(chat, 5, "step")
    long = make_pair(chat, 6, question="why " * 200)
    pairs = [good, same, same_text, long, step]
    prepared = prepare_pairs(pairs, chat, max_tokens=300)
    assert prepared.read == 5 == len(prepared.pairs) + prepared.dropped.total()
    assert prepared.dropped == {EQUAL: 2, TOO_LONG: 1}
    assert prepared.kinds == {"masked_conversation": 1, "step": 1}
    assert [pair.number for pair in prepared.pairs] == [0, 1]
    assert prepared.tokens == sum(
        len(side.ids) for one in prepared.pairs for side in (one.chosen, one.rejected)
    )


def test_a_side_that_the_shared_tokens_use_up_is_dropped(chat: Chat) -> None:
    step = make_pair(chat, 5, "step")
    ids = step.chosen_turns[0].token_ids[:6]
    turn = step.chosen_turns[0].model_copy(
        update={"token_ids": ids, "logprobs": (-1.0,) * 6, "finish_reason": "complete"}
    )
    piece = Message(role="assistant", content=chat.decode(ids))
    used_up = step.model_copy(update={"chosen": (piece,), "chosen_turns": (turn,)})
    prepared = prepare_pairs([used_up, step], chat, max_tokens=300)
    assert prepared.dropped == {UNTRAINED: 1}


def refused(chat: Chat, kind: PairKind = "masked_conversation", **changed: object) -> str:
    with pytest.raises(InputError) as caught:
        prepare_pairs([make_pair(chat, 1, kind).model_copy(update=changed)], chat, max_tokens=300)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refusals_name_the_pair(chat: Chat) -> None:
    assert "pair pair-1: call_format is 'paper'" in refused(chat, call_format="paper")
    assert "pair pair-1: sampled under chat template 'other'" in refused(chat, template_hash="other")
    assert "do not decode to its text" in refused(chat, chosen=(Message(role="assistant", content="x"),))
    assert "does not begin with an assistant turn" in refused(chat, rejected=(), rejected_turns=())
    whole = make_pair(chat, 1)
    assert "one turn a side, here 3 messages" in refused(
        chat, "response", chosen=whole.chosen, chosen_turns=whole.chosen_turns
    )
    assert "expected the same prompt for both" in refused(chat, "step", shared=40)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_prepared(chat: Chat, kind: PairKind) -> None:
    prepared = prepare_pairs([make_pair(chat, n, kind) for n in range(3)], chat, max_tokens=300)
    assert len(prepared.pairs) == 3
    assert 0 < prepared.trained_tokens < prepared.tokens


def test_nothing_left_is_an_error(chat: Chat, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of 1 pairs can be trained on \(longer than max_tokens 1x\)"):
        prepare_pairs([make_pair(chat, 1)], chat, max_tokens=5)
