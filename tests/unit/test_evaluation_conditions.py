"""Splits, questions without tools, overrides, and an earlier evaluation that is handed on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.manifests import Manifest
from components.contracts.records import EvaluationItem, Question, ToolCall, Trace
from components.evaluation.__main__ import main
from components.evaluation.conditions import deciding, digest_of_tools, read_conditions
from components.evaluation.run import run
from components.evaluation.settings import EvaluationSettings
from components.scoring.conditions import check_same_conditions
from tests.small_tools import small_tools
from tests.tiny_model import build_tiny_model
from tests.tools_process import ToolsProcess, tools_service

SUMS = [
    Question(id=f"s{i}", text=f"What is {i}+1?", answers=(str(i + 1),), answer_type="number", kind=kind)
    for i, kind in enumerate(("gsm8k", "popqa", "nq", "triviaqa"))
]
QUICK = json.dumps(
    {"max_new_tokens": 4, "max_steps": 2, "engine": {"call_format": "paper", "model": {"dtype": "float32"}}}
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def question_set(folder: Path, *, validation: list[Question] | None = None) -> Artifact:
    with write_artifact(folder, "questions/1") as writer:
        write_records(writer.folder / "train.jsonl", SUMS[:1])
        write_records(writer.folder / "held_out.jsonl", SUMS)
        if validation is not None:
            write_records(writer.folder / "validation.jsonl", validation)
    return open_artifact(folder, "questions/1")


def evaluate(
    questions: Artifact, model: Path | str, url: str, output: Path, *, settings: str = QUICK, **more: Any
) -> tuple[Artifact, dict[str, Any], str]:
    """Run the stage; the artifact, the metrics it logged and the page."""
    metrics = dsl.Metrics(uri="metrics")
    outputs = (
        dsl.Dataset(uri=str(output / "evaluation")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
    )
    run(dsl.Dataset(uri=str(questions.folder)), str(model), url, settings, "", *outputs, **more)
    opened = open_artifact(output / "evaluation", "evaluation/1")
    return opened, dict(metrics.metadata), (output / "report.html").read_text()


def ids(evaluation: Artifact) -> list[str]:
    return [item.id for item in read_records(evaluation.path("items.jsonl"), EvaluationItem)]


def test_a_split_is_chosen_by_name(service: ToolsProcess, model: Path, tmp_path: Path) -> None:
    asked = question_set(tmp_path / "q", validation=SUMS[2:])
    held_out, _, page = evaluate(asked, model, service.url, tmp_path / "held_out")
    assert ids(held_out) == ["s0", "s1", "s2", "s3"]
    assert held_out.manifest.details["split"] == "held_out"
    assert held_out.manifest.details["without_tools"] is False
    assert "Held-out questions, with tools, calls as paper, prompt multi_step." in page
    for name in ("GSM8K", "PopQA", "NQ-Open", "TriviaQA"):
        assert f'<th scope="row">{name}</th>' in page
    for metric in ("Accuracy", "EM", "IR", "PR", "AR"):
        assert f'<th scope="col">{metric}</th>' in page
    chosen, _, page = evaluate(asked, model, service.url, tmp_path / "validation", split="validation")
    assert ids(chosen) == ["s2", "s3"]
    details: Any = chosen.manifest.details
    assert details["split"] == details["settings"]["split"] == "validation"
    assert {item.suite for item in read_records(chosen.path("items.jsonl"), EvaluationItem)} == {"validation"}
    assert "Validation questions, with tools" in page
    named, _, _ = evaluate(asked, model, service.url, tmp_path / "train", overrides='{"split": "train"}')
    assert ids(named) == ["s0"]


def test_without_validation_questions_the_line_says_what_to_do(tmp_path: Path) -> None:
    for name, questions in (
        ("old", question_set(tmp_path / "a")),
        ("an empty", question_set(tmp_path / "b", validation=[])),
    ):
        with pytest.raises(InputError, match=r"run ingest again with validation=true") as caught:
            evaluate(questions, "/no/such/model", "", tmp_path / name, split="validation")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / name).exists()
    with pytest.raises(InputError, match=r"split: expected one of held_out, validation, train, got 'test'"):
        evaluate(question_set(tmp_path / "c"), "/no/such/model", "", tmp_path / "d", split="test")


def test_without_tools_none_is_offered_and_no_service_is_asked(model: Path, tmp_path: Path) -> None:
    asked = question_set(tmp_path / "q")
    named = [SUMS[0].model_copy(update={"tools": ("no_such_tool",)})]
    with write_artifact(tmp_path / "named", "questions/1") as writer:
        write_records(writer.folder / "held_out.jsonl", named)
    found, metrics, page = evaluate(asked, model, "", tmp_path / "cot", without_tools=True)
    assert found.manifest.details["without_tools"] is True
    traces = list(read_records(found.path("traces.jsonl"), Trace))
    assert {(trace.prompt, trace.tools, len(trace.turns), trace.calls) for trace in traces} == {
        ("cot", "[]", 1, ())
    }
    assert metrics["invoke_rate"] == metrics["called_share"] == 0
    assert "Held-out questions, without tools, prompt cot." in page
    assert str(found.manifest.details["title"]).endswith("without tools")
    plain, _, _ = evaluate(
        open_artifact(tmp_path / "named", "questions/1"),
        model,
        "",
        tmp_path / "plain",
        without_tools=True,
        overrides='{"no_tool_variant": "plain"}',
    )
    [trace] = read_records(plain.path("traces.jsonl"), Trace)
    assert trace.prompt == "plain"


def test_a_question_judged_by_its_calls_can_not_be_asked_without_tools(tmp_path: Path) -> None:
    tool = {
        "type": "function",
        "function": {"name": "f", "description": "", "parameters": {"type": "object"}},
    }
    asked = Question(
        id="g", text="?", offered=json.dumps([tool]), golds=((ToolCall(name="f", arguments={}),),)
    )
    with write_artifact(tmp_path / "q", "questions/1") as writer:
        write_records(writer.folder / "held_out.jsonl", [asked])
    opened = open_artifact(tmp_path / "q", "questions/1")
    with pytest.raises(InputError, match="'g' is judged by its calls and can't be asked without tools"):
        evaluate(opened, "/no/such/model", "", tmp_path / "out", without_tools=True)


def test_the_demo_is_asked_plainly_and_the_others_step_by_step() -> None:
    variants = {
        preset: read_conditions(json.dumps({"preset": preset}), "{}", "", without_tools=True).variant
        for preset in EvaluationSettings.presets
    }
    assert variants["demo"] == "plain"
    assert variants["self-training"] == variants["tl-training"] == "cot"
    assert read_conditions("", "", "", without_tools=False).variant == "multi_step"
    with pytest.raises(InputError, match="evaluation: overrides: expected a JSON object"):
        read_conditions("", "[]", "", without_tools=False)


def test_an_earlier_evaluation_of_the_same_is_handed_on(
    service: ToolsProcess, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question_set(tmp_path / "q")
    first, metrics, _ = evaluate(asked, model, service.url, tmp_path / "first", title="base")
    earlier = dsl.Dataset(uri=str(first.folder))
    # a model is not opened, the service is asked for its list alone
    again, logged, page = evaluate(
        asked, model, service.url, tmp_path / "again", title="round 2 <b>", earlier=earlier
    )
    assert again.digest == first.digest
    assert logged == metrics
    assert "Evaluation of round 2 &lt;b&gt;" in page
    assert '"total":4' in page
    assert "handed on" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        {"split": "train"},
        {"without_tools": True},
        {"overrides": '{"max_new_tokens": 3}'},
        {"overrides": '{"variant": "single_step"}'},
    ],
)
def test_an_earlier_one_under_other_conditions_is_done_again(
    service: ToolsProcess,
    model: Path,
    tmp_path: Path,
    change: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = question_set(tmp_path / "q")
    first, _, _ = evaluate(asked, model, service.url, tmp_path / "first")
    earlier = dsl.Dataset(uri=str(first.folder))
    other, _, _ = evaluate(asked, model, service.url, tmp_path / "other", earlier=earlier, **change)
    assert other.digest != first.digest
    assert "handed on" not in capsys.readouterr().out


def test_an_earlier_one_with_other_tools_on_offer_is_done_again(
    service: ToolsProcess, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question_set(tmp_path / "q")
    first, _, _ = evaluate(asked, model, service.url, tmp_path / "first")
    assert len(str(first.manifest.details["tools"])) == 64
    earlier = dsl.Dataset(uri=str(first.folder))
    one = {
        "type": "function",
        "function": {"name": "more", "description": "", "parameters": {"type": "object"}},
    }
    (tmp_path / "more.json").write_text(json.dumps([one]))
    with tools_service(tmp_path, "--stand-ins", str(tmp_path / "more.json")) as other:
        found, _, _ = evaluate(asked, model, other.url, tmp_path / "other", earlier=earlier)
    assert found.manifest.details["tools"] != first.manifest.details["tools"]
    unaided, _, _ = evaluate(asked, model, "", tmp_path / "unaided", without_tools=True)
    assert "tools" not in unaided.manifest.details
    assert "handed on" not in capsys.readouterr().out


def test_the_digest_of_tools_is_of_their_meaning_in_their_order() -> None:
    one: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    same: Any = {"function": {"parameters": {"type": "object"}, "name": "f"}, "type": "function"}
    two: Any = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
    assert digest_of_tools([one]) == digest_of_tools([same])
    assert len({digest_of_tools(tools) for tools in ([], [one], [one, two], [two, one])}) == 4


@pytest.mark.parametrize("tools", [("a", "a"), ("a", None), (None, "b"), ("a", "b")])
def test_tools_are_compared_where_both_evaluations_say_which(tools: tuple[str | None, str | None]) -> None:
    one, two = (
        Manifest(schema_tag="evaluation/1", files=(), details={"tools": side} if side else {})
        for side in tools
    )
    if None in tools or len(set(tools)) == 1:
        check_same_conditions(("before", "after"), one, two)
        return
    with pytest.raises(InputError, match=r'before and after were made under different tools \("a" and "b"\)'):
        check_same_conditions(("before", "after"), one, two)


def test_an_earlier_one_of_another_policy_or_of_other_questions_is_done_again(
    service: ToolsProcess, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question_set(tmp_path / "q")
    first, _, _ = evaluate(asked, model, service.url, tmp_path / "first")
    with write_artifact(tmp_path / "tuned", "evaluation/1") as writer:
        for entry in first.manifest.files:
            (writer.folder / entry.path).write_bytes(first.path(entry.path).read_bytes())
        writer.details.update(first.manifest.details)
        writer.lineage.update({**first.manifest.lineage, "adapter": "a" * 64})
    evaluate(asked, model, service.url, tmp_path / "a", earlier=dsl.Dataset(uri=str(tmp_path / "tuned")))
    others = question_set(tmp_path / "others", validation=SUMS)
    evaluate(others, model, service.url, tmp_path / "b", earlier=dsl.Dataset(uri=str(first.folder)))
    assert "handed on" not in capsys.readouterr().out


def test_from_a_shell(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = question_set(tmp_path / "q", validation=SUMS[:2])
    arguments = ["--question-set", str(asked.folder), "--base-model", str(model), "--settings", QUICK]
    arguments += ["--split", "validation", "--without-tools"]
    assert main([*arguments, "--output", str(tmp_path / "one")]) == 0
    earlier = ["--earlier", str(tmp_path / "one/evaluation"), "--overrides", "{}"]
    assert main([*arguments, *earlier, "--output", str(tmp_path / "two")]) == 0
    assert "handed on" in capsys.readouterr().out
    digests = {
        open_artifact(tmp_path / name / "evaluation", "evaluation/1").digest for name in ("one", "two")
    }
    assert len(digests) == 1


def test_what_decides_traces_sees_a_model_that_was_trained_on_in_its_folder(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1")
    lineage = {"question_set": "q"}
    before = deciding(lineage, {"base_model": str(tmp_path), "title": "one"})
    assert deciding(lineage, {"base_model": str(tmp_path), "title": "two"}) == before
    assert deciding(lineage | {"adapter": "a"}, {"base_model": str(tmp_path)}) != before
    weights.write_bytes(b"12")
    assert deciding(lineage, {"base_model": str(tmp_path), "title": "one"}) != before
    assert list(deciding(lineage, {"base_model": "demo://m"})) == ["question_set", "details"]


def test_the_served_model_and_the_tools_data_decide_what_is_gone_on_with() -> None:
    details = {"base_model": "http://h/v1"}
    keys = [
        deciding({}, details, served=served, content=content)
        for served in ("a", "b")
        for content in (None, {"wikipedia_search": "one"}, {"wikipedia_search": "two"})
    ]
    assert len({json.dumps(key, sort_keys=True) for key in keys}) == 6
