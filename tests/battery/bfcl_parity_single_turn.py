"""The single-turn part of `tests.battery.bfcl_parity`: verdicts, case by case. Not a test."""

from collections import Counter
from pathlib import Path
from typing import Any

from components.contracts.progress import Progress
from components.scoring.bfcl.judge import BfclVerdict, judge_reference
from components.scoring.bfcl.reference import IRRELEVANCE_GROUPS
from tests.battery.bfcl_environment import Outcome, ask_official
from tests.benchmarks.peers import PeerUnavailableError
from tests.bfcl_cases import Case, cases_of, read_items
from tests.bfcl_mutations import Item
from tests.bfcl_verdicts import write_verdicts


def official_case(item: Item, case: Case) -> dict[str, Any]:
    """A case as the official side reads it."""
    return {
        "id": item.id,
        "group": item.reference.group,
        "calls": [{call.name: call.arguments} for call in case.calls],
        "unparsed": case.unparsed,
        "underscored": case.underscored,
    }


def our_verdict(item: Item, case: Case, *, official: bool) -> BfclVerdict:
    """Our verdict on a case."""
    reference = item.reference
    if case.underscored:
        reference = reference.model_copy(update={"underscored": True})
    return judge_reference(reference, case.calls, unparsed=case.unparsed, official=official)


def single_turn(python: Path, data: Path, seeds: int, record: Path | None) -> Outcome:
    """All single-turn items and kinds."""
    items = read_items(data)
    outcome = Outcome(items=len(items))
    kinds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    crashes = same_error = right_when_unparsed = 0
    progress = Progress("bfcl_parity", seeds)
    for seed in range(seeds):
        cases = [(item, case) for item in items for case in cases_of(item, seed)]
        found = ask_official(python, ["check", str(data)], (official_case(*one) for one in cases))
        if len(found) != len(cases):
            raise PeerUnavailableError(f"{len(found)} official verdicts on {len(cases)} cases")
        for (item, case), (valid, error_type) in zip(cases, found, strict=True):
            ours = our_verdict(item, case, official=True)
            kinds[case.kind] += 1
            right[case.kind] += bool(valid)
            crashes += valid is None
            same_error += valid is not None and error_type == ours.error_type
            garbage = case.unparsed and item.reference.group in IRRELEVANCE_GROUPS
            right_when_unparsed += garbage and bool(valid)
            agrees = ours.correct == bool(valid)
            if garbage and our_verdict(item, case, official=False).correct:
                agrees = False  # garbage must never count
            outcome.agreed += agrees
            if not agrees:
                outcome.disagreements.append(_shown(item, case, seed, valid, error_type, ours))
        if record and not seed:
            verdicts = (
                (item.id, case.kind, bool(valid))
                for (item, case), (valid, _) in zip(cases, found, strict=True)
            )
            write_verdicts(record, verdicts)
        progress.advance()
    outcome.verdicts = sum(kinds.values())
    outcome.more = {
        "kinds": {kind: {"cases": kinds[kind], "right": right[kind]} for kind in kinds},
        "official_exceptions": crashes,
        "same_error_type": round(same_error / max(1, outcome.verdicts - crashes), 6),
        "parse_failures_right_officially": right_when_unparsed,
    }
    return outcome


def _shown(
    item: Item, case: Case, seed: int, valid: object, error_type: str, ours: BfclVerdict
) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": case.kind,
        "seed": seed,
        "official": [valid, error_type],
        "ours": [ours.correct, ours.error_type, ours.reason[:300]],
    }
