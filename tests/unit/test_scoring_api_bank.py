"""API-Bank's calls by execution, in a checkout's own classes, hostile ones included."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall
from components.ingest.formats.api_bank import convert
from components.scoring.api_bank.execution import ApiBank, Execution
from components.scoring.api_bank.reference import earlier_calls, reference_of
from components.scoring.foreign_code.pipe import CodeLimits
from tests.api_bank_checkout import note_call, write_checkout

LIMITS = CodeLimits(cpu_seconds=1, seconds=4.0)
REAL = Path(os.environ.get("WHETSTONE_API_BANK", ""), "apis", "api.py")
ROWS = Path(os.environ.get("WHETSTONE_TEST_DATA", ""), "api_bank")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def api_bank(checkout: Path) -> Iterator[ApiBank]:
    with ApiBank(checkout, LIMITS) as opened:
        yield opened


class TestVerdict:
    def test_the_class_says_what_counts(self, api_bank: ApiBank) -> None:
        gold = note_call("CountStars", stars=2)
        spelled = note_call("CountStars", stars="2")
        assert api_bank.judge((), gold, (gold,)) == Execution(True)
        assert api_bank.judge((), gold, (spelled,)) == Execution(
            True
        )  # the benchmark reads numbers from text
        other_user = ToolCall(name="CountStars", arguments={**gold.arguments, "token": "t-bo"})
        assert api_bank.judge((), gold, (other_user,)).correct is True  # its response does not differ
        stranger = ToolCall(name="CountStars", arguments={**gold.arguments, "token": "nobody's"})
        assert api_bank.judge((), gold, (stranger,)).correct is False
        assert api_bank.judge((), gold, (note_call("CountStars", stars=3),)).correct is False

    def test_earlier_calls_are_made_first(self, api_bank: ApiBank) -> None:
        gold = note_call("CountStars", "tea")
        one = note_call("AddNote", "tea", stars=5)
        default, same = note_call("CountStars", "tea", stars=1), note_call("CountStars", "tea", stars=2)
        # without the note both responses are the same exception
        assert api_bank.judge((), gold, (same,)).correct is True
        assert api_bank.judge((one,), gold, (default,)).correct is True
        assert api_bank.judge((one,), gold, (same,)).correct is False

    def test_worlds_are_fresh_and_equal(self, api_bank: ApiBank) -> None:
        gold = note_call("AddNote", "bread")
        for _ in range(2):  # the number of notes and the random id are in the response
            assert api_bank.judge((), gold, (gold,)).correct is True
        counted = note_call("AddNote", "milk")
        assert api_bank.judge((), gold, (counted,)).correct is False

    def test_earlier_calls_that_fail_are_passed_over(self, api_bank: ApiBank) -> None:
        earlier = [
            ToolCall(name="ToolSearcher", arguments={}),
            note_call("Ask"),
            note_call("AddNote", weight=1),
        ]
        gold = note_call("CountStars")
        assert api_bank.judge(earlier, gold, (gold,)).correct is True

    @pytest.mark.parametrize(
        ("calls", "note"),
        [
            ((), "0 calls, expected one"),
            ((note_call("CountStars"),) * 2, "2 calls, expected one"),
            ((note_call("AddNote"),), "'AddNote' was called, expected 'CountStars'"),
            ((note_call("CountStars", weight=1),), "there is no parameter 'weight'"),
            ((note_call("CountStars", stars="many"),), "stars: expected a number"),
            ((note_call("CountStars", stars=float("nan")),), "an argument that JSON can't hold"),
            ((note_call("CountStars", stars=[1]),), "stars: expected a number"),
            ((ToolCall(name="CountStars", arguments={"text": "milk"}),), "TypeError"),
        ],
    )
    def test_wrong_with_a_reason(self, api_bank: ApiBank, calls: tuple[ToolCall, ...], note: str) -> None:
        found = api_bank.judge((), note_call("CountStars"), calls)
        assert found.correct is False
        assert note in found.note

    def test_what_can_not_be_parsed_is_wrong(self, api_bank: ApiBank) -> None:
        gold = note_call("CountStars")
        assert api_bank.judge((), gold, (gold,), unparsed=True) == Execution(False, "a call can't be parsed")


class TestNotExecutable:
    @pytest.mark.parametrize(
        ("gold", "note"),
        [
            (note_call("ToolSearcher"), "ToolSearcher: ModuleNotFoundError: No module named 'a_package_that"),
            (note_call("Unheard"), "Unheard: the checkout has no class Unheard"),
            (note_call("Unmakeable"), "Unmakeable can't be made: KeyError: 'model'"),
            (note_call("Ask"), "Ask: it reaches for the network"),
            (note_call("Read", "/etc/hostname"), "Read: it reaches for a file"),
            (note_call("Never"), "Never: even the gold's own response is wrong"),
            (note_call("AddNote", weight=1), "AddNote: there is no parameter 'weight'"),
            (note_call("Search", "everything"), "Search: more than 1024 MiB of memory"),
            (note_call("Search", "forever"), "Search: no reply within the processor's seconds"),
        ],
    )
    def test_a_gold_that_can_not_be_executed(self, api_bank: ApiBank, gold: ToolCall, note: str) -> None:
        found = api_bank.judge((), gold, (gold,))
        assert found.correct is None
        assert note in found.note

    @pytest.mark.parametrize("text", ["forever", "hours", "everything"])
    def test_a_call_beyond_the_limits_is_wrong_and_the_next_is_judged(
        self, api_bank: ApiBank, text: str
    ) -> None:
        gold = note_call("Search", "milk")
        assert api_bank.judge((), gold, (note_call("Search", text),)).correct is False
        assert api_bank.judge((), gold, (gold,)).correct is True

    def test_a_folder_that_is_no_checkout(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"has no apis/api\.py beside init_database"):
            ApiBank(tmp_path)

    def test_a_checkout_that_is_damaged(self, tmp_path: Path) -> None:
        folder = write_checkout(tmp_path)
        (folder / "init_database" / "Users.json").write_text("{", encoding="utf-8")
        with pytest.raises(InputError, match="the process of its API classes did not begin"):
            ApiBank(folder)


class TestReference:
    def test_it_holds_the_dialogue_s_requests(self) -> None:
        tool = {"name": "Count", "description": "", "input_parameters": {"of": {"type": "str"}}}
        row = {
            "instruction": f"Do.\nAPI descriptions:\n{json.dumps(tool)}",
            "input": "User: Count.\nAPI-Request: [Count(of='a')]->3\nAI: Three.\nUser: And b?\nGenerate API Request:\n",
            "expected_output": "API-Request: [Count(of='b')]",
        }
        question = Question(id="one", text="And b?", reference=convert(row).reference)
        assert earlier_calls(question) == (ToolCall(name="Count", arguments={"of": "a"}),)

    def test_none_and_a_wrong_one(self) -> None:
        assert reference_of(()) == ""
        assert earlier_calls(Question(id="one", text="?")) == ()
        with pytest.raises(
            InputError, match=r"question one: reference: earlier\.0: .*expected the dialogue's earlier calls"
        ):
            earlier_calls(Question(id="one", text="?", reference='{"earlier": [1]}'))


@pytest.mark.skipif(
    not (REAL.is_file() and ROWS.is_dir()),
    reason="WHETSTONE_API_BANK names no checkout, or WHETSTONE_TEST_DATA no samples",
)
@pytest.mark.parametrize(("level", "executed", "always"), [(1, 380, "TimedSwitch"), (2, 88, "DeleteMeeting")])
def test_golds_of_the_benchmark_replayed(level: int, executed: int, always: str) -> None:
    """Each gold is right or can't be executed; packages that happen to be there let more be executed."""
    found: Counter[bool | None] = Counter()
    left: set[str] = set()
    rows: list[dict[str, Any]] = json.loads((ROWS / f"level-{level}-api.json").read_text(encoding="utf-8"))
    with ApiBank(REAL.parents[1]) as api_bank:
        for row in rows:
            exchange = convert(row)
            (gold,) = exchange.said[-1].calls
            asked = Question(id="one", text="?", reference=exchange.reference)
            verdict = api_bank.judge(earlier_calls(asked), gold, (gold,))
            found[verdict.correct] += 1
            left |= {gold.name} if verdict.correct is None else set()
    assert found[False] == 0
    assert found[True] >= executed
    # published golds that the published classes do not take, and what needs a package or the network
    assert always in left
    needs = {"ToolSearcher", "Translate", "SearchEngine", "Dictionary"}
    assert left <= {"TimedSwitch", "CancelTimedSwitch", "DeleteMeeting"} | needs
