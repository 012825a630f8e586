"""A teacher behind an OpenAI-compatible URL: its tool calls become traces that can be labeled and trained."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import LabeledTrace, Message, Question, ToolCall, Trace
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_errors import ToolError
from components.error_labeling.labels import label_turns
from components.error_labeling.settings import ErrorLabelingSettings
from components.policy.load import open_chat
from components.policy.server_calls import server_messages, turn_text
from components.sft.dataset import prepare_examples
from components.trace_generation.run import run
from tests.small_tools import small_tools
from tests.teacher_server import teacher_server, tool_call
from tests.tiny_model import build_tiny_model
from tests.tool_rows import TOOL
from tests.tools_process import ToolsProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


def question_set(folder: Path, questions: list[Question]) -> dsl.Dataset:
    with write_artifact(folder, "questions/1") as writer:
        writer.counts |= {"shards": 1, "train": write_records(writer.folder / "train.jsonl", questions)}
        write_records(writer.folder / "held_out.jsonl", [])
    return dsl.Dataset(uri=str(folder))


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """First a call (of question 2 with broken arguments), then what the tool said."""
    last = body["messages"][-1]
    asked = next(one["content"] for one in body["messages"] if one["role"] == "user")
    if last["role"] == "tool" or last["content"] != asked:
        number = str(last["content"]).split()[-1]
        return {"content": number if "Error" not in str(last["content"]) else "I can't tell."}
    if "2+1" in asked:
        return {"tool_calls": [tool_call("calculator", '{"expression": "2+1"')]}
    expression = asked.removeprefix("What is ").removesuffix("?")
    return {"content": "I compute.", "tool_calls": [tool_call("calculator", {"expression": expression})]}


@pytest.mark.parametrize("call_format", ["hermes", "pythonic", "paper"])
@pytest.mark.parametrize("server_tools", [True, False])
def test_a_teachers_calls_become_traces_to_train_on(
    call_format: str, server_tools: bool, service: ToolsProcess, tmp_path: Path
) -> None:
    asked = [Question(id=f"q{n}", text=f"What is {n}+1?", answers=(str(n + 1),)) for n in range(3)]
    heard: list[dict[str, Any]] = []
    with teacher_server(answer, heard) as url:
        engine = {"kind": "openai", "url": url, "call_format": call_format, "server_tools": server_tools}
        given = question_set(tmp_path / "q", asked)
        out, metrics = dsl.Dataset(uri=str(tmp_path / "t")), dsl.Metrics(uri="metrics")
        run(given, "teacher", service.url, json.dumps({"engine": engine}), "", 0, out, metrics)
    traces = list(read_records(open_artifact(tmp_path / "t", "traces/1").path("traces.jsonl"), Trace))
    traces.sort(key=lambda trace: trace.id)
    told = server_tools and call_format != "paper"  # the paper's format is never a template's own
    assert all(bool(body.get("tools")) is told for body in heard)
    for number in (0, 1):
        trace = traces[number]
        assert trace.outcome.correct is True
        (call,) = trace.calls
        assert call.call is not None
        assert call.call.arguments == {"expression": f"{number}+1"}
        assert call.reply.error is None
        parsed = get_call_format(call_format).parse(trace.messages[2].content, ())
        assert (parsed.thought, parsed.calls[0].call.name) == ("I compute.", "calculator")
        assert all(turn.retokenized for turn in trace.turns)
    assert traces[2].calls[0].reply.error is ToolError.PARSE_FAILURE
    if told:
        sent = next(body["messages"] for body in heard if body["messages"][-1]["role"] == "tool")
        assert [one["role"] for one in sent] == ["system", "user", "assistant", "tool"]
        assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"]
        assert json.loads(sent[2]["tool_calls"][0]["function"]["arguments"]).keys() == {"expression"}
    chosen = ErrorLabelingSettings()
    labeled = [LabeledTrace(**dict(trace), labels=label_turns(trace, "", chosen)) for trace in traces]
    assert not labeled[2].labels[0].trained
    chat = open_chat(str(build_tiny_model(tmp_path / "model")), call_format)
    prepared = prepare_examples(labeled, chat, max_tokens=4096)
    assert len(prepared.examples) == 3
    example = prepared.examples[0]
    supervised = [one for one, weight in zip(example.ids, example.weights, strict=True) if weight]
    assert traces[0].messages[2].content in chat.decode(supervised)


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_calls_are_written_and_read_back(call_format: str) -> None:
    chosen = get_call_format(call_format)
    made = [tool_call("get_weather", {"city": "Oslo"})]
    text = turn_text({"content": None, "tool_calls": made}, chosen, [TOOL])
    assert [one.call for one in chosen.parse(text, [TOOL]).calls] == [
        ToolCall(name="get_weather", arguments={"city": "Oslo"})
    ]
    messages = [Message(role="user", content="?"), Message(role="assistant", content=text)]
    messages += [Message(role="tool", content="4", name="get_weather"), Message(role="tool", content="stray")]
    sent = server_messages(messages, chosen, [TOOL])
    assert sent[1]["tool_calls"][0]["function"] == made[0]["function"]
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "user"]
    broken = turn_text({"tool_calls": [tool_call("get_weather", "{'city'")]}, chosen, [TOOL])
    assert chosen.parse(broken, [TOOL]).failures
    assert turn_text({"content": "Hello"}, chosen, [TOOL]) == "Hello"


def test_questions_with_golds_are_not_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golds = ((ToolCall(name="get_weather", arguments={"city": "Oslo"}),),)
    given = question_set(
        tmp_path / "q", [Question(id="g", text="?", offered=json.dumps([TOOL]), golds=golds)]
    )
    out, metrics = dsl.Dataset(uri=str(tmp_path / "t")), dsl.Metrics(uri="metrics")
    run(given, "/no/such/model", "http://127.0.0.1:9", "", "", 0, out, metrics)
    artifact = open_artifact(tmp_path / "t", "traces/1")
    assert artifact.path("traces.jsonl").read_bytes() == b""
    assert artifact.manifest.counts["traces"] == metrics.metadata["traces"] == 0
    assert "no question to sample" in capsys.readouterr().out
