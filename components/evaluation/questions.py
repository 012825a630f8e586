"""The questions that an evaluation judges, and the check that each can be judged."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from components.contracts.errors import InputError
from components.contracts.records import Difficulty, PromptVariant, Question
from components.contracts.tool_schemas import ToolSchema, find_tool, parse_tools, tool_name
from components.rollout.prefill import sample_seed
from components.rollout.prompts import offers_tools, select_tools
from components.rollout.tools_client import ToolsClient
from components.scoring.bfcl.reference import is_bfcl
from components.scoring.difficulty import demand_of_question, divide
from components.scoring.judgement import is_single_turn


def select_questions(questions: Iterable[Question], *, limit_per_kind: int, seed: int) -> list[Question]:
    """The questions to judge, in their own order; of the user's own at most `limit_per_kind` (0: all) of each kind.

    Which ones a limit keeps depends on the seed and their ids only, so that two evaluations with
    equal settings judge the same questions.

    Raises:
        InputError: there is none, an id occurs twice, or one has neither accepted answers, golds nor
            tools of its own to be executed.
    """
    kept = list(questions)
    seen: set[str] = set()
    for question in kept:
        if question.id in seen:
            raise InputError(f"question_set: question {question.id!r} occurs twice, expected unique ids")
        if not (question.answers or question.golds or question.offered):
            raise InputError(
                f"question_set: question {question.id!r} has no gold, expected answers to judge by"
            )
        seen.add(question.id)
    if not kept:
        raise InputError(
            "question_set: no question to judge; expected at least one in the chosen split, or suites"
        )
    if not limit_per_kind:
        return kept
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for question in sorted(kept, key=lambda question: sample_seed(seed, question.id, 0, "limit")):
        by_kind[question.kind].append(question)
    chosen = {question.id for group in by_kind.values() for question in group[:limit_per_kind]}
    return [question for question in kept if question.suite or question.id in chosen]


def in_reading_order(questions: Iterable[Question]) -> list[Question]:
    """Those with equal tools beside each other, so that an engine reads them once; then alike in length."""

    def key(question: Question) -> tuple[int, str, str, int]:
        history = [message.content for message in question.history]
        return len(question.offered), question.offered, "".join(history[:1]), sum(map(len, history))

    return sorted(questions, key=key)


def needs_service(question: Question, variant: PromptVariant) -> bool:
    """Whether the tools service is asked for this question: its tools are not its own, or are executed."""
    here = is_single_turn(question) or is_bfcl(question.suite)
    return offers_tools(variant) and not (question.offered and here)


def check_tools(questions: Sequence[Question], client: ToolsClient, variant: PromptVariant) -> None:
    """Refuse, before a model is loaded, what could not be judged in the end.

    The service is asked for its tools only where a question needs it.

    Raises:
        InputError: an unreachable service, a question that names or brings a tool the service can't
            execute, a gold that calls a tool not on offer, or golds under a variant without tools.
    """
    for question in questions:
        offered: tuple[ToolSchema, ...] = ()
        if needs_service(question, variant):
            available = client.list_tools()
            offered = select_tools(question, available, client.unavailable)
            if question.offered and not is_single_turn(question):
                _check_executable(question, offered, available, client.url)
        elif is_single_turn(question):
            offered = parse_tools(question.offered) if offers_tools(variant) else ()
        if is_single_turn(question):
            _check_golds(question, offered, variant)


def difficulties(
    questions: Sequence[Question], client: ToolsClient, variant: PromptVariant
) -> dict[str, Difficulty]:
    """By id the third of each of the user's own questions with golds; `max_tools` does not make one easier.

    Raises:
        InputError: as `check_tools`, after which nothing is sent any more.
    """
    judged = [question for question in questions if question.golds and not question.suite]
    demands = []
    for question in judged:
        available = client.list_tools() if needs_service(question, variant) else ()
        demands.append(demand_of_question(question, select_tools(question, available, client.unavailable)))
    return {question.id: third for question, third in zip(judged, divide(demands), strict=True)}


def _check_executable(
    question: Question, offered: Sequence[ToolSchema], available: Sequence[ToolSchema], url: str
) -> None:
    for tool in offered:
        if find_tool(available, tool_name(tool)) is None:
            raise InputError(
                f"question {question.id!r}: offered: {tool_name(tool)!r} is not at the tools service {url}, "
                "expected a service that executes it; `python -m tools_service` can stand in for given schemas"
            )


def _check_golds(question: Question, offered: Sequence[ToolSchema], variant: PromptVariant) -> None:
    if not offers_tools(variant):
        raise InputError(
            f"variant: {variant!r} offers no tools, expected single_step or multi_step, since question "
            f"{question.id!r} is judged by its calls and can't be asked without tools"
        )
    for call in (call for golds in question.golds for call in golds):
        if find_tool(offered, call.name) is None:
            raise InputError(
                f"question {question.id!r}: golds: the tool {call.name!r} is not among those offered"
            )
