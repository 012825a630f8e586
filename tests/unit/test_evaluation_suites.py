"""Suites and one's own questions in one evaluation: who is judged, and what the summary says of each."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import EvaluationItem, Question
from components.contracts.tool_errors import ToolError
from components.evaluation.conditions import read_questions
from components.evaluation.questions import in_reading_order
from components.evaluation.run import run
from components.evaluation.settings import EvaluationSettings
from components.evaluation.suites import noise_curve, suite_metrics, suite_summaries
from components.evaluation.summary import scalar_metrics, summarize
from components.scoring.bfcl.reference import BfclReference
from tests.gold_questions import NOWHERE, OSLO, gold, make_tool
from tests.tiny_model import build_tiny_model

SETTINGS = {"max_new_tokens": 4, "engine": {"model": {"dtype": "float32"}, "batch_size": 2}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def made(identifier: str, suite: str, correct: bool, **values: Any) -> EvaluationItem:
    """An item that was judged by one call."""
    fields: dict[str, Any] = {
        "id": identifier,
        "suite": suite,
        "kind": suite,
        "question": "?",
        "gold": (),
        "answer": None,
        "correct": correct,
        "exact_match": correct,
        "calls": 1,
        "first_turn_calls": 1,
        "passed_calls": 1,
        "answerable_calls": 0,
        "tools_called": (),
        "errors": (),
        "seconds": 0.5,
        "tokens": 7,
        "trace_id": f"{identifier}#0",
        "tool_selected": True,
        "parameters_identified": True,
        "content_filled": correct,
        "category": "correct" if correct else "wrong content",
    }
    return EvaluationItem(**(fields | values))


def questions_of(folder: Path, own: list[Question], suites: list[Question] | None) -> Artifact:
    """A `questions/1`; suites None: one that was made before there were suites."""
    with write_artifact(folder, "questions/1") as writer:
        write_records(writer.folder / "train.jsonl", own)
        write_records(writer.folder / "held_out.jsonl", own)
        if suites is not None:
            write_records(writer.folder / "suites.jsonl", suites)
    return open_artifact(folder, "questions/1")


def irrelevance(identifier: str) -> Question:
    """A question of BFCL that no offered tool helps with."""
    function = {"name": "area", "parameters": {"type": "dict", "properties": {}, "required": []}}
    return Question(
        id=identifier,
        text="Who was Ada?",
        kind="bfcl_irrelevance",
        offered=json.dumps([make_tool("area", "side")]),
        suite="bfcl:irrelevance",
        reference=BfclReference(group="irrelevance", functions=(function,)).to_json(),
    )


OWN = [gold(f"own {number}", OSLO, kind="own") for number in range(3)]
SUITES = [
    *(gold(f"clean {n}", OSLO, kind="rotbench_clean", suite="rotbench:clean") for n in range(2)),
    *(irrelevance(f"irrelevance {n}") for n in range(2)),
]


def evaluate(questions: Artifact, model: Path, output: Path, **settings: Any) -> tuple[Any, dict[str, float]]:
    """Run the stage without any tools service; its summary and metrics."""
    metrics = dsl.Metrics(uri="metrics")
    run(
        dsl.Dataset(uri=str(questions.folder)),
        str(model),
        NOWHERE,
        json.dumps(SETTINGS | settings),
        "",
        dsl.Dataset(uri=str(output / "evaluation")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
    )
    opened = open_artifact(output / "evaluation", "evaluation/1")
    return json.loads(opened.path("summary.json").read_text()), dict(metrics.metadata)


def test_a_suite_has_its_rates_an_interval_and_its_parse_failures() -> None:
    items = [
        *(made(f"a{n}", "bfcl:multiple", n < 3) for n in range(4)),
        *(made(f"b{n}", "popqa", True, tool_selected=None, category="") for n in range(5)),
        made("c", "bfcl:multiple", False, unparsed=True),
        made("d", "popqa", False, tool_selected=None, errors=(ToolError.PARSE_FAILURE,)),
    ]
    found: Any = suite_summaries(items)
    assert list(found) == ["bfcl:multiple", "popqa"]
    first, second = found.values()
    assert (first["questions"], first["accuracy"], first["parse_failures"]) == (5, 3 / 5, 1)
    assert (first["ts"], first["cf"], first["invoke_rate"]) == (1, 3 / 5, 1)
    assert (first["seconds"], first["tokens"]) == (2.5, 35)
    assert first["interval"] == pytest.approx({"low": 0.2307, "high": 0.8824}, abs=1e-4)
    assert (second["questions"], second["cf"], second["parse_failures"]) == (6, None, 1)
    assert found == suite_summaries(items)
    metrics = suite_metrics(found)
    assert metrics["suite_bfcl_multiple_accuracy"] == 3 / 5
    assert metrics["suite_popqa_parse_failure_rate"] == 1 / 6
    assert "suite_popqa_cf" not in metrics
    alone: Any = suite_summaries([made("a", "s", True)])
    assert alone["s"]["interval"] == pytest.approx({"low": 0.2065, "high": 1}, abs=1e-4)


def test_the_noise_curve_is_against_the_clean_level() -> None:
    clean = [made(f"c{n}", "rotbench:clean", n % 10 != 0, kind="rotbench_clean") for n in range(100)]
    heavy = [made(f"h{n}", "rotbench:heavy", n % 2 == 0, kind="rotbench_heavy") for n in range(50)]
    assert noise_curve(clean) == []
    rows: Any = noise_curve([*heavy, *clean])
    assert [(row["level"], row["questions"], row["accuracy"]) for row in rows] == [
        ("clean", 100, 0.9),
        ("heavy", 50, 0.5),
    ]
    assert rows[0]["difference"] is None
    difference = rows[1]["difference"]
    assert difference["mean"] == pytest.approx(-0.4)
    # Two independent shares: the standard error is sqrt(.9 * .1 / 100 + .5 * .5 / 50) = .077.
    assert difference["low"] == pytest.approx(-0.4 - 1.96 * 0.077, abs=0.02)
    assert difference["high"] == pytest.approx(-0.4 + 1.96 * 0.077, abs=0.02)
    only: Any = noise_curve([*heavy, *(made("u", "rotbench:union", True, kind="rotbench_union"),)])
    assert [row["difference"] for row in only] == [None, None]


def test_groups_and_thirds_are_those_of_the_users_own_questions() -> None:
    items = [made("own", "held_out", True, kind="a"), made("b", "bfcl:multiple", False)]
    summary: Any = summarize(items, {}, no_tool_kinds=())
    assert summary["questions"] == {"overall": 1, "needs_tool": 1, "a": 1}
    assert set(summary["suites"]) == {"held_out", "bfcl:multiple"}
    assert summary["bfcl_scores"]["v4"]["groups"]["multiple"]["items"] == 1
    assert scalar_metrics(summary)["bfcl_v4_parse_failures"] == 0
    alone: Any = summarize(items[1:], {}, no_tool_kinds=())
    assert alone["questions"]["overall"] == 1


def test_one_run_judges_the_held_out_questions_and_the_suites(model: Path, tmp_path: Path) -> None:
    asked = questions_of(tmp_path / "questions", OWN, SUITES)
    summary, metrics = evaluate(asked, model, tmp_path)
    opened = open_artifact(tmp_path / "evaluation", "evaluation/1")
    items = list(read_records(opened.path("items.jsonl"), EvaluationItem))
    assert [item.id for item in items] == [question.id for question in [*OWN, *SUITES]]
    assert [item.suite for item in items] == ["held_out"] * 3 + ["rotbench:clean"] * 2 + [
        "bfcl:irrelevance"
    ] * 2
    assert [bool(item.difficulty) for item in items] == [True] * 3 + [False] * 4
    assert summary["questions"]["overall"] == 3
    assert {name: suite["questions"] for name, suite in summary["suites"].items()} == {
        "held_out": 3,
        "rotbench:clean": 2,
        "bfcl:irrelevance": 2,
    }
    right = [item.correct for item in items[-2:]]
    # Random text calls nothing, which is right here, unless it holds a broken call.
    assert right == [not item.unparsed and not item.predicted for item in items[-2:]]
    assert metrics["suite_bfcl_irrelevance_accuracy"] == sum(right) / 2
    assert "bfcl:irrelevance" in (tmp_path / "report.html").read_text()


def test_suites_alone_and_none_at_all(model: Path, tmp_path: Path) -> None:
    alone, _ = evaluate(questions_of(tmp_path / "alone", [], SUITES), model, tmp_path / "1")
    assert alone["questions"]["overall"] == len(SUITES)
    before, _ = evaluate(questions_of(tmp_path / "before", OWN, None), model, tmp_path / "2")
    assert list(before["suites"]) == ["held_out"]
    with pytest.raises(
        InputError, match="no question to judge; expected at least one in the chosen split, or"
    ):
        evaluate(questions_of(tmp_path / "empty", [], []), model, tmp_path / "3")


def test_other_splits_and_prompts_without_tools_leave_suites_out(tmp_path: Path) -> None:
    knowledge = Question(id="qa", text="?", answers=("1",), suite="popqa")
    asked = questions_of(tmp_path / "questions", OWN, [*SUITES, knowledge])

    def ids(**settings: Any) -> list[str]:
        options = EvaluationSettings.parse(json.dumps(settings))
        return [question.id for question in read_questions(asked, options)]

    own = [question.id for question in OWN]
    assert ids() == [*own, *(question.id for question in SUITES), "qa"]
    assert ids(split="train") == own
    assert ids(variant="plain") == [*own, "qa"]


def test_questions_with_equal_tools_are_asked_together() -> None:
    tools = [json.dumps([make_tool(name, "a")]) for name in ("one", "two", "three")]
    asked = [Question(id=f"{n}", text="?", offered=tools[n % 3], golds=((OSLO,),)) for n in range(30)]
    ordered = in_reading_order(asked)
    assert sorted(q.id for q in ordered) == sorted(q.id for q in asked)
    changes = sum(a.offered != b.offered for a, b in itertools.pairwise(ordered))
    assert changes == 2
