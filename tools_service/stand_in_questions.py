"""Questions to practise on stand-ins, from a question set whose questions bring tools and gold calls.

    python -m tools_service.stand_in_questions --golds held_out.jsonl --tools-out tools.json \\
        --questions-out questions.jsonl
    python -m tools_service --stand-ins tools.json

Each question asks for the value that its gold call's stand-in replies with. Only the right call with the right
arguments gives it, so that outcomes alone tell whether a policy found the tool among all of them.
"""

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import Question, ToolCall
from components.contracts.tool_schemas import ToolSchema, explain_call, parse_tools, tool_name
from tools_service.stand_ins import reply

REQUEST = "What is the value? Give only the number."  # of five wordings the one the demo model answers best
SERVICE_TOOLS = frozenset({"calculator", "wikipedia_search", "machine_translator"})  # never stood in for


@dataclass(frozen=True)
class StandInQuestions:
    """What was made of a question set.

    tools: all that its questions offer, each name once. questions: for ingest; they name no tools, so each is
    offered all of the service's, or the most fitting. left_out: reason -> questions.
    """

    tools: tuple[ToolSchema, ...]
    questions: tuple[Question, ...]
    left_out: dict[str, int]


def make_stand_in_questions(
    questions: Iterable[Question], *, limit: int = 0, seed: int = 19
) -> StandInQuestions:
    """One tool set, and a question for each gold call that it can stand in for.

    A name that comes with several schemas has its first, the one that a service with these stand-ins shows. The
    accepted answers are the values of all accepted calls. limit: keep so many questions, drawn by the seed, in
    their order; 0 keeps all. The tools are those of all questions.

    Raises:
        InputError: two questions have the same id, one's tools can't be read, or no question can be made.
    """
    tools: dict[str, ToolSchema] = {}
    read: dict[str, Question] = {}
    for question in questions:
        if question.id in read:
            raise InputError(f"question {question.id!r} is there twice, expected unique ids")
        read[question.id] = question
        for tool in parse_tools(question.offered) if question.offered else ():
            if tool_name(tool) not in SERVICE_TOOLS:
                tools.setdefault(tool_name(tool), tool)
    made: list[Question] = []
    left_out: Counter[str] = Counter()
    for question in read.values():
        found = _ask_for_value(question, tools)
        if isinstance(found, Question):
            made.append(found)
        else:
            left_out[found] += 1
    if not made:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "the set is empty"
        raise InputError(
            f"golds: no question can be made ({reasons}); expected questions with tools and a gold call"
        )
    if limit and limit < len(made):
        kept = sorted(random.Random(seed).sample(range(len(made)), limit))
        made = [made[place] for place in kept]
    return StandInQuestions(tuple(tools.values()), tuple(made), dict(left_out))


def _ask_for_value(question: Question, tools: dict[str, ToolSchema]) -> Question | str:
    """The question for the value of its gold call, or why there can't be one."""
    if not question.golds:
        return "without golds"
    if question.history:
        return "with a conversation before"
    if any(len(calls) != 1 for calls in question.golds):
        return "with several calls at once"
    calls = [call for (call,) in question.golds]
    if any(call.name in SERVICE_TOOLS for call in calls):
        return "for a tool of the service's own"
    if any("value" in call.arguments for call in calls):
        return "whose call gives the value itself"
    fitting = [
        call for call in calls if call.name in tools and explain_call(call, [tools[call.name]]) is None
    ]
    if not fitting:
        return "whose golds fit no shown schema"
    answers = dict.fromkeys(str(_value(call)) for call in fitting)
    if answers.keys() & set(re.findall(r"\d+", question.text)):
        return "whose text says the answer"
    return Question(
        id=question.id,
        text=f"{question.text.rstrip()}\n{REQUEST}",
        answers=tuple(answers),
        answer_type="number",
        kind=question.kind,
        subject=question.subject,
    )


def _value(call: ToolCall) -> int:
    said = json.loads(reply(call.name, **call.arguments))
    return int(said["result"]["value"])


def main(arguments: Sequence[str] | None = None) -> int:
    """0, and the files; 1 and a line on standard error for input that can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m tools_service.stand_in_questions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--golds", type=Path, nargs="+", required=True, help="question sets, JSON lines")
    parser.add_argument("--tools-out", type=Path, required=True, help="tool schemas for --stand-ins")
    parser.add_argument("--questions-out", type=Path, required=True, help="questions for ingest")
    parser.add_argument("--limit", type=int, default=0, help="questions kept, drawn by the seed; 0 keeps all")
    parser.add_argument("--seed", type=int, default=19)
    given = parser.parse_args(arguments)
    try:
        read = (question for path in given.golds for question in read_records(path, Question))
        made = make_stand_in_questions(read, limit=given.limit, seed=given.seed)
        given.tools_out.write_text(
            json.dumps(made.tools, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        write_records(given.questions_out, made.questions)
    except (InputError, OSError) as error:
        print(f"stand_in_questions: {error}", file=sys.stderr)
        return 1
    print(f"{len(made.tools)} tools, {len(made.questions)} questions")
    for reason, count in made.left_out.items():
        print(f"left out: {count} {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
