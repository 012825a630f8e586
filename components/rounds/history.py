"""The artifact `rounds/1`: what the rounds before left, and what this one leaves."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import EvaluationItem
from components.rounds.comparison import in_order_of
from components.rounds.records import RoundItem, RoundRecord
from components.scoring.tool_use import METRICS

SPLIT = "validation"  # rounds are chosen among: whatever chooses may not be what judges


@dataclass(frozen=True)
class History:
    """The rounds so far, from the base model on, and the items of those that were judged, by number."""

    records: Sequence[RoundRecord]
    items: Mapping[int, Sequence[RoundItem]]

    def with_round(self, record: RoundRecord, items: Sequence[RoundItem]) -> "History":
        """The history with one more round; a round that was handed on leaves no items."""
        added = {} if record.handed_on else {record.number: items}
        return History([*self.records, record], {**self.items, **added})


def read_history(earlier: Artifact, evaluation: Artifact, base: Artifact) -> History:
    """What the round before left.

    Raises:
        InputError: it is of another question set or base model, or its records are out of order.
    """
    expected = {"question_set": evaluation.manifest.lineage.get("question_set", ""), "base": base.digest}
    for name, digest in expected.items():
        found = earlier.manifest.lineage.get(name, "")
        if found != digest:
            raise InputError(
                f"earlier: its rounds were judged with another {name} ({found[:12]}), expected {digest[:12]}"
            )
    records = list(read_records(earlier.path("rounds.jsonl"), RoundRecord))
    numbers = [record.number for record in records]
    if len(records) < 2 or numbers != list(range(len(records))):
        raise InputError(f"earlier: rounds {numbers}, expected 0 (the base model), 1 ... in their order")
    items: dict[int, list[RoundItem]] = defaultdict(list)
    for item in read_records(earlier.path("items.jsonl"), RoundItem):
        items[item.round].append(item)
    ordered = {
        record.number: in_order_of(items[record.number], items[0], f"earlier: round {record.number}")
        for record in records
        if not record.handed_on
    }
    return History(records, ordered)


def read_items(evaluation: Artifact, number: int, name: str) -> list[RoundItem]:
    """The judged items of an evaluation on the validation split.

    Raises:
        InputError: it holds none, or judged another split.
    """
    split = evaluation.manifest.details.get("split")
    if split != SPLIT:
        raise InputError(
            f"{name}: it judged the split {split!r}, expected {SPLIT!r}: what chooses a round may not judge it"
        )
    items = [
        RoundItem.of(number, item) for item in read_records(evaluation.path("items.jsonl"), EvaluationItem)
    ]
    if not items:
        raise InputError(f"{name}: the evaluation holds no item, expected at least one judged question")
    return items


def write_history(folder: Path, history: History, noun: str, page: str) -> None:
    """Write the files of `rounds/1`. noun: what people call a round."""
    write_records(folder / "rounds.jsonl", history.records)
    write_records(folder / "items.jsonl", (item for items in history.items.values() for item in items))
    text = json.dumps(summary_of(history.records, noun), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page, encoding="utf-8")


def summary_of(records: Sequence[RoundRecord], noun: str) -> dict[str, JsonValue]:
    """`summary.json`: what was decided, and one short entry a round."""
    last = records[-1]
    alarms = [alarm for record in records for alarm in record.alarms]
    return {
        "rounds": last.number,
        "noun": noun,
        "best": last.best,
        "best_accuracy": records[last.best].accuracy,
        "best_adapter": last.best_adapter,
        "best_adapter_round": last.best_adapter_round,
        "hurt": [record.number for record in records if record.hurt],
        "ended": last.ended,
        "handed_on": [record.number for record in records if record.handed_on],
        "alarms": {
            str(number): [alarm.name for alarm in alarms if alarm.round == number]
            for number in sorted({alarm.round for alarm in alarms})
        },
        "by_round": [_numbers(record) for record in records],
    }


def scalar_metrics(records: Sequence[RoundRecord]) -> dict[str, float]:
    """What KFP's Metrics shows: `round_2_accuracy`, `round_2_no_tool_invoke_rate`, `round_2_sampled_nats` ...

    Alarms are counted at the round whose policy they are about; practice at the round that held it.
    """
    found: dict[str, float] = {}
    alarms = [alarm for record in records for alarm in record.alarms]
    for record in records:
        prefix = f"round_{record.number}"
        for group, rates in record.groups.items():
            for metric in METRICS:
                value = getattr(rates, metric)
                if value is not None:
                    name = metric if group == "overall" else f"{group}_{metric}"
                    found[f"{prefix}_{name}"] = value
        if record.practice is not None:
            values = record.practice.model_dump().items()
            found |= {f"{prefix}_{name}": float(value) for name, value in values if value is not None}
        own = [alarm for alarm in alarms if alarm.round == record.number]
        found[f"{prefix}_alarms"] = float(len(own))
        found[f"{prefix}_hurt"] = float(record.hurt)
    return found | {"best_round": float(records[-1].best), "rounds": float(records[-1].number)}


def _numbers(record: RoundRecord) -> dict[str, JsonValue]:
    return {
        "number": record.number,
        "title": record.title,
        "accuracy": record.accuracy,
        "invoke_rate": record.groups["overall"].invoke_rate,
        "hurt": record.hurt,
        "handed_on": record.handed_on,
        "verdict": record.verdict,
    }
