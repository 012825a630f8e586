"""BFCL's table: group accuracies put together as the official ones of a version are.

v4 (bfcl-eval 2026.3.23):
    non_live = mean(mean(python, java, javascript), multiple, parallel, parallel_multiple)
    live = live_simple, live_multiple, live_parallel, live_parallel_multiple by their items
    overall = 10% non_live + 10% live + 10% irrelevance + 30% multi_turn + 40% agentic
v3 (its last form, after the executable groups were retired):
    non_live = mean of the same four and irrelevance
    live = the same four, live_irrelevance and live_relevance by their items
    overall = mean(non_live, live, multi_turn)
Both: multi_turn = mean of its four groups, irrelevance = mean(irrelevance, live_irrelevance),
relevance = live_relevance, agentic = mean(mean of web search's two, mean of memory's three).

The official table counts a group that was not run as 0. Here what needs it is None, and says which it lacks. So v4 has
no overall: its agentic groups ask the live web and stores of memories, and no suite of ingest is of them. Where
a turn can't be parsed, the official checker sees no call, which is right on irrelevance; here it is wrong, and the
official numbers stand beside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import EvaluationItem
from components.scoring.bfcl.reference import FAMILY, IRRELEVANCE_GROUPS, is_bfcl
from components.scoring.call_rates import is_unparsed

# Items of each group in the benchmark's files.
GROUP_SIZES: Mapping[str, int] = {
    "simple_python": 400,
    "simple_java": 100,
    "simple_javascript": 50,
    "multiple": 200,
    "parallel": 200,
    "parallel_multiple": 200,
    "irrelevance": 240,
    "live_simple": 258,
    "live_multiple": 1053,
    "live_parallel": 16,
    "live_parallel_multiple": 24,
    "live_irrelevance": 884,
    "live_relevance": 16,
    "multi_turn_base": 200,
    "multi_turn_miss_func": 200,
    "multi_turn_miss_param": 200,
    "multi_turn_long_context": 200,
}


@dataclass(frozen=True)
class Mean:
    """A mean of groups or of other means. weights: None for equal ones; "items": by their numbers of items."""

    parts: "tuple[str | Mean, ...]"
    weights: tuple[float, ...] | str | None = None


_SIMPLE = Mean(("simple_python", "simple_java", "simple_javascript"))
_NON_LIVE = (_SIMPLE, "multiple", "parallel", "parallel_multiple")
_LIVE = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")
_IRRELEVANCE = Mean(IRRELEVANCE_GROUPS)
_RELEVANCE = Mean(("live_relevance",))
_MULTI_TURN = Mean(
    ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context")
)
_AGENTIC = Mean(
    (
        Mean(("web_search_base", "web_search_no_snippet")),
        Mean(("memory_kv", "memory_vector", "memory_rec_sum")),
    )
)
NAMED = 4  # groups in a sentence, so that it stays one line or two
AGENTIC_SHARE = 0.4  # of v4's overall
_V4_NON_LIVE, _V4_LIVE = Mean(_NON_LIVE), Mean(_LIVE, "items")
_V3_NON_LIVE = Mean((*_NON_LIVE, "irrelevance"))
_V3_LIVE = Mean((*_LIVE, "live_irrelevance", "live_relevance"), "items")
_BOTH = {"multi_turn": _MULTI_TURN, "relevance": _RELEVANCE, "irrelevance": _IRRELEVANCE}
VERSIONS: Mapping[str, Mapping[str, Mean]] = {
    "v4": {
        "overall": Mean(
            (_V4_NON_LIVE, _V4_LIVE, _IRRELEVANCE, _MULTI_TURN, _AGENTIC),
            (0.1, 0.1, 0.1, 0.3, AGENTIC_SHARE),
        ),
        "non_live": _V4_NON_LIVE,
        "live": _V4_LIVE,
        **_BOTH,
    },
    "v3": {
        "overall": Mean((_V3_NON_LIVE, _V3_LIVE, _MULTI_TURN)),
        "non_live": _V3_NON_LIVE,
        "live": _V3_LIVE,
        **_BOTH,
    },
}


@dataclass
class _Group:
    """Counts of one group. officially: the right ones as the official checker counts."""

    items: int = 0
    right: int = 0
    officially: int = 0
    unparsed: int = 0


def bfcl_scores(items: Iterable[EvaluationItem], version: str = "v4") -> dict[str, Any]:
    """The table of one run; items of other suites are left out.

    Keys: version; overall, non_live, live, multi_turn, relevance, irrelevance (in [0, 1], or None); official (the
    same six with parse failures right on irrelevance); missing (for each None, the groups that it lacks);
    no_overall (why there is none, a sentence; empty where there is); groups
    ({name: accuracy, items, parse_failures}; the executable groups count in no mean); partial (groups of which
    fewer than all items were judged); parse_failures (items with a turn that can't be parsed).

    Raises:
        InputError: the version is unknown.
    """
    if version not in VERSIONS:
        raise InputError(f"BFCL version {version!r}: expected one of {', '.join(VERSIONS)}")
    groups = _count(items)
    ours = {name: group.right / group.items for name, group in groups.items()}
    theirs = {name: group.officially / group.items for name, group in groups.items()}
    sizes = {name: group.items for name, group in groups.items()}
    means = VERSIONS[version]
    missing = {name: [one for one in _groups_of(mean) if one not in groups] for name, mean in means.items()}

    def table(accuracies: Mapping[str, float]) -> dict[str, float | None]:
        return {
            name: None if missing[name] else _value(mean, accuracies, sizes) for name, mean in means.items()
        }

    return {
        "version": version,
        **table(ours),
        "official": table(theirs),
        "missing": {name: lacking for name, lacking in missing.items() if lacking},
        "no_overall": _no_overall(version, missing["overall"]),
        "groups": {
            name: {"accuracy": ours[name], "items": group.items, "parse_failures": group.unparsed}
            for name, group in groups.items()
        },
        "partial": [name for name, group in groups.items() if group.items < GROUP_SIZES.get(name, 0)],
        "parse_failures": sum(group.unparsed for group in groups.values()),
    }


def _no_overall(version: str, lacking: Sequence[str]) -> str:
    """Why there is no overall: what was not judged and can't be here, and what was merely not asked for."""
    if not lacking:
        return ""
    agentic = set(_groups_of(_AGENTIC))
    reasons = []
    if agentic & set(lacking):
        reasons.append(
            f"{100 * AGENTIC_SHARE:.0f} % of it are web search and memory, which are no suites here, for they ask the "
            "live web (`whetstone bfcl-handler` lets the official command judge them)"
        )
    if others := [name for name in lacking if name not in agentic]:
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        reasons.append(f"not judged: {', '.join(others[:NAMED])}{more}")
    return f"BFCL {version} has no overall here: {'; '.join(reasons)}."


def _count(items: Iterable[EvaluationItem]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for item in items:
        if is_bfcl(item.suite):
            name = item.suite.removeprefix(FAMILY)
            group = groups.setdefault(name, _Group())
            group.items += 1
            group.right += item.correct
            group.officially += item.correct or (item.unparsed and name in IRRELEVANCE_GROUPS)
            group.unparsed += is_unparsed(item)
    return groups


def _groups_of(part: str | Mean) -> list[str]:
    """The groups that a mean is made from, each once."""
    if isinstance(part, str):
        return [part]
    return list(dict.fromkeys(name for inner in part.parts for name in _groups_of(inner)))


def _value(part: str | Mean, accuracies: Mapping[str, float], sizes: Mapping[str, int]) -> float:
    if isinstance(part, str):
        return accuracies[part]
    weights: list[float] = [1.0] * len(part.parts)
    if part.weights == "items":
        weights = [float(sum(sizes[name] for name in _groups_of(inner))) for inner in part.parts]
    elif isinstance(part.weights, tuple):
        weights = list(part.weights)
    values = [_value(inner, accuracies, sizes) for inner in part.parts]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
