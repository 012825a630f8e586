"""The Markdown report of ingest: counts, reasons, the first questions."""

from collections.abc import Iterable, Mapping, Sequence

from components.contracts.records import Question
from components.ingest.collect import SourceCount

SIDES = {
    "train": "for training",
    "search": "for search",
    "validation": "for validation",
    "held_out": "held out",
}
HEADS = {"train": "training", "search": "search", "validation": "validation", "held_out": "held out"}
OPTIONAL = ("search", "validation")
TOOL_ROLES = ("trajectories", "golds")
OVERLAPS = "contaminated/"  # and a suite: so begin the counts of rows that hold its items
FIRST = 5  # questions and bad rows shown


def render_report(
    sources: Sequence[SourceCount],
    counts: Mapping[str, int],
    reasons: Mapping[str, int],
    notes: Iterable[str],
    chosen: Mapping[str, Sequence[Question]],
    suites: Sequence[Sequence[object]] = (),
) -> str:
    """The report as Markdown. `reasons` counts the quarantine; `notes` are whole sentences.

    suites: for each its name, then rows read, used, over the limit and set aside.

    chosen: the questions of each side; search and validation are shown where they have any.
    """
    sides = [side for side in SIDES if side not in OPTIONAL or chosen.get(side)]
    kinds = sorted({question.kind for questions in chosen.values() for question in questions})
    asides = "".join(f", {side} {counts[side]}" for side in OPTIONAL if side in sides)
    most_first = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    parts = [
        "# Questions",
        f"{counts['read']} rows read = {counts['kept']} kept + {counts['quarantined']} set aside. "
        f"Training {counts['train']}{asides}, held out {counts['held_out']}, over the limits {counts['over_limit']}.",
        *(_tool_rows(counts, sides),)
        * any(counts.get(f"{side}_{role}") for side in sides for role in TOOL_ROLES),
        *(f"- {note}" for note in notes),
        _table(("source", "format", "rows", "kept", "set aside on reading"), _source_rows(sources)),
        _table(
            ("kind", *(HEADS[side] for side in sides)),
            ((kind, *(counts.get(f"{side}/{kind}", 0) for side in sides)) for kind in kinds),
        ),
    ]
    if suites:
        parts += ["## Suites", _table(("suite", "rows", "used", "over the limit", "set aside"), suites)]
    overlaps = [(name.partition("/")[2], rows) for name, rows in counts.items() if name.startswith(OVERLAPS)]
    if overlaps:
        what = "Training rows that hold text of what is judged by, before the limits; contamination.jsonl lists each."
        parts += ["## Contamination", what, _table(("judged", "training rows"), overlaps)]
    if reasons:
        parts += ["## Set aside", "Each row is in quarantine.jsonl with its file, line and reason."]
        parts.append(_table(("reason", "rows"), most_first))
    for side in filter(chosen.get, sides):
        parts += [
            f"## First {HEADS[side].replace(' ', '-')} questions",
            _table(("id", "question", "answers"), _question_rows(chosen[side])),
        ]
    return "\n\n".join(parts) + "\n"


def _tool_rows(counts: Mapping[str, int], sides: Sequence[str]) -> str:
    told = (
        f"{counts.get(f'{side}_{role}', 0)} {role} {SIDES[side]}" for side in sides for role in TOOL_ROLES
    )
    return f"Rows with calls of tools: {', '.join(told)}."


def _source_rows(sources: Sequence[SourceCount]) -> Iterable[Sequence[object]]:
    return ((one.name, one.format, one.read, one.kept, one.read - one.kept) for one in sources)


def _question_rows(questions: Sequence[Question]) -> Iterable[Sequence[object]]:
    return ((one.id, one.text[:200], _gold(one)[:80]) for one in questions[:FIRST])


def _gold(question: Question) -> str:
    calls = (", ".join(call.name for call in calls) for calls in question.golds)
    return "; ".join(question.answers or calls)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    flat = " ".join(str(value).split())
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        flat = flat.replace(sign, escaped)
    return flat
