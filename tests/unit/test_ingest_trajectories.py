"""Rows with calls of tools, format by format: the exact records, and what is refused and why."""

import copy
import json

import pytest

from components.contracts.records import Message, Question, ToolCall
from components.contracts.tool_schemas import parse_tools
from components.ingest.exchanges import MISFIT, UNANSWERED
from components.ingest.replies import reads_as_error
from components.ingest.rows import RowError
from components.ingest.settings import IngestSettings
from components.policy.settings import EngineSettings
from components.rollout.prompts import build_messages
from tests import tool_rows as rows
from tests.tool_rows import ANSWER, ASKED, GOLD_ROWS, REPLY, TOOL, TRAJECTORIES, sample_of

CALL = ToolCall(name="get_weather", arguments={"city": "Oslo"})
JSON = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
WRITTEN = f"<tool_call>\n{JSON}\n</tool_call>"


def test_call_format_is_the_engines() -> None:
    assert IngestSettings.parse("").call_format == EngineSettings().call_format


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_trajectory_becomes_a_trace_and_its_held_out_side_a_gold(name: str) -> None:
    found, sample = sample_of(TRAJECTORIES[name])
    trace = sample.trace
    assert found == name
    assert trace is not None
    assert [(one.role, one.content) for one in trace.messages[1:]] == [
        ("user", ASKED),
        ("assistant", WRITTEN),
        ("tool", REPLY),
        ("assistant", ANSWER),
    ]
    assert [turn.message for turn in trace.turns] == [2, 4]
    assert all(turn.retokenized and not turn.token_ids for turn in trace.turns)
    (call,) = trace.calls
    assert call.call == CALL.model_copy(update={"id": "2.0"})
    assert (call.message, call.text, call.reply.content, call.reply.error) == (2, JSON, REPLY, None)
    assert call.reply.call_id == "2.0"
    assert (trace.template_hash, trace.call_format, trace.prompt, trace.model) == (
        "",
        "hermes",
        "multi_step",
        "",
    )
    assert trace.outcome.answer == ANSWER
    assert (trace.question.text, trace.question.golds) == (ASKED, ())
    assert parse_tools(trace.tools) == (TOOL,)
    held_out = sample.held_out
    assert held_out == Question(
        id=trace.question.id, text=ASKED, kind=name, offered=json.dumps([TOOL]), golds=((CALL,),)
    )


@pytest.mark.parametrize("name", GOLD_ROWS)
def test_a_gold_row_is_the_same_question_on_both_sides_and_a_trace_of_one_turn(name: str) -> None:
    found, sample = sample_of(GOLD_ROWS[name])
    assert found == name
    assert sample.question == sample.held_out
    assert sample.question.text == ASKED
    assert sample.question.golds[0] == (CALL,)
    (tool,) = parse_tools(sample.question.offered)
    assert tool["function"]["name"] == "get_weather"
    assert tool["function"]["parameters"]["properties"]["city"]["type"] == "string"
    assert tool["function"]["parameters"]["required"] == ["city"]
    trace = sample.trace
    assert trace is not None
    assert [turn.message for turn in trace.turns] == [2]
    assert trace.messages[2].content in (WRITTEN, f"look\n{WRITTEN}")
    assert [one.reply.content for one in trace.calls] == [""]
    assert sample.note == ""


def test_the_other_particulars_of_the_formats() -> None:
    assert sample_of(rows.ROTBENCH)[1].question.golds == (
        (CALL,),
        (ToolCall(name="get_weather", arguments={"city": "oslo"}),),
    )
    assert sample_of(rows.BFCL)[1].question.kind == "bfcl_exec_simple"
    assert sample_of(rows.GOLDS)[1].question.kind == "calls"
    name, asked = sample_of(rows.TOOLEYES)
    assert (name, asked.trace, asked.question.golds, asked.question.text) == ("tooleyes", None, (), ASKED)
    assert parse_tools(asked.question.offered) == (TOOL,)
    moved = {
        "conversations": [{"from": "system", "value": rows.TOOLACE["system"]}, *rows.TOOLACE["conversations"]]
    }
    assert sample_of(moved)[0] == "toolace"
    seal = {
        "id": "dev-easy-0",
        "conversations": rows.said(
            human=f"Please choose.\nInput:\napi_list = {rows.SEAL_TOOLS['tools']}\n"
            f'task_instruction = "{ASKED}"\nOutput:\n',
            gpt=str(rows.SEAL_TOOLS["calling"]),
        ),
    }
    assert sample_of(seal) == sample_of(rows.SEAL_TOOLS)


def test_a_failed_first_call_is_trained_and_not_judged_by() -> None:
    _, sample = sample_of(rows.ROTBENCH_THIRD)
    assert sample.trace is not None
    assert [one.reply.content for one in sample.trace.calls] == [
        "get_weather() got an unexpected keyword argument 'town'",
        "",
    ]
    assert sample.held_out is not None
    assert sample.held_out.text == ASKED
    assert [calls[0].arguments["city"] for calls in sample.held_out.golds] == ["Oslo", "oslo"]
    hallucinated = copy.deepcopy(rows.MESSAGES)
    hallucinated["messages"][1]["tool_calls"][0]["function"]["name"] = "weather"
    _, other = sample_of(hallucinated)
    assert other.trace is not None
    assert other.held_out is None
    assert other.refused == "the gold names a tool that is not offered (it is 'weather')"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"error": "no such city"}', True),
        ('{"success": false}', True),
        ("KeyError: 'x'", True),
        ("f() missing 1 required positional argument: 'a'", True),
        ('{"error": null, "celsius": 4}', False),
        ("Error handling in Python is done with try.", True),  # a gold is not worth the doubt
        ("terror management theory", False),
        ("", False),
    ],
)
def test_what_reads_as_an_error(reply: str, expected: bool) -> None:
    assert reads_as_error(reply) is expected


def test_a_later_turn_keeps_what_went_before() -> None:
    row = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            *rows.MESSAGES["messages"],
            {"role": "user", "content": "Thanks, nobody answers this"},
        ],
        "tools": [TOOL],
        "answer": "4",
    }
    _, sample = sample_of(row)
    held_out, trace = sample.held_out, sample.trace
    assert held_out is not None
    assert trace is not None
    assert held_out.history == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Hi"),
    )
    assert (held_out.text, held_out.subject, held_out.answers) == (ASKED, "Hello", ("4",))
    assert (trace.question.text, trace.question.subject) == ("Hello", "")
    assert trace.messages[0].content.startswith("Be brief.")
    assert [turn.message for turn in trace.turns] == [2, 4, 6]
    assert trace.messages[-1].content == ANSWER


def test_a_gold_behind_a_reply_is_asked_after_that_reply() -> None:
    found = {"name": "get_weather", "description": "The weather", "input_parameters": rows.FLAT["parameters"]}
    searcher = {"name": "ToolSearcher", "input_parameters": {"keywords": {"type": "str"}}}
    row = rows.API_BANK | {
        "instruction": f"API descriptions:\n{json.dumps(searcher)}",
        "input": f"User: {ASKED}\nAPI-Request: [ToolSearcher(keywords='weather')]->{found}\nAI: look\nGenerate API Request:\n",
    }
    _, sample = sample_of(row)
    question = sample.question
    assert [tool["function"]["name"] for tool in parse_tools(question.offered)] == [
        "ToolSearcher",
        "get_weather",
    ]
    assert question.text == ASKED
    assert [one.role for one in question.history] == ["user", "assistant", "tool"]
    assert question.history[-1].content == str(found)
    shown = build_messages(question, parse_tools(question.offered), "multi_step", "hermes", native_tools=True)
    assert shown[1:] == question.history  # the request is not asked again
    assert sample.trace is not None
    assert sample.trace.messages[-1].content == f"look\n{WRITTEN}"
    assert question.golds == ((CALL,),)


def test_replies_go_to_the_calls_they_name() -> None:
    row = copy.deepcopy(rows.MESSAGES)
    second = copy.deepcopy(rows.OPENAI_CALL) | {"id": "c2"}
    row["messages"][1]["tool_calls"].append(second)
    row["messages"].insert(2, {"role": "tool", "tool_call_id": "c2", "content": "second"})
    trace = sample_of(row)[1].trace
    assert trace is not None
    assert [(one.call and one.call.id, one.reply.content) for one in trace.calls] == [
        ("2.0", REPLY),
        ("2.1", "second"),
    ]
    assert [one.name for one in trace.messages if one.role == "tool"] == ["get_weather", "get_weather"]


def test_a_reply_to_nothing_stays_in_its_place() -> None:
    row = copy.deepcopy(rows.MESSAGES)
    row["messages"].insert(1, {"role": "tool", "content": "stray"})
    trace = sample_of(row)[1].trace
    assert trace is not None
    assert [(one.role, one.name) for one in trace.messages[2:5]] == [
        ("tool", ""),
        ("assistant", ""),
        ("tool", "get_weather"),
    ]


def test_arithmetic_in_golds_is_worked_out_and_nothing_else() -> None:
    gold = "get_weather(city=1/6, list=[-2, 2**3, (1, 2)], word={'a': None}, deep=9 // 2 % 3)"
    _, sample = sample_of(rows.BFCL | {"ground_truth": [gold]})
    assert sample.question.golds[0][0].arguments == {
        "city": 1 / 6,
        "list": [-2, 8, [1, 2]],
        "word": {"a": None},
        "deep": 1,
    }
    assert sample.note == MISFIT
    for bad in (
        "f(a=9**9**9)",
        "f(a=1/0)",
        "f(a='x'*9)",
        "f(a=__import__('os'))",
        "f(a=b'x')",
        "f(**a)",
        "1+1",
    ):
        with pytest.raises(RowError):
            sample_of(rows.BFCL | {"ground_truth": [bad]})


def test_what_nobody_answered_is_left_out_and_noted() -> None:
    row = copy.deepcopy(rows.MESSAGES)
    whole = sample_of(row)[1]
    row["messages"].append({"role": "user", "content": "And tomorrow?"})
    cut = sample_of(row)[1]
    assert cut.trace is not None
    assert whole.trace is not None
    assert cut.trace.messages == whole.trace.messages
    assert (whole.note, cut.note) == ("", UNANSWERED)
