"""Rates by difficulty, from the evaluation to all that compares evaluations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from components.ablation.measures import compare_rows
from components.ablation.report import render_report as render_ablation
from components.ablation.rows import Row
from components.ablation.settings import AblationSettings
from components.contracts.jsonl import read_records
from components.contracts.records import Difficulty, EvaluationItem, Question
from components.promotion.comparison import compare, summary_of
from components.promotion.settings import PromotionSettings
from components.promotion.words import group_title
from components.rounds.judgement import Round, base_record, judge
from components.rounds.records import RoundItem, RoundRecord
from components.rounds.report import render_report as render_rounds
from components.rounds.settings import RoundsSettings
from components.scoring.difficulty import THIRDS
from tests.ablation_samples import judged_by_gold
from tests.gold_questions import NOWHERE, OSLO, ScriptedPolicy, evaluate, gold, make_tool
from tests.tiny_model import build_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def with_tools(name: str, count: int) -> Question:
    """A question whose tool list has so many others beside the right one."""
    tools = [make_tool("weather", "city"), *(make_tool(f"other_{number}") for number in range(count))]
    return gold(name, OSLO, kind="own").model_copy(update={"offered": json.dumps(tools)})


def test_items_and_summary_by_thirds_of_the_questions_with_golds(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy is right where few tools are offered; what the prompt leaves out makes nothing easier."""
    counts = {"c": 9, "a": 0, "e": 4, "b": 1, "d": 8, "f": 5}
    questions = [with_tools(name, count) for name, count in counts.items()]
    told: dict[str, Difficulty] = {
        **{"a": "easy", "b": "easy"},
        **{"e": "medium", "f": "medium", "c": "hard", "d": "hard"},
    }

    def say(conversation: Any) -> str:
        name = conversation.messages[-1].content.removeprefix("Ask ")
        return '[weather(city="Oslo")]' if name in "abe" else '[weather(city="Rome")]'

    monkeypatch.setattr("components.evaluation.run._open_engine", ScriptedPolicy(say))
    for max_tools in (0, 2):
        output = tmp_path / str(max_tools)
        opened, summary, metrics = evaluate(questions, model, NOWHERE, output, max_tools=max_tools)
        items = list(read_records(opened.path("items.jsonl"), EvaluationItem))
        assert {item.id: item.difficulty for item in items} == told
    rates = [summary["calls"][f"difficulty_{third}"]["cf"] for third in THIRDS]
    assert rates == [1.0, 0.5, 0.0]
    assert [summary["questions"][f"difficulty_{third}"] for third in THIRDS] == [2, 2, 2]
    assert metrics["difficulty_medium_accuracy"] == metrics["difficulty_medium_calls_cf"] == 0.5
    page = (tmp_path / "0/report.html").read_text()
    assert all(f'<th scope="row">{third}</th>' in page for third in THIRDS)


def by_thirds(right: Sequence[int]) -> list[EvaluationItem]:
    """Four questions of each third, of which so many are right."""
    return [
        judged_by_gold(f"{third} {number}", number < count).model_copy(update={"difficulty": third})
        for third, count in zip(THIRDS, right, strict=True)
        for number in range(4)
    ]


def test_promotion_and_ablation_compare_each_third() -> None:
    before, after = by_thirds([3, 2, 0]), by_thirds([3, 3, 2])
    pairs = list(zip(before, after, strict=True))
    compared = compare(pairs, {}, {}, PromotionSettings.parse('{"samples": 200}'))
    found: Any = summary_of(compared)
    gains = [found[f"difficulty_{third}"]["calls_cf"]["difference"]["mean"] for third in THIRDS]
    assert gains == [0.0, 0.25, 0.5]
    assert group_title("difficulty_hard") == "hard questions"
    settings = AblationSettings(rows=("none", "better"), reference="none")
    rows = [Row("none", before), Row("better", after)]
    groups = compare_rows(rows, settings)
    differences = [groups[f"difficulty_{third}"].cells["better"]["calls_cf"].difference for third in THIRDS]
    assert [one.mean for one in differences if one is not None] == gains
    assert "hard" in render_ablation(rows, groups, settings)


def test_rounds_draw_accuracy_by_difficulty() -> None:
    settings = RoundsSettings(samples=400)
    sides = [
        [RoundItem.of(number, item) for item in by_thirds(right)]
        for number, right in enumerate(([3, 2, 0], [3, 3, 2]))
    ]
    base = base_record("", "e" * 64, sides[0], settings)
    found = Round("one", "a" * 64, "f" * 64, "", "sft", sides[1], None)
    first = judge(found, [base], {0: sides[0]}, settings)
    told = [record.groups["difficulty_hard"].accuracy for record in (base, first)]
    assert told == [0.0, 0.5]
    change = first.differences["base"]["difficulty_hard"]["accuracy"]
    assert change is not None
    assert change.mean == 0.5
    page = render_rounds([base, first], settings)
    spoken = page[page.index("Accuracy by difficulty") :]
    assert all(third in spoken for third in ("easy", "medium", "hard"))
    assert "Accuracy by difficulty" not in render_rounds([without_thirds(base)], settings)
    assert RoundItem.model_validate_json(sides[1][-1].model_dump_json()).difficulty == "hard"


def without_thirds(record: RoundRecord) -> RoundRecord:
    groups = {name: rates for name, rates in record.groups.items() if not name.startswith("difficulty")}
    return record.model_copy(update={"groups": groups})
