"""The choice of pairs, question by question; whatever makes no pair is counted under one reason.

Three sums hold: traces read = traces used + those by reason; questions = questions with a pair + those by
reason; pairs looked at = pairs made + those by reason.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from components.preferences.candidates import Candidate, Role
from components.preferences.matching import meetings, shuffled
from components.preferences.settings import PreferencesSettings

DUPLICATE = "duplicate of another trace"
ALONE = "the question has no trace for the other side"
NOT_WANTED = "no side of this question's pairs"
UNMATCHED = "no partner that it can be told from"
OVER_LIMIT = "over max_pairs_per_question"
EQUAL_TEXT = "equal text on both sides"
OTHER_ORIGIN = "sampled under another model, template or call format"
ONLY_DROPPED = "every pair was dropped"

# Chosen and rejected: with the tool where it is needed, without where the question is known.
WITH_TOOL = (Role.RIGHT_WITH, Role.WRONG_WITHOUT)
WITHOUT_TOOL = (Role.RIGHT_WITHOUT, Role.WRONG_WITH)


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """Two traces of one question that become a pair."""

    chosen: Candidate
    rejected: Candidate


@dataclass
class Plan:
    """The pairs, in the order of question ids, and what became of everything else.

    traces, questions, dropped: counts by reason of traces, questions and pairs that were left out.
    """

    pairs: list[PlannedPair] = field(default_factory=list)
    traces_read: int = 0
    traces_used: int = 0
    questions_read: int = 0
    questions_used: int = 0
    traces: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def plan_pairs(candidates: Iterable[Candidate], settings: PreferencesSettings) -> Plan:
    """Choose the pairs; the result does not depend on the order of `candidates`."""
    by_question: dict[str, list[Candidate]] = defaultdict(list)
    for found in candidates:
        by_question[found.question_id].append(found)
    plan = Plan()
    for question_id in sorted(by_question):
        _plan_question(
            sorted(by_question[question_id], key=lambda one: (one.sample, one.trace_id)), settings, plan
        )
    return plan


def is_known(traces: Iterable[Candidate], min_share: float) -> bool:
    """Whether enough of a question's free answers without a call are right; False without a right one."""
    direct = [one.direct for one in traces if one.direct is not None]
    return any(direct) and sum(direct) >= min_share * len(direct)


def _plan_question(traces: Sequence[Candidate], settings: PreferencesSettings, plan: Plan) -> None:
    known = settings.contrast == "both" and is_known(traces, settings.min_direct_share)
    sides = WITHOUT_TOOL if known else WITH_TOOL
    reasons = {one.line: _own_reason(one, sides) for one in traces}
    chosen, rejected = (_side(traces, role, reasons, settings.seed) for role in sides)
    made: list[PlannedPair] = []
    for right, wrong in meetings(chosen, rejected):
        if reason := _unfit(right, wrong):
            plan.dropped[reason] += 1
            continue
        made.append(PlannedPair(right, wrong))
        if len(made) == settings.max_pairs_per_question:
            break
    used = {one.line for pair in made for one in (pair.chosen, pair.rejected)}
    full = len(made) == settings.max_pairs_per_question
    alone = not chosen or not rejected
    for one in (*chosen, *rejected):
        if one.line not in used:
            reasons[one.line] = ALONE if alone else OVER_LIMIT if full else UNMATCHED

    plan.pairs += made
    plan.traces_read += len(traces)
    plan.traces_used += len(used)
    plan.traces.update(reason for reason in reasons.values() if reason)
    plan.questions_read += 1
    plan.questions_used += bool(made)
    if not made:
        plan.questions[_missing(sides, chosen, rejected)] += 1


def _own_reason(one: Candidate, sides: tuple[Role, Role]) -> str:
    if one.role is None:
        return one.reason
    return "" if one.role in sides else f"{one.role}: {NOT_WANTED}"


def _side(traces: Sequence[Candidate], role: Role, reasons: dict[int, str], seed: int) -> list[Candidate]:
    """The question's traces of one role, each text once (the first sample's), shuffled by the seed.

    A chosen trace brings the pair's prompt, so there the prompt makes a difference too.
    """
    found: dict[tuple[bytes, ...], Candidate] = {}
    for one in traces:
        if one.role is not role:
            continue
        is_chosen = role in (Role.RIGHT_WITH, Role.RIGHT_WITHOUT)
        first = found.setdefault((one.origin, one.text, one.prompt if is_chosen else b""), one)
        if first is not one:
            reasons[one.line] = DUPLICATE
    kept = list(found.values())
    return [kept[index] for index in shuffled([one.trace_id for one in kept], seed)]


def _unfit(chosen: Candidate, rejected: Candidate) -> str:
    if chosen.origin != rejected.origin:
        return OTHER_ORIGIN
    return EQUAL_TEXT if chosen.text == rejected.text else ""


def _missing(sides: tuple[Role, Role], chosen: Sequence[Candidate], rejected: Sequence[Candidate]) -> str:
    missing = [role for role, found in zip(sides, (chosen, rejected), strict=True) if not found]
    return f"no trace is {' and none is '.join(missing)}" if missing else ONLY_DROPPED
