"""The keys of structured replies: errors, statuses, outcomes, words; and what values mean nothing."""

import re

from components.contracts.tool_errors import ToolError

STATUS: dict[int, ToolError] = {
    # HTTP statuses that say more than "failed"; other 5xx are the infrastructure's
    408: ToolError.TIMEOUT,
    504: ToolError.TIMEOUT,
    522: ToolError.TIMEOUT,
    524: ToolError.TIMEOUT,
    422: ToolError.WRONG_TYPE_OR_VALUE,
    429: ToolError.TOOL_INSTABILITY,
    501: ToolError.TOOL_HALLUCINATION,
    405: ToolError.TOOL_HALLUCINATION,
}
RPC_CODES = {-32700: ToolError.PARSE_FAILURE, -32601: ToolError.TOOL_HALLUCINATION, -32001: ToolError.TIMEOUT}
ERROR_KEY = re.compile(
    r"(?:\w+[_-])?(?:error|errors|exception|err|fault|traceback|failure|failure_?reason)|(?:error|err|"
    r"fault|exception)[_-]?(?:messages?|list|data|body|summary|label|kind|status|msg|code|type|detail|details|description|info|text|string|name|"
    r"class|reason|s)?|"
    r"errors?s|faultstring|(?:missing|invalid|unknown|unexpected|unrecogni[sz]ed|extra|bad|illegal|"
    r"unsupported)[_-]?(?:params?|parameters?|fields?|args?|arguments?|keys?|propert(?:y|ies)|inputs?|"
    r"values?|tool|function)?|"
    r"non_field_errors|__all__|__type|validation_?errors"
)
MEASURED_KEY = re.compile(
    r"(?:mean|standard|std|rounding|relative|absolute|max|square[d]?|percent|average|total|num|"
    r"margin)\w*[_-]errors?"
)
# A name of a failure in a field that holds names: `parametersMissing`, `OVER_QUERY_LIMIT`, `ETIMEDOUT`, `McpError`.
NAME_KEYS = ("code", "name", "type", "status", "reason", "title", "kind", "state", "outcome", "result")
FAILURE_NAME = re.compile(
    r"(?i:(?:[a-z]+[_-]?)*(?:missing|invalid|denied|exceeded|rejected|refused|unavailable|timed_?out|forbidden|unauthori[sz]ed|"
    r"not_?(?:found|allowed|supported|permitted)|malformed|unknown_(?:tool|function|parameter|argument|field)|over_(?:query_)?limit|throttled|throttling|"
    r"overloaded)(?:[_-]?[a-z]+)*)|(?:[A-Za-z]+\.)*[A-Z]\w*(?:Error|Exception|Fault|Timeout)|E[A-Z]{5,}|[a-z]+(?:[_-][a-z]+)*[_-](?:error|failure|failed|timeout)"
)
RPC_FAILURES = range(-32768, -31999)
STATUS_KEYS = frozenset(
    {
        "status",
        "status_code",
        "statuscode",
        "code",
        "http_status",
        "http_code",
        "error_code",
        "errorcode",
        "cod",
        "errno",
        "httpstatus",
        "http_status_code",
    }
)
OUTCOME_KEYS = ("status", "result", "state", "outcome", "type", "code", "response", "level", "severity")
WORD_KEYS = (
    "message", "messages", "msg", "detail", "details", "description", "reason", "title", "text", "type", "code", "cause", "hint", "note", "info",
    "information", "warning", "comment", "explanation", "notice", "why", "because", "problem", "issue", "issues", "remark", "advice", "summary",
)  # fmt: skip
SAID_KEYS = frozenset(
    {
        "message",
        "messages",
        "msg",
        "detail",
        "details",
        "reason",
        "note",
        "info",
        "information",
        "explanation",
        "why",
        "problem",
        "response",
        "result",
        "output",
        "content",
        "observation",
        "body",
    }
)
ENVELOPE = frozenset(
    {
        *STATUS_KEYS, *WORD_KEYS, "success", "ok", "succeeded", "result", "state", "outcome", "request_id", "iserror", "is_error",
        "requestid", "timestamp", "time", "path", "instance", "param", "loc", "errors_count", "retry_after", "help", "resolution", "links", "meta",
        "documentation_url", "doc_url", "trace_id", "id", "jsonrpc", "tool", "function", "name", "kind", "object", "parameter", "field", "argument",
        "input", "value", "req_method", "level", "severity", "service", "domain", "url", "headers", "method", "expected", "received", "keys", "source",
        "parameters", "params", "fields", "arguments", "requested", "tool_name", "function_name", "issues",
    }
)  # fmt: skip
# Inside a finding these repeat what was sent: content of the call, not words about it.
ECHOED = frozenset({"input", "url", "ctx", "instance", "loc", "rejectedValue", "input_value"})
NOTHING_VALUES = (
    None,
    "",
    0,
    False,
    "none",
    "null",
    "no",
    "ok",
    "0",
    "false",
    "success",
    "no error",
    "n/a",
    "no errors",
    "nil",
)
FAILED_WORDS = frozenset(
    {
        "error",
        "fail",
        "failed",
        "failure",
        "exception",
        "timeout",
        "timed_out",
        "timed out",
        "rejected",
        "denied",
        "fatal",
        "err",
        "unavailable",
        "request_denied",
        "invalid_request",
        "zero_results",
        "over_query_limit",
    }
)
WRAPPERS = frozenset(
    {
        "response",
        "result",
        "output",
        "data",
        "body",
        "content",
        "observation",
        "tool_response",
        "function_response",
    }
)
