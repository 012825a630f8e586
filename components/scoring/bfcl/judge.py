"""The verdict on one single-turn item of BFCL, from parsed calls; nothing that a model wrote is run."""

from collections.abc import Sequence
from typing import NamedTuple

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall
from components.scoring.bfcl.ast_check import check_calls
from components.scoring.bfcl.executable import check_executable
from components.scoring.bfcl.faults import Fault
from components.scoring.bfcl.reference import (
    AST_GROUPS,
    EXECUTABLE_GROUPS,
    IRRELEVANCE_GROUPS,
    RELEVANCE_GROUPS,
    BfclReference,
)
from components.scoring.calls import CORRECT, EXTRA_CALL, NO_CALL, UNPARSED, show_calls

PARSE_FAILURE = "ast_decoder:decoder_failed"
NO_CALL_READ = "relevance_error:decoder_failed"


class BfclVerdict(NamedTuple):
    """category: one of `scoring.calls.CATEGORIES`. error_type: the official checker's name; empty when correct."""

    correct: bool
    category: str = CORRECT
    error_type: str = ""
    reason: str = ""


_RIGHT = BfclVerdict(True)


def judge_bfcl(
    question: Question, calls: Sequence[ToolCall], *, unparsed: bool, official: bool = False
) -> BfclVerdict:
    """The verdict on the calls of one turn.

    unparsed: the turn also holds a call that can't be parsed; it is then wrong in every group. official: as the
    official checker counts it, which takes any text that it can't read for a turn without a call, so that
    garbage is right on irrelevance.

    Raises:
        InputError: the question's reference is missing, malformed, or of no single-turn group.
    """
    return judge_reference(BfclReference.of(question), calls, unparsed=unparsed, official=official)


def judge_reference(
    reference: BfclReference, calls: Sequence[ToolCall], *, unparsed: bool, official: bool = False
) -> BfclVerdict:
    """`judge_bfcl` with the reference already read."""
    fault = _fault(reference, calls, unparsed=unparsed, official=official)
    if fault is None:
        return _RIGHT
    return BfclVerdict(False, fault.category, fault.kind, fault.text)


def _fault(
    reference: BfclReference, calls: Sequence[ToolCall], *, unparsed: bool, official: bool
) -> Fault | None:
    group = reference.group
    if unparsed and not (official and group in IRRELEVANCE_GROUPS):
        kind = NO_CALL_READ if group in RELEVANCE_GROUPS else PARSE_FAILURE
        return Fault(kind, UNPARSED, "the turn holds a call that can't be parsed")
    if group in IRRELEVANCE_GROUPS:
        if unparsed or not calls:
            return None
        text = f"expected no call, got {show_calls(calls)}"
        return Fault("irrelevance_error:decoder_success", EXTRA_CALL, text)
    if group in RELEVANCE_GROUPS:
        return None if calls else Fault(NO_CALL_READ, NO_CALL, "expected a call")
    if group in EXECUTABLE_GROUPS:
        return check_executable(reference, calls)
    if group in AST_GROUPS:
        return check_calls(reference, calls)
    known = (*AST_GROUPS, *IRRELEVANCE_GROUPS, *RELEVANCE_GROUPS, *EXECUTABLE_GROUPS)
    raise InputError(f"BFCL group {group!r}: expected one of the single-turn groups {', '.join(known)}")
