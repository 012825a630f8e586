"""Our verdicts against bfcl-eval's own, which `tests.battery.bfcl_parity --record` wrote down for every item."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.scoring.bfcl.executable import read_answer
from components.scoring.bfcl.judge import judge_reference
from components.scoring.bfcl.reference import EXECUTABLE_GROUPS, BfclReference
from components.scoring.bfcl.scores import GROUP_SIZES
from tests.battery.bfcl_environment import ask_official
from tests.bfcl_cases import Case, cases_of, read_items, read_rows
from tests.bfcl_mutations import Item
from tests.bfcl_questions import bfcl_data
from tests.bfcl_verdicts import digest_of, read_verdicts

# No answer is right on these: the accepted values are of a type that the checker never reads, or of a parameter
# that the function has not.
UNANSWERABLE = {
    "simple_java_36",
    "simple_java_64",
    "simple_java_65",
    "live_simple_106-63-0",
    "live_simple_112-68-0",
    "live_multiple_862-181-3",
    "live_multiple_964-207-0",
}


@pytest.fixture(scope="module")
def items() -> list[Item]:
    if not bfcl_data().is_dir():
        pytest.skip("needs bfcl-eval's data folder: set WHETSTONE_BFCL_DATA")
    return read_items(bfcl_data())


def judged(items: list[Item]) -> Iterator[tuple[Item, Case, str]]:
    for item in items:
        for case in cases_of(item, 0):
            reference = item.reference.model_copy(update={"underscored": case.underscored})
            verdict = judge_reference(reference, case.calls, unparsed=case.unparsed, official=True)
            yield item, case, "01"[verdict.correct]


def test_verdicts_on_all_items_are_the_official_ones(items: list[Item]) -> None:
    digest, recorded = read_verdicts()
    assert set(recorded) == {item.id for item in items}
    ours: dict[str, str] = dict.fromkeys(recorded, "")
    kinds = []
    for item, case, letter in judged(items):
        ours[item.id] += letter
        kinds.append(case.kind)
    assert digest_of(kinds) == digest, "the cases are others than those that were recorded: record them again"
    assert ours == recorded


def test_the_gold_is_right_wherever_an_answer_can_be(items: list[Item]) -> None:
    wrong = {
        item.id
        for item in items
        if item.golds and not judge_reference(item.reference, item.golds, unparsed=False).correct
    }
    assert wrong == UNANSWERABLE


def test_the_groups_have_the_sizes_that_the_tables_know(items: list[Item]) -> None:
    groups = [item.reference.group for item in items]
    found = {group: groups.count(group) for group in set(groups)}
    assert found == {name: size for name, size in GROUP_SIZES.items() if not name.startswith("multi_turn")}


@pytest.mark.parametrize("group", EXECUTABLE_GROUPS)
def test_executable_answers_are_right_and_others_wrong(group: str) -> None:
    if not bfcl_data().is_dir():
        pytest.skip("needs bfcl-eval's data folder: set WHETSTONE_BFCL_DATA")
    count = 0
    for answers, functions in read_rows(bfcl_data(), group):
        reference = BfclReference(group=group, possible_answers=answers, functions=functions)
        calls = [read_answer(answer, reference) for answer in answers]
        assert judge_reference(reference, calls[::-1], unparsed=False).correct
        assert not judge_reference(reference, calls[:-1], unparsed=False).correct
        assert not judge_reference(reference, [*calls, calls[0]], unparsed=False).correct
        count += 1
    assert count == {"exec_simple": 100, "exec_parallel_multiple": 40, "rest": 70}.get(group, 50)


def test_lines_that_the_package_prints_between_the_answers_are_passed_over(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '\\nhello\\n[1]\\n\\n-2\\n{}\\n'\n", encoding="utf-8")
    python.chmod(0o755)
    assert ask_official(python, [], []) == [[1], -2, {}]
