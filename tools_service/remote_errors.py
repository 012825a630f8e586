"""How the errors of foreign tools fit the one taxonomy.

What only the operator can mend (credentials, a document that does not describe its server) is
`tool_instability`, so that it never counts against the model; what the model asked for and was denied is
`tool_call_failure`; what it should have written otherwise is `wrong_type_or_value`.
"""

from collections.abc import Mapping
from typing import Any

from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, REQUEST_TIMEOUT

from components.contracts.tool_errors import ToolError

RESERVED_CODES = range(-32768, -31999)  # of JSON-RPC 2.0, section 5.1: the protocol's and the server's own
LOST_CODES = frozenset({CONNECTION_CLOSED, INVALID_REQUEST})  # the second when a session ended there

_BY_STATUS = {
    400: ToolError.WRONG_TYPE_OR_VALUE,
    413: ToolError.WRONG_TYPE_OR_VALUE,  # too large
    414: ToolError.WRONG_TYPE_OR_VALUE,
    422: ToolError.WRONG_TYPE_OR_VALUE,
    431: ToolError.WRONG_TYPE_OR_VALUE,
    401: ToolError.TOOL_INSTABILITY,  # this service's credentials
    405: ToolError.TOOL_INSTABILITY,  # document and server disagree
    406: ToolError.TOOL_INSTABILITY,
    407: ToolError.TOOL_INSTABILITY,
    411: ToolError.TOOL_INSTABILITY,
    415: ToolError.TOOL_INSTABILITY,
    421: ToolError.TOOL_INSTABILITY,
    425: ToolError.TOOL_INSTABILITY,
    426: ToolError.TOOL_INSTABILITY,
    429: ToolError.TOOL_INSTABILITY,  # a rate limit
    408: ToolError.TIMEOUT,
    504: ToolError.TIMEOUT,
}


def error_of_status(status: int) -> ToolError | None:
    """The category of an HTTP status; None for 2xx.

    Statuses of 4xx that are not named above (403, 404, 409 ...) mean that the server understood and said
    no: `tool_call_failure`. All others (1xx, a redirect that is not followed, 5xx) are `tool_instability`.
    """
    if 200 <= status < 300:
        return None
    fallback = ToolError.TOOL_CALL_FAILURE if 400 <= status < 500 else ToolError.TOOL_INSTABILITY
    return _BY_STATUS.get(status, fallback)


def error_of_json_rpc(code: int) -> ToolError:
    """The category of a JSON-RPC error: arguments, the server itself, or what an application said."""
    if code == INVALID_PARAMS:
        return ToolError.WRONG_TYPE_OR_VALUE
    if code == REQUEST_TIMEOUT:
        return ToolError.TIMEOUT
    return ToolError.TOOL_INSTABILITY if code in RESERVED_CODES else ToolError.TOOL_CALL_FAILURE


def carried_error(structured: object) -> tuple[ToolError, str] | None:
    """The typed error in an MCP result's structured content, as this service itself sends it."""
    error = structured.get("error") if isinstance(structured, Mapping) else None
    if not isinstance(error, Mapping):
        return None
    code: Any = error.get("code")
    message = error.get("message")
    if not isinstance(code, str) or code not in list(ToolError) or not isinstance(message, str):
        return None
    return ToolError(code), message
