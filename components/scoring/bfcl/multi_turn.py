"""BFCL's multi-turn check: the state after each user turn, and what the calls replied, against the ground truth's.

As the official `multi_turn_checker` has it. Both sides' calls are made in the official classes, turn by turn. A
turn with ground truth is right when the model called something, both sides' instances have equal public
attributes, and each of the ground truth's replies is among those that the model got in this turn or before, as
often. In a turn without ground truth nothing is compared: its calls only count towards later states. A
conversation that was ended before its last user turn is wrong.

Calls where the user asks for what can't be done do not make an item wrong in the official score. They are told
apart here (`needless_turns`), as are texts that no call could be read from (`unparsed`).
"""

import ast
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.records import Record, ToolCall, ToolReply, Trace
from components.scoring.bfcl.api_actions import Action, Begin, Call, Compare, End
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn

Turns = Sequence[Sequence[Sequence[ToolCall]]]  # user turn -> step -> the step's calls

CORRECT = "correct"
FORCE_TERMINATED = "force_terminated"
EMPTY_TURN = "empty_turn"
STATE_MISMATCH = "state_mismatch"
RESPONSE_MISMATCH = "response_mismatch"


class MultiTurnVerdict(Record):
    """What the checker says of one conversation.

    category: one of the five above. turn: the user turn that decided, from 0; None where all are right.
    needless_turns: the turns without ground truth in which something was called. unparsed: failed texts.
    """

    correct: bool
    category: str
    reason: str = ""
    turn: int | None = None
    needless_turns: tuple[int, ...] = ()
    unparsed: int = 0


def judge_multi_turn(
    reference: BfclMultiTurn, turns: Turns, apis: StatefulApis, *, key: str, unparsed: int = 0
) -> MultiTurnVerdict:
    """Whether the calls of each user turn do what the ground truth's do.

    turns: the readable calls of each user turn that was played. key: of the conversation, unique while it runs.

    Raises:
        InputError: the reference's ground truth is no list of calls, or its classes are not there.
    """
    played = [[step for step in turn if step] for turn in turns]
    needless = tuple(
        index
        for index, (accepted, steps) in enumerate(zip(reference.ground_truth, played, strict=False))
        if not accepted and steps
    )
    category, turn, reason = _first_fault(reference, played, apis, key)
    return MultiTurnVerdict(
        correct=category == CORRECT,
        category=category,
        reason=reason,
        turn=turn,
        needless_turns=needless,
        unparsed=unparsed,
    )


def judge_multi_turn_trace(trace: Trace, apis: StatefulApis) -> MultiTurnVerdict:
    """`judge_multi_turn` of a played conversation.

    Raises:
        InputError: the trace's question has no reference of this kind; see `judge_multi_turn`.
    """
    unparsed = sum(call.call is None for call in trace.calls)
    reference = BfclMultiTurn.of(trace.question)
    return judge_multi_turn(reference, turns_of(trace), apis, key=f"{trace.id} judged", unparsed=unparsed)


def turns_of(trace: Trace) -> tuple[tuple[tuple[ToolCall, ...], ...], ...]:
    """The readable calls of a trace: user turn -> step -> calls."""
    calls: dict[int, list[ToolCall]] = {}
    for made in trace.calls:
        if made.call is not None:
            calls.setdefault(made.message, []).append(made.call)
    turns: list[list[tuple[ToolCall, ...]]] = []
    for index, message in enumerate(trace.messages):
        if message.role == "user":
            turns.append([])
        elif message.role == "assistant" and turns:
            turns[-1].append(tuple(calls.get(index, ())))
    return tuple(tuple(turn) for turn in turns)


def ground_truth_call(text: str) -> tuple[ToolCall, tuple[JsonValue, ...]]:
    """A published call, such as "sort('a.txt')", as a call and its unnamed arguments. It is parsed, never run.

    Raises:
        InputError: the text is not one call with literal arguments.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError("expected one call of a function")
        positional = tuple(ast.literal_eval(argument) for argument in node.args)
        named = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg is not None}
        if len(named) < len(node.keywords):
            raise ValueError("expected named arguments in place of **")
        return ToolCall(name=node.func.id, arguments=named), positional
    except (ValueError, SyntaxError, RecursionError) as error:
        raise InputError(f"ground_truth: {text[:200]!r}: {error}") from None


def _first_fault(
    reference: BfclMultiTurn, played: Turns, apis: StatefulApis, key: str
) -> tuple[str, int | None, str]:
    """The category, the turn that decided and why."""
    expected = len(reference.ground_truth)
    if len(played) != expected:
        return FORCE_TERMINATED, len(played) - 1, f"{len(played)} of {expected} user turns were played"
    model, accepted = f"{key}: model", f"{key}: ground truth"
    world = reference.involved_classes, reference.initial_config, reference.long_context
    actions: list[Action] = [Begin(model, *world), Begin(accepted, *world)]
    for texts, steps in zip(reference.ground_truth, played, strict=True):
        actions += [Call(model, call) for step in steps for call in step]
        actions += [Call(accepted, *ground_truth_call(text)) for text in texts]
        actions.append(Compare(model, accepted))
    results = apis.perform([*actions, End(model), End(accepted)])
    got: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    turn = 0
    for action, result in zip(actions, results, strict=False):
        match action, result:
            case Call(), ToolReply():
                (got if action.key == model else wanted)[result.content] += 1
            case Compare(), tuple():
                if fault := _fault_of_turn(reference.ground_truth[turn], played[turn], result, wanted - got):
                    return fault[0], turn, fault[1]
                wanted.clear()
                turn += 1
    return CORRECT, None, ""


def _fault_of_turn(
    texts: Sequence[str],
    steps: Sequence[Sequence[ToolCall]],
    different: tuple[str, ...],
    missing: Counter[str],
) -> tuple[str, str] | None:
    """Category and reason. different: attributes. missing: the ground truth's replies that the model never got."""
    if not texts:
        return None
    if not steps:
        return EMPTY_TURN, "nothing was called"
    if different:
        return STATE_MISMATCH, f"differs from the ground truth: {', '.join(different)}"
    if missing:
        return RESPONSE_MISMATCH, f"no call replied {next(iter(missing))[:200]!r}"
    return None
