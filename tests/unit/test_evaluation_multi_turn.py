"""BFCL's conversations as an evaluation judges them: what the checker says stands in the item and in the tables."""

from pathlib import Path

from components.contracts.records import EvaluationItem, ToolCall
from components.contracts.report_page.trace_view import fault_of
from components.contracts.tool_calls import get_call_format
from components.evaluation.judged import write_traces
from components.evaluation.multi_turn import open_apis, play
from components.evaluation.settings import EvaluationSettings
from components.scoring.bfcl.scores import bfcl_scores
from components.scoring.shown_golds import shown_golds
from tests.bfcl_api_package import ticket_question, write_package
from tests.scripted_engine import ScriptedEngine

ADD = get_call_format("hermes").render([ToolCall(name="add_ticket", arguments={"title": "a"})])
UNREADABLE = "<tool_call>\n{not json\n</tool_call>"


def judged(package: Path, scratch: Path, *said: str) -> EvaluationItem:
    """The item of a conversation of one user turn, in which the policy says these texts, one a step."""
    question = ticket_question(package, ["add a"], [["add_ticket('a')"]])
    settings = EvaluationSettings(bfcl_package=str(package))
    engine = ScriptedEngine(
        lambda conversation: said[sum(one.role == "assistant" for one in conversation.messages)]
    )
    with open_apis([question], settings) as apis:
        assert apis is not None
        [item], _ = write_traces(
            scratch / "traces.jsonl", play([question], engine, settings, apis, ""), 1, "held_out"
        )
    return item


def test_an_item_says_what_the_checker_found(tmp_path: Path) -> None:
    package = write_package(tmp_path / "wheel")
    right = judged(package, tmp_path, ADD, "Done.")
    assert (right.correct, right.category, fault_of(right)) == (True, "correct", "")
    other = judged(package, tmp_path, ADD.replace('"a"', '"b"'), "Done.")
    assert (other.correct, other.category, fault_of(other)) == (False, "state_mismatch", "state mismatch")
    silent = judged(package, tmp_path, "Done.")
    assert (silent.correct, silent.category) == (False, "empty_turn")
    traces = (tmp_path / "traces.jsonl").read_text()
    assert '"category":"empty_turn"' in traces


def test_a_page_shows_what_is_accepted(tmp_path: Path) -> None:
    package = write_package(tmp_path / "wheel")
    question = ticket_question(package, ["add a", "and more?"], [["add_ticket('a')", "list_tickets()"], []])
    item = judged(package, tmp_path, "Done.")
    wanted = "turn 1: add_ticket('a'), list_tickets()\nturn 2: not compared"
    assert shown_golds(item, question) == (wanted,)
    for suite, shown in (
        ("bfcl:live_irrelevance", ("no call",)),
        ("bfcl:live_relevance", ("any call",)),
        ("mine", ()),
    ):
        assert shown_golds(item.model_copy(update={"suite": suite}), question) == shown
    assert shown_golds(item.model_copy(update={"gold": ("4", "four")}), question) == ("4", "four")


def test_a_step_that_can_not_be_read_is_counted_apart(tmp_path: Path) -> None:
    package = write_package(tmp_path / "wheel")
    items = [judged(package, tmp_path, UNREADABLE), judged(package, tmp_path, ADD, "Done.")]
    items = [item.model_copy(update={"suite": "bfcl:multi_turn_base"}) for item in items]
    found = bfcl_scores(items, "v4")
    assert found["groups"]["multi_turn_base"] == {"accuracy": 0.5, "items": 2, "parse_failures": 1}
    assert found["parse_failures"] == 1
