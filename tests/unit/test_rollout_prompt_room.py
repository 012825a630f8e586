"""Prompts that leave no room are refused before anything is sampled, and looking at them costs little."""

from collections.abc import Iterator

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Message, Question, ToolCall
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.evaluation.run import _take
from components.evaluation.settings import EvaluationSettings
from components.policy.engine import Conversation
from components.rollout.loop import run_rollouts
from components.rollout.prefill import choose_prefill
from components.rollout.prompt_room import check_room
from components.rollout.prompts import build_messages
from components.rollout.settings import RolloutSettings
from components.rollout.single_turn import run_single_turns
from components.rollout.tools_client import ToolsClient
from tests.gold_questions import gold
from tests.scripted_engine import SmallContext
from tests.small_tools import small_tools

CALL = ToolCall(name="find_planet", arguments={"name": "Mars"})
SETTINGS = RolloutSettings(max_new_tokens=1000, concurrent=4)
ROOM = SmallContext.context - SETTINGS.max_new_tokens


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsClient]:
    with (
        small_tools(tmp_path_factory.mktemp("tools")) as service,
        ToolsClient(service.url) as connected,
    ):
        yield connected


def ask(identifier: str, length: int = 9) -> Question:
    return Question(id=identifier, text="x" * length, answers=("x",))


def engine() -> SmallContext:
    return SmallContext(lambda _: "Answer: x", call_format="paper")


def size_with(tools: tuple[ToolSchema, ...]) -> int:
    """Bytes of a prompt of no text."""
    messages = build_messages(ask("", 0), tools, "multi_step", "paper", native_tools=False)
    return sum(len(message.content.encode()) for message in messages)


def test_the_last_question_is_looked_at_before_the_first_is_sampled(client: ToolsClient) -> None:
    spare = ROOM - size_with(client.list_tools())
    samples = [(one, sample) for one in [ask(f"q{number}") for number in range(40)] for sample in range(3)]
    long = [(ask("q40", spare + 1), 0), (ask("q41"), 0), (ask("q42", spare + 9), 0), (ask("q43", spare), 0)]
    asked = engine()
    with pytest.raises(InputError) as caught:
        run_rollouts(iter([*samples, *long]), asked, client, SETTINGS)  # not one trace was asked for
    assert str(caught.value) == (
        f"question 'q40': its prompt with {len(client.list_tools())} tools has {ROOM + 1} tokens, but a context of "
        f"2000 leaves {ROOM} beside max_new_tokens 1000; of 44 questions 2 do not fit; set max_tools to offer only "
        "the most fitting tools"
    )
    assert asked.asked == []
    assert len(list(run_rollouts([*samples, long[-1]], asked, client, SETTINGS))) == 121


def test_turns_without_execution_are_looked_at_first_too(client: ToolsClient) -> None:
    tools, asked = client.list_tools(), engine()
    questions = [
        Question(id=f"q{number}", text="x" * length, golds=((CALL,),))
        for number, length in enumerate([9] * 9 + [ROOM - size_with(tools) + 1])
    ]
    with pytest.raises(
        InputError, match=r"^question 'q9': .* of 10 questions 1 do not fit; set max_tools to"
    ):
        run_single_turns(questions, asked, SETTINGS, available=tools)
    assert asked.asked == []
    assert len(list(run_single_turns(questions[:-1], asked, SETTINGS, available=tools))) == 9


def test_an_evaluation_of_both_kinds_looks_at_both_first(client: ToolsClient) -> None:
    asked, late = engine(), ask("late", ROOM - size_with(client.list_tools()) + 1)
    options = EvaluationSettings(max_new_tokens=1000)
    with pytest.raises(InputError, match=r"^question 'late': its prompt with"):
        next(_take([gold("planet", CALL), late], asked, client, None, options, ""))
    assert asked.asked == []


class FewTokens(SmallContext):
    """Four bytes are a token, as in a language."""

    def count_tokens(self, conversation: Conversation) -> int:
        return super().count_tokens(conversation) // 4


def test_prompts_with_the_same_tools_are_not_all_counted(client: ToolsClient) -> None:
    tools, asked = client.list_tools(), FewTokens(lambda _: "x", call_format="paper")
    asked.context = SETTINGS.max_new_tokens + size_with(tools) // 4 + 200
    assert size_with(tools) > size_with(tools) // 4 + 200  # its bytes alone do not tell that a prompt fits
    samples = [(ask(f"q{number}", number), 0) for number in range(100)]
    check_room(samples, lambda _: tools, asked, SETTINGS)
    assert asked.measured == 1
    history = Message(role="user", content="y" * 800), Message(role="assistant", content="z")
    talked = ask("talked").model_copy(update={"history": history})
    with pytest.raises(InputError, match=r"^question 'talked': .* of 101 questions 1 do not fit"):
        check_room([*samples, (talked, 0)], lambda _: tools, asked, SETTINGS)


def test_the_longest_beginning_that_is_sampled_counts(client: ToolsClient) -> None:
    tools = client.list_tools()
    settings = SETTINGS.model_copy(update={"prefill": "action"})
    begun = get_call_format("paper").prefill(tools[0])
    question = ask("q", ROOM - size_with(tools) - len(begun) + 1)
    assert choose_prefill("action", ["a", "b"], sample=0, seed=0) is None
    check_room([(question, 0)], lambda _: tools, engine(), settings)
    with pytest.raises(InputError, match=f"has {ROOM + 1} tokens"):
        check_room([(question, 0), (question, 1)], lambda _: tools, engine(), settings)


def test_what_cannot_be_measured_or_has_no_tools_is_not_looked_at(client: ToolsClient) -> None:
    asked = engine()
    long = [(ask("q", ROOM + 1), 0)]
    check_room(
        long, lambda _: client.list_tools(), asked, SETTINGS
    )  # too long by itself: the engine's business
    check_room(long, lambda _: (), asked, SETTINGS)
    measured = asked.measured
    check_room(long, lambda _: client.list_tools(), asked, SETTINGS.model_copy(update={"variant": "cot"}))
    assert asked.measured == measured == 2
