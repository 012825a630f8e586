"""Every prompt variant on the tiny and the test model, samples without tools, and what labels and pairs make of them."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import LabeledTrace, PreferencePair, PromptVariant, Question, Trace
from components.error_labeling.run import run as label
from components.policy.load import open_chat
from components.preferences.run import run as pair_up
from components.rollout.prompts import offers_tools
from components.trace_generation.run import run
from components.trace_generation.settings import TraceGenerationSettings
from tests.small_tools import small_tools
from tests.test_model import build_test_model, plain_questions, word_problems
from tests.tiny_model import build_tiny_model
from tests.tools_process import ToolsProcess

ENGINE = {"call_format": "paper", "model": {"dtype": "float32", "device": "cpu", "threads": 1}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_tiny_model(tmp_path_factory.mktemp("tiny") / "model"))


def question_set(folder: Path, questions: list[Question]) -> dsl.Dataset:
    with write_artifact(folder, "questions/1") as writer:
        writer.counts |= {"shards": 1, "train": write_records(writer.folder / "train.jsonl", questions)}
        write_records(writer.folder / "held_out.jsonl", [])
    return dsl.Dataset(uri=str(folder))


def sample(
    folder: Path,
    questions: list[Question],
    model: str,
    url: str,
    settings: Mapping[str, object],
    method: str = "",
) -> tuple[list[Trace], dsl.Metrics]:
    metrics, out = dsl.Metrics(uri="metrics"), dsl.Dataset(uri=str(folder / "traces"))
    text = json.dumps({"engine": ENGINE, **settings})
    run(question_set(folder / "questions", questions), model, url, text, "", 0, out, metrics, None, method)
    written = open_artifact(out.path, "traces/1")
    assert written.manifest.counts["traces"] == metrics.metadata["traces"]
    return list(read_records(written.path("traces.jsonl"), Trace)), metrics


def test_the_papers_preset_asks_once_without_tools() -> None:
    found = TraceGenerationSettings.parse('{"preset": "self-training"}')
    assert (found.no_tool_samples, found.no_tool_variant) == (1, "cot")
    assert TraceGenerationSettings.parse('{"preset": "demo"}').no_tool_samples == 0


@pytest.mark.parametrize("variant", ["plain", "cot", "single_step", "multi_step"])
def test_every_variant_with_and_without_tools(
    variant: PromptVariant, service: ToolsProcess, tiny: str, tmp_path: Path
) -> None:
    questions = word_problems(2, 5)
    settings = {
        "variant": variant,
        "num_samples": 3,
        "no_tool_samples": 2,
        "no_tool_variant": "plain",
        "prefill": "action",
        "max_new_tokens": 5,
        "max_steps": 3,
        "concurrent": 4,
    }
    # Where no prompt offers tools nobody asks the service.
    url = service.url if offers_tools(variant) else "http://127.0.0.1:9"
    traces, metrics = sample(tmp_path, questions, tiny, url, settings)
    assert Counter(trace.id for trace in traces) == Counter(
        f"{question.id}#{number}" for question in questions for number in range(5)
    )
    chat = open_chat(tiny, "paper")
    for trace in traces:
        assert trace.prompt == (variant if trace.sample < 3 else "plain")
        assert trace.outcome.correct is not None
        for turn in trace.turns:
            assert chat.decode(turn.token_ids) == trace.messages[turn.message].content
        if offers_tools(trace.prompt):
            assert bool(trace.turns[0].prefilled) is (trace.sample % 3 != 0)
            assert {tool["function"]["name"] for tool in json.loads(trace.tools)} >= {"calculator"}
            assert len(trace.turns) <= (2 if variant == "single_step" else 3)
        else:
            assert (len(trace.turns), trace.turns[0].prefilled, trace.calls) == (1, 0, ())
            assert json.loads(trace.tools) == []
            assert "calculator" not in trace.messages[0].content
    without = [trace for trace in traces if not offers_tools(trace.prompt)]
    assert metrics.metadata["no_tool_traces"] == len(without) == (4 if offers_tools(variant) else 10)
    assert metrics.metadata["called_share"] <= 100


def test_samples_with_tools_stay_what_they_are_without_the_others(
    service: ToolsProcess, tiny: str, tmp_path: Path
) -> None:
    settings = {"num_samples": 2, "max_new_tokens": 5, "max_steps": 2}
    questions = word_problems(2, 6)
    alone, alone_metrics = sample(tmp_path / "a", questions, tiny, service.url, settings)
    beside, metrics = sample(tmp_path / "b", questions, tiny, service.url, {**settings, "no_tool_samples": 2})
    ids = {trace.id: [turn.token_ids for turn in trace.turns] for trace in beside}
    assert all(ids[trace.id] == [turn.token_ids for turn in trace.turns] for trace in alone)
    for name in ("accuracy", "invoke_rate", "called_share", "pass_rate"):
        assert metrics.metadata[name] == alone_metrics.metadata[name]


def test_a_run_by_dpo_asks_once_without_tools_by_itself(
    service: ToolsProcess, tiny: str, tmp_path: Path
) -> None:
    settings, questions = {"max_new_tokens": 4, "max_steps": 1}, word_problems(2, 4)
    for method, prompts in (("dpo", ["multi_step", "cot"]), ("sft", ["multi_step"]), ("", ["multi_step"])):
        traces, _ = sample(tmp_path / (method or "by-itself"), questions, tiny, service.url, settings, method)
        assert Counter(trace.prompt for trace in traces) == dict.fromkeys(prompts, len(questions))
        assert len({trace.id for trace in traces}) == len(traces)


def test_practice_that_is_off_opens_neither_model_nor_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traces, metrics = sample(tmp_path, word_problems(2, 7), "/no/model", "http://127.0.0.1:9", {}, "none")
    assert traces == []
    assert metrics.metadata["traces"] == 0
    assert "practice is off" in capsys.readouterr().out


@pytest.fixture(scope="module")
def practised(service: ToolsProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trace]]:
    """The test model's traces of word problems and plain questions, with tools and without."""
    folder = tmp_path_factory.mktemp("practised")
    settings = {
        "variant": "single_step",
        "num_samples": 4,
        "no_tool_samples": 2,
        "no_tool_variant": "plain",
        "temperature": 1.0,
        "top_p": 1.0,
        "max_new_tokens": 40,
        "prefill": "action",
    }
    # What the model says under a prompt that it was not trained on is right for these alone.
    named = [
        question.model_copy(
            update={"id": f"named-{question.id}", "answers": ("calculator",), "answer_type": "text"}
        )
        for question in word_problems(3, 8)
    ]
    questions = [*word_problems(6, 8), *plain_questions(4, 8), *named]
    return folder, sample(folder, questions, str(build_test_model()), service.url, settings)[0]


def labels(folder: Path, out: Path, settings: Mapping[str, object]) -> list[LabeledTrace]:
    label(
        [dsl.Dataset(uri=str(folder / "traces"))],
        json.dumps(settings),
        "",
        dsl.Dataset(uri=str(out / "labeled")),
        dsl.Metrics(uri="metrics"),
        dsl.ClassificationMetrics(uri="classification"),
        dsl.HTML(uri=str(out / "report.html")),
    )
    opened = open_artifact(out / "labeled", "labeled_traces/1")
    return list(read_records(opened.path("traces.jsonl"), LabeledTrace))


def test_the_recipes_are_the_papers(practised: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    """Tools: right with a call; mixture: right under the prompt with tools; no tool: right under the other."""
    folder, traces = practised
    whole = [trace for trace in traces if trace.outcome.correct and trace.turns[-1].finish_reason != "length"]
    passed = [trace for trace in whole if any(call.reply.error is None for call in trace.calls)]
    expected = {
        "tools": {trace.id for trace in passed},
        "mixture": {trace.id for trace in whole if trace.prompt == "single_step"},
        "no_tool": {trace.id for trace in whole if trace.prompt == "plain"},
    }
    assert expected["tools"] < expected["mixture"]
    assert expected["no_tool"]
    for recipe, ids in expected.items():
        found = labels(folder, tmp_path / recipe, {"recipe": recipe, "mask_errors": False})
        kept = {trace.id for trace in found if any(one.trained for one in trace.labels)}
        assert kept
        assert kept <= ids
        duplicates = [trace for trace in found if trace.id in ids - kept]
        assert all(one.reason.startswith("duplicate") for trace in duplicates for one in trace.labels)


@pytest.mark.parametrize("kind", ["response", "conversation", "masked_conversation"])
def test_practice_becomes_pairs(kind: str, practised: tuple[Path, list[Trace]], tmp_path: Path) -> None:
    folder, traces = practised
    labels(folder, tmp_path, {"preset": "demo"})
    pairs, report = dsl.Dataset(uri=str(tmp_path / "pairs")), dsl.HTML(uri=str(tmp_path / "pairs.html"))
    metrics = dsl.Metrics(uri="metrics")
    given = dsl.Dataset(uri=str(tmp_path / "labeled"))
    pair_up(given, '{"preset": "demo"}', "", pairs, metrics, report, kind, "dpo")
    found = list(
        read_records(open_artifact(pairs.path, "preference_pairs/1").path("pairs.jsonl"), PreferencePair)
    )
    assert found
    own = {trace.id: trace for trace in traces}
    assert {own[pair.id.split(">")[1]].prompt for pair in found} == {"plain", "single_step"}
    assert {bool(own[pair.id.split(">")[0]].calls) for pair in found} == {True, False}
    for pair in found:
        chosen, rejected = (own[name] for name in pair.id.split(">"))
        assert chosen.outcome.correct is True
        assert rejected.outcome.correct is False
        assert bool(chosen.calls) is not bool(rejected.calls)
        assert pair.prompt == chosen.messages[:2]
        assert chosen.prompt == "single_step"
        for turns, trace in ((pair.chosen_turns, chosen), (pair.rejected_turns, rejected)):
            assert [turn.token_ids for turn in turns] == [
                turn.token_ids for turn in trace.turns[: len(turns)]
            ]
            assert len(turns) == (1 if kind == "response" else len(trace.turns))
