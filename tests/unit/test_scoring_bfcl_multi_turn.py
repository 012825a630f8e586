"""BFCL's multi-turn check and the process of its API classes, hostile calls included."""

import json
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall
from components.contracts.tool_errors import ToolError
from components.scoring.bfcl.api_service import StatefulApis
from components.scoring.bfcl.multi_turn import (
    CORRECT,
    EMPTY_TURN,
    FORCE_TERMINATED,
    RESPONSE_MISMATCH,
    STATE_MISMATCH,
    MultiTurnVerdict,
    ground_truth_call,
    judge_multi_turn,
)
from components.scoring.bfcl.multi_turn_reference import MULTI_TURN_GROUPS, BfclMultiTurn
from components.scoring.bfcl.multi_turn_rows import multi_turn_question
from components.scoring.foreign_code.pipe import CodeLimits
from tests.bfcl_api_package import ANNOUNCED, ticket_question, write_package
from tests.bfcl_multi_turn_cases import plays_of, read_conversations
from tests.bfcl_questions import bfcl_data
from tests.bfcl_verdicts import MULTI_TURN_RECORDED, digest_of, read_verdicts

LIMITS = CodeLimits(cpu_seconds=1, seconds=2.0, memory_bytes=1 << 30, reply_characters=10_000)
Steps = list[list[list[ToolCall]]]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def apis(package: Path) -> Iterator[StatefulApis]:
    with StatefulApis(package, LIMITS) as opened:
        yield opened


@pytest.fixture
def key(apis: StatefulApis) -> Iterator[str]:
    apis.begin("one", ["TicketAPI"], {"TicketAPI": {"tickets": {"old": 5}}}, long_context=False)
    yield "one"
    apis.end("one")


def call(name: str, /, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


class TestService:
    def test_state_is_kept_per_conversation(self, apis: StatefulApis, key: str) -> None:
        apis.begin("two", ["TicketAPI"], {}, long_context=True)
        assert apis.call(key, call("add_ticket", title="new", priority=2)).content == json.dumps(
            {"title": "new", "priority": 2}
        )
        assert apis.call(key, call("list_tickets")).content == "['old', 'new']"
        assert apis.call("two", call("list_tickets")).content == "[]"
        assert set(apis.differences(key, "two")) == {"TicketAPI.tickets", "TicketAPI.padding"}

    def test_private_attributes_are_not_compared(self, apis: StatefulApis, key: str) -> None:
        apis.begin("two", ["TicketAPI"], {"TicketAPI": {"tickets": {"old": 5}}}, long_context=False)
        apis.call(key, call("list_tickets"))
        assert apis.differences(key, "two") == ()

    @pytest.mark.parametrize(
        ("made", "error", "text"),
        [
            (call("remove_ticket", title="none"), ToolError.TOOL_CALL_FAILURE, "no ticket none"),
            (call("add_ticket", title="a", priority="high"), ToolError.TOOL_CALL_FAILURE, "whole number"),
            (call("add_ticket", heading="a"), ToolError.TOOL_CALL_FAILURE, "unexpected keyword argument"),
            (call("title_of", number=7), ToolError.TOOL_CALL_FAILURE, "out of range"),
            (call("no_such"), ToolError.TOOL_HALLUCINATION, "no function 'no_such'"),
            (call("secret"), ToolError.TOOL_HALLUCINATION, "no function"),
            (call("_private"), ToolError.TOOL_HALLUCINATION, "no function"),
            (call("__init__"), ToolError.TOOL_HALLUCINATION, "no function"),
            (call("TicketAPI.list_tickets"), ToolError.TOOL_HALLUCINATION, "no function"),
            (call("__import__('os').system('true')"), ToolError.TOOL_HALLUCINATION, "no function"),
            (call("shout", times=6_000), ToolError.TOOL_CALL_FAILURE, "12000 characters, more than 10000"),
            (call("leave"), ToolError.TOOL_CALL_FAILURE, "3"),
            (call("connect"), ToolError.TOOL_CALL_FAILURE, "Too many open files"),
            (call("shout", times=float("nan")), ToolError.WRONG_TYPE_OR_VALUE, "JSON can't hold"),
        ],
    )
    def test_a_failed_call_has_a_typed_error(
        self, apis: StatefulApis, key: str, made: ToolCall, error: ToolError, text: str
    ) -> None:
        reply = apis.call(key, made)
        assert reply.error == error
        assert text in reply.content
        assert apis.call(key, call("list_tickets")).content == "['old']"

    def test_no_file_can_be_written(self, apis: StatefulApis, key: str, tmp_path: Path) -> None:
        target = tmp_path / "written"
        assert apis.call(key, call("write_file", path=str(target))).error == ToolError.TOOL_CALL_FAILURE
        assert not target.exists()

    def test_values_nested_too_deeply_for_json(self, apis: StatefulApis, key: str) -> None:
        value: Any = []
        for _ in range(100_000):
            value = [value]
        made = ToolCall.model_construct(name="shout", arguments={"times": value}, id="")
        assert apis.call(key, made).error == ToolError.WRONG_TYPE_OR_VALUE

    @pytest.mark.parametrize(
        ("name", "error"),
        [
            ("forever", ToolError.TIMEOUT),
            ("sleep_long", ToolError.TIMEOUT),
            ("hog", ToolError.TOOL_CALL_FAILURE),
        ],
    )
    def test_all_conversations_go_on_after_a_call_that_ends_the_process(
        self, apis: StatefulApis, key: str, name: str, error: ToolError
    ) -> None:
        apis.begin("two", ["TicketAPI"], {}, long_context=False)
        apis.call("two", call("add_ticket", title="kept"))
        apis.call(key, call("add_ticket", title="mine"))
        assert apis.call(key, call(name)).error == error
        assert apis.call(key, call("list_tickets")).content == "['old', 'mine']"
        assert apis.call("two", call("list_tickets")).content == "['kept']"

    def test_many_calls_do_not_use_up_the_processors_seconds(self, package: Path) -> None:
        with StatefulApis(package, CodeLimits(cpu_seconds=1, seconds=30.0)) as apis:
            apis.begin("a", ["TicketAPI"], {}, long_context=False)
            replies = [apis.call("a", call("work", seconds=0.4)) for _ in range(5)]
            assert [(reply.content, reply.error) for reply in replies] == [("worked", None)] * 5

    def test_work_takes_as_long_as_the_machine_makes_it_take(self, package: Path) -> None:
        """More than what it may idle, as on a machine where it has to wait for the processor."""
        with StatefulApis(package, CodeLimits(cpu_seconds=10, seconds=0.2)) as apis:
            apis.begin("a", ["TicketAPI"], {}, long_context=False)
            reply = apis.call("a", call("work", seconds=1.0))
            assert (reply.content, reply.error) == ("worked", None)
            idle = apis.call("a", call("sleep_long"))
            assert (idle.content, idle.error) == (
                "Error: no reply, and idle for 0.2 seconds",
                ToolError.TIMEOUT,
            )

    def test_earlier_calls_are_made_again_however_long_they_take_together(self, package: Path) -> None:
        with StatefulApis(package, CodeLimits(cpu_seconds=1, seconds=1.0)) as apis:
            apis.begin("a", ["TicketAPI"], {}, long_context=False)
            for _ in range(4):
                assert apis.call("a", call("nap", seconds=0.4)).content == "rested"
            apis.call("a", call("add_ticket", title="kept"))
            assert apis.call("a", call("forever")).error == ToolError.TIMEOUT
            assert apis.call("a", call("list_tickets")).content == "['kept']"

    def test_pipes_with_high_numbers(self, package: Path) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 1200:
            pytest.skip("the system allows too few open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        with ExitStack() as stack:
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            for _ in range(1100):
                stack.enter_context(open(os.devnull, "rb"))
            apis = stack.enter_context(StatefulApis(package, LIMITS))
            apis.begin("a", ["TicketAPI"], {}, long_context=False)
            assert apis.call("a", call("list_tickets")).content == "[]"

    def test_what_the_package_lacks_is_said(self, apis: StatefulApis, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="expected the folder bfcl_eval"):
            StatefulApis(tmp_path)
        with pytest.raises(InputError, match="has no class 'TradingBot'"):
            apis.begin("x", ["TradingBot"], {}, long_context=False)
        with pytest.raises(
            InputError, match=r"math_api\.py: can't be imported: .*a_module_that_is_not_there"
        ):
            apis.begin("x", ["MathAPI"], {}, long_context=False)
        with pytest.raises(InputError, match="scenario can't be loaded"):
            apis.begin("x", ["TicketAPI"], {"TicketAPI": 3}, long_context=False)


SAID: list[str | None] = ["add a and b", "what can't be done", "drop a and list"]
GROUND_TRUTH = [
    ["add_ticket('a', priority=2)", "add_ticket(title='b')"],
    [],
    ["remove_ticket(title='a')", "list_tickets()"],
]


def replay() -> Steps:
    return [
        [[call("add_ticket", title="a", priority=2)], [call("add_ticket", title="b")]],
        [],
        [[call("remove_ticket", title="a"), call("list_tickets")]],
    ]


@pytest.fixture(scope="module")
def reference(package: Path) -> BfclMultiTurn:
    return BfclMultiTurn.of(ticket_question(package, SAID, GROUND_TRUTH, group="miss_param"))


class TestJudge:
    def judge(self, reference: BfclMultiTurn, apis: StatefulApis, turns: Steps) -> MultiTurnVerdict:
        return judge_multi_turn(reference, turns, apis, key="judged")

    def test_the_ground_truth_is_right(self, reference: BfclMultiTurn, apis: StatefulApis) -> None:
        assert self.judge(reference, apis, replay()) == MultiTurnVerdict(correct=True, category=CORRECT)

    def test_a_value_that_changes_the_state(self, reference: BfclMultiTurn, apis: StatefulApis) -> None:
        turns = replay()
        turns[0][0] = [call("add_ticket", title="a", priority=3)]
        verdict = self.judge(reference, apis, turns)
        assert (verdict.category, verdict.turn) == (STATE_MISMATCH, 0)
        assert "TicketAPI.tickets" in verdict.reason

    def test_a_reply_that_was_never_got(self, reference: BfclMultiTurn, apis: StatefulApis) -> None:
        turns = replay()
        turns[2] = [[call("remove_ticket", title="a")]]
        verdict = self.judge(reference, apis, turns)
        assert (verdict.category, verdict.turn) == (RESPONSE_MISMATCH, 2)
        assert "['old', 'b']" in verdict.reason

    def test_a_reply_of_an_earlier_turn_counts(self, package: Path, apis: StatefulApis) -> None:
        question = ticket_question(package, ["x", "y"], [["list_tickets()"], ["list_tickets()"]])
        reference = BfclMultiTurn.of(question)
        listed = [call("list_tickets")]
        harmless = [call("no_such")]
        assert self.judge(reference, apis, [[listed], [harmless]]).correct
        # each turn's replies are taken from all so far anew, but within a turn as often as the ground truth's
        twice = ticket_question(package, ["x"], [["list_tickets()", "list_tickets()"]])
        assert self.judge(BfclMultiTurn.of(twice), apis, [[listed]]).category == RESPONSE_MISMATCH
        assert self.judge(BfclMultiTurn.of(twice), apis, [[listed, listed]]).correct

    def test_order_within_a_turn_is_free_where_replies_and_state_agree(
        self, reference: BfclMultiTurn, apis: StatefulApis
    ) -> None:
        turns = replay()
        turns[0] = [[call("add_ticket", title="a", priority=2), call("list_tickets")], [], turns[0][1]]
        assert self.judge(reference, apis, turns).correct

    def test_an_empty_turn(self, reference: BfclMultiTurn, apis: StatefulApis) -> None:
        turns = replay()
        turns[0] = [[]]
        assert self.judge(reference, apis, turns).category == EMPTY_TURN

    def test_calls_where_nothing_can_be_done_are_told_apart(
        self, reference: BfclMultiTurn, apis: StatefulApis
    ) -> None:
        turns = replay()
        turns[1] = [[call("list_tickets")]]
        verdict = self.judge(reference, apis, turns)
        assert verdict.correct
        assert verdict.needless_turns == (1,)
        turns[1] = [[call("add_ticket", title="c")]]
        verdict = self.judge(reference, apis, turns)
        assert (verdict.category, verdict.turn) == (STATE_MISMATCH, 2)

    def test_a_conversation_that_was_ended_early(self, reference: BfclMultiTurn, apis: StatefulApis) -> None:
        verdict = self.judge(reference, apis, replay()[:2])
        assert (verdict.category, verdict.turn) == (FORCE_TERMINATED, 1)

    def test_a_hostile_call_is_wrong_only_by_what_it_does(
        self, reference: BfclMultiTurn, apis: StatefulApis
    ) -> None:
        turns = replay()
        turns[0].append([call("forever"), call("hog")])
        assert self.judge(reference, apis, turns).correct


class TestRows:
    @pytest.mark.parametrize(
        "text",
        [
            "f(open('x'))",
            "f(**{'a': 1})",
            "a.b(1)",
            "f(1); g(2)",
            "__import__('os')()",
            "f(a=b)",
            "3",
            "",
            "f(" * 300,
        ],
    )
    def test_ground_truth_is_never_run(self, text: str) -> None:
        with pytest.raises(InputError, match="ground_truth"):
            ground_truth_call(text)

    def test_literals_of_ground_truth(self) -> None:
        made, unnamed = ground_truth_call("f('a', -1, b=[1.5, True], c={'d': None})")
        assert made == call("f", b=[1.5, True], c={"d": None})
        assert unnamed == ("a", -1)

    def test_held_out_functions(self, package: Path) -> None:
        question = ticket_question(
            package, ["x", None], [[], ["list_tickets()"]], group="miss_func", missed={"1": ["list_tickets"]}
        )
        reference = BfclMultiTurn.of(question)
        offered = [tool["function"]["name"] for tool in json.loads(question.offered)]
        assert "list_tickets" not in offered
        told = [tool["function"]["description"] for tool in json.loads(question.offered)]
        assert all(text.endswith(" Note that the provided function is in Python 3 syntax.") for text in told)
        assert reference.user_turns == ("x", ANNOUNCED)
        assert reference.offered_at(0) == ()
        assert [tool["function"]["name"] for tool in reference.offered_at(1)] == ["list_tickets"]
        assert "Note that" not in reference.offered_at(1)[0]["function"]["description"]
        assert question.suite == "bfcl:multi_turn_miss_func"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"involved_classes": ["Nobody"]}, "involved_classes: 'Nobody' is none of"),
            ({"involved_classes": [["TicketAPI"]]}, "involved_classes: .* is none of"),
            ({"missed_function": {"0": 5}}, "missed.0"),
            ({"missed_function": {"0": [["list_tickets"]]}}, "missed.0"),
            ({"question": "x"}, "expected the lists"),
            ({"question": [[{"role": "system", "content": "x"}]]}, r"question\[0\]: expected one message"),
            ({"initial_config": None}, "initial_config"),
            ({"missed_function": {"0": ["no_such"]}}, "'no_such' is not in held_out"),
            ({"missed_function": {"7": ["list_tickets"]}}, "there is no user turn 7"),
            ({"question": [[{"role": "user", "content": "x"}]] * 2}, "2 user turns, but ground truth of 1"),
        ],
    )
    def test_rows_of_another_form(self, package: Path, change: dict[str, Any], message: str) -> None:
        row = {
            "id": "multi_turn_base_0",
            "question": [[{"role": "user", "content": "x"}]],
            "initial_config": {},
            "involved_classes": ["TicketAPI"],
        } | change
        with pytest.raises(InputError, match=f"multi_turn_base_0: .*{message}"):
            multi_turn_question(row, [["list_tickets()"]], package)

    def test_a_question_without_reference(self) -> None:
        with pytest.raises(InputError, match="question q: reference"):
            BfclMultiTurn.of(Question(id="q", text="?"))


@pytest.mark.skipif(not bfcl_data().is_dir(), reason="WHETSTONE_BFCL_DATA: no bfcl-eval data")
@pytest.mark.parametrize("group", MULTI_TURN_GROUPS)
def test_the_published_ground_truth_is_right(group: str) -> None:
    """All items are in the battery's parity; here some, also with the last turn left out."""
    found = [one for one in read_conversations(bfcl_data()) if one.reference.group == group]
    assert len(found) == 200
    with StatefulApis(bfcl_data().parent) as apis:
        for one in found[::20]:
            assert judge_multi_turn(one.reference, one.gold, apis, key=one.id).correct, one.id
            verdict = judge_multi_turn(one.reference, [*one.gold[:-1], []], apis, key=one.id)
            assert verdict.correct is (not one.reference.ground_truth[-1])


@pytest.mark.skipif(not bfcl_data().is_dir(), reason="WHETSTONE_BFCL_DATA: no bfcl-eval data")
@pytest.mark.skipif(not MULTI_TURN_RECORDED.is_file(), reason="no recorded verdicts of bfcl-eval")
def test_verdicts_are_those_that_bfcl_eval_gave() -> None:
    """Recorded by `tests.battery.bfcl_parity --record`; here for every twentieth conversation."""
    kinds, recorded = read_verdicts(MULTI_TURN_RECORDED)
    conversations = read_conversations(bfcl_data())
    assert digest_of(play.kind for one in conversations for play in plays_of(one, 0)) == kinds
    assert set(recorded) == {one.id for one in conversations}
    with StatefulApis(bfcl_data().parent) as apis:
        for one in conversations[::20]:
            ours = "".join(
                "01"[judge_multi_turn(one.reference, play.turns, apis, key=one.id).correct]
                for play in plays_of(one, 0)
            )
            assert ours == recorded[one.id], one.id
