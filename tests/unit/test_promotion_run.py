"""Promotion on real artifacts: what it writes, publishes and refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.kinds import RESERVED_KINDS
from components.contracts.records import Trace
from components.promotion.__main__ import main
from components.promotion.run import run
from components.promotion.settings import PromotionSettings
from components.scoring.tool_use import METRICS
from components.storage import open_input
from tests.evaluation_samples import trained, untrained, write_adapter, write_evaluation, write_inputs
from tests.object_store import ObjectStore

FAST = '{"samples": 300}'


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Artifact]:
    return write_inputs(tmp_path, count=12)


def promote(
    inputs: dict[str, Artifact], output: Path, settings: str = FAST, store: str = ""
) -> dict[str, Any]:
    """Run the stage; the metrics it logged, which agree with what it returned."""
    metrics = dsl.Metrics(uri="metrics")
    word = run(
        dsl.Dataset(uri=str(inputs["before"].folder)),
        dsl.Dataset(uri=str(inputs["after"].folder)),
        dsl.Model(uri=str(inputs["adapter"].folder)),
        dsl.Dataset(uri=str(inputs["labeled"].folder)),
        settings,
        store,
        dsl.Dataset(uri=str(output / "comparison")),
        dsl.Markdown(uri=str(output / "card.md")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
    )
    assert word == ("promoted" if metrics.metadata["promoted"] else "kept back")
    return dict(metrics.metadata)


@pytest.mark.parametrize("preset", ["", *PromotionSettings.presets])
def test_presets_are_valid(preset: str) -> None:
    assert PromotionSettings.parse(json.dumps({"preset": preset}) if preset else "").no_tool_margin == 0.05


def test_keys_of_the_summary_are_no_kinds_of_question(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    promote(inputs, tmp_path / "out")
    summary = json.loads((tmp_path / "out/comparison/summary.json").read_text())
    kinds = {trace.question.kind for trace in read_records(inputs["after"].path("traces.jsonl"), Trace)}
    assert set(summary) - kinds - {"no_tool"} <= RESERVED_KINDS
    assert not kinds & RESERVED_KINDS


def test_torch_is_not_needed() -> None:
    code = "import sys, components.promotion.run; print({'torch', 'transformers'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_comparison_carries_the_card_and_says_what_it_is_of(
    inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    metrics = promote(inputs, tmp_path / "out")
    assert metrics["promoted"] == metrics["check_better"] == metrics["check_no_overuse"] == 1
    assert metrics["needs_tool_accuracy_difference_low"] > 0
    comparison = open_artifact(tmp_path / "out" / "comparison", "comparison/1")
    assert comparison.manifest.lineage == {
        "adapter": inputs["adapter"].digest,
        "evaluation_before": inputs["before"].digest,
        "evaluation_after": inputs["after"].digest,
        "labeled": inputs["labeled"].digest,
        "question_set": "q" * 64,
    }
    card = comparison.path("model_card.md").read_text()
    assert card == (tmp_path / "out" / "card.md").read_text()
    assert "**Promoted.**" in card
    assert inputs["adapter"].digest in card
    assert "learning_rate" in card
    assert "| All questions | 36 | Accuracy |" in card
    assert "## Suites" not in card  # there is one


def test_the_comparison_is_an_artifact_and_the_report_the_same_page(
    inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    promote(inputs, tmp_path / "out")
    comparison = open_artifact(tmp_path / "out" / "comparison", "comparison/1")
    summary = json.loads(comparison.path("summary.json").read_text())
    assert set(summary["needs_tool"]) == set(METRICS)
    assert summary["decision"]["promoted"] is True
    assert all(check["passed"] and check["reason"] for check in summary["decision"]["checks"])
    assert {name: suite["role"] for name, suite in summary["suites"].items()} == {"held_out": "target"}
    assert summary["questions"] == {
        "overall": 36,
        "needs_tool": 24,
        "no_tool": 12,
        "arithmetic": 12,
        "places": 12,
    }
    assert comparison.path("report.html").read_text() == (tmp_path / "out" / "report.html").read_text()


def test_equal_inputs_give_an_equal_comparison(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        promote(inputs, tmp_path / name)
        digests.append(open_artifact(tmp_path / name / "comparison", "comparison/1").digest)
    assert digests[0] == digests[1]


def test_a_worse_adapter_is_kept_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = write_inputs(tmp_path, count=12, before=trained, after=untrained)
    metrics = promote(inputs, tmp_path / "out")
    assert metrics["promoted"] == metrics["check_better"] == 0
    assert "**Not promoted.**" in (tmp_path / "out" / "card.md").read_text()
    assert "FAILED: Accuracy on questions that need a tool changed by \u2212" in capsys.readouterr().out


def test_payloads_go_to_object_storage(inputs: dict[str, Artifact], tmp_path: Path, s3: ObjectStore) -> None:
    promote(inputs, tmp_path / "out", store=f"s3://{s3.bucket}/promotion/artifacts")
    opened = open_input(tmp_path / "out" / "comparison", "comparison/1")
    assert json.loads(opened.path("summary.json").read_text())["decision"]["promoted"] is True
    assert not (tmp_path / "out" / "comparison" / "summary.json").exists()


def test_an_adapter_without_a_log_has_no_curve(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "silent", steps=0)
    inputs["adapter"] = adapter
    questions = [one.question for one in _traces(inputs["after"])]
    inputs["after"] = write_evaluation(
        tmp_path / "again", [trained(q) for q in questions], adapter=adapter.digest
    )
    promote(inputs, tmp_path / "out")
    assert "came without a training log" in (tmp_path / "out" / "report.html").read_text()


def _traces(evaluation: Artifact) -> list[Trace]:
    lines = evaluation.path("traces.jsonl").read_text().splitlines()
    return [Trace.model_validate_json(line) for line in lines]


Change = Callable[[dict[str, Artifact], Path], dict[str, Artifact]]


def other_adapter(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    return inputs | {"adapter": write_adapter(folder / "other", steps=3)}


def swapped(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    return inputs | {"before": inputs["after"], "after": inputs["before"]}


def other_questions(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    traces = _traces(inputs["before"])
    return inputs | {"before": write_evaluation(folder / "other", traces, questions="z" * 64)}


def fewer_questions(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    return inputs | {"before": write_evaluation(folder / "fewer", _traces(inputs["before"])[:-1])}


def other_base_model(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    traces = _traces(inputs["before"])
    return inputs | {"before": write_evaluation(folder / "other", traces, base_model="demo://else")}


def other_settings(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    traces = _traces(inputs["before"])
    return inputs | {"before": write_evaluation(folder / "other", traces, call_format="hermes")}


def wrong_kind(inputs: dict[str, Artifact], folder: Path) -> dict[str, Artifact]:
    return inputs | {"labeled": inputs["before"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_adapter, r"after: it judged [0-9a-f]{12}, expected an evaluation of adapter [0-9a-f]{12}"),
        (swapped, r"after: it judged the base model, expected"),
        (other_questions, r"different question sets \(zzzzzzzzzzzz and qqqqqqqqqqqq\)"),
        (fewer_questions, r"1 only after, such as 'no_tool-21'"),
        (other_base_model, r'under different base_model \("demo://else" and "demo://test"\)'),
        (other_settings, r'under different settings\.engine\.call_format \("hermes" and "paper"\)'),
        (wrong_kind, r"labeled_traces/1.*evaluation/1"),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(
    inputs: dict[str, Artifact], tmp_path: Path, change: Change, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        promote(change(inputs, tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("page", ["report.html", "card.md"])
def test_a_page_that_can_t_be_written_is_one_line(
    inputs: dict[str, Artifact], tmp_path: Path, page: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / page).symlink_to("/dev/full")
    with pytest.raises(InputError, match=rf"{page}: can't be written: No space left on device$"):
        promote(inputs, tmp_path / "out")


def test_a_fully_trained_model_is_no_peft_adapter_on_its_card(
    inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    heads = []
    for method in ("lora", "full"):
        adapter = write_adapter(tmp_path / method, method=method)
        after = write_evaluation(
            tmp_path / f"after-{method}", _traces(inputs["after"]), adapter=adapter.digest
        )
        promote(inputs | {"adapter": adapter, "after": after}, tmp_path / f"out-{method}")
        card = (tmp_path / f"out-{method}" / "card.md").read_text()
        heads.append(card.split("---\n")[1].splitlines()[1:])
    assert heads == [
        ["library_name: peft", "tags: [tool-use, lora]"],
        ["library_name: transformers", "tags: [tool-use]"],
    ]


def test_settings_are_checked(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"promotion_settings: unknown key 'sample'.*'samples'"):
        promote(inputs, tmp_path / "out", settings='{"sample": 3}')


def test_from_a_shell(
    inputs: dict[str, Artifact], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"--{name}={inputs[name].folder}" for name in ("before", "after", "adapter", "labeled")]
    output = ["--settings", FAST, "--output", str(tmp_path / "out")]
    assert main([*arguments, *output]) == 0
    assert (tmp_path / "out" / "model_card.md").exists()
    assert main([*arguments, f"--before={tmp_path / 'nothing'}", *output]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "nothing" in error


def test_evaluations_without_an_item_are_refused(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=1)
    inputs["before"] = write_evaluation(tmp_path / "empty_before", [])
    inputs["after"] = write_evaluation(tmp_path / "empty_after", [], adapter=inputs["adapter"].digest)
    with pytest.raises(InputError, match="holds no item"):
        promote(inputs, tmp_path / "out")
