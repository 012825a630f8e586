"""The gate over suites: which may not fall, which must rise, and where calls may not collapse or run away."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem
from components.promotion.comparison import Pair, compare
from components.promotion.gate import Decision, decide
from components.promotion.model_card import suite_rows
from components.promotion.run import run
from components.promotion.settings import PromotionSettings
from components.promotion.suites import Suites, compare_suites, own_pairs, suite_metrics, summary_of_suites
from components.scoring.bootstrap import paired_bootstrap
from tests.evaluation_samples import make_questions, trained, untrained, write_evaluation, write_inputs

OWN, SIMPLE, NONE = "held_out", "bfcl:simple_python", "bfcl:irrelevance"


def item(suite: str, number: int, *, correct: bool, calls: int, kind: str = "question") -> EvaluationItem:
    return EvaluationItem(
        id=f"{suite}-{number}",
        suite=suite,
        kind=kind,
        question="?",
        gold=("1",),
        answer="1",
        correct=correct,
        exact_match=correct,
        calls=calls,
        first_turn_calls=calls,
        passed_calls=calls,
        answerable_calls=0,
        tools_called=(),
        errors=(),
        seconds=0.0,
        tokens=1,
        trace_id="",
    )


def pairs_of(
    suite: str,
    count: int,
    *,
    right: tuple[int, int],
    called: tuple[int, int] | None = None,
    kind: str = "question",
) -> list[Pair]:
    """So many questions; of them so many right, and with a call (else all), before and after."""
    sides = []
    for place in (0, 1):
        most = called[place] if called else count
        sides.append(
            [item(suite, n, correct=n < right[place], calls=int(n < most), kind=kind) for n in range(count)]
        )
    return list(zip(*sides, strict=True))


def judge(pairs: list[Pair], **settings: Any) -> tuple[Suites, Decision]:
    chosen = PromotionSettings(samples=300, **settings)
    suites = compare_suites(pairs, OWN, chosen)
    return suites, decide(compare(own_pairs(pairs, OWN), {}, {}, chosen), chosen, suites)


def failed(decision: Decision) -> list[str]:
    return [check.name for check in decision.checks if not check.passed]


BETTER = pairs_of(OWN, 40, right=(10, 30))


def test_without_suites_the_gate_is_that_of_the_own_questions() -> None:
    suites, decision = judge(BETTER)
    assert [check.name for check in decision.checks] == ["better", "tool_use_kept", "no_runaway"]
    assert decision.promoted
    assert suites.regressions == ()
    assert suite_rows(suites) == []


def test_every_other_suite_may_not_fall() -> None:
    suites, decision = judge([*BETTER, *pairs_of(SIMPLE, 100, right=(50, 44))])
    assert suites.regressions == (SIMPLE,)
    assert failed(decision) == [f"not_fallen:{SIMPLE}"]
    (reason,) = [check.reason for check in decision.checks if not check.passed]
    assert reason == (
        "Accuracy on bfcl:simple_python changed by \u22126.0 points; a fall of 5 points is the most allowed."
    )
    _, decision = judge([*BETTER, *pairs_of(SIMPLE, 100, right=(50, 45))])
    assert decision.promoted  # a fall of exactly the margin
    _, decision = judge([*BETTER, *pairs_of(SIMPLE, 100, right=(50, 44))], regression_margin=0.06)
    assert decision.promoted


def test_only_the_regression_suites_that_are_named_are_looked_at() -> None:
    pairs = [*BETTER, *pairs_of(SIMPLE, 20, right=(10, 0)), *pairs_of("popqa", 20, right=(10, 10))]
    _, decision = judge(pairs, regression_suites=("popqa",))
    assert decision.promoted
    _, decision = judge(pairs, regression_suites=("bfcl",))
    assert failed(decision) == [f"not_fallen:{SIMPLE}"]


def test_a_target_must_surely_rise_and_then_the_own_questions_may_not_fall() -> None:
    pairs = [*pairs_of(OWN, 40, right=(20, 19)), *pairs_of(SIMPLE, 40, right=(5, 30))]
    suites, decision = judge(pairs, target_suites=(SIMPLE,))
    assert decision.promoted
    assert (suites.role(OWN), suites.role(SIMPLE)) == ("regression", "target")
    assert "Accuracy on your own questions changed by" in " ".join(c.reason for c in decision.checks)
    _, decision = judge(pairs, target_suites=(SIMPLE, OWN))
    assert failed(decision) == ["better"]
    _, decision = judge([*pairs_of(OWN, 40, right=(20, 10)), *pairs[40:]], target_suites=(SIMPLE,))
    assert failed(decision) == [f"not_fallen:{OWN}"]


def test_a_family_is_one_target_over_all_its_questions() -> None:
    multiple = pairs_of("bfcl:multiple", 60, right=(30, 24))
    pairs = [*BETTER, *pairs_of(SIMPLE, 40, right=(5, 35)), *multiple]
    suites, decision = judge(pairs, target_suites=("bfcl",))
    assert suites.targets["bfcl"].questions == 100
    assert suites.targets["bfcl"].before.accuracy == 0.35
    assert decision.promoted
    assert {suites.role(name) for name in (SIMPLE, "bfcl:multiple")} == {"target"}
    _, decision = judge(pairs, target_suites=("bfcl",), regression_suites=("bfcl:multiple",))
    assert failed(decision) == ["not_fallen:bfcl:multiple"]


def test_a_suite_of_a_target_family_that_falls_for_certain_holds_the_gate() -> None:
    risen = [*BETTER, *pairs_of(SIMPLE, 40, right=(5, 35))]

    def member(after: int) -> tuple[list[str], str]:
        pairs = [*risen, *pairs_of("bfcl:multiple", 60, right=(30, after))]
        _, decision = judge(pairs, target_suites=("bfcl",))
        reasons = {check.name: check.reason for check in decision.checks}
        assert reasons[f"not_sunk:{SIMPLE}"].startswith(
            "Accuracy on bfcl:simple_python changed by +75.0 points: no certain fall"
        )
        return failed(decision), reasons["not_sunk:bfcl:multiple"]

    # n answers that all became wrong: 1 / 2^n, against 2.5 % shared by two suites
    names, reason = member(24)
    assert names == []
    assert (
        "points: no certain fall; of 6 answers that changed 6 became wrong; as many would by chance "
        in reason
    )
    assert "with a probability of 1.6 %, and up to 1.3 % is certain" in reason
    names, reason = member(23)
    assert names == ["not_sunk:bfcl:multiple"]
    assert "points: a certain fall; of 7 answers that changed 7 became wrong" in reason
    assert "probability of 0.78 %" in reason


def test_members_are_looked_at_once_and_alone_a_suite_must_rise_itself() -> None:
    pairs = [*BETTER, *pairs_of(SIMPLE, 40, right=(5, 35)), *pairs_of("bfcl:multiple", 60, right=(30, 10))]
    for settings, names in (
        ({"target_suites": ("bfcl", "bfcl:multiple")}, ["better:bfcl:multiple"]),
        ({"target_suites": ("bfcl",), "regression_suites": ("bfcl:multiple",)}, ["not_fallen:bfcl:multiple"]),
        ({"target_suites": (OWN,)}, ["not_fallen:bfcl:multiple"]),
        ({"target_suites": ("bfcl",), "regression_suites": ("held_out",)}, ["not_sunk:bfcl:multiple"]),
    ):
        _, decision = judge(pairs, **settings)
        held = [name for name in failed(decision) if name != "better:bfcl"]
        assert held == names, settings
    suites, _ = judge(pairs[:80], target_suites=("bfcl",))
    assert suites.members == ()  # the family is this one suite, which must rise


def test_intervals_are_those_of_the_paired_bootstrap_with_its_seed() -> None:
    suites, _ = judge([*BETTER, *pairs_of(SIMPLE, 30, right=(5, 20))], seed=5)
    right = [[float(n < 5) for n in range(30)], [float(n < 20) for n in range(30)]]
    assert suites.by_name[SIMPLE].differences["accuracy"] == paired_bootstrap(*right, samples=300, seed=5)
    assert suites.together.questions == 70
    assert suites.together.before.accuracy == (10 + 5) / 70


@pytest.mark.parametrize(("after", "names"), [(25, []), (26, [f"no_overuse:{NONE}"])])
def test_calls_may_not_run_away_where_none_is_wanted(after: int, names: list[str]) -> None:
    quiet = pairs_of(NONE, 100, right=(75, 75), called=(25, after))
    _, decision = judge([*BETTER, *quiet])
    assert failed(decision) == names  # 25 % before is more than the most that settings allow
    reason = next(check.reason for check in decision.checks if check.name == f"no_overuse:{NONE}")
    assert reason == (
        f"A tool is called on {after}.0 % of bfcl:irrelevance, which want no call, before it was 25.0 %; "
        "25.0 % is the most allowed."
    )


def test_kinds_that_need_no_tool_make_such_a_suite_too() -> None:
    quiet = pairs_of("chat", 100, right=(75, 75), called=(5, 21), kind="no_tool")
    assert failed(judge([*BETTER, *quiet])[1]) == ["no_overuse:chat"]


def test_calls_may_not_collapse_on_a_suite() -> None:
    _, decision = judge([*BETTER, *pairs_of(SIMPLE, 100, right=(50, 50), called=(80, 39))])
    assert failed(decision) == [f"tool_use_kept:{SIMPLE}"]
    _, decision = judge([*BETTER, *pairs_of("regression:mmlu", 100, right=(50, 50), called=(0, 0))])
    assert decision.checks[-1].name == "not_fallen:regression:mmlu"


def test_few_questions_are_said_with_the_width_of_the_interval() -> None:
    suites, decision = judge(
        [*BETTER, *pairs_of(SIMPLE, 8, right=(4, 5)), *pairs_of("popqa", 100, right=(5, 5))]
    )
    reasons = {check.name: check.reason for check in decision.checks}
    interval = suites.by_name[SIMPLE].differences["accuracy"]
    assert interval is not None
    wide = f"{100 * (interval.high - interval.low):.1f} points wide"
    assert reasons[f"not_fallen:{SIMPLE}"].endswith(f" (only 8 questions: the interval is {wide}).")
    assert "only" not in reasons["not_fallen:popqa"]
    assert "(only 40 questions: the interval is" in reasons["better"]
    _, decision = judge([*BETTER, *pairs_of(SIMPLE, 8, right=(0, 0))])
    reasons = {check.name: check.reason for check in decision.checks}
    assert reasons[f"not_fallen:{SIMPLE}"].endswith("allowed (only 8 questions, of which none changed).")


def test_suites_alone_are_the_target_all_together() -> None:
    suites, decision = judge([*pairs_of(SIMPLE, 40, right=(5, 30)), *pairs_of("popqa", 40, right=(10, 2))])
    assert decision.checks[0].name == "better"
    assert failed(decision) == ["not_fallen:popqa"]
    assert not suites.has_own


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"target_suites": ("bfcl:simple",)},
            r"target_suites: 'bfcl:simple' was not judged.*'bfcl:simple_python'",
        ),
        (
            {"regression_suites": ("mmlu",)},
            r"regression_suites: 'mmlu' was not judged; judged: held_out, bfcl",
        ),
    ],
)
def test_a_suite_that_was_not_judged_is_one_line(settings: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        judge([*BETTER, *pairs_of(SIMPLE, 4, right=(1, 1))], **settings)
    assert "\n" not in str(raised.value)


def test_the_summary_and_the_metrics_hold_each_suite() -> None:
    suites, _ = judge([*BETTER, *pairs_of(SIMPLE, 40, right=(5, 30))])
    summary: Any = summary_of_suites(suites)
    assert list(summary["suites"]) == [OWN, SIMPLE]
    assert summary["suites"][SIMPLE]["role"] == "regression"
    assert summary["suites"][SIMPLE]["accuracy"]["after"] == 0.75
    assert summary["all_suites"]["questions"] == 80
    metrics = suite_metrics(suites)
    assert metrics["suite_bfcl_simple_python_accuracy_difference"] == 0.625
    assert len(metrics) == 5
    assert [row["title"] for row in suite_rows(suites)] == ["your own questions", SIMPLE, "all of these"]


Evaluations = dict[str, Any]
COUNT = 12


def promote(inputs: Evaluations, output: Path, settings: str) -> tuple[str, dict[str, Any], str]:
    """Run the stage: what it returned, its summary and its card."""
    names = ("before", "after", "adapter", "labeled")
    opened = [dsl.Dataset(uri=str(inputs[name].folder)) for name in names]
    regression = [
        dsl.Dataset(uri=str(inputs[name].folder)) if name in inputs else None
        for name in ("regression_before", "regression_after")
    ]
    word = run(
        *opened,
        settings,
        "",
        dsl.Dataset(uri=str(output / "comparison")),
        dsl.Markdown(uri=str(output / "card.md")),
        dsl.Metrics(uri="metrics"),
        dsl.HTML(uri=str(output / "report.html")),
        None,
        None,
        *regression,
    )
    summary = json.loads((output / "comparison/summary.json").read_text())
    return word, summary, (output / "card.md").read_text()


def with_regression(folder: Path, after: Callable[[Any], Any] = trained) -> Evaluations:
    """All inputs, with evaluations of a suite "regression:gsm8k" made of the same kinds of question."""
    inputs: Evaluations = dict(write_inputs(folder, count=COUNT))
    asked = [one.model_copy(update={"suite": "regression:gsm8k"}) for one in make_questions(COUNT)]
    inputs["regression_before"] = write_evaluation(folder / "rb", [untrained(one) for one in asked])
    inputs["regression_after"] = write_evaluation(
        folder / "ra", [after(one) for one in asked], adapter=inputs["adapter"].digest
    )
    return inputs


def test_the_regression_stage_s_suites_are_compared_and_can_keep_an_adapter_back(tmp_path: Path) -> None:
    inputs = with_regression(tmp_path)
    word, summary, card = promote(inputs, tmp_path / "out", '{"samples": 200}')
    assert word == "promoted"
    assert summary["suites"]["regression:gsm8k"]["questions"] == 3 * COUNT
    assert summary["questions"]["overall"] == 3 * COUNT  # the own ones, as before
    assert "| regression:gsm8k | regression | 36 |" in card
    page = (tmp_path / "out" / "report.html").read_text()
    assert "each policy of this run on your own 36 questions" in page
    assert page.count("<dt>Adapter</dt>") == 1

    inputs = with_regression(tmp_path / "worse", after=untrained)
    inputs["regression_before"] = write_evaluation(
        tmp_path / "high", [trained(one) for one in _asked(inputs["regression_after"])]
    )
    word, summary, card = promote(inputs, tmp_path / "out2", '{"samples": 200}')
    assert word == "kept back"
    failing = [check["name"] for check in summary["decision"]["checks"] if not check["passed"]]
    assert "not_fallen:regression:gsm8k" in failing
    assert "**failed**: Accuracy on regression:gsm8k changed by" in card


def test_without_own_questions_none_are_spoken_of(tmp_path: Path) -> None:
    inputs: Evaluations = dict(write_inputs(tmp_path, count=COUNT))
    kinds = {"nq_open": "nq_open", "popqa": "popqa"}
    asked = [
        one.model_copy(update={"suite": suite, "kind": kind, "id": f"{suite}/{one.id}"})
        for suite, kind in kinds.items()
        for one in _asked(inputs["before"])
    ]
    inputs["before"] = write_evaluation(tmp_path / "b", [untrained(one) for one in asked])
    adapter = inputs["adapter"].digest
    inputs["after"] = write_evaluation(tmp_path / "a", [trained(one) for one in asked], adapter=adapter)
    promote(inputs, tmp_path / "out", '{"samples": 200}')
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"each policy of this run on the same {6 * COUNT} questions" in page
    assert "your own" not in page


def _asked(evaluation: Any) -> list[Any]:
    from components.contracts.jsonl import read_records
    from components.contracts.records import Trace

    return [one.question for one in read_records(evaluation.path("traces.jsonl"), Trace)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda inputs: {name: one for name, one in inputs.items() if name != "regression_before"},
            r"regression_before: missing beside regression_after",
        ),
        (
            lambda inputs: inputs | {"regression_after": inputs["regression_before"]},
            r"regression_after: it judged the base model, expected an evaluation of adapter [0-9a-f]{12}",
        ),
    ],
)
def test_regression_evaluations_that_do_not_belong_are_refused(
    tmp_path: Path, change: Callable[[Evaluations], Evaluations], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        promote(change(with_regression(tmp_path)), tmp_path / "out", '{"samples": 200}')
    assert not (tmp_path / "out").exists()
