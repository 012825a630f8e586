"""Promotion with a policy on the way: shown beside before and after, and never what decides."""

import json
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.promotion.run import run
from tests.evaluation_samples import make_questions, trained, untrained, write_evaluation, write_inputs

COUNT = 12


def promote(inputs: dict[str, Artifact], output: Path, between: Artifact | None) -> dict[str, Any]:
    """Run the stage; its summary."""
    names = ("before", "after", "adapter", "labeled")
    before, after, adapter, labeled = (dsl.Dataset(uri=str(inputs[name].folder)) for name in names)
    run(
        before,
        after,
        adapter,
        labeled,
        '{"samples": 300}',
        "",
        dsl.Dataset(uri=str(output / "comparison")),
        dsl.Markdown(uri=str(output / "card.md")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(output / "report.html")),
        dsl.Dataset(uri=str(between.folder)) if between else None,
    )
    summary: dict[str, Any] = json.loads((output / "comparison/summary.json").read_text())
    return summary


def test_it_is_compared_with_before_and_decides_nothing(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    questions = make_questions(COUNT)
    half = [(trained if index % 2 else untrained)(asked) for index, asked in enumerate(questions)]
    between = write_evaluation(tmp_path / "between", half, adapter="b" * 64, title="after SFT <b>")
    with_it = promote(inputs, tmp_path / "with", between)
    without = promote(inputs, tmp_path / "without", None)
    stop = with_it.pop("between")
    assert with_it == without
    assert stop["title"] == "after SFT <b>"
    assert stop["overall"]["accuracy"]["before"] == without["overall"]["accuracy"]["before"]
    assert (
        without["overall"]["accuracy"]["before"]
        < stop["overall"]["accuracy"]["after"]
        < without["overall"]["accuracy"]["after"]
    )
    page = (tmp_path / "with/report.html").read_text()
    assert "On the way: after SFT &lt;b&gt;" in page
    assert "On the way" not in (tmp_path / "without/report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"questions": "r" * 64}, "judged different question sets"),
        ({"base_model": "demo://other"}, "made under different base_model"),
        ({"call_format": "hermes"}, "made under different settings.engine.call_format"),
    ],
)
def test_one_that_was_made_otherwise_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    traces = [trained(asked) for asked in make_questions(COUNT)]
    between = write_evaluation(tmp_path / "between", traces, **changes)
    with pytest.raises(InputError, match=said):
        promote(inputs, tmp_path / "out", between)
