"""What the report's trace viewer holds: a fair choice of questions and training traces, within a size."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from pydantic import JsonValue

from components.contracts.records import LabeledTrace, Trace
from components.promotion.comparison import Pair
from components.promotion.settings import PromotionSettings
from components.promotion.trace_view import TextTable, view_trace

HELD_OUT_BYTES = 1_300_000
TRAINING_BYTES = 350_000
CHANGES = ("fixed", "broken", "still wrong", "still right")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Viewer:
    """`data` goes into the page as JSON; the counts say how much of everything it is."""

    data: dict[str, JsonValue]
    questions_shown: int
    questions: int
    training_shown: int
    training: int


def change_of(pair: Pair) -> str:
    """One of CHANGES."""
    before, after = pair
    if before.correct:
        return "still right" if after.correct else "broken"
    return "fixed" if after.correct else "still wrong"


def build_viewer(
    pairs: Sequence[Pair],
    traces_before: Mapping[str, Trace],
    traces_after: Mapping[str, Trace],
    labeled: Iterable[LabeledTrace],
    settings: PromotionSettings,
) -> Viewer:
    """Choose and pack; every (kind, change) and every kind of label gets its turn before any gets more."""
    texts = TextTable()
    questions = _held_out(pairs, traces_before, traces_after, texts, settings.report_items)
    training, total = _training(labeled, texts, settings.report_training_traces)
    counts = Counter((pair[0].kind, change_of(pair)) for pair in pairs)
    totals: list[JsonValue] = [[kind, change, count] for (kind, change), count in sorted(counts.items())]
    data: dict[str, JsonValue] = {
        "questions": list(questions),
        "training": list(training),
        "texts": list(texts.texts),
        "totals": totals,
        "training_total": total,
    }
    return Viewer(data, len(questions), len(pairs), len(training), total)


def _held_out(
    pairs: Sequence[Pair],
    traces_before: Mapping[str, Trace],
    traces_after: Mapping[str, Trace],
    texts: TextTable,
    most: int,
) -> list[dict[str, JsonValue]]:
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair[0].kind, change_of(pair)), []).append(pair)
    chosen: list[dict[str, JsonValue]] = []
    budget = HELD_OUT_BYTES
    for pair in _in_turns(groups.values()):
        if len(chosen) >= most:
            break
        before, after = pair
        entry: dict[str, JsonValue] = {
            "id": before.id,
            "kind": before.kind,
            "change": change_of(pair),
            "question": before.question,
            "gold": list(before.gold),
            "before": view_trace(traces_before[before.id], texts),
            "after": view_trace(traces_after[after.id], texts),
        }
        budget -= _size(entry, texts)
        if budget < 0:
            break
        chosen.append(entry)
    return sorted(chosen, key=lambda entry: CHANGES.index(str(entry["change"])))


def _training(
    labeled: Iterable[LabeledTrace], texts: TextTable, most: int
) -> tuple[list[dict[str, JsonValue]], int]:
    """The chosen traces and how many there are. Only `most` of each group are ever held in memory."""
    groups: dict[tuple[str, str], list[LabeledTrace]] = {}
    total = 0
    for trace in labeled:
        total += 1
        group = groups.setdefault((trace.question.kind, state_of(trace)), [])
        if len(group) < most:
            group.append(trace)
    chosen: list[dict[str, JsonValue]] = []
    budget = TRAINING_BYTES
    for trace in _in_turns(groups.values()):
        if len(chosen) >= most:
            break
        entry: dict[str, JsonValue] = {
            "id": trace.id,
            "kind": trace.question.kind,
            "change": state_of(trace),
            "question": trace.question.text,
            "gold": list(trace.question.answers),
            "trace": view_trace(trace, texts),
        }
        budget -= _size(entry, texts)
        if budget < 0:
            break
        chosen.append(entry)
    return chosen, total


def state_of(trace: LabeledTrace) -> str:
    """Whether all, some or none of a trace's turns are trained."""
    trained = sum(label.trained for label in trace.labels)
    if not trained:
        return "not trained"
    return "trained" if trained == len(trace.labels) else "partly masked"


def _in_turns(groups: Iterable[Sequence[Value]]) -> Iterator[Value]:
    """One of each group, then a second of each, and so on."""
    for one in zip_longest(*groups):
        yield from (value for value in one if value is not None)


def _size(entry: dict[str, JsonValue], texts: TextTable) -> int:
    """Bytes that an entry adds to the page, its texts that are new to the table included."""
    packed = texts.take_new()
    return len(json.dumps(entry, separators=(",", ":"))) + sum(len(json.dumps(text)) + 1 for text in packed)
