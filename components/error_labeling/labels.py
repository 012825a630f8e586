"""Labels of a trace's assistant turns: what went wrong in each, and whether it is trained on.

Errors come from the typed codes that the tools service and the loop give. Feedback of foreign tools
has no codes; where the setting `feedback` says so, its words are read instead. `call_error` is the one
place that decides.
"""

from collections.abc import Iterable, Sequence

from components.contracts.records import ExecutedCall, Trace, TurnLabel
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema, parse_tools
from components.error_labeling.feedback.classifier import classify_feedback
from components.error_labeling.feedback.legacy import legacy_is_error
from components.error_labeling.settings import ErrorLabelingSettings, Feedback


def call_error(
    call: ExecutedCall, tools: Sequence[ToolSchema] = (), feedback: Feedback = "typed"
) -> ToolError | None:
    """The category of one attempted call; None when it succeeded.

    A code that the service gave always holds. The legacy rule knows no categories: tool_call_failure.
    """
    if call.reply.error is not None or feedback == "typed":
        return call.reply.error
    if feedback == "classified":
        return classify_feedback(call.reply.content, call.call, tools)
    return ToolError.TOOL_CALL_FAILURE if legacy_is_error(call.reply.content) else None


def offered_tools(trace: Trace, feedback: Feedback) -> tuple[ToolSchema, ...]:
    """The tools that `call_error` needs of a trace: none where codes alone decide.

    Raises:
        InputError: the trace's tools are not tool schemas.
    """
    return parse_tools(trace.tools) if feedback == "classified" and trace.tools else ()


def turn_error(
    calls: Iterable[ExecutedCall],
    message: int,
    tools: Sequence[ToolSchema] = (),
    feedback: Feedback = "typed",
) -> ToolError | None:
    """The first error of the turn's calls, those of the model's fault before the infrastructure's."""
    errors = [
        error
        for call in calls
        if call.message == message and (error := call_error(call, tools, feedback)) is not None
    ]
    return next((error for error in errors if error.is_models_fault), errors[0] if errors else None)


def is_masked(error: ToolError | None, settings: ErrorLabelingSettings) -> bool:
    """MAE (TL-Training, Section 3.1): whether a turn with this error carries no loss.

    What the infrastructure lost says nothing about the model; `mask_instability` masks it all the same.
    """
    if error is None:
        return False
    return settings.mask_errors if error.is_models_fault else settings.mask_instability


def label_turns(trace: Trace, reason: str, settings: ErrorLabelingSettings) -> tuple[TurnLabel, ...]:
    """One label a turn, in the order of `trace.turns`.

    reason: why the whole trace is not trained; empty when it is, and then the mask decides.
    """
    tools = offered_tools(trace, settings.feedback)
    return tuple(
        _label(
            turn.message, turn_error(trace.calls, turn.message, tools, settings.feedback), reason, settings
        )
        for turn in trace.turns
    )


def _label(message: int, error: ToolError | None, reason: str, settings: ErrorLabelingSettings) -> TurnLabel:
    if not reason and error is not None and is_masked(error, settings):
        reason = f"call failed: {error.value}"
    return TurnLabel(message=message, trained=not reason, error=error, reason=reason)
