"""BFCL's multi-turn conversations: the user's turns one after another, calls made in the benchmark's own classes.

In each user turn the policy goes on step by step until a step holds no readable call; then the user speaks again.
A conversation that has executed more than `STEPS` steps in one user turn is ended there, as in the official
harness. Functions that were held out are offered from the user turn on that brings them: by the chat template
where it renders tools, else as JSON in the user's message. They can be called before, as there, but such a call
is an error of the policy (`tool_hallucination`) in the trace.

Unlike the agent loop, calls that do not fit a schema are executed all the same: the classes say what is wrong.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from components.contracts.errors import InputError
from components.contracts.records import ExecutedCall, Message, Question, ToolReply, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import explain_call
from components.policy.engine import Engine, Sampling
from components.rollout import local_replies
from components.rollout.answers import final_answer
from components.rollout.dialogue import Dialogue
from components.rollout.loop import begin_dialogue
from components.rollout.prompt_room import check_room
from components.rollout.prompts import offers_tools, template_tools
from components.rollout.settings import RolloutSettings
from components.rollout.storable import is_storable
from components.rollout.tool_retrieval import offer_tools
from components.rollout.turn import Attempt
from components.scoring.bfcl.api_actions import Call
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn

STEPS = 20  # of one user turn; the step after them is still executed, then the conversation is ended


@dataclass
class _Played:
    """A conversation, the user turn it is in (from 0) and the steps executed in that turn."""

    dialogue: Dialogue
    reference: BfclMultiTurn
    turn: int = 0
    steps: int = 0


def run_bfcl_multi_turn(
    questions: Iterable[Question],
    engine: Engine,
    settings: RolloutSettings,
    apis: StatefulApis,
    *,
    adapter: str = "",
) -> Iterator[Trace]:
    """A trace for each question, as soon as it is complete; `settings.concurrent` conversations advance together.

    All user turns and replies stand in the trace's messages in order; its tools are those offered at the end.
    Outcomes are left unjudged (`scoring.bfcl.multi_turn.judge_multi_turn_trace`).

    Raises:
        InputError: at once, before anything is sampled: the variant offers no tools, a question has no reference of
            this kind or a class that the package lacks, or tools make prompts too long for the model's context.
    """
    if not offers_tools(settings.variant):
        raise InputError(
            f"variant: {settings.variant!r} offers no tools, expected single_step or multi_step for BFCL's multi-turn "
            "questions"
        )
    asked = [(question, BfclMultiTurn.of(question)) for question in questions]
    for question, reference in asked:
        if absent := [name for name in reference.involved_classes if name not in apis.functions]:
            raise InputError(f"question {question.id!r}: {apis.package} has no class {absent[0]!r}")
    offer = partial(offer_tools, available=(), settings=settings)
    check_room([(question, 0) for question, _ in asked], offer, engine, settings)
    return _play(asked, engine, settings, apis, adapter)


def _play(
    asked: Sequence[tuple[Question, BfclMultiTurn]],
    engine: Engine,
    settings: RolloutSettings,
    apis: StatefulApis,
    adapter: str,
) -> Iterator[Trace]:
    waiting = iter(asked)
    going: list[_Played] = []
    while True:
        for question, reference in islice(waiting, settings.concurrent - len(going)):
            going.append(_begin(question, reference, engine, settings, apis))
        if not going:
            return
        _advance(going, engine, settings, apis)
        for played in going:
            if played.dialogue.done:
                apis.end(played.dialogue.question.id)
                yield played.dialogue.trace(engine, settings, adapter)
        going = [played for played in going if not played.dialogue.done]


def _begin(
    question: Question,
    reference: BfclMultiTurn,
    engine: Engine,
    settings: RolloutSettings,
    apis: StatefulApis,
) -> _Played:
    apis.begin(
        question.id,
        reference.involved_classes,
        reference.initial_config,
        long_context=reference.long_context,
    )
    tools = offer_tools(question, (), settings)
    return _Played(begin_dialogue(question, 0, tools, engine, settings), reference)


def _advance(going: Sequence[_Played], engine: Engine, settings: RolloutSettings, apis: StatefulApis) -> None:
    """One step of every conversation."""
    sampling = Sampling(
        temperature=settings.temperature, top_p=settings.top_p, max_new_tokens=settings.max_new_tokens
    )
    completions = engine.complete(
        [played.dialogue.conversation(must_answer=False) for played in going],
        sampling,
        seeds=[played.dialogue.turn_seed(settings.seed) for played in going],
    )
    readings: list[tuple[tuple[Attempt, ...], str | None]] = []
    for played, completion in zip(going, completions, strict=True):
        played.dialogue.add_turn(completion)
        readings.append(_read(played.dialogue, engine, settings))
    made = [
        Call(played.dialogue.question.id, attempt.call)
        for played, (attempts, _) in zip(going, readings, strict=True)
        for attempt in attempts
        if attempt.call is not None
    ]
    replies = iter(apis.call_all(made))
    for played, (attempts, answer) in zip(going, readings, strict=True):
        if any(attempt.call is not None for attempt in attempts):
            played.steps += 1
            played.dialogue.done = played.steps > STEPS
            given = [
                attempt.reply or _explained(next(replies), attempt, played.dialogue) for attempt in attempts
            ]
            played.dialogue.add_replies(attempts, given)
        else:
            _record(played.dialogue, attempts)
            _end_turn(played, answer, engine)


def _read(
    dialogue: Dialogue, engine: Engine, settings: RolloutSettings
) -> tuple[tuple[Attempt, ...], str | None]:
    """The calls of the last step in their order, and what it answers where it calls nothing."""
    text, message = dialogue.messages[-1].content, dialogue.turns[-1].message
    parsed = get_call_format(engine.call_format).parse(text, dialogue.tools)
    found = [(one.span[0], Attempt(one.text, one.call)) for one in parsed.calls]
    found += [
        (one.span[0], Attempt(one.text, None, local_replies.unreadable(one.detail or one.reason.value)))
        for one in parsed.failures
    ]
    attempts = []
    for index, (_, attempt) in enumerate(sorted(found, key=lambda pair: pair[0])):
        call = attempt.call and attempt.call.model_copy(update={"id": f"{message}.{index}"})
        if call is not None and not is_storable(call):
            reply = local_replies.unreadable("a value that JSON can't hold")
            attempts.append(Attempt(attempt.text, None, reply))
        else:
            attempts.append(Attempt(attempt.text, call, attempt.reply))
    return tuple(attempts), final_answer(text, parsed.answer, settings.variant)


def _explained(reply: ToolReply, attempt: Attempt, dialogue: Dialogue) -> ToolReply:
    """What the classes replied; a failed call has the reason that the offered schemas tell, where they do."""
    assert attempt.call is not None
    problem = explain_call(attempt.call, dialogue.tools)
    if problem is None:
        return reply
    told = problem[0]
    if told == ToolError.TOOL_HALLUCINATION or reply.error == ToolError.TOOL_CALL_FAILURE:
        return reply.model_copy(update={"error": told})
    return reply


def _record(dialogue: Dialogue, attempts: Sequence[Attempt]) -> None:
    """Keep what could not be read in the trace; nobody answers it, as the user speaks next."""
    for attempt in attempts:
        assert attempt.reply is not None
        dialogue.calls.append(
            ExecutedCall(
                message=dialogue.turns[-1].message, text=attempt.text, call=None, reply=attempt.reply
            )
        )


def _end_turn(played: _Played, answer: str | None, engine: Engine) -> None:
    """Let the user speak again, or end the conversation after the last user turn."""
    dialogue, reference = played.dialogue, played.reference
    played.turn, played.steps = played.turn + 1, 0
    if played.turn == len(reference.user_turns):
        dialogue.answer, dialogue.done = answer, True
        return
    text = reference.user_turns[played.turn]
    if added := reference.offered_at(played.turn):
        dialogue.tools = (*dialogue.tools, *added)
        dialogue.template_tools = template_tools(dialogue.tools, engine.call_format, engine.native_tools)
        if not dialogue.template_tools:
            text = f"{json.dumps(added, ensure_ascii=False)}\n{text}"
    dialogue.messages.append(Message(role="user", content=text))
