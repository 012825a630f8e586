"""One assistant turn a question, in which nothing is executed: what questions with gold calls are judged by."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolReply, Trace
from components.contracts.tool_schemas import ToolSchema
from components.policy.engine import Engine, Sampling
from components.rollout.loop import begin_dialogue
from components.rollout.prompt_room import check_room
from components.rollout.prompts import offers_tools
from components.rollout.settings import RolloutSettings
from components.rollout.tool_retrieval import offer_tools
from components.rollout.turn import Attempt, read_turn


def run_single_turns(
    questions: Iterable[Question],
    engine: Engine,
    settings: RolloutSettings,
    *,
    available: Sequence[ToolSchema] = (),
    unavailable: dict[str, str] | None = None,
    adapter: str = "",
) -> Iterator[Trace]:
    """A trace of one turn for each question, in their order; `settings.concurrent` are sampled together.

    available: the tools service's tools, for questions that bring none along. A call that does not fit
    the offered tools has the loop's typed error as its reply; any other has an empty one. Outcomes are left
    unjudged.

    Raises:
        InputError: at once, before anything is sampled: the variant offers no tools, a question names a tool that
            is not available, or tools make prompts too long for the model's context.
    """
    if not offers_tools(settings.variant):
        raise InputError(
            f"variant: {settings.variant!r} offers no tools, expected single_step or multi_step for questions "
            "that are judged by their calls"
        )
    offer = partial(offer_tools, available=available, settings=settings, unavailable=unavailable)
    asked = list(questions)
    check_room([(question, 0) for question in asked], offer, engine, settings)
    return _take_turns(asked, offer, engine, settings, adapter)


def _take_turns(
    asked: Sequence[Question],
    offer: Callable[[Question], tuple[ToolSchema, ...]],
    engine: Engine,
    settings: RolloutSettings,
    adapter: str,
) -> Iterator[Trace]:
    sampling = Sampling(
        temperature=settings.temperature, top_p=settings.top_p, max_new_tokens=settings.max_new_tokens
    )
    waiting = iter(asked)
    while batch := list(islice(waiting, settings.concurrent)):
        dialogues = [begin_dialogue(question, 0, offer(question), engine, settings) for question in batch]
        completions = engine.complete(
            [dialogue.conversation(must_answer=False) for dialogue in dialogues],
            sampling,
            seeds=[dialogue.turn_seed(settings.seed) for dialogue in dialogues],
        )
        for dialogue, completion in zip(dialogues, completions, strict=True):
            dialogue.add_turn(completion)
            reading = read_turn(
                dialogue.messages[-1].content,
                dialogue.tools,
                call_format=engine.call_format,
                variant=settings.variant,
                message=dialogue.turns[-1].message,
                may_call=True,
            )
            dialogue.answer, dialogue.done = reading.answer, True
            dialogue.add_replies(reading.attempts, [_reply(attempt) for attempt in reading.attempts])
            yield dialogue.trace(engine, settings, adapter)


def _reply(attempt: Attempt) -> ToolReply:
    if attempt.reply is not None:
        return attempt.reply
    return ToolReply(content="", call_id=attempt.call.id if attempt.call else "")
