"""The closed taxonomy of what executing a tool call can know (TL-Training, Figure 3, made total).

What needs a gold answer to be known (wrong tool, wrong content ...) is not here: see
`components.scoring`.
"""

from enum import StrEnum


class ToolError(StrEnum):
    """Why a tool call failed. The value is the wire form, used in JSON everywhere."""

    PARSE_FAILURE = "parse_failure"  # the text meant as a call is not one
    TOOL_HALLUCINATION = "tool_hallucination"  # no such tool was offered
    PARAMETER_HALLUCINATION = "parameter_hallucination"  # the tool has no such parameter
    MISSING_PARAMETER = "missing_parameter"  # a required parameter is absent
    WRONG_TYPE_OR_VALUE = "wrong_type_or_value"  # an argument the tool can't accept
    TOOL_CALL_FAILURE = "tool_call_failure"  # well-formed, executed, and the tool said no
    TOOL_INSTABILITY = "tool_instability"  # network, rate limit, crash: the infrastructure's doing
    TIMEOUT = "timeout"  # no reply within the deadline

    @property
    def is_models_fault(self) -> bool:
        """False for failures of the infrastructure, which never count against the model."""
        return self not in (ToolError.TOOL_INSTABILITY, ToolError.TIMEOUT)
