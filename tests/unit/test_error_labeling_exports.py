"""Labels for other trainers: exact rows, and what ingest reads back out of them."""

import json
from pathlib import Path

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    LabeledTrace,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    TurnLabel,
)
from components.error_labeling.exports import export_rows
from components.error_labeling.settings import Export
from components.ingest.formats.messages import convert
from components.ingest.rows import Exchange
from components.rollout.prompts import build_messages
from tests.traces import CALCULATOR

TOOLS = json.dumps([CALCULATOR])
WRONG = '<tool_call>\n{"name": "calculator", "arguments": {"formula": "1+1"}}\n</tool_call>'
RIGHT = 'Again.\n<tool_call>\n{"name": "calculator", "arguments": {"expression": "1+1"}}\n</tool_call>'
BROKEN = '<tool_call>\n{"name": "calculator"'


def make_trace(*turns: tuple[str, str, bool], native_tools: bool = False) -> LabeledTrace:
    """turns: (what the assistant said, the tool's reply or "", whether it is trained)."""
    question = Question(id="q", text="1+1?", offered=TOOLS)
    messages = list(build_messages(question, [CALCULATOR], "multi_step", "hermes", native_tools))
    labels: list[TurnLabel] = []
    calls: list[ExecutedCall] = []
    for text, reply, trained in turns:
        labels.append(TurnLabel(message=len(messages), trained=trained, reason="" if trained else "masked"))
        messages.append(Message(role="assistant", content=text))
        if reply:
            call = ToolCall(name="calculator", arguments={})
            calls.append(
                ExecutedCall(message=len(messages) - 1, text=text, call=call, reply=ToolReply(content=reply))
            )
            messages.append(Message(role="tool", content=reply, name="calculator"))
    return LabeledTrace(
        id="q#0",
        question=question,
        tools=TOOLS,
        messages=tuple(messages),
        turns=tuple(
            AssistantTurn(
                message=one.message, token_ids=(), logprobs=(), finish_reason="stop", retokenized=True
            )
            for one in labels
        ),
        calls=tuple(calls),
        outcome=Outcome(answer="2"),
        model="",
        call_format="hermes",
        native_tools=native_tools,
        labels=tuple(labels),
    )


TRACE = make_trace((WRONG, "unknown parameter", False), (RIGHT, "2", True), ("2", "", True))


def called(index: int, arguments: str) -> dict[str, object]:
    function = {"name": "calculator", "arguments": arguments}
    return {"id": f"call_{index}_0", "type": "function", "function": function}


def test_openai_rows_have_weights_and_structured_calls() -> None:
    (row,) = export_rows("openai", [TRACE])
    system = build_messages(TRACE.question, [CALCULATOR], "multi_step", "hermes", native_tools=True)[0]
    assert "<tool_call>" not in system.content
    assert row == {
        "messages": [
            {"role": "system", "content": system.content},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "", "tool_calls": [called(2, '{"formula": "1+1"}')], "weight": 0},
            {"role": "tool", "tool_call_id": "call_2_0", "content": "unknown parameter"},
            {"role": "assistant", "content": "Again.", "tool_calls": [called(4, '{"expression": "1+1"}')], "weight": 1},
            {"role": "tool", "tool_call_id": "call_4_0", "content": "2"},
            {"role": "assistant", "content": "2", "weight": 1},
        ],
        "tools": [CALCULATOR],
    }  # fmt: skip


def test_axolotl_rows_say_of_every_message_whether_it_is_trained() -> None:
    (row,) = export_rows("axolotl", [TRACE])
    messages = row["messages"]
    assert isinstance(messages, list)
    assert [(one["role"], one["train"]) for one in messages if isinstance(one, dict)] == [
        ("system", False), ("user", False), ("assistant", False), ("tool", False),
        ("assistant", True), ("tool", False), ("assistant", True),
    ]  # fmt: skip
    (same,) = export_rows("openai", [TRACE])
    assert isinstance(same["messages"], list)
    for left, right in zip(messages, same["messages"], strict=True):
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        assert {k: v for k, v in left.items() if k != "train"} == {
            k: v for k, v in right.items() if k != "weight"
        }


def test_swift_rows_are_the_policys_text_with_loss() -> None:
    (row,) = export_rows("ms_swift", [TRACE])
    assert row == {
        "messages": [
            {"role": "system", "content": TRACE.messages[0].content},
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": WRONG, "loss": False},
            {"role": "tool_response", "content": "unknown parameter"},
            {"role": "assistant", "content": RIGHT, "loss": True},
            {"role": "tool_response", "content": "2"},
            {"role": "assistant", "content": "2", "loss": True},
        ]
    }
    (native,) = export_rows("ms_swift", [make_trace(("2", "", True), native_tools=True)])
    assert native["tools"] == TOOLS


def test_a_call_that_can_t_be_read_stays_text_and_nothing_follows_the_last_turn() -> None:
    trace = make_trace((BROKEN, "could not parse", False), (RIGHT, "2", True))
    (row,) = export_rows("openai", [trace])
    messages = row["messages"]
    assert isinstance(messages, list)
    assert messages[2:4] == [
        {"role": "assistant", "content": BROKEN, "weight": 0},
        {"role": "user", "content": "could not parse"},
    ]
    last = messages[-1]
    assert isinstance(last, dict)
    assert last["role"] == "assistant"


def test_untrained_traces_are_left_out() -> None:
    assert list(export_rows("openai", [make_trace(("2", "", False))])) == []


def test_ingest_reads_the_openai_rows_back(tmp_path: Path) -> None:
    (row,) = export_rows("openai", [TRACE])
    found = convert(json.loads(json.dumps(row)))
    assert isinstance(found, Exchange)
    calls = [call for said in found.said for call in said.calls]
    assert [(call.name, call.arguments) for call in calls] == [
        ("calculator", {"formula": "1+1"}),
        ("calculator", {"expression": "1+1"}),
    ]


def test_calls_of_the_history_are_masked_and_answered() -> None:
    trace = make_trace((RIGHT, "", True))
    history = (
        Message(role="user", content="2+2?"),
        Message(role="assistant", content=RIGHT),
        Message(role="tool", content="4", name="calculator"),
        Message(role="assistant", content="4."),
    )
    question = trace.question.model_copy(update={"history": history})
    begin = build_messages(question, [CALCULATOR], "multi_step", "hermes", native_tools=False)
    moved = len(begin) - 2
    trace = trace.model_copy(
        update={
            "question": question,
            "messages": (*begin, trace.messages[-1]),
            "turns": tuple(one.model_copy(update={"message": one.message + moved}) for one in trace.turns),
            "labels": tuple(one.model_copy(update={"message": one.message + moved}) for one in trace.labels),
        }
    )
    marks: dict[Export, str] = {"openai": "weight", "axolotl": "train"}
    for name, mark in marks.items():
        (row,) = export_rows(name, [trace])
        messages = row["messages"]
        assert isinstance(messages, list)
        said = [one for one in messages if isinstance(one, dict)]
        assert [one[mark] for one in said if one["role"] == "assistant"] == [0, 0, 1]
        asked, reply = said[-5], said[-4]
        assert isinstance(asked["tool_calls"], list)
        (call,) = asked["tool_calls"]
        assert isinstance(call, dict)
        assert (reply["role"], reply["tool_call_id"]) == ("tool", call["id"])
