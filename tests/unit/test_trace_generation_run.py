"""Trace generation on artifacts, with the real tools service and the tiny test model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import Question, Trace
from components.policy.load import open_chat
from components.rollout.tools_client import ToolsClient
from components.storage import open_input
from components.trace_generation.__main__ import main
from components.trace_generation.run import generate, judge, read_shard, run, write_traces
from components.trace_generation.settings import TraceGenerationSettings
from tests.scripted_engine import ScriptedEngine, last_text, turn_number
from tests.small_tools import free_port, small_tools
from tests.tiny_model import build_tiny_model
from tests.tools_process import ToolsProcess
from tests.traces import make_trace

QUESTIONS = [
    Question(id=f"q{i}", text=f"What is {i}+1?", answers=(str(i + 1),), answer_type="number", kind="sum")
    for i in range(7)
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


def question_set(folder: Path, questions: list[Question], shards: int = 1) -> dsl.Dataset:
    with write_artifact(folder, "questions/1") as writer:
        writer.counts |= {"shards": shards, "train": write_records(writer.folder / "train.jsonl", questions)}
        write_records(writer.folder / "held_out.jsonl", [])
    return dsl.Dataset(uri=str(folder))


def untimed(trace: Trace) -> Trace:
    """The trace without what the clock said: how long each call took."""
    calls = (
        call.model_copy(update={"reply": call.reply.model_copy(update={"seconds": 0.0})})
        for call in trace.calls
    )
    return trace.model_copy(update={"calls": tuple(calls)})


def test_the_defaults_are_the_papers() -> None:
    found = TraceGenerationSettings.parse('{"preset": "self-training"}')
    assert found == TraceGenerationSettings.parse('{"no_tool_samples": 1}')
    assert (found.temperature, found.top_p, found.max_new_tokens, found.seed) == (0.6, 0.9, 512, 19)
    assert (found.num_samples, found.variant, found.max_steps, found.prefill) == (1, "multi_step", 9, "none")
    assert TraceGenerationSettings.parse(found.canonical()) == found


@pytest.mark.parametrize("preset", TraceGenerationSettings.presets)
def test_presets_are_valid(preset: str) -> None:
    TraceGenerationSettings.parse(json.dumps({"preset": preset}))


@pytest.mark.parametrize("shards", [1, 2, 3, 10])
def test_shards_divide_the_training_questions(shards: int, tmp_path: Path) -> None:
    opened = open_artifact(question_set(tmp_path / "q", QUESTIONS, shards).path, "questions/1")
    found = [read_shard(opened, shard) for shard in range(shards)]
    assert sorted(q.id for part in found for q in part) == [q.id for q in QUESTIONS]
    assert max(map(len, found)) - min(map(len, found)) <= 1
    with pytest.raises(InputError, match=f"shard: {shards} "):
        read_shard(opened, shards)


def test_outcomes_are_judged_only_where_there_is_a_gold() -> None:
    right, wrong = make_trace(answer="It is 4."), make_trace(answer="It is 5.")
    assert judge(right).outcome.correct is True
    assert judge(wrong).outcome.correct is False
    free = right.model_copy(
        update={"question": right.question.model_copy(update={"answers": ()}), "outcome": right.outcome}
    )
    assert judge(free) is free


def test_traces_are_written_as_they_come_and_counted(service: ToolsProcess, tmp_path: Path) -> None:
    def script(conversation: object) -> str:
        number = turn_number(conversation)  # type: ignore[arg-type]
        text = last_text(conversation)  # type: ignore[arg-type]
        return f"Answer: {text}" if number else f"Action: calculator[{text[8:-1]}]"

    engine = ScriptedEngine(script, call_format="paper")
    chosen = TraceGenerationSettings(num_samples=2)
    with ToolsClient(service.url) as client:
        tally = write_traces(tmp_path / "t.jsonl", generate(QUESTIONS, engine, client, chosen, "digest"), 14)
    traces = list(read_records(tmp_path / "t.jsonl", Trace))
    assert len({trace.id for trace in traces}) == len(traces) == tally.traces == 14
    assert all(trace.outcome.correct and trace.adapter == "digest" for trace in traces)
    assert tally.counts()["calls"] == tally.counts()["correct"] == 14
    metrics = tally.metrics()
    assert (
        metrics["invoke_rate"]
        == metrics["called_share"]
        == metrics["pass_rate"]
        == metrics["accuracy"]
        == 100
    )
    assert metrics["error_parse_failure"] == 0


def test_an_unknown_tool_ends_the_stage_before_a_model_is_loaded(
    service: ToolsProcess, tmp_path: Path
) -> None:
    asked = question_set(tmp_path / "q", [QUESTIONS[0].model_copy(update={"tools": ("oracle",)})])
    with pytest.raises(InputError, match=r"question 'q0'.*'oracle'.*calculator"):
        run(
            asked,
            "/no/such/model",
            service.url,
            "",
            "",
            0,
            dsl.Dataset(uri=str(tmp_path / "t")),
            dsl.Metrics(),
        )
    assert not (tmp_path / "t").exists()


def test_no_service_is_named(tmp_path: Path) -> None:
    asked = question_set(tmp_path / "q", QUESTIONS)
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match=url):
        run(asked, "/no/such/model", url, "", "", 0, dsl.Dataset(uri=str(tmp_path / "t")), dsl.Metrics())
    assert not (tmp_path / "t").exists()


def test_the_wrong_artifact_is_named_with_the_right_one(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "q", "traces/1"):
        pass
    with pytest.raises(InputError, match=r"questions/1.*traces/1"):
        run(
            dsl.Dataset(uri=str(tmp_path / "q")),
            "m",
            "",
            "",
            "",
            0,
            dsl.Dataset(uri=str(tmp_path / "t")),
            dsl.Metrics(),
        )


def test_a_shard_is_sampled_token_exactly_and_the_same_again(
    service: ToolsProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question_set(tmp_path / "q", QUESTIONS[:4], shards=2)
    model = str(build_tiny_model(tmp_path / "model"))
    settings = json.dumps(
        {
            "preset": "demo",
            "num_samples": 4,
            "max_new_tokens": 6,
            "engine": {"call_format": "paper", "model": {"dtype": "float32", "device": "cpu", "threads": 1}},
        }
    )
    for name in ("t", "again"):
        metrics = dsl.Metrics(uri="metrics")
        out = dsl.Dataset(uri=str(tmp_path / name))
        run(asked, model, service.url, settings, str(tmp_path / "store"), 1, out, metrics)
        assert "[trace_generation 2/2] 8/8 100% eta 00:00 correct " in capsys.readouterr().out
    written = open_input(tmp_path / "t", "traces/1", str(tmp_path / "store"))
    traces = list(read_records(written.path("traces.jsonl"), Trace))
    assert {trace.id for trace in traces} == {f"q{i}#{sample}" for i in (1, 3) for sample in range(4)}
    chat = open_chat(model, "paper")
    for trace in traces:
        assert trace.outcome.correct is not None
        assert trace.template_hash == chat.template_hash
        for turn in trace.turns:
            assert chat.decode(turn.token_ids) == trace.messages[turn.message].content
        begun = trace.messages[2].content
        options = ("", "Action: calculator[expression =", "Action: wikipedia_search[query =")
        assert begun.startswith(options[trace.sample % 3])
        assert bool(trace.turns[0].prefilled) is (trace.sample % 3 != 0)
        for turn in trace.turns[1:]:
            assert turn.prefilled > 0
            assert trace.messages[turn.message].content.startswith("Answer:")
    assert written.manifest.counts["traces"] == metrics.metadata["traces"] == 8
    assert set(written.manifest.lineage) == {"question_set"}
    again = open_input(tmp_path / "again", "traces/1", str(tmp_path / "store"))
    repeated = read_records(again.path("traces.jsonl"), Trace)
    assert [untimed(trace) for trace in repeated] == [untimed(trace) for trace in traces]


def test_a_wrong_setting_from_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--question-set", "q", "--base-model", "m", "--output", str(tmp_path / "t")]
    assert main([*options, "--settings", '{"num_sample": 2}']) == 2
    assert "did you mean 'num_samples'?" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()
