"""A pair holds what was sampled: messages of its kind, and token ids verbatim behind the chosen's prompt."""

import json
from pathlib import Path

import pytest

from components.contracts.records import LabeledTrace, Message, PairKind, PreferencePair
from components.policy.load import open_chat
from components.preferences.pairs import build_pair
from tests.judged_traces import OK, labeled, right_with, wrong_with, wrong_without
from tests.tiny_model import build_tiny_model
from tests.tiny_model import make_trace as tiny_trace
from tests.traces import make_trace


def renumbered(trace: LabeledTrace) -> LabeledTrace:
    """The trace with ids that no other turn has."""
    turns = (
        turn.model_copy(update={"token_ids": (10 * turn.message, 10 * turn.message + 1, 7)})
        for turn in trace.turns
    )
    return trace.model_copy(update={"turns": tuple(turns)})


@pytest.mark.parametrize("kind", ["conversation", "masked_conversation"])
def test_a_conversation_is_all_messages(kind: PairKind) -> None:
    chosen, rejected = renumbered(right_with()), renumbered(wrong_without(sample=1, prompt="cot"))
    pair = build_pair(chosen, rejected, kind)
    assert pair.kind == kind
    assert pair.prompt == chosen.messages[:2]
    assert (pair.chosen, pair.rejected) == (chosen.messages[2:], rejected.messages[2:])
    assert (pair.chosen_turns, pair.rejected_turns) == (chosen.turns, rejected.turns)
    assert [message.role for message in pair.chosen] == ["assistant", "tool", "assistant"]
    assert (pair.tools, pair.variant) == (chosen.tools, "multi_step")
    assert json.loads(pair.tools)
    assert "rejected q0#1 sampled under cot" in pair.source


def test_a_response_is_the_first_turn_alone() -> None:
    chosen, rejected = renumbered(right_with()), renumbered(wrong_with(sample=1))
    pair = build_pair(chosen, rejected, "response")
    assert (pair.chosen, pair.rejected) == (chosen.messages[2:3], rejected.messages[2:3])
    assert (pair.chosen_turns, pair.rejected_turns) == (chosen.turns[:1], rejected.turns[:1])


def test_turns_count_from_the_pairs_own_prompt() -> None:
    """The rejected's own prompt was a message shorter, the chosen's is what both follow."""
    chosen, other = renumbered(right_with()), renumbered(wrong_with(sample=1))
    shorter = other.model_copy(
        update={
            "messages": other.messages[1:],
            "turns": tuple(
                turn.model_copy(update={"message": turn.message - 1, "token_ids": (1, 2, 7)})
                for turn in other.turns
            ),
        }
    )
    pair = build_pair(chosen, shorter, "conversation")
    assert pair.rejected == other.messages[2:]
    assert [turn.message for turn in pair.rejected_turns] == [2, 4]
    assert all(turn.token_ids == (1, 2, 7) for turn in pair.rejected_turns)
    behind = (*pair.prompt, *pair.rejected)
    assert all(behind[turn.message].role == "assistant" for turn in pair.rejected_turns)


def test_replies_that_nobody_read_are_left_out() -> None:
    chosen = labeled(make_trace(errors=(OK,)))
    unread = Message(role="tool", content="late", name="calculator")
    longer = chosen.model_copy(update={"messages": (*chosen.messages, unread)})
    pair = build_pair(longer, wrong_without(sample=1), "masked_conversation")
    assert pair.chosen == chosen.messages[2:]


def test_what_was_sampled_is_what_will_be_trained(tmp_path: Path) -> None:
    """Encoded by the policy's own chat: both sides begin alike, and every turn is the ids that were sampled."""
    chat = open_chat(str(build_tiny_model(tmp_path)), "hermes")
    chosen = tiny_trace(chat, 3)
    answer = "It is 12, I think."
    sampled = (*chat.tokenizer.encode(answer, add_special_tokens=False), chat.tokenizer.eos_token_id)
    first = chosen.turns[0].model_copy(
        update={"message": 2, "token_ids": sampled, "logprobs": (-1.0,) * len(sampled)}
    )
    asked = (Message(role="system", content="Think step by step."), chosen.messages[1])
    rejected = chosen.model_copy(
        update={
            "id": "other",
            "messages": (*asked, Message(role="assistant", content=answer)),
            "turns": (first,),
            "labels": chosen.labels[:1],
            "prompt": "cot",
        }
    )
    pair = PreferencePair.model_validate_json(
        build_pair(chosen, rejected, "masked_conversation").model_dump_json(), strict=True
    )
    prompt = chat.encode(pair.prompt, (), generation_prompt=True).ids
    for messages, turns in ((pair.chosen, pair.chosen_turns), (pair.rejected, pair.rejected_turns)):
        given = {turn.message: turn.token_ids for turn in turns}
        encoding = chat.encode((*pair.prompt, *messages), (), sampled=given)
        assert encoding.ids[: len(prompt)] == prompt
        spans = {
            span.message: encoding.ids[span.start : span.end]
            for span in encoding.spans
            if span.kind == "assistant"
        }
        assert spans == {message: list(ids) for message, ids in given.items()}
    assert "Think step by step" not in chat.decode(encoding.ids)
