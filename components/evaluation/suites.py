"""What an evaluation says of each suite by itself, and of RoTBench's levels beside each other."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from pydantic import JsonValue

from components.contracts.records import EvaluationItem
from components.scoring.bootstrap import Interval, ratio_bootstrap
from components.scoring.call_rates import call_rates, is_unparsed, sum_counts
from components.scoring.rotbench import LEVELS, kind_of_level
from components.scoring.share_interval import share_interval
from components.scoring.tool_use import rates

SEED = 19  # of the bootstrap, so that equal items have equal differences


def suite_summaries(items: Sequence[EvaluationItem]) -> dict[str, JsonValue]:
    """Of each suite, the split's own questions among them, in the order of the items:

    `questions`, `accuracy` with its 95 % `interval` (`share_interval`), `ts`, `pi` and `cf` (null without golds),
    `invoke_rate`, `parse_failures` (questions with a call that can't be parsed) and `parse_failure_rate`, `seconds`
    and `tokens` (sums). `executed` stands where calls were executed beside that: `questions` whose call could be,
    `correct` among them, and `not_executable` others.
    """
    by_suite: dict[str, list[EvaluationItem]] = {}
    for item in items:
        by_suite.setdefault(item.suite, []).append(item)
    return {suite: _suite_summary(chosen) for suite, chosen in by_suite.items()}


def noise_curve(items: Sequence[EvaluationItem]) -> list[dict[str, JsonValue]]:
    """RoTBench's levels that were judged, from clean to union: `level`, `questions`, `accuracy`, and `difference` to
    the clean level with its 95 % interval (the levels drawn independently); null for clean and without it.

    Empty for fewer than two levels.
    """
    found = {level: _right(items, kind_of_level(level)) for level in LEVELS}
    present = {level: right for level, right in found.items() if right}
    if len(present) < 2:
        return []
    clean = present.get("clean")
    rows: list[dict[str, JsonValue]] = []
    for level, right in present.items():
        difference = _unpaired(clean, right) if clean and level != "clean" else None
        rows.append(
            {
                "level": level,
                "questions": len(right),
                "accuracy": sum(right) / len(right),
                "difference": asdict(difference) if difference else None,
            }
        )
    return rows


def suite_metrics(suites: JsonValue) -> dict[str, float]:
    """What KFP's Metrics shows of `suite_summaries`: `suite_bfcl_multiple_accuracy` and so on."""
    found: dict[str, float] = {}
    for suite, summary in (suites if isinstance(suites, dict) else {}).items():
        assert isinstance(summary, dict)
        for name in ("questions", "accuracy", "ts", "pi", "cf", "invoke_rate", "parse_failure_rate"):
            value = summary[name]
            if isinstance(value, int | float):
                found[f"suite_{suite.replace(':', '_')}_{name}"] = float(value)
        executed = summary.get("executed")
        for name, value in (executed if isinstance(executed, dict) else {}).items():
            assert isinstance(value, int)
            found[f"suite_{suite.replace(':', '_')}_executed_{name}"] = float(value)
    return found


def _suite_summary(items: Sequence[EvaluationItem]) -> dict[str, JsonValue]:
    interval = share_interval(sum(item.correct for item in items), len(items))
    unparsed = sum(map(is_unparsed, items))
    calls = call_rates(items) if sum_counts(items).judged else {}
    return {
        "questions": len(items),
        "accuracy": interval.mean,
        "interval": {"low": interval.low, "high": interval.high},
        **{name: calls.get(f"calls_{name}") for name in ("ts", "pi", "cf")},
        "invoke_rate": rates(items).invoke_rate,
        "parse_failures": unparsed,
        "parse_failure_rate": unparsed / len(items),
        "seconds": round(sum(item.seconds for item in items), 3),
        "tokens": sum(item.tokens for item in items),
        **_executed(items),
    }


def _executed(items: Sequence[EvaluationItem]) -> dict[str, JsonValue]:
    verdicts = [item.executed_correct for item in items if item.executed_correct is not None]
    failed = sum(item.executed_correct is None and bool(item.execution_note) for item in items)
    if not verdicts and not failed:
        return {}
    return {"executed": {"questions": len(verdicts), "correct": sum(verdicts), "not_executable": failed}}


def _right(items: Sequence[EvaluationItem], kind: str) -> list[bool]:
    return [item.correct for item in items if item.kind == kind]


def _unpaired(before: Sequence[bool], after: Sequence[bool]) -> Interval | None:
    """The interval of mean(after) - mean(before) for different questions: all are drawn from together."""
    sides = np.array([0.0] * len(before) + [1.0] * len(after))
    right = np.array([*before, *after], dtype=np.float64)
    [interval] = ratio_bootstrap(right * (1 - sides), 1 - sides, right * sides, sides, seed=SEED)
    return interval
