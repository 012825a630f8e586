"""Foreign feedback: failures are told from results by text alone, and their category where words tell it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import ExecutedCall, ToolCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback.classifier import classify_feedback
from components.error_labeling.feedback.legacy import LEGACY_SUBSTRINGS, legacy_is_error
from components.error_labeling.labels import call_error, label_turns
from components.error_labeling.settings import ErrorLabelingSettings, Feedback
from tests.battery.labeller.faults import inject
from tests.battery.labeller.scores import detection, judge, masked, precision_recall
from tests.battery.labeller.wordings import by_manner
from tests.battery.labeller.wordings.web import ARTICLES, REPLIES
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
    "text", [*REPLIES, *(f"{title}: {text}" for title, text in ARTICLES), *dict(ARTICLES).values()]
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
    rows, tools = inject(600, by_manner, seed=3)
    matrix, legacy, _ = judge(rows, tools)
    ours, old = precision_recall(detection(matrix)), precision_recall(legacy)
    assert min(ours) >= 0.96
    assert min(precision_recall(masked(matrix))) >= 0.94
    assert ours[0] > old[0]
    assert ours[1] > old[1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"isError": true, "content": [{"type": "text", "text": "Unknown tool: x"}]}', ToolError.TOOL_HALLUCINATION),
        ('{"expression": ["This field is required."]}', ToolError.MISSING_PARAMETER),
        ('[{"code": "invalid_type", "path": ["n"], "message": "Expected number, received string"}]', ToolError.WRONG_TYPE_OR_VALUE),
        ('{"response": {"status": 503, "message": "down"}}', ToolError.TOOL_INSTABILITY),
        ("<html><head><title>504 Gateway Time-out</title></head><body>nginx</body></html>", ToolError.TIMEOUT),
        ("<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", ToolError.TOOL_INSTABILITY),
        ("Tool result: Error: expression must be a string, not a list", ToolError.WRONG_TYPE_OR_VALUE),
        ('"Error: the service is temporarily unavailable"', ToolError.TOOL_INSTABILITY),
    ],
)  # fmt: skip
def test_envelopes_are_opened(text: str, error: ToolError) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is error


@pytest.mark.parametrize(
    "text",
    [
        '{"response": {"status": 200, "data": [1]}}',
        '{"error_rate": 0.02, "missing_values": 3, "status": "done"}',
        '{"results": [{"error": "E11", "meaning": "door open"}, {"title": "404"}]}',
        "<html><head><title>Weather</title></head><body>No errors</body></html>",
        "Terror management theory: Terror management theory is about the fear of death. " * 20,
    ],
)
def test_data_with_words_of_failure_is_left_alone(text: str) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is None


def test_what_the_schemas_say_decides_borderline_texts() -> None:
    lacking = ToolCall(name="calculator", arguments={})
    words = "It stopped."
    assert classify_feedback(words, CALL, [CALCULATOR]) is None
    assert classify_feedback(words, lacking, [CALCULATOR]) is ToolError.MISSING_PARAMETER
    article = "The expedition of 1912 failed. " * 20
    assert classify_feedback(article, lacking, [CALCULATOR]) is None


SEARCH = ToolCall(name="wikipedia_search", arguments={"query": "Timeout (computing) 823"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        # to the caller, in the first or second person, or with an apology
        ("Sorry, the search was taking too long, so I stopped it before it was finished.", ToolError.TIMEOUT),
        ("You called a tool that does not exist. Choose from: add, subtract.", ToolError.TOOL_HALLUCINATION),
        ("I was unable to do this: the folder is read-only.", ToolError.TOOL_CALL_FAILURE),
        # what the message says counts for more than a general exception's name
        ("ValueError: Tool with name calculator not found", ToolError.TOOL_HALLUCINATION),
        ("TypeError: tools.calculator is not a function", ToolError.TOOL_HALLUCINATION),
        # numbers of arguments are compared
        ("wrong number of arguments (given 0, expected 1) (ArgumentError)", ToolError.MISSING_PARAMETER),
        ("wrong number of arguments (given 3, expected 1)", ToolError.PARAMETER_HALLUCINATION),
        ("TypeError: f() takes 1 positional argument but 2 were given", ToolError.PARAMETER_HALLUCINATION),
        # what a tool looks up and does not find says nothing against the call's form
        ("No such customer: 'cus_1'", ToolError.TOOL_CALL_FAILURE),
        ("Error: document 17 not found", ToolError.TOOL_CALL_FAILURE),
        # keys may have an underscore before them; what is echoed of the call is not read
        ('{"_status": "ERR", "_message": "Unexpected parameter."}', ToolError.PARAMETER_HALLUCINATION),
        ('{"detail": [{"loc": ["n"], "msg": "Input should be a number", "input": "rate limit"}]}', ToolError.WRONG_TYPE_OR_VALUE),
        # a log's last line decides
        ("2025-03-01 10:02 INFO started\n2025-03-01 10:03 ERROR request timed out", ToolError.TIMEOUT),
    ],
)  # fmt: skip
def test_messages_about_this_call_have_their_category(text: str, error: ToolError) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is error


@pytest.mark.parametrize(
    "text",
    [
        "User reviews (3): 'Great until it crashed.' 'Keeps saying connection error on my phone.'",
        'The word "invalid argument" has two meanings.',
        "Summary of the thread: the reporter sees a timeout after upgrading.",
        "Set timeout to 60 seconds for job 'backup'.",
        "2025-03-01 10:02 ERROR job 118 failed: disk full\n2025-03-01 10:03 INFO job 118 restarted",
        "[warn] 09:11 upstream timed out\n[info] 09:12 replica healthy",
        "The status code 429 means Too Many Requests.",
        "HTTP 503 tells a client that the server can't handle the request for now.",
        "Rate limiting: Rate limiting bounds how many requests a client may send in a period.",
        "fail (verb): to be unsuccessful",
        "commit 9f1c2ab\nAuthor: Ines\n\n    Fix: don't raise ValueError on unknown tool names",
        "Panic! at the Disco",
        "There are no open issues labelled 'error'.",
        "Terror management theory",
        "The expedition failed because its ships were crushed by ice, and nobody was ever found.",
    ],
)
def test_failures_told_as_content_are_left_alone(text: str) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is None


def test_the_calls_own_value_is_no_evidence() -> None:
    text = '{"error": {"message": "Invalid integer: Timeout (computing) 823", "param": "query"}}'
    assert classify_feedback(text, SEARCH, []) is ToolError.WRONG_TYPE_OR_VALUE
    text = "ValueError: invalid literal for int() with base 10: 'Timeout (computing) 823'"
    assert classify_feedback(text, SEARCH, []) is ToolError.WRONG_TYPE_OR_VALUE
