"""The table "When do tools help": what the policy before and the one after did where the model knew, and where not."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from components.contracts.artifacts import Artifact
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem
from components.promotion.comparison import Pair
from components.promotion.settings import PromotionSettings
from components.promotion.words import group_title, percent, points
from components.scoring.bootstrap import Interval
from components.scoring.groups import OVERALL, group_kinds
from components.scoring.tool_help import (
    COUNTS,
    ToolHelp,
    known_without_tools,
    tool_help,
    tool_help_differences,
)

# (name, title, what it counts, whether more of it is better; None: neither)
ROWS: tuple[tuple[str, str, str, bool | None], ...] = (
    ("overuse", "Overuse", "known without tools, and a tool was called", False),
    ("redundant", "redundant", "the answer was right with the tool as it was without", None),
    ("harmed", "harmed", "the answer was wrong with the tool", False),
    ("kept", "Kept", "known without tools, no call, right", True),
    ("forgotten", "Forgotten", "known without tools, no call, wrong once tools were on offer", False),
    ("rescued", "Rescued", "not known without tools, a tool was called, right", True),
    ("not_helped", "Not helped", "not known without tools, a tool was called, wrong all the same", None),
    ("underuse", "Underuse", "not known without tools, and no tool was called", False),
    ("learned", "learned", "the answer was right without a call", None),
    ("missed", "missed", "the answer was wrong", False),
)
PARTS = frozenset({"redundant", "harmed", "learned", "missed"})  # of the row above them


@dataclass(frozen=True)
class Helped:
    """One group of questions: the counts of both policies and the intervals of the shares' differences."""

    before: ToolHelp
    after: ToolHelp
    differences: Mapping[str, Interval]


def compare_help(
    without_tools: Artifact, pairs: Sequence[Pair], settings: PromotionSettings
) -> dict[str, Helped]:
    """The table of each group, by its name; suites' questions that were not asked without tools are left out.

    Raises:
        InputError: `without_tools` did not judge the same questions, or holds a call.
    """
    known = known_without_tools(read_records(without_tools.path("items.jsonl"), EvaluationItem))
    own = without_tools.manifest.details.get("split")
    pairs = [pair for pair in pairs if pair[0].suite == own or pair[0].id in known]
    found = {}
    for name, kinds in group_kinds((before.kind for before, _ in pairs), settings.no_tool_kinds).items():
        before = [one for one, _ in pairs if one.kind in kinds]
        after = [other for _, other in pairs if other.kind in kinds]
        differences = tool_help_differences(
            known,
            before,
            after,
            samples=settings.samples,
            seed=settings.seed,
            confidence=settings.confidence,
        )
        found[name] = Helped(tool_help(known, before), tool_help(known, after), differences)
    return found


def summary_of_help(groups: Mapping[str, Helped]) -> dict[str, JsonValue]:
    """`tool_help` of summary.json: by group, `questions`, `known` and each of COUNTS, counts and shares."""
    return {
        name: {
            "questions": group.before.questions,
            "known": group.before.known,
            **{
                count: {
                    "before": _side(group.before, count),
                    "after": _side(group.after, count),
                    "difference": asdict(group.differences[count]),
                }
                for count in COUNTS
            },
        }
        for name, group in groups.items()
    }


def help_tables(groups: Mapping[str, Helped]) -> list[dict[str, object]]:
    """The tables as the report and the card show them."""
    return [_table(name, group) for name, group in groups.items()]


def _side(found: ToolHelp, name: str) -> dict[str, JsonValue]:
    return {"count": found.counts[name], "share": found.share(name)}


def _table(name: str, group: Helped) -> dict[str, object]:
    rows = []
    for count, title, hint, more_is_better in ROWS:
        interval = group.differences[count]
        rows.append(
            {
                "title": title,
                "hint": hint,
                "part": count in PARTS,
                "before": _shown(group.before, count),
                "after": _shown(group.after, count),
                "difference": points(interval.mean).removesuffix(" points"),
                "interval": f"{points(interval.low)} to {points(interval.high)}".replace(" points", ""),
                "tone": _tone(interval, more_is_better),
            }
        )
    plain = group_title(name)
    return {
        "title": plain[0].upper() + plain[1:],
        "questions": group.before.questions,
        "known": group.before.known,
        "known_share": percent(group.before.known / group.before.questions),
        "open": name == OVERALL,
        "rows": rows,
    }


def _shown(found: ToolHelp, name: str) -> dict[str, str]:
    return {"count": str(found.counts[name]), "share": f"({percent(found.share(name))})"}


def _tone(interval: Interval, more_is_better: bool | None) -> str:
    if more_is_better is None or interval.low <= 0 <= interval.high:
        return "neutral"
    return "good" if (interval.low > 0) == more_is_better else "bad"
