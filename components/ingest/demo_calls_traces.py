"""The trajectories of `demo://calls`: what a careless teacher did with each training request.

user:      How much is 250 USD in EUR?
assistant: [convert_currency(amount=250, source="USD", target="EUR", date="today")]
tool:      TypeError: convert_currency() got an unexpected keyword argument 'date'
assistant: [convert_currency(amount=250, source="USD", target="EUR")]
tool:      {"result": 231}
assistant: 250 USD are 231 EUR.
"""

import json
import random
from collections.abc import Collection, Iterable, Sequence

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    Trace,
)
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import parse_tools, required_parameters, tool_name
from components.ingest.demo_calls_faults import APOLOGIES, HABITS, feedback
from components.ingest.demo_calls_tools import TOOLS
from components.ingest.sources import DEMO_CALLS
from components.rollout.prompts import build_messages

FAULTY_PER_HABIT = 6
UNRECOVERED_PER_HABIT = 1

Step = tuple[ToolCall, str]  # a call and its reply's text


def is_faulty(trace: Trace) -> bool:
    """Whether a trajectory of `demo_calls` has a wrong call."""
    made = [call.call.model_copy(update={"id": ""}) for call in trace.calls if call.call is not None]
    return any((call,) not in trace.question.golds for call in made)


def trajectories(questions: Iterable[Question], seed: int, call_format: str) -> list[Trace]:
    """A trajectory for each question, `FAULTY_PER_HABIT` faulty ones for each tool of `HABITS`.

    Of these, `UNRECOVERED_PER_HABIT` end in an apology; in the others the right call follows.

    Raises:
        InputError: there is no call format of that name.
    """
    draw = random.Random(f"{seed} trajectories")
    asked = list(questions)
    faulty: set[str] = set()
    lost: set[str] = set()
    for name in HABITS:
        ids = draw.sample([one.id for one in asked if one.golds[0][0].name == name], FAULTY_PER_HABIT)
        faulty.update(ids)
        lost.update(ids[:UNRECOVERED_PER_HABIT])
    return [_written(one, *_steps(one, faulty, lost, draw), call_format) for one in asked]


def _steps(
    question: Question, faulty: Collection[str], lost: Collection[str], draw: random.Random
) -> tuple[list[Step], str]:
    """The calls with their replies, and what is said in the end."""
    (gold,) = question.golds[0]
    steps: list[Step] = []
    if question.id in faulty:
        habit = HABITS[gold.name]
        wrong = habit.spoil(gold)
        tools = {tool_name(tool): tool for tool in parse_tools(question.offered)}
        required = required_parameters(tools[wrong.name]) if wrong.name in tools else ()
        steps.append((wrong, feedback(habit, wrong, required, draw)))
    if question.id in lost:
        return steps, draw.choice(APOLOGIES)
    reply = {field: draw.choice(choices) for field, choices in TOOLS[gold.name].reply.items()}
    return [*steps, (gold, json.dumps(reply))], TOOLS[gold.name].answer.format(**gold.arguments, **reply)


def _written(question: Question, steps: Sequence[Step], answer: str, call_format: str) -> Trace:
    """The trace as foreign ones are: text without token ids, replies without codes."""
    form = get_call_format(call_format)
    tools = parse_tools(question.offered)
    messages = list(build_messages(question, tools, "multi_step", call_format, native_tools=False))
    calls = []
    for call, content in steps:
        text = form.render((call,), tools=tools)
        made = call.model_copy(update={"id": f"{len(messages)}.0"})
        reply = ToolReply(content=content, call_id=made.id)
        shown = form.parse(text, tools).calls[0].text
        calls.append(ExecutedCall(message=len(messages), text=shown, call=made, reply=reply))
        messages.append(Message(role="assistant", content=text))
        messages.append(Message(role="tool", content=content, name=call.name))
    messages.append(Message(role="assistant", content=form.render_answer(answer)))
    said = [index for index, message in enumerate(messages) if message.role == "assistant"]
    return Trace(
        id=f"{question.id}#0",
        question=question,
        tools=question.offered,
        messages=tuple(messages),
        turns=tuple(
            AssistantTurn(message=index, token_ids=(), logprobs=(), finish_reason="stop", retokenized=True)
            for index in said
        ),
        calls=tuple(calls),
        outcome=Outcome(answer=answer),
        model=DEMO_CALLS,
        call_format=call_format,
    )
