"""Replies that name their calls: they come in the calls' order, or the row says why not."""

from itertools import permutations

import pytest

from components.contracts.records import LabeledTrace, ToolCall, TurnLabel
from components.error_labeling.exports import export_rows
from components.ingest.exchanges import build_sample
from components.ingest.reply_order import in_order_of_calls
from components.ingest.rows import Exchange, RowError, Said

IDS = ("a", "b", "c")
TOOLS = tuple(
    {"type": "function", "function": {"name": f"tool_{one}", "parameters": {"type": "object", "properties": {}}}}
    for one in IDS
)  # fmt: skip
TURN = Said("assistant", "", tuple(ToolCall(name=f"tool_{one}", arguments={}, id=one) for one in IDS))
REPLIES = {one: Said("tool", f"reply to {one}", call_id=one) for one in IDS}


@pytest.mark.parametrize("order", list(permutations(IDS)))
def test_traces_and_exports_pair_every_reply_with_its_call(order: tuple[str, ...]) -> None:
    said = (Said("user", "Do it"), TURN, *(REPLIES[one] for one in order), Said("assistant", "Done"))
    trace = build_sample(Exchange(TOOLS, said), "x", "hermes").trace
    assert trace is not None
    expected = [f"reply to {one}" for one in IDS]
    assert [call.reply.content for call in trace.calls] == expected
    replies = [(one.name, one.content) for one in trace.messages if one.role == "tool"]
    assert replies == [(f"tool_{one}", f"reply to {one}") for one in IDS]
    labels = tuple(TurnLabel(message=turn.message, trained=True) for turn in trace.turns)
    (row,) = export_rows("openai", [LabeledTrace(**dict(trace), labels=labels)])
    messages = row["messages"]
    assert isinstance(messages, list)
    exported = [one for one in messages if isinstance(one, dict)]
    (calls,) = [one["tool_calls"] for one in exported if "tool_calls" in one]
    assert isinstance(calls, list)
    ids = [call["id"] for call in calls if isinstance(call, dict)]
    assert [one["content"] for one in exported if one["role"] == "tool"] == expected
    assert [one["tool_call_id"] for one in exported if one["role"] == "tool"] == ids


def test_a_call_without_a_reply_keeps_the_others_in_their_places() -> None:
    kept = in_order_of_calls((Said("user", "Do it"), TURN, REPLIES["b"]))
    assert [(one.name, one.text) for one in kept[2:]] == [("tool_a", ""), ("", "reply to b")]
    assert in_order_of_calls((Said("user", "Do it"), TURN)) == (Said("user", "Do it"), TURN)


def test_without_ids_that_tell_calls_apart_places_count() -> None:
    nameless = Said("assistant", "", tuple(call.model_copy(update={"id": ""}) for call in TURN.calls))
    found = in_order_of_calls((nameless, REPLIES["b"], REPLIES["a"]))
    assert [(one.text, one.call_id) for one in found[1:]] == [("reply to b", ""), ("reply to a", "")]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((TURN, Said("tool", "x", call_id="zzz")), "names no call of the turn before it, got 'zzz'"),
        ((REPLIES["a"], TURN), "names no call of the turn before it, got 'a'"),
        ((TURN, REPLIES["a"], Said("user", "And?"), REPLIES["b"]), "names no call of the turn before it"),
        ((TURN, REPLIES["a"], REPLIES["a"]), "two replies to the same call, got 'a'"),
    ],
)
def test_replies_to_no_call_are_refused(said: tuple[Said, ...], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        in_order_of_calls(said)
