"""The one agent loop: open conversations advance together, a turn at a time, until each has answered.

A turn of all open conversations is one call of the engine; all tool calls in it are one batch to the
tools service, which runs them concurrently. A conversation that ends makes room for the next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from components.contracts.records import Question, ToolCall, ToolReply, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.policy.engine import Engine, Sampling
from components.rollout.dialogue import Dialogue
from components.rollout.prefill import first_prefill
from components.rollout.prompt_room import check_room
from components.rollout.prompts import build_messages, offers_tools, template_tools
from components.rollout.settings import RolloutSettings
from components.rollout.tool_retrieval import offer_tools
from components.rollout.tools_client import ToolsClient
from components.rollout.turn import Attempt, Reading, read_turn


def run_rollouts(
    questions_with_samples: Iterable[tuple[Question, int]],
    engine: Engine,
    tools_client: ToolsClient | None,
    settings: RolloutSettings,
    *,
    adapter: str = "",
) -> Iterator[Trace]:
    """Take each (question, sample number) through the loop; a trace is yielded as soon as it is complete.

    tools_client: None only for the variants without tools. adapter: digest written into the traces.
    What is sampled for a (question, sample) depends on its own id, number and `settings.seed` only, not
    on its neighbours (as far as the engine's arithmetic allows). Outcomes are left unjudged.

    Raises:
        InputError: at once, before anything is sampled: no tools service at the client's URL, a question names a
            tool it lacks, or tools make prompts too long for the model's context.
    """
    tools, unavailable = _available(tools_client, settings)
    offer = partial(offer_tools, available=tools, settings=settings, unavailable=unavailable)
    asked = list(questions_with_samples)
    check_room(asked, offer, engine, settings)
    return _roll_out(asked, offer, engine, tools_client, settings, adapter)


def _roll_out(
    asked: Sequence[tuple[Question, int]],
    offer: Callable[[Question], tuple[ToolSchema, ...]],
    engine: Engine,
    tools_client: ToolsClient | None,
    settings: RolloutSettings,
    adapter: str,
) -> Iterator[Trace]:
    waiting = iter(asked)
    going: list[Dialogue] = []
    while True:
        for question, sample in islice(waiting, settings.concurrent - len(going)):
            going.append(begin_dialogue(question, sample, offer(question), engine, settings))
        if not going:
            return
        _advance(going, engine, tools_client, settings)
        for dialogue in going:
            if dialogue.done:
                yield dialogue.trace(engine, settings, adapter)
        going = [dialogue for dialogue in going if not dialogue.done]


def turns_allowed(settings: RolloutSettings) -> int:
    """Assistant turns a conversation may take: single_step is one tool round and an answer."""
    return min(2, settings.max_steps) if settings.variant == "single_step" else settings.max_steps


def _is_last(dialogue: Dialogue, settings: RolloutSettings) -> bool:
    """Whether the dialogue's next turn is the last it may take, and so has to answer."""
    return len(dialogue.turns) + 1 >= turns_allowed(settings)


def _available(
    client: ToolsClient | None, settings: RolloutSettings
) -> tuple[tuple[ToolSchema, ...], dict[str, str]]:
    if not offers_tools(settings.variant):
        return (), {}
    if client is None:
        raise ValueError(f"variant {settings.variant!r} offers tools, so it needs a tools client")
    return client.list_tools(), client.unavailable


def begin_dialogue(
    question: Question, sample: int, tools: tuple[ToolSchema, ...], engine: Engine, settings: RolloutSettings
) -> Dialogue:
    """The conversation of one (question, sample) before its first turn. tools: those on offer."""
    call_format = get_call_format(engine.call_format)
    return Dialogue(
        question=question,
        sample=sample,
        tools=tools,
        template_tools=template_tools(tools, engine.call_format, engine.native_tools),
        messages=list(
            build_messages(question, tools, settings.variant, engine.call_format, engine.native_tools)
        ),
        prefill=first_prefill(question, sample, tools, engine.call_format, settings),
        answer_prefill=call_format.prefill_answer() if tools and settings.prefill != "none" else "",
    )


def _advance(
    going: Sequence[Dialogue], engine: Engine, client: ToolsClient | None, settings: RolloutSettings
) -> None:
    sampling = Sampling(
        temperature=settings.temperature, top_p=settings.top_p, max_new_tokens=settings.max_new_tokens
    )
    completions = engine.complete(
        [dialogue.conversation(must_answer=_is_last(dialogue, settings)) for dialogue in going],
        sampling,
        seeds=[dialogue.turn_seed(settings.seed) for dialogue in going],
    )
    readings: list[Reading] = []
    for dialogue, completion in zip(going, completions, strict=True):
        last = _is_last(dialogue, settings)
        dialogue.add_turn(completion)
        reading = read_turn(
            dialogue.messages[-1].content,
            dialogue.tools,
            call_format=engine.call_format,
            variant=settings.variant,
            message=dialogue.turns[-1].message,
            may_call=not last,
        )
        dialogue.answer, dialogue.done = reading.answer, reading.ends
        readings.append(reading)
    replies = iter(_execute([a for reading in readings for a in reading.attempts], client))
    for dialogue, reading in zip(going, readings, strict=True):
        dialogue.add_replies(reading.attempts, list(islice(replies, len(reading.attempts))))


def _execute(attempts: Sequence[Attempt], client: ToolsClient | None) -> list[ToolReply]:
    """A reply for each attempt, in order; those without one go out in one batch."""
    calls: list[ToolCall] = [a.call for a in attempts if a.reply is None and a.call is not None]
    remote = iter(client.call_batch(calls) if client is not None and calls else ())
    return [attempt.reply if attempt.reply is not None else next(remote) for attempt in attempts]
