"""Where wrong calls go wrong (TL-Training, Table 1), over turns that were scored against golds.

- tool: of the calls of a wrong tool, `first` differs from the gold's name in the first token, `prefix` shares
  at least that one with it.
- parameters: of the calls of the right tool with other parameters, `redundancy` has one of the schema that the
  gold lacks, `missing` lacks one of the gold's, `hallucination` has one that the schema does not know either.
- content: of the calls with the right parameters and other values, `synonyms` has a value that says nearly the
  same (see `nearly_same`), `others` one that does not.

A call counts once for each fault that it has, so that the shares of parameters and content may pass 1 in sum.
"""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema
from components.scoring.answers import normalize_text
from components.scoring.calls import NO_CALL, UNPARSED, CallRules, TurnScore, unknown_parameters, wrong_values
from components.scoring.numbers import only_number

Tokens = Callable[[str], Sequence[Hashable]]
Scored = tuple[TurnScore, Sequence[ToolSchema], CallRules]

ASPECTS = {
    "tool": ("first", "prefix"),
    "parameters": ("redundancy", "missing", "hallucination"),
    "content": ("synonyms", "others"),
}


@dataclass
class Profile:
    """Counts over scored turns.

    wrong: calls with a fault in each aspect of ASPECTS, which are the shares' denominators. faults: by
    (aspect, fault). turns, wrong_turns, unparsed, no_call: turns; absent, extra: calls without a counterpart.
    """

    turns: int = 0
    wrong_turns: int = 0
    unparsed: int = 0
    no_call: int = 0
    absent: int = 0
    extra: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)

    def share(self, aspect: str, fault: str) -> float | None:
        """The share of a fault among the calls wrong in that aspect; None where there are none."""
        return self.faults[aspect, fault] / self.wrong[aspect] if self.wrong[aspect] else None

    def summary(self) -> dict[str, JsonValue]:
        """As JSON: the counts, and for each aspect `calls` and each fault's `count` and `share`."""
        found: dict[str, JsonValue] = {
            "turns": self.turns,
            "wrong_turns": self.wrong_turns,
            "unparsed": self.unparsed,
            "no_call": self.no_call,
            "absent_calls": self.absent,
            "extra_calls": self.extra,
        }
        for aspect, faults in ASPECTS.items():
            rows: dict[str, JsonValue] = {"calls": self.wrong[aspect]}
            for fault in faults:
                rows[fault] = {"count": self.faults[aspect, fault], "share": self.share(aspect, fault)}
            found[aspect] = rows
        return found


def profile_calls(scored: Iterable[Scored], tokens: Tokens) -> Profile:
    """Profile scored turns, each with the tools that were offered in it and the rules it was scored by.

    tokens: a name's tokens under the policy's tokenizer.
    """
    profile = Profile()
    for score, tools, rules in scored:
        profile.turns += 1
        if score.content_filled:
            continue
        profile.wrong_turns += 1
        if score.category == UNPARSED:
            profile.unparsed += 1
        elif score.category == NO_CALL:
            profile.no_call += 1
        else:
            for call, gold in score.pairs:
                _count_pair(profile, call, gold, tools, rules, tokens)
    return profile


def nearly_same(value: JsonValue, gold: JsonValue) -> bool:
    """Whether two values say nearly the same.

    Numbers are compared as numbers, however they are written. Other values are texts (JSON for lists and
    objects) without case, punctuation and articles: equal, or one holds all of the other as whole words.
    """
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in (value, gold)]
    numbers = [only_number(text) for text in texts]
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    first, second = (f" {normalize_text(text)} " for text in texts)
    if not first.strip() or not second.strip():
        return False
    return first in second or second in first


def _count_pair(
    profile: Profile,
    call: ToolCall | None,
    gold: ToolCall | None,
    tools: Sequence[ToolSchema],
    rules: CallRules,
    tokens: Tokens,
) -> None:
    if call is None or gold is None:
        profile.absent += call is None
        profile.extra += gold is None
    elif call.name != gold.name:
        _count(profile, "tool", [_name_fault(call.name, gold.name, tokens)])
    elif call.arguments.keys() != gold.arguments.keys():
        unknown = unknown_parameters(call, gold, tools)
        found = {
            "redundancy": call.arguments.keys() - gold.arguments.keys() - unknown,
            "missing": gold.arguments.keys() - call.arguments.keys(),
            "hallucination": unknown,
        }
        _count(profile, "parameters", [fault for fault, names in found.items() if names])
    else:
        near = {nearly_same(value, wanted) for value, wanted in wrong_values(call, gold, tools, rules)}
        _count(profile, "content", ["synonyms" if one else "others" for one in sorted(near)])


def _count(profile: Profile, aspect: str, faults: Sequence[str]) -> None:
    if faults:
        profile.wrong[aspect] += 1
        profile.faults.update((aspect, fault) for fault in faults)


def _name_fault(name: str, gold: str, tokens: Tokens) -> str:
    first, second = list(tokens(name))[:1], list(tokens(gold))[:1]
    return "prefix" if first and first == second else "first"
