"""Feedback in everyday words, failures that data names, and set terms: a family of rules at a time."""

import re

import pytest

from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.error_labeling.feedback import outcomes
from components.error_labeling.feedback.categories import category_of
from components.error_labeling.feedback.classifier import classify_feedback
from tests.traces import CALCULATOR

CALL = ToolCall(name="calculator", arguments={"expression": "2+2"})


@pytest.mark.parametrize(
    ("family", "said", "unsaid"),
    [
        (outcomes.NOT_DONE, "The invoice was not sent", "The invoice was sent"),
        (outcomes.NOT_DONE, "Failed to book a room: no card", "He failed in business"),
        (outcomes.COMPARED, "-4 is below the minimum", "It is below the bridge"),
        (outcomes.COMPARED, "Start must come before end", "It came before the end"),
        (outcomes.LATE, "Killed after 60 seconds", "Open for 60 seconds"),
        (outcomes.ASKED_BACK, "Tell me the street", "He told me the street"),
        (outcomes.AGENT, "the model output held no answer", "the output of the mine"),
        (outcomes.SERVICE, "The backend is down", "The backend is written in Rust"),
        (outcomes.REFUSED, "You are not a member here", "She is not a member"),
        (outcomes.CURT, "Insufficient funds", "Funds arrived"),
    ],
)
def test_each_family_tells_a_complaint_from_a_statement(
    family: re.Pattern[str], said: str, unsaid: str
) -> None:
    assert family.search(said)
    assert not family.search(unsaid)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"status":"parametersMissing","message":"Set any of: q, sources"}', ToolError.MISSING_PARAMETER),
        ('{"code":-32001,"data":{"timeout":60000},"name":"McpError"}', ToolError.TIMEOUT),
        ('{"errorMessages":["You do not have permission to see it."],"errors":{}}', ToolError.TOOL_CALL_FAILURE),
        ('{"code":"ETIMEDOUT"}', ToolError.TIMEOUT),
        ('{"message":"The channel is not known","code":10003}', ToolError.TOOL_CALL_FAILURE),
        ('{"status":"OVER_QUERY_LIMIT"}', ToolError.TOOL_INSTABILITY),
    ],
)  # fmt: skip
def test_names_and_codes_of_failures_in_data_count(text: str, error: ToolError) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is error


@pytest.mark.parametrize(
    "text",
    [
        '{"status":"unavailable","item":"blue chair","expected":"2024-05-01"}',
        '{"name":"ValueError","module":"builtins","doc":"Inappropriate argument value."}',
        '{"jobs":[{"id":7,"status":"failed"},{"id":8,"status":"done"}]}',
        "Errors: 0, warnings: 2",
        "Empty list",
        "Connection refused (networking): A host refuses a connection when no program listens on the port. Firewalls may drop it.",
        "Fixed: connection reset on upload. Added: dark mode.",
    ],
)  # fmt: skip
def test_data_and_statements_with_such_words_are_left_alone(text: str) -> None:
    assert classify_feedback(text, CALL, [CALCULATOR]) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Action Input is not a valid key, value dictionary.", ToolError.PARSE_FAILURE),
        ("Quotation mark without a partner in the call text", ToolError.PARSE_FAILURE),
        ("1 validation error for A\nn\n  Input should be less than 50 [type=less than, input_value=500]", ToolError.WRONG_TYPE_OR_VALUE),
        ("1 validation error for A\nn\n  Field required [type=missing, input_value={}]", ToolError.MISSING_PARAMETER),
        ("error: argument --format: invalid choice: 'docx' (choose from 'csv')", ToolError.WRONG_TYPE_OR_VALUE),
        ("TOOL is not a valid tool, try one of [python repl].", ToolError.TOOL_HALLUCINATION),
        ("bash: line 1: jq: command not found", ToolError.TOOL_CALL_FAILURE),
        ("bash: TOOL: command not found", ToolError.TOOL_HALLUCINATION),
        ("Missing end time.", ToolError.MISSING_PARAMETER),
        ("Only letters may be used in PARAM.", ToolError.WRONG_TYPE_OR_VALUE),
        ("Killed: ran longer than allowed", ToolError.TIMEOUT),
        ("longitude 500 lies outside -180..180", ToolError.WRONG_TYPE_OR_VALUE),
        ("Please leave out PARAM; it is not used.", ToolError.PARAMETER_HALLUCINATION),
    ],
)  # fmt: skip
def test_set_terms_come_before_looser_words(text: str, error: ToolError) -> None:
    assert category_of(text) is error
