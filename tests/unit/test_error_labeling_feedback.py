"""Foreign feedback: failures are told from results by text alone, and their category where words tell it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import ExecutedCall, ToolCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback import LEGACY_SUBSTRINGS, classify_feedback, legacy_is_error
from components.error_labeling.labels import call_error, label_turns
from components.error_labeling.settings import ErrorLabelingSettings, Feedback
from tests.battery.labeller import detection, inject, judge, precision_recall
from tests.battery.labeller_texts import ARTICLES, RESULTS
from tests.battery.labeller_wordings import WORDINGS, is_held_out
from tests.traces import CALCULATOR, make_trace
from tools_service.faults import FAULT_WORDS

CALL = ToolCall(name="calculator", arguments={"expression": "2+2"})


@pytest.mark.parametrize(
    ("error", "words"), [(error, words) for error, found in FAULT_WORDS.items() for words in found]
)
def test_the_injectors_wordings_have_their_category(error: ToolError, words: str) -> None:
    text = words.format(tool="calculator", parameter="expression")
    assert classify_feedback(text, CALL, [CALCULATOR]) is error


@pytest.mark.parametrize(
    "text", [*RESULTS, *(f"{title}: {text}" for title, text in ARTICLES), *dict(ARTICLES).values()]
)
def test_results_and_prose_about_errors_are_left_alone(text: str) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is None


def test_the_schemas_explain_a_failure_but_never_make_one() -> None:
    unknown = ToolCall(name="weather", arguments={})
    lacking = ToolCall(name="calculator", arguments={})
    generic = '{"error": "Response error."}'
    assert classify_feedback(generic, CALL, [CALCULATOR]) is ToolError.TOOL_CALL_FAILURE
    assert classify_feedback(generic, unknown, [CALCULATOR]) is ToolError.TOOL_HALLUCINATION
    assert classify_feedback(generic, lacking, [CALCULATOR]) is ToolError.MISSING_PARAMETER
    assert classify_feedback(generic, None, [CALCULATOR]) is ToolError.PARSE_FAILURE
    assert classify_feedback("Error: it timed out", unknown, [CALCULATOR]) is ToolError.TIMEOUT
    assert classify_feedback("It is sunny.", unknown, [CALCULATOR]) is None


def test_a_quoted_key_of_the_call_is_an_error_and_another_is_a_result() -> None:
    call = ToolCall(name="translate", arguments={"language": "ja"})
    assert classify_feedback("'ja'", call, []) is ToolError.WRONG_TYPE_OR_VALUE
    assert classify_feedback("'hello'", call, []) is None


def test_a_traceback_is_read_by_its_last_line() -> None:
    text = 'Traceback (most recent call last):\n  File "a.py", line 1\nTimeoutError: no reply'
    assert classify_feedback(text, CALL, []) is ToolError.TIMEOUT


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_text_gets_an_answer(value: object) -> None:
    for text in (json.dumps(value), str(value)):
        found = classify_feedback(text, CALL, [CALCULATOR])
        assert found is None or isinstance(found, ToolError)
        legacy_is_error(text)


def test_the_legacy_rule_is_the_papers() -> None:
    assert len(LEGACY_SUBSTRINGS) == 14
    assert legacy_is_error("terror management theory")
    assert not legacy_is_error("HTTPSConnectionPool(host='x', port=443): Max retries exceeded with url: /")
    assert legacy_is_error("f() got an Unexpected-keyword argument")


def test_codes_win_and_words_count_only_when_asked() -> None:
    def call(content: str, error: ToolError | None = None) -> ExecutedCall:
        return ExecutedCall(message=2, text="c", call=CALL, reply=ToolReply(content=content, error=error))

    said = call("503 Service Unavailable")
    assert call_error(said) is None
    assert call_error(said, [CALCULATOR], "classified") is ToolError.TOOL_INSTABILITY
    assert call_error(said, [CALCULATOR], "legacy") is None
    assert call_error(call("terror"), [CALCULATOR], "legacy") is ToolError.TOOL_CALL_FAILURE
    modes: tuple[Feedback, ...] = ("typed", "classified", "legacy")
    for mode in modes:
        assert call_error(call("4", ToolError.TIMEOUT), [], mode) is ToolError.TIMEOUT


def test_a_turn_with_foreign_feedback_is_masked() -> None:
    trace = make_trace(errors=(None,))
    reply = ToolReply(content="TypeError: calculator() got an unexpected keyword argument 'x'")
    trace = trace.model_copy(update={"calls": (trace.calls[0].model_copy(update={"reply": reply}),)})
    assert [one.trained for one in label_turns(trace, "", ErrorLabelingSettings())] == [True, True]
    failed, answer = label_turns(trace, "", ErrorLabelingSettings(feedback="classified"))
    assert (failed.trained, failed.error) == (False, ToolError.PARAMETER_HALLUCINATION)
    assert answer.trained


def test_injected_faults_without_codes_are_found() -> None:
    half = {error: [one for one in texts if is_held_out(one)] for error, texts in WORDINGS.items()}
    assert all(len(texts) >= 5 for texts in half.values())
    matrix, legacy, _ = judge(*inject(400, half, seed=3))
    ours, old = precision_recall(detection(matrix)), precision_recall(legacy)
    assert min(ours) >= 0.98
    assert ours[0] > old[0]
    assert ours[1] > old[1]
