"""`report.html`: how the rounds went, as one figure over the rounds, alarms and tables; self-contained."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import jinja2
from markupsafe import Markup

from components.contracts.curves import CURVE_STYLE, Plot, Series
from components.contracts.panels import render_panels
from components.rounds.records import Alarm, AlarmName, Difference, GroupRates, Practice, RoundRecord
from components.rounds.settings import RoundsSettings
from components.rounds.words import (
    NONE,
    begin,
    called,
    few_questions_note,
    none_is_better,
    percent,
    points_between,
    signed,
)
from components.scoring.groups import DIFFICULTIES, NEEDS_TOOL, NO_TOOL, OVERALL, group_label

GROUP_TITLES = {OVERALL: "all questions", NEEDS_TOOL: "need a tool", NO_TOOL: "need no tool"}
METRIC_TITLES = {
    "accuracy": ("Accuracy", "answers that contain an accepted one"),
    "exact_match": ("Exact match", "answers that say an accepted one and nothing else"),
    "invoke_rate": ("Invoke rate", "calls in the first turn a question"),
    "called_share": ("Questions with a call", "in any turn"),
    "pass_rate": ("Pass rate", "calls that came back without an error"),
    "answerable_rate": ("Answerable rate", "calls whose reply held an accepted answer"),
}
# More calls are neither good nor bad by themselves.
NEUTRAL = frozenset({"invoke_rate", "called_share"})
PRACTICE_ROWS: tuple[tuple[str, str, Callable[[Practice], str]], ...] = (
    ("Traces", "sampled", lambda found: f"{found.traces:,}"),
    ("Trained", "traces with a trained turn", lambda found: f"{found.trained_traces:,} ({percent(found.trained_share)})"),
    ("Distinct texts", "share of the traces", lambda found: percent(found.distinct_texts)),
    ("Distinct-2", "distinct pairs of adjacent words", lambda found: percent(found.distinct_bigrams)),
    ("Answers", "different ones a question", lambda found: _number(found.distinct_answers)),
    ("First actions", "different ones a question", lambda found: _number(found.distinct_first_actions)),
    ("Mean \u2212log p", "nats a sampled token", lambda found: _number(found.sampled_nats)),
)  # fmt: skip
ALARMS_IN: dict[AlarmName, str] = {
    "accuracy_fall": "accuracy",
    "tool_use_collapse": "tool use",
    "tool_use_runaway": "tool use",
    "diversity_collapse": "diversity",
    "sampled_nats_collapse": "sampled nats",
    "few_trained_traces": "trained",
}


def render_report(records: Sequence[RoundRecord], settings: RoundsSettings, noun: str = "round") -> str:
    """The page as text. Titles are escaped, nothing is loaded from anywhere.

    records: from the base model on. noun: what people call a round.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("components.rounds"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    last = records[-1]
    return environment.get_template("report.html.j2").render(
        headline=_headline(records, noun),
        figure=Markup(_figure(records, noun)),  # render_panels escapes what it is given
        curve_style=Markup(CURVE_STYLE),
        note=few_questions_note(records, settings.confidence),
        rounds=[(record, _alarms(records, record.number)) for record in records],
        records=records,
        tables=[_table(group, records) for group in records[0].groups],
        practice=_practice_rows(records),
        best=last.best,
        best_adapter=last.best_adapter,
        best_adapter_of=called(records, last.best_adapter_round),
        noun=noun,
        percent=percent,
        confidence=f"{100 * settings.confidence:g}",
        samples=settings.samples,
    )


def _headline(records: Sequence[RoundRecord], noun: str) -> str:
    base, best = records[0], records[records[-1].best]
    if best is base:
        return (
            f"{none_is_better(records, noun)}, which is right on {percent(base.accuracy)} of the questions."
        )
    return (
        f"{begin(best.title)} is the best: right on {percent(best.accuracy)} of the questions, where the base model "
        f"is on {percent(base.accuracy)}."
    )


def _figure(records: Sequence[RoundRecord], noun: str) -> str:
    """One figure. Practice stands at the round whose policy sampled it, as what was judged of that policy does."""
    thirds = [group for group in DIFFICULTIES if group in records[0].groups]
    by_difficulty = [_of_group(records, group, "accuracy") for group in thirds]
    diversity = [
        _practice("distinct texts", records, "distinct_texts", "diversity"),
        _practice("distinct-2", records, "distinct_bigrams"),
    ]
    variety = [
        _practice("answers", records, "distinct_answers"),
        _practice("first actions", records, "distinct_first_actions"),
    ]
    nats = [_practice("", records, "sampled_nats", "sampled nats")]
    trained = [_practice("", records, "trained_share", "trained")]
    panels = [
        Plot("Accuracy", _by_group(records, "accuracy"), percent=True, most=1.0),
        *[Plot("Accuracy by difficulty", by_difficulty, percent=True, most=1.0)] * bool(thirds),
        Plot("Invoke rate", _by_group(records, "invoke_rate"), percent=True, most=1.0),
        Plot("Diversity of the traces", diversity, percent=True, most=1.0),
        Plot("Variety within a question", variety),
        Plot("Mean \u2212log p of sampled tokens", nats, "nats"),
        Plot("Trained traces", trained, percent=True, most=1.0),
    ]
    across = (0.0, float(records[-1].number))
    return render_panels(f"Over the {noun}s", panels, x_label="policy, by its number below", across=across)


def _by_group(records: Sequence[RoundRecord], metric: str) -> list[Series]:
    """A line for all questions and, where they are told apart, one each for those that need a tool or none."""
    groups = records[0].groups
    shown = [OVERALL] if NO_TOOL not in groups or NEEDS_TOOL not in groups else [OVERALL, NEEDS_TOOL, NO_TOOL]
    first, *others = (_of_group(records, group, metric) for group in shown)
    band = _band(records) if metric == "accuracy" else ()
    place = "accuracy" if metric == "accuracy" else "tool use"
    return [replace(first, band=band, marks=_marks(records, place)), *others]


def _of_group(records: Sequence[RoundRecord], group: str, metric: str) -> Series:
    rates = [(record.number, getattr(record.groups[group], metric)) for record in records]
    points = [(float(number), float(value)) for number, value in rates if value is not None]
    return Series(_title_of(group), points)


def _title_of(group: str) -> str:
    return GROUP_TITLES.get(group, group_label(group).replace("_", " "))


def _band(records: Sequence[RoundRecord]) -> list[tuple[float, float, float]]:
    """Where the interval of the difference to the base model puts each round's accuracy."""
    base = records[0].accuracy
    found = [(0.0, base, base)]
    for record in records[1:]:
        judged = records[record.sampler] if record.handed_on else record
        interval = judged.differences.get("base", {}).get(OVERALL, {}).get("accuracy")
        if interval is not None:
            found.append((float(record.number), base + interval.low, base + interval.high))
    return found


def _practice(label: str, records: Sequence[RoundRecord], name: str, place: str = "") -> Series:
    values = [(number, getattr(found, name)) for number, found in _by_sampler(records).items()]
    points = [(float(number), float(value)) for number, value in values if value is not None]
    return Series(label, points, marks=_marks(records, place))


def _by_sampler(records: Sequence[RoundRecord]) -> dict[int, Practice]:
    """What each round's policy sampled, by the number of that round, in order."""
    return {record.sampler: record.practice for record in records if record.practice}


def _alarms(records: Sequence[RoundRecord], number: int) -> list[Alarm]:
    """The alarms about a round's policy; its practice's are found one round later."""
    return [alarm for record in records for alarm in record.alarms if alarm.round == number]


def _marks(records: Sequence[RoundRecord], place: str) -> dict[float, str]:
    found = {}
    for record in records:
        about = _alarms(records, record.number)
        told = [alarm.sentence for alarm in about if ALARMS_IN[alarm.name] == place]
        if told:
            found[float(record.number)] = " ".join(told)
    return found


def _table(group: str, records: Sequence[RoundRecord]) -> dict[str, object]:
    rows = []
    for metric, (name, hint) in METRIC_TITLES.items():
        cells = [_cell(record, group, metric) for record in records]
        if any(cell["value"] != NONE for cell in cells):
            rows.append({"name": name, "hint": hint, "cells": cells})
    asked: GroupRates = records[0].groups[group]
    return {"title": _title_of(group), "questions": asked.questions, "open": group == OVERALL, "rows": rows}


def _cell(record: RoundRecord, group: str, metric: str) -> dict[str, object]:
    changes: list[dict[str, object]] = []
    for name, number in (("previous", record.number - 1), ("best", record.compared_with)):
        found = record.differences.get(name, {}).get(group, {}).get(metric)
        if found is not None and number not in [one["number"] for one in changes]:
            changes.append(
                {
                    "number": number,
                    "tone": _tone(metric, found),
                    "mean": signed(found.mean),
                    "interval": points_between(found),
                }
            )
    return {"value": percent(getattr(record.groups[group], metric)), "changes": changes}


def _tone(metric: str, found: Difference) -> str:
    if metric in NEUTRAL:
        return "neutral"
    return "good" if found.low > 0 else "bad" if found.high < 0 else "neutral"


def _practice_rows(records: Sequence[RoundRecord]) -> list[dict[str, object]]:
    sampled = _by_sampler(records)
    return [
        {
            "name": name,
            "hint": hint,
            "cells": [
                show(sampled[record.number]) if record.number in sampled else NONE for record in records
            ],
        }
        for name, hint, show in PRACTICE_ROWS
    ]


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
