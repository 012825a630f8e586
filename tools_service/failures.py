"""The exception with which a tool says why it can't answer."""

from components.contracts.tool_errors import ToolError


class ToolFailure(Exception):
    """A call failed; `code` is its category and the message is shown to the model that called.

    content: what the model reads, where that is not the message after "Error: ".
    """

    def __init__(self, code: ToolError, message: str, content: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.content = content or f"Error: {message}"


def wrong_value(message: str) -> ToolFailure:
    """An argument the tool can't accept (`wrong_type_or_value`)."""
    return ToolFailure(ToolError.WRONG_TYPE_OR_VALUE, message)


def refused(message: str) -> ToolFailure:
    """A well-formed call which the tool executed and said no to (`tool_call_failure`)."""
    return ToolFailure(ToolError.TOOL_CALL_FAILURE, message)
