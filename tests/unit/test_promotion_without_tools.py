"""Promotion with the base model's evaluation without tools: when do tools help, before and after."""

import json
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.records import Question, Trace
from components.promotion.__main__ import main
from components.promotion.run import run
from components.promotion.when_tools_help import PARTS, ROWS
from components.scoring.tool_help import CELLS, COUNTS, SUMS
from tests.evaluation_samples import (
    make_questions,
    question,
    trace,
    trained,
    untrained,
    write_evaluation,
    write_inputs,
)

COUNT = 12
NAMES = ("before", "after", "adapter", "labeled")


def unaided(asked: Question) -> Trace:
    """What the base model answers without tools: right for even numbers."""
    return trace(asked, answer=asked.answers[0] if int(asked.answers[0]) % 2 == 0 else "none")


def no_tools(folder: Path, **changes: Any) -> Artifact:
    given: dict[str, Any] = {"without_tools": True, **changes}
    return write_evaluation(folder, [unaided(asked) for asked in make_questions(COUNT)], **given)


def promote(inputs: dict[str, Artifact], output: Path, without: Artifact | None) -> dict[str, Any]:
    """Run the stage; its summary."""
    before, after, adapter, labeled = (dsl.Dataset(uri=str(inputs[name].folder)) for name in NAMES)
    comparison, page = dsl.Dataset(uri=str(output / "comparison")), dsl.HTML(uri=str(output / "report.html"))
    card, metrics = dsl.Markdown(uri=str(output / "card.md")), dsl.Metrics(uri="metrics")
    given = dsl.Dataset(uri=str(without.folder)) if without else None
    texts = ('{"samples": 300}', "")
    run(before, after, adapter, labeled, *texts, comparison, card, metrics, page, without_tools=given)
    summary: dict[str, Any] = json.loads((output / "comparison/summary.json").read_text())
    return summary


def test_the_table_equals_a_count_by_hand(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    without = no_tools(tmp_path / "without")
    found = promote(inputs, tmp_path / "out", without)
    groups = found.pop("tool_help")
    assert found == promote(inputs, tmp_path / "plain", None)
    assert set(groups) == {"overall", "needs_tool", "no_tool", "arithmetic", "places"}
    for kind in ("arithmetic", "places"):
        group = groups[kind]
        assert (group["questions"], group["known"]) == (12, 6)
        for side, policy in (("before", untrained), ("after", trained)):
            cells = dict.fromkeys(CELLS, 0)
            for number in range(10, 10 + COUNT):
                made = policy(question(kind, number))
                right = made.outcome.answer == str(number)
                known, called = number % 2 == 0, bool(made.calls)
                if known:
                    cell = (
                        ("redundant" if right else "harmed") if called else "kept" if right else "forgotten"
                    )
                else:
                    cell = (
                        ("rescued" if right else "not_helped") if called else "learned" if right else "missed"
                    )
                cells[cell] += 1
            expected = cells | {name: sum(cells[part] for part in parts) for name, parts in SUMS.items()}
            assert {name: group[name][side]["count"] for name in COUNTS} == expected
            assert all(group[name][side]["share"] == expected[name] / 12 for name in COUNTS)
        for name in COUNTS:
            difference = group[name]["difference"]
            assert difference["low"] <= difference["mean"] <= difference["high"]
            assert difference["mean"] == pytest.approx(
                group[name]["after"]["share"] - group[name]["before"]["share"]
            )
    lineage = open_artifact(tmp_path / "out/comparison", "comparison/1").manifest.lineage
    assert lineage["evaluation_without_tools"] == without.digest


def test_the_report_and_the_card_have_it(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    promote(inputs, tmp_path / "with", no_tools(tmp_path / "without"))
    promote(inputs, tmp_path / "plain", None)
    page, card = ((tmp_path / "with" / name).read_text() for name in ("report.html", "card.md"))
    assert "When do tools help</h2>" in page
    assert "known without tools: <b>6</b> (50.0 %)" in page
    assert "## When do tools help" in card
    assert "| All questions | 36 | 18 | Overuse | 2 (5.6 %) | 12 (33.3 %) |" in card
    assert "| of these harmed |" in card
    for name in ("report.html", "card.md"):
        assert "When do tools help" not in (tmp_path / "plain" / name).read_text()


def test_every_count_has_a_row_and_parts_follow_their_sum() -> None:
    assert tuple(name for name, *_ in ROWS) == COUNTS
    assert {part for parts in SUMS.values() for part in parts} == PARTS


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"without_tools": False}, "without_tools: tools were on offer, expected"),
        ({"adapter": "a" * 64}, "without_tools: it judged adapter aaaaaaaaaaaa, expected .* base model"),
        ({"questions": "r" * 64}, "before and without_tools judged different question sets"),
        ({"base_model": "demo://other"}, "before and without_tools were made under different base_model"),
        ({"split": "train"}, r"different settings.split .* differ in the tools alone"),
        ({"call_format": "hermes"}, r"different settings\.engine\.call_format"),
    ],
)
def test_another_evaluation_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    with pytest.raises(InputError, match=said):
        promote(inputs, tmp_path / "out", no_tools(tmp_path / "without", **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "validation"}, r'different settings\.split \("held_out" and "validation"\)'),
        ({"without_tools": True}, r'different settings\.variant \("single_step" and "plain"\)'),
    ],
)
def test_before_and_after_must_be_of_one_split_and_both_with_tools(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    traces = [trained(asked) for asked in make_questions(COUNT)]
    inputs["after"] = write_evaluation(
        tmp_path / "again", traces, adapter=inputs["adapter"].digest, **changes
    )
    with pytest.raises(InputError, match=said):
        promote(inputs, tmp_path / "out", None)


def test_an_evaluation_that_does_not_say_its_split_is_refused(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    before = inputs["before"]
    with write_artifact(tmp_path / "old", "evaluation/1") as writer:
        for entry in before.manifest.files:
            (writer.folder / entry.path).write_bytes(before.path(entry.path).read_bytes())
        writer.lineage.update(before.manifest.lineage)
        kept = ("base_model", "title", "settings")
        writer.details.update({name: before.manifest.details[name] for name in kept})
    inputs["before"] = open_artifact(tmp_path / "old", "evaluation/1")
    with pytest.raises(InputError, match=r'different split \(absent and "held_out"\)'):
        promote(inputs, tmp_path / "out", None)


def with_details(original: Artifact, folder: Path, **details: Any) -> Artifact:
    """The same evaluation, whose details say more."""
    with write_artifact(folder, "evaluation/1") as writer:
        for entry in original.manifest.files:
            (writer.folder / entry.path).write_bytes(original.path(entry.path).read_bytes())
        writer.lineage.update(original.manifest.lineage)
        writer.details.update({**original.manifest.details, **details})
    return open_artifact(folder, "evaluation/1")


def test_details_are_compared_by_their_meaning_and_tools_where_both_name_them(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    plain = no_tools(tmp_path / "plain")
    asked = {"before": [{"a": 1, "b": 2}], "after": [{"b": 2, "a": 1}]}
    same = inputs | {
        side: with_details(inputs[side], tmp_path / f"{side}_same", servers=servers, tools="a" * 64)
        for side, servers in asked.items()
    }
    promote(same, tmp_path / "out", with_details(plain, tmp_path / "none", servers=asked["after"]))
    same["after"] = with_details(same["after"], tmp_path / "other", tools="b" * 64)
    with pytest.raises(
        InputError, match=r"before and after were made under different tools .* the adapter alone"
    ):
        promote(same, tmp_path / "again", None)


def test_how_the_adapter_was_trained_is_on_the_card(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    adapter = inputs["adapter"]
    card = json.loads(adapter.path("policy.json").read_text())
    card["settings"] |= {"loss": "dpo", "beta": 0.1, "kind": "masked_conversation"}
    with write_artifact(tmp_path / "tuned", "adapter/1") as writer:
        for entry in adapter.manifest.files:
            (writer.folder / entry.path).write_bytes(adapter.path(entry.path).read_bytes())
        (writer.folder / "policy.json").write_text(json.dumps(card))
    inputs["adapter"] = open_artifact(tmp_path / "tuned", "adapter/1")
    traces = [trained(asked) for asked in make_questions(COUNT)]
    inputs["after"] = write_evaluation(tmp_path / "again", traces, adapter=inputs["adapter"].digest)
    promote(inputs, tmp_path / "out", None)
    assert (
        "Trained by: loss dpo, kind of pairs masked_conversation." in (tmp_path / "out/card.md").read_text()
    )
    page = (tmp_path / "out/report.html").read_text()
    assert "<dt>Kind of pairs</dt><dd>masked_conversation</dd>" in page


def test_from_a_shell(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path, count=COUNT)
    without = no_tools(tmp_path / "without")
    arguments = [f"--{name}={inputs[name].folder}" for name in NAMES]
    arguments += [f"--without-tools={without.folder}", "--settings", '{"samples": 100}']
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out/comparison/summary.json").read_text())
    assert summary["tool_help"]["overall"]["known"] == 18
