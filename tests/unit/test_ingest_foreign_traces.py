"""Rows with calls of tools as traces: what is written is read back, and can be trained on."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import LabeledTrace, ToolCall, TurnLabel
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.ingest.exchanges import build_sample
from components.ingest.rows import Exchange, RowError, Said
from components.policy.load import open_chat
from components.sft.dataset import prepare_examples
from tests.tiny_model import build_tiny_model
from tests.tool_rows import ALL_ROWS, GOLD_ROWS, TRAJECTORIES, sample_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab c", max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(["get_weather", "Market Trends API", "weather.today", "a:b", "Search/Movies"])
CALLS = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    NAMES,
    st.dictionaries(st.sampled_from(["city", "max length", "Z.Ke.a8s", "type"]), VALUES, max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=3), st.sampled_from(CALL_FORMATS), st.text("a<[\n:", max_size=12))
def test_what_was_written_is_read_back_or_refused(
    calls: list[ToolCall], call_format: str, thought: str
) -> None:
    tools = tuple(
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in {call.name for call in calls}
    )
    said = (Said("user", "Do it"), Said("assistant", thought, tuple(calls)), Said("tool", "done"))
    try:
        trace = build_sample(Exchange(tools, said), "x", call_format).trace
    except RowError as error:
        reason = error.reason
    else:
        reason = ""
    assert not reason or ("can't be written in the format" in reason and call_format != "hermes")
    if reason:
        return
    assert trace is not None
    parsed = get_call_format(call_format).parse(trace.messages[2].content, tools)
    written = [(one.call.name, one.call.arguments) for one in parsed.calls]
    assert not parsed.failures
    assert json.dumps(written) == json.dumps([(one.name, one.arguments) for one in calls])
    assert [one.text for one in trace.calls] == [one.text for one in parsed.calls]


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize("name", [*TRAJECTORIES, *GOLD_ROWS])
def test_what_comes_out_can_be_trained_on(name: str, call_format: str, chats: Path) -> None:
    trace = sample_of(ALL_ROWS[name], call_format)[1].trace
    assert trace is not None
    labels = tuple(TurnLabel(message=turn.message, trained=True) for turn in trace.turns)
    chat = open_chat(str(chats), call_format)
    (example,) = prepare_examples(
        [LabeledTrace(**dict(trace), labels=labels)], chat, max_tokens=4096
    ).examples
    supervised = [one for one, weight in zip(example.ids, example.weights, strict=True) if weight]
    for turn in trace.turns:
        assert trace.messages[turn.message].content in chat.decode(supervised)


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))
