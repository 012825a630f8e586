"""BFCL's single-turn verdicts over whole turns, worked out by hand."""

import json
import time

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Question, ToolCall
from components.scoring.bfcl.javascript import read_javascript
from components.scoring.bfcl.judge import BfclVerdict, judge_bfcl
from components.scoring.bfcl.reference import BfclReference
from components.scoring.calls import (
    ABSENT_CALL,
    CORRECT,
    EXTRA_CALL,
    MISSING_PARAMETER,
    NO_CALL,
    REDUNDANT_PARAMETER,
    UNKNOWN_PARAMETER,
    UNKNOWN_TOOL,
    UNPARSED,
    WRONG_CONTENT,
    WRONG_TOOL,
)

ADD = {
    "name": "math.add",
    "parameters": {
        "type": "dict",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["a"],
    },
}
SAY = {
    "name": "say",
    "parameters": {"type": "dict", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
THREE = {"math.add": {"a": [1], "b": [2, ""]}}
FIVE = {"math.add": {"a": [1, 2], "b": [3]}}
HELLO = {"say": {"text": ["Hello"]}}


def judge(
    group: str,
    answers: list[object],
    *calls: ToolCall,
    unparsed: bool = False,
    official: bool = False,
    underscored: bool = False,
) -> BfclVerdict:
    reference = BfclReference(
        group=group, possible_answers=tuple(answers), functions=(ADD, SAY), underscored=underscored
    )
    question = Question(id="q", text="?", suite=f"bfcl:{group}", reference=reference.to_json())
    return judge_bfcl(question, calls, unparsed=unparsed, official=official)


def add(**arguments: int) -> ToolCall:
    return ToolCall(name="math.add", arguments=dict(arguments))


def say(text: str) -> ToolCall:
    return ToolCall(name="say", arguments={"text": text})


@pytest.mark.parametrize(
    ("calls", "category", "error_type"),
    [
        ([add(a=1, b=2)], CORRECT, ""),
        ([add(a=1)], CORRECT, ""),
        ([], NO_CALL, "simple_function_checker:wrong_count"),
        ([add(a=1), add(a=1)], EXTRA_CALL, "simple_function_checker:wrong_count"),
        ([say("x")], WRONG_TOOL, "simple_function_checker:wrong_func_name"),
        ([ToolCall(name="add", arguments={"a": 1})], UNKNOWN_TOOL, "simple_function_checker:wrong_func_name"),
        ([add(b=2)], MISSING_PARAMETER, "simple_function_checker:missing_required"),
        ([add(a=1, c=2)], UNKNOWN_PARAMETER, "simple_function_checker:unexpected_param"),
        ([add(a=1, note=2)], REDUNDANT_PARAMETER, "simple_function_checker:unexpected_param"),
        ([add(a=1, b=3)], WRONG_CONTENT, "value_error:others"),
    ],
)
def test_a_simple_turn(calls: list[ToolCall], category: str, error_type: str) -> None:
    found = judge("simple_python", [THREE], *calls)
    assert (found.correct, found.category, found.error_type) == (category == CORRECT, category, error_type)


def test_an_optional_parameter_without_the_empty_answer_must_be_there() -> None:
    assert judge("simple_python", [FIVE], add(a=1)).error_type == "simple_function_checker:missing_optional"


def test_multiple_compares_with_the_function_of_the_answer_not_the_first() -> None:
    assert judge("multiple", [HELLO], say("hello")).correct
    assert judge("live_multiple", [HELLO], add(a=1)).category == WRONG_TOOL
    assert (
        judge("multiple", [HELLO], say("hello"), say("hello")).error_type
        == "multiple_function_checker:wrong_count"
    )


def test_parallel_calls_come_in_any_order_and_each_counts_once() -> None:
    answers = [THREE, HELLO, FIVE]
    calls = [add(a=2, b=3), say("hello"), add(a=1, b=2)]
    assert judge("parallel_multiple", answers, *calls).correct
    assert judge("parallel_multiple", answers, *reversed(calls)).correct
    assert judge("parallel", answers, *calls[:2]).category == ABSENT_CALL
    twice = judge("parallel", answers, calls[0], calls[0], calls[1])
    assert twice.error_type == "parallel_function_checker_no_order:cannot_find_match"
    assert twice.category == WRONG_CONTENT


def test_parallel_answers_take_the_first_call_that_fits_without_trying_again() -> None:
    """A slip: the first answer takes 1, which only the second could take; the other order is right."""
    loose, strict = {"math.add": {"a": [1, 2]}}, {"math.add": {"a": [1]}}
    assert not judge("parallel", [loose, strict], add(a=1), add(a=2)).correct
    assert judge("parallel", [loose, strict], add(a=2), add(a=1)).correct


def test_names_are_wanted_with_underscores_where_they_were_offered_so() -> None:
    call = ToolCall(name="math_add", arguments={"a": 1})
    assert judge("simple_python", [THREE], call, underscored=True).correct
    assert not judge("simple_python", [THREE], add(a=1), underscored=True).correct
    assert judge("simple_python", [THREE], call).category == UNKNOWN_TOOL


@pytest.mark.parametrize("group", ["irrelevance", "live_irrelevance"])
def test_irrelevance_wants_no_call_and_garbage_is_none(group: str) -> None:
    assert judge(group, []).correct
    assert judge(group, [], add(a=1)).category == EXTRA_CALL
    garbage = judge(group, [], unparsed=True)
    assert (garbage.correct, garbage.category) == (False, UNPARSED)
    assert judge(group, [], unparsed=True, official=True).correct


def test_relevance_wants_a_call_that_can_be_read() -> None:
    assert judge("live_relevance", [], ToolCall(name="anything", arguments={})).correct
    assert judge("live_relevance", []).category == NO_CALL
    for official in (False, True):
        assert judge("live_relevance", [], add(a=1), unparsed=True, official=official).category == UNPARSED


def test_a_turn_with_a_call_that_cannot_be_parsed_is_wrong_whatever_else_it_holds() -> None:
    found = judge("simple_python", [THREE], add(a=1), unparsed=True, official=True)
    assert (found.correct, found.category, found.error_type) == (
        False,
        UNPARSED,
        "ast_decoder:decoder_failed",
    )


def test_executable_answers_are_compared_by_value() -> None:
    answers = ["math.add(a=4*2, b=1)", "say(text='Hi')"]
    assert judge("exec_parallel_multiple", list(answers), say("Hi"), add(a=8, b=1)).correct
    assert judge("exec_parallel_multiple", list(answers), say("hi"), add(a=8, b=1)).category == WRONG_CONTENT
    assert judge("exec_simple", ["math.add(1, 2)"], add(a=1, b=2)).correct
    assert judge(
        "exec_simple", ["math.add(1, 2)"], ToolCall(name="math.add", arguments={"a": 1.0, "b": 2})
    ).correct
    assert not judge(
        "exec_simple", ["math.add(1, 2)"], ToolCall(name="math.add", arguments={"a": "1", "b": 2})
    ).correct
    assert judge("exec_simple", ["math.add(1, 2)"]).category == NO_CALL


def test_an_executable_answer_is_never_run() -> None:
    for text in (
        "math.add(a=print(1))",
        "math.add(a=b)",
        "__import__('os').getcwd()",
        "1 + 1",
        "math.add(a=1/0)",
    ):
        with pytest.raises(InputError, match="possible answer"):
            judge("exec_simple", [text], add(a=1))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("", "question q: reference: the JSON: .*; expected BFCL's group"),
        ("{}", "question q: reference: group: "),
        ('{"group": "multiple", "functions": 3}', "question q: reference: functions: "),
        ('{"group": "sql"}', "BFCL group 'sql': expected one of the single-turn groups simple_python"),
        (json.dumps({"group": "multiple", "possible_answers": [{"f": {}}]}), "expected one named 'f'"),
    ],
)
def test_a_reference_that_cannot_be_used_is_named(reference: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_bfcl(Question(id="q", text="?", reference=reference), [add(a=1)], unparsed=False)


def test_lists_that_never_end_are_read_in_linear_time() -> None:
    """What a model that repeats itself until it is cut writes; trying all ways to read it takes for ever."""
    text = "[" + "[1, 2], " * 5_000
    start = time.process_time()
    assert read_javascript(text, "array", "integer") != []
    assert time.process_time() - start < 1.0
