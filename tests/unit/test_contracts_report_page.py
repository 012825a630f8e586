"""What reports share: traces as small objects, a fair choice within a size, the page's policy."""

import base64
import hashlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import EvaluationItem
from components.contracts.report_page.browser import Entry, ItemBrowser, in_turns, page_json
from components.contracts.report_page.layout import make_page
from components.contracts.report_page.marks import dumbbell, spread
from components.contracts.report_page.trace_view import (
    LONGEST_TEXT,
    MOST_GOLDS,
    TextTable,
    fault_of,
    prefilled_characters,
    view_golds,
    view_side,
    view_trace,
)
from components.contracts.tool_errors import ToolError
from tests.evaluation_samples import judged, labeled, question, trace


def test_a_trace_shows_calls_replies_masks_and_prefilled_text() -> None:
    asked = question("arithmetic", 12)
    one = trace(asked, answer="12", tool="calculator", error=ToolError.PARSE_FAILURE, prefilled=3)
    texts = TextTable()
    view: Any = view_trace(labeled(one, "call failed: parse_failure", ""), texts)
    system, user, call, reply, answer = view["blocks"]
    assert [block["role"] for block in (system, user)] == ["system", "user"]
    assert call["prefilled"] == len("Action: calculator[expression =")
    assert call["trained"] is False
    assert call["why"] == "call failed: parse_failure"
    assert call["calls"] == ["calculator[expression = 12 + 0]"]
    assert reply["error"] == "parse_failure"
    assert answer["trained"] is True
    assert texts.texts[answer["text"]] == "Answer: 12"
    assert answer["prefilled"] == 0


def test_a_prefilled_answer_is_told_from_its_text() -> None:
    one = trace(question("arithmetic", 12), answer="12", tool="calculator")
    given = one.turns[1].model_copy(update={"prefilled": 2})
    assert prefilled_characters(one, given) == len("Answer:")


def test_prefilled_text_that_can_not_be_told_is_said_so() -> None:
    asked = question("arithmetic", 12)
    strange = trace(asked, tool="calculator", prefilled=3, text="Something else")
    assert prefilled_characters(strange, strange.turns[0]) == -1
    unknown = strange.model_copy(update={"call_format": "no such format"})
    assert prefilled_characters(unknown, unknown.turns[0]) == -1
    plain = trace(asked, tool="calculator")
    assert prefilled_characters(plain, plain.turns[0]) == 0


def test_a_reply_that_came_after_the_end_is_shown_as_unseen() -> None:
    one = trace(question("arithmetic", 12), tool="calculator")
    ended = one.model_copy(update={"messages": one.messages[:3], "turns": one.turns[:1]})
    view: Any = view_trace(ended, TextTable())
    *_, last = view["blocks"]
    assert last["role"] == "tool"
    assert last["unseen"] is True


def test_texts_are_shared_and_long_ones_cut() -> None:
    texts = TextTable()
    assert texts.add("a") == texts.add("a") == 0
    number = texts.add("x" * (LONGEST_TEXT + 5))
    assert texts.texts[number].endswith("(+5 characters)")
    assert texts.new() == texts.texts
    texts.keep()
    other = texts.add("other")
    assert texts.new() == ["other"]
    texts.drop()
    assert texts.add("another") == other
    assert texts.add("a") == 0


def test_offered_tools_and_parsed_calls_are_lines_of_their_own() -> None:
    texts = TextTable()
    called = trace(question("arithmetic", 12), tool="calculator", error=ToolError.TIMEOUT)
    view: Any = view_trace(called, texts)
    assert texts.texts[view["tools"]].splitlines() == [
        "calculator(expression) calculator",
        "wikipedia_search(query) wikipedia_search",
    ]
    [call] = view["parsed"]
    assert texts.texts[call["text"]] == 'calculator(expression="0")'
    assert call["error"] == "timeout"
    broken: Any = view_trace(
        trace(question("arithmetic", 12), tool="x", error=ToolError.PARSE_FAILURE), texts
    )
    assert texts.texts[broken["parsed"][0]["text"]] == "x[expression = 12 + 0]"
    strange: Any = view_trace(called.model_copy(update={"tools": "[not tools"}), texts)
    assert texts.texts[strange["tools"]] == "[not tools"


def test_the_verdict_says_what_is_wrong() -> None:
    def item(**changes: object) -> EvaluationItem:
        return judged(trace(question("arithmetic", 12), answer="7"))[1].model_copy(update=changes)

    assert fault_of(item()) == "wrong answer"
    assert fault_of(item(answer=None)) == "no answer"
    assert fault_of(item(errors=(ToolError.PARSE_FAILURE,))) == "parse failure"
    assert fault_of(item(category="wrong_tool", errors=(ToolError.TIMEOUT,))) == "wrong tool"
    assert fault_of(item(correct=True, category="correct")) == ""
    one, done = judged(trace(question("arithmetic", 12), answer="7"))
    assert view_side(done, one, TextTable())["correct"] is False
    assert "executed" not in view_side(done, one, TextTable())


def test_a_verdict_by_execution_is_shown_with_its_note() -> None:
    one, item = judged(trace(question("arithmetic", 12), answer="7"))
    for correct, note in ((True, ""), (False, "another reply"), (None, "its class is missing")):
        texts = TextTable()
        done = item.model_copy(update={"executed_correct": correct, "execution_note": note})
        executed: Any = view_side(done, one, texts)["executed"]
        assert (executed["correct"], texts.texts[executed["note"]]) == (correct, note)


def test_many_golds_are_counted_and_not_all_shown() -> None:
    texts = TextTable()
    assert view_golds(tuple(map(str, range(12))), texts) == {
        "gold": list(range(MOST_GOLDS)),
        "more_gold": 12 - MOST_GOLDS,
    }


def view_number(value: int, texts: TextTable) -> Entry:
    return {"outcome": "odd" if value % 2 else "even", "text": texts.add("x" * value)}


def test_every_group_has_its_turn_and_outcomes_their_order() -> None:
    browser = ItemBrowser()
    groups = [[2, 4, 6, 8], [1, 3]]
    browser.add("t", groups, view_number, sides=("",), outcomes=("odd", "even"), total=6, most=5, room=10**6)
    [one] = json.loads(browser.as_json())["sets"]
    assert [entry["outcome"] for entry in one["entries"]] == ["odd", "odd", "even", "even", "even"]
    assert list(in_turns(groups)) == [2, 1, 4, 3, 6, 8]


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(0, 3000))
def test_entries_and_their_texts_stay_in_their_room(values: list[int], room: int) -> None:
    browser = ItemBrowser()
    empty = len(browser.as_json())
    browser.add(
        "t", [values], view_number, sides=("",), outcomes=("odd", "even"), total=9, most=99, room=room
    )
    words = len(page_json({**browser.sets[0], "entries": []}))
    assert len(browser.as_json()) <= empty + words + room
    used = {entry["text"] for entry in json.loads(browser.as_json())["sets"][0]["entries"]}
    assert used == set(range(len(browser.texts.texts)))
    assert len(browser.sets) == 1


@given(st.text())
def test_json_stays_in_its_script_and_says_the_same(text: str) -> None:
    found = page_json({"text": text, "more": [text + "</script><!--"]})
    assert "<" not in found
    assert found.isascii()
    assert json.loads(found) == {"text": text, "more": [text + "</script><!--"]}


def test_the_policy_names_the_pages_script_and_no_other() -> None:
    page = make_page()
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'")
    assert "</script" not in page.script
    for risky in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert risky not in page.script


def test_marks_lie_on_the_line() -> None:
    assert dumbbell(None, 0.5, None).before is None
    assert dumbbell(0.2, 1.4, (1.0, 1.4)).after == 173
    assert dumbbell(0.0, 1.0, (0.5, 1.0)).low == 90
    assert spread(0.5, 0.0, 1.0).low == 7
    assert spread(0.5, None, 1.0).high is None
