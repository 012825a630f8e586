"""The table's numbers against values worked out by hand."""

import pytest

from components.ablation.measures import Cell, compare_rows
from components.ablation.rows import Row
from components.ablation.settings import AblationSettings
from components.ablation.table import markdown_table, norm, points, show_cell
from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem
from components.contracts.tool_errors import ToolError
from components.scoring.bootstrap import Interval
from tests.ablation_samples import executed, judged_by_gold

SETTINGS = AblationSettings(rows=("none", "better"), reference="none")


def rows_of(*answers: list[EvaluationItem]) -> list[Row]:
    return [Row(title, items) for title, items in zip(("none", "better"), answers, strict=True)]


def test_the_interval_of_one_changed_question_is_that_of_a_binomial() -> None:
    """Of four questions one gets right: a resample draws it k times, k ~ B(4, 1/4), so 0 to 3 times in 95 %."""
    before = [judged_by_gold(f"{index}", False) for index in range(4)]
    after = [judged_by_gold(f"{index}", index == 2) for index in range(4)]
    rows = rows_of(before, after)
    cells = compare_rows(rows, SETTINGS)["overall"].cells
    assert cells["none"]["calls_cf"] == Cell(0.0, None)
    assert cells["better"]["calls_cf"] == Cell(0.25, Interval(0.25, 0.0, 0.75))
    assert cells["better"]["calls_ts"] == Cell(1.0, Interval(0.0, 0.0, 0.0))


def test_each_measure_has_its_own_questions() -> None:
    hallucinated, failed = ToolError.TOOL_HALLUCINATION, ToolError.TOOL_CALL_FAILURE
    before = [judged_by_gold("a", True), executed("b", False, hallucinated, failed), executed("c", True)]
    after = [judged_by_gold("a", False), executed("b", True, failed), executed("c", True)]
    rows = rows_of(before, after)
    groups = compare_rows(rows, SETTINGS)
    shares = {
        (title, measure): cell.value
        for title, cells in groups["overall"].cells.items()
        for measure, cell in cells.items()
    }
    assert groups["overall"].questions == 3
    assert (shares["none", "calls_cf"], shares["better", "calls_cf"]) == (1.0, 0.0)
    assert (shares["none", "executed_de"], shares["better", "executed_de"]) == (0.25, 0.0)  # of 4 calls
    assert (shares["none", "executed_ce"], shares["better", "executed_ce"]) == (0.25, 0.25)
    assert (shares["none", "executed_va"], shares["better", "executed_va"]) == (0.5, 1.0)
    assert (shares["none", "accuracy"], shares["better", "accuracy"]) == (0.5, 1.0)  # of those with answers
    assert groups["arithmetic"].cells["none"]["calls_cf"] == Cell(None, None)
    assert groups["arithmetic"].measured(SETTINGS.measures) == [
        "executed_de",
        "executed_ce",
        "executed_va",
        "accuracy",
    ]
    assert groups["seen_tools"].measured(SETTINGS.measures)[:3] == ["calls_ts", "calls_pi", "calls_cf"]


def test_equal_rows_differ_by_nothing() -> None:
    items = [judged_by_gold(f"{index}", index % 3 == 0) for index in range(30)]
    rows = rows_of(items, items)
    difference = compare_rows(rows, SETTINGS)["overall"].cells["better"]["calls_cf"].difference
    assert difference == Interval(0.0, 0.0, 0.0)


def test_cells_as_text() -> None:
    assert show_cell(Cell(0.625, Interval(0.0312, -0.0104, 0.0718))) == "62.5 (+3.1: -1.0 to +7.2)"
    assert show_cell(Cell(None, None)) == "-"
    assert points(-0.0001) == "+0.0"
    assert (norm(None), norm(0.0), norm(1.23456)) == ("-", "0", "1.23")


def test_markdown_keeps_its_columns_whatever_a_row_is_called() -> None:
    rows = [Row("none", [judged_by_gold("a", True)]), Row("a | <b>\nc", [judged_by_gold("a", True)])]
    settings = AblationSettings(rows=("none", "a | <b>\nc"))
    text = markdown_table(rows, compare_rows(rows, settings), settings)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.replace("\\|", "").count("|") for line in table} == {
        9
    }  # five measures, two norms, the title
    assert "<b>" not in text
    assert "one seed" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"reference": "nobody"}', "reference 'nobody' is none of the rows"),
        ('{"rows": ["none", "none"]}', "a title occurs twice"),
        ('{"row": []}', "unknown key 'row' (did you mean 'rows'?)"),
        ('{"rows": ["x"]}', "ablation_settings: reference 'none' is none of the rows x"),
        ('{"rows": ' + "[" * 20000, "ablation_settings: nested too deeply"),
    ],
)
def test_settings_that_make_no_table(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        AblationSettings.parse(text)
    assert said in str(caught.value)
