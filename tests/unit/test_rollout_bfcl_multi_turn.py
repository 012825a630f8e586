"""Playing BFCL's multi-turn conversations: user turns, steps, held-out functions, ends, and what the trace says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_errors import ToolError
from components.policy.engine import Conversation
from components.rollout.bfcl_multi_turn import STEPS, run_bfcl_multi_turn
from components.rollout.settings import RolloutSettings
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn import (
    FORCE_TERMINATED,
    STATE_MISMATCH,
    judge_multi_turn_trace,
    turns_of,
)
from components.scoring.foreign_code.pipe import CodeLimits
from tests.bfcl_api_package import ANNOUNCED, ticket_question, write_package
from tests.bfcl_multi_turn_cases import read_conversations
from tests.bfcl_questions import bfcl_data
from tests.scripted_engine import Script, ScriptedEngine

SETTINGS = RolloutSettings(temperature=0.0)
LIMITS = CodeLimits(cpu_seconds=1, seconds=2.0, reply_characters=10_000)
HERMES = get_call_format("hermes")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def apis(package: Path) -> Iterator[StatefulApis]:
    with StatefulApis(package, LIMITS) as opened:
        yield opened


def say(*calls: ToolCall) -> str:
    return HERMES.render(calls)


def call(name: str, /, **arguments: object) -> ToolCall:
    return ToolCall.model_validate({"name": name, "arguments": arguments})


def steps(*texts: str) -> Script:
    """What the policy says, one text a step, whatever it is told."""
    return lambda conversation: texts[sum(one.role == "assistant" for one in conversation.messages)]


def play(question: Question, script: Script, apis: StatefulApis, *, native_tools: bool = False) -> Trace:
    engine = ScriptedEngine(script, native_tools=native_tools)
    (trace,) = run_bfcl_multi_turn([question], engine, SETTINGS, apis)
    return trace


@pytest.fixture(scope="module")
def question(package: Path) -> Question:
    truth = [["add_ticket('a', priority=2)"], ["remove_ticket(title='old')", "list_tickets()"]]
    return ticket_question(package, ["add a", "drop old and list"], truth)


RIGHT = (
    say(call("add_ticket", title="a", priority=2)),
    "Done.",
    say(call("remove_ticket", title="old"), call("list_tickets")),
    "Only a is left.",
)


def test_user_turns_calls_and_replies_stand_in_order(question: Question, apis: StatefulApis) -> None:
    trace = play(question, steps(*RIGHT), apis)
    roles = [message.role for message in trace.messages]
    assert roles == [
        *("system", "user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool", "tool", "assistant"),
    ]
    assert [m.content for m in trace.messages if m.role == "user"] == ["add a", "drop old and list"]
    assert [m.content for m in trace.messages if m.role == "tool"] == [
        '{"title": "a", "priority": 2}',
        '{"removed": 5}',
        "['a']",
    ]
    assert [(one.message, one.call.name, one.reply.error) for one in trace.calls if one.call] == [
        (2, "add_ticket", None),
        (6, "remove_ticket", None),
        (6, "list_tickets", None),
    ]
    assert [turn.message for turn in trace.turns] == [2, 4, 6, 9]
    assert trace.outcome.answer == "Only a is left."
    assert [len(turn) for turn in turns_of(trace)] == [2, 2]
    assert judge_multi_turn_trace(trace, apis).correct


def test_what_a_class_refuses_is_a_typed_error_and_goes_back_to_the_policy(
    question: Question, apis: StatefulApis
) -> None:
    bad = say(
        call("remove_ticket", title="none"),
        call("add_ticket", heading="a"),
        call("add_ticket"),
        call("add_ticket", title="a", priority="high"),
        call("no_such"),
        call("__class__"),
    )
    trace = play(question, steps(bad, *RIGHT), apis)
    assert [one.reply.error for one in trace.calls[:6]] == [
        ToolError.TOOL_CALL_FAILURE,
        ToolError.PARAMETER_HALLUCINATION,
        ToolError.MISSING_PARAMETER,
        ToolError.WRONG_TYPE_OR_VALUE,
        ToolError.TOOL_HALLUCINATION,
        ToolError.TOOL_HALLUCINATION,
    ]
    assert [message.role for message in trace.messages[3:9]] == ["tool"] * 6
    assert judge_multi_turn_trace(trace, apis).correct


def test_a_step_without_a_readable_call_ends_the_user_turn(question: Question, apis: StatefulApis) -> None:
    broken = "<tool_call>\n{not json\n</tool_call>"
    trace = play(question, steps(broken, RIGHT[2], "Done."), apis)
    assert [message.role for message in trace.messages[:4]] == ["system", "user", "assistant", "user"]
    assert trace.calls[0].call is None
    assert trace.calls[0].reply.error == ToolError.PARSE_FAILURE
    verdict = judge_multi_turn_trace(trace, apis)
    assert (verdict.correct, verdict.turn, verdict.unparsed) == (False, 0, 1)


def test_a_readable_call_beside_an_unreadable_one_is_made(question: Question, apis: StatefulApis) -> None:
    broken = "<tool_call>\n{not json\n</tool_call>"
    trace = play(question, steps(RIGHT[0] + broken, *RIGHT[1:]), apis)
    assert [one.reply.error for one in trace.calls[:2]] == [None, ToolError.PARSE_FAILURE]
    assert [message.role for message in trace.messages[2:6]] == ["assistant", "tool", "tool", "assistant"]
    verdict = judge_multi_turn_trace(trace, apis)
    assert verdict.correct
    assert verdict.unparsed == 1


def test_endless_steps_end_the_conversation(question: Question, apis: StatefulApis) -> None:
    trace = play(question, lambda _: say(call("list_tickets")), apis)
    assert len(trace.turns) == STEPS + 1
    assert sum(message.role == "user" for message in trace.messages) == 1
    assert trace.messages[-1].role == "assistant"
    assert trace.messages[-1].role == "assistant"
    assert judge_multi_turn_trace(trace, apis).category == FORCE_TERMINATED


def test_the_bound_is_of_each_user_turn(question: Question, apis: StatefulApis) -> None:
    wait = [say(call("list_tickets"))] * (STEPS - 1)
    trace = play(question, steps(*wait, *RIGHT[:2], *wait, *RIGHT[2:]), apis)
    assert judge_multi_turn_trace(trace, apis).correct


@pytest.mark.parametrize("native_tools", [False, True])
def test_held_out_functions_are_offered_with_their_turn(
    package: Path, apis: StatefulApis, native_tools: bool
) -> None:
    question = ticket_question(
        package, ["list", None], [[], ["list_tickets()"]], group="miss_func", missed={"1": ["list_tickets"]}
    )
    engine = ScriptedEngine(steps("I can't.", say(call("list_tickets")), "old."), native_tools=native_tools)
    (trace,) = run_bfcl_multi_turn([question], engine, SETTINGS, apis)
    first, second = engine.asked[0][0], engine.asked[1][0]
    assert "list_tickets" not in shown(first)
    assert "list_tickets" in shown(second)
    said = [message.content for message in second.messages if message.role == "user"]
    assert said[1].endswith(ANNOUNCED)
    assert (said[1] == ANNOUNCED) is native_tools
    assert second.messages[: len(first.messages)] == first.messages
    assert "list_tickets" in trace.tools
    assert trace.calls[0].reply.error is None
    assert judge_multi_turn_trace(trace, apis).correct


def shown(conversation: Conversation) -> str:
    return json.dumps(conversation.tools) + "".join(message.content for message in conversation.messages)


def test_a_held_out_function_can_be_called_before_but_that_is_an_error(
    package: Path, apis: StatefulApis
) -> None:
    question = ticket_question(
        package,
        ["add", None],
        [[], ["add_ticket(title='a')"]],
        group="miss_func",
        missed={"1": ["add_ticket"]},
    )
    early = play(
        question,
        steps(say(call("add_ticket", title="b")), "Done.", say(call("add_ticket", title="a")), "Done."),
        apis,
    )
    assert [one.reply.error for one in early.calls] == [ToolError.TOOL_HALLUCINATION, None]
    assert early.calls[0].reply.content == '{"title": "b", "priority": 1}'
    verdict = judge_multi_turn_trace(early, apis)
    assert (verdict.category, verdict.needless_turns) == (STATE_MISMATCH, (0,))


@pytest.mark.parametrize("hostile", ["forever", "hog", "leave"])
def test_a_hostile_call_hurts_no_other_conversation(
    package: Path, question: Question, apis: StatefulApis, hostile: str
) -> None:
    others = [question.model_copy(update={"id": f"q{number}"}) for number in range(5)]

    def script(conversation: Conversation) -> str:
        at = sum(one.role == "assistant" for one in conversation.messages)
        first = conversation.messages[1].content
        return say(call(hostile)) if first == "misbehave" and at == 0 else RIGHT[min(at, 3)]

    bad = ticket_question(package, ["misbehave"], [["list_tickets()"]], number=9)
    engine = ScriptedEngine(script)
    traces = list(run_bfcl_multi_turn([*others[:3], bad, *others[3:]], engine, SETTINGS, apis))
    by_id = {trace.question.id: trace for trace in traces}
    assert by_id[bad.id].calls[0].reply.error in (ToolError.TIMEOUT, ToolError.TOOL_CALL_FAILURE)
    assert all(judge_multi_turn_trace(by_id[one.id], apis).correct for one in others)


def test_values_that_json_cannot_hold_are_not_calls(question: Question, apis: StatefulApis) -> None:
    huge = '<tool_call>\n{"name": "add_ticket", "arguments": {"title": "a", "priority": 1e999}}\n</tool_call>'
    trace = play(question, steps(huge, "Done."), apis)
    assert trace.calls[0].call is None
    assert trace.calls[0].reply.error == ToolError.PARSE_FAILURE


def test_conversations_advance_together(question: Question, apis: StatefulApis) -> None:
    many = [question.model_copy(update={"id": f"q{number}"}) for number in range(5)]
    engine = ScriptedEngine(steps(*RIGHT))
    settings = SETTINGS.model_copy(update={"concurrent": 3})
    traces = list(run_bfcl_multi_turn(many, engine, settings, apis, adapter="digest"))
    assert [len(batch) for batch in engine.asked] == [3] * 4 + [2] * 4
    assert {trace.question.id for trace in traces} == {one.id for one in many}
    assert {trace.adapter for trace in traces} == {"digest"}


def test_what_can_be_known_before_sampling_is_said_before(
    question: Question, apis: StatefulApis, package: Path
) -> None:
    engine = ScriptedEngine(steps("x"))
    with pytest.raises(InputError, match="variant: 'cot' offers no tools"):
        run_bfcl_multi_turn([question], engine, SETTINGS.model_copy(update={"variant": "cot"}), apis)
    with pytest.raises(InputError, match="question q: reference"):
        run_bfcl_multi_turn([Question(id="q", text="?")], engine, SETTINGS, apis)
    other = question.model_copy(
        update={"reference": question.reference.replace('"TicketAPI"]', '"TradingBot"]')}
    )
    with pytest.raises(InputError, match="has no class 'TradingBot'"):
        run_bfcl_multi_turn([other], engine, SETTINGS, apis)
    assert engine.asked == []


@pytest.mark.skipif(not bfcl_data().is_dir(), reason="WHETSTONE_BFCL_DATA: no bfcl-eval data")
@pytest.mark.parametrize("call_format", ["hermes", "pythonic"])
def test_published_conversations_played_with_the_accepted_calls_are_right(call_format: str) -> None:
    data = bfcl_data()
    conversations = {one.id: one for one in read_conversations(data)[::50]}
    by_first = {one.question.text: one for one in conversations.values()}
    form = get_call_format(call_format)

    def script(conversation: Conversation) -> str:
        said = [message for message in conversation.messages if message.role == "user"]
        gold = by_first[said[0].content].gold[len(said) - 1]
        return form.render(gold[0]) if gold and conversation.messages[-1].role == "user" else "Done."

    engine = ScriptedEngine(script, call_format=call_format)
    with StatefulApis(data.parent) as apis:
        questions = [one.question for one in by_first.values()]
        traces = list(run_bfcl_multi_turn(questions, engine, SETTINGS, apis))
        assert len(traces) == len(questions) > 0
        for trace in traces:
            verdict = judge_multi_turn_trace(trace, apis)
            assert verdict.correct, (trace.question.id, verdict)
            assert verdict.needless_turns == ()
            assert verdict.unparsed == 0
