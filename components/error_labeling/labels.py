"""Labels of a trace's assistant turns: what went wrong in each, and whether it is trained on.

Errors come from the typed codes that the tools service and the loop give. Feedback of foreign
tools, which have no codes, has to be mapped to the taxonomy before it gets here: `call_error` is
the one place that reads it.
"""

from collections.abc import Iterable

from components.contracts.records import ExecutedCall, Trace, TurnLabel
from components.contracts.tool_errors import ToolError
from components.error_labeling.settings import ErrorLabelingSettings


def call_error(call: ExecutedCall) -> ToolError | None:
    """The category of one attempted call; None when it succeeded."""
    return call.reply.error


def turn_error(calls: Iterable[ExecutedCall], message: int) -> ToolError | None:
    """The first error of the turn's calls, those of the model's fault before the infrastructure's."""
    errors = [error for call in calls if call.message == message and (error := call_error(call)) is not None]
    return next((error for error in errors if error.is_models_fault), errors[0] if errors else None)


def is_masked(error: ToolError | None, settings: ErrorLabelingSettings) -> bool:
    """MAE (TL-Training, Section 3.2): whether a turn with this error carries no loss.

    What the infrastructure lost says nothing about the model; `mask_instability` masks it all the same.
    """
    if error is None:
        return False
    return settings.mask_errors if error.is_models_fault else settings.mask_instability


def label_turns(trace: Trace, reason: str, settings: ErrorLabelingSettings) -> tuple[TurnLabel, ...]:
    """One label a turn, in the order of `trace.turns`.

    reason: why the whole trace is not trained; empty when it is, and then the mask decides.
    """
    return tuple(_label(trace, turn.message, reason, settings) for turn in trace.turns)


def _label(trace: Trace, message: int, reason: str, settings: ErrorLabelingSettings) -> TurnLabel:
    error = turn_error(trace.calls, message)
    if not reason and error is not None and is_masked(error, settings):
        reason = f"call failed: {error.value}"
    return TurnLabel(message=message, trained=not reason, error=error, reason=reason)
