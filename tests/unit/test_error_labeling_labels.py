"""The error mask (MAE): turns that failed by the model's fault carry no loss, all others do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import ExecutedCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.error_labeling.labels import label_turns, turn_error
from components.error_labeling.settings import ErrorLabelingSettings
from tests.traces import make_trace

DEFAULT = ErrorLabelingSettings()
outcomes = st.lists(st.none() | st.sampled_from(list(ToolError)), max_size=5).map(tuple)


@pytest.mark.parametrize("error", list(ToolError))
def test_turn_with_a_failed_call_is_masked_by_fault(error: ToolError) -> None:
    failed, answer = label_turns(make_trace(errors=(error,)), "", DEFAULT)
    assert failed.error is error
    assert failed.trained is not error.is_models_fault
    assert failed.reason == (f"call failed: {error.value}" if error.is_models_fault else "")
    assert answer.trained
    assert answer.error is None


@pytest.mark.parametrize("error", [ToolError.TOOL_INSTABILITY, ToolError.TIMEOUT])
def test_instability_is_masked_only_when_asked(error: ToolError) -> None:
    failed, _ = label_turns(make_trace(errors=(error,)), "", ErrorLabelingSettings(mask_instability=True))
    assert not failed.trained
    assert failed.error is error


def test_without_the_mask_errors_are_named_but_trained() -> None:
    failed, _ = label_turns(
        make_trace(errors=(ToolError.PARSE_FAILURE,)), "", ErrorLabelingSettings(mask_errors=False)
    )
    assert failed.trained
    assert failed.error is ToolError.PARSE_FAILURE


def test_the_models_fault_comes_before_the_infrastructures() -> None:
    def call(error: ToolError | None) -> ExecutedCall:
        return ExecutedCall(message=2, text="", call=None, reply=ToolReply(content="", error=error))

    calls = [call(None), call(ToolError.TIMEOUT), call(ToolError.MISSING_PARAMETER)]
    assert turn_error(calls, 2) is ToolError.MISSING_PARAMETER
    assert turn_error(calls[:2], 2) is ToolError.TIMEOUT
    assert turn_error(calls, 4) is None


@given(errors=outcomes, reason=st.sampled_from(["", "outcome wrong"]), masks=st.booleans())
def test_labels_fit_the_turns_and_say_why(
    errors: tuple[ToolError | None, ...], reason: str, masks: bool
) -> None:
    trace = make_trace(errors=errors)
    settings = ErrorLabelingSettings(mask_errors=masks, mask_instability=masks)
    labels = label_turns(trace, reason, settings)
    assert [label.message for label in labels] == [turn.message for turn in trace.turns]
    assert all(label.trained == (not label.reason) for label in labels)
    assert [label.error for label in labels] == [*errors, None]
    if reason:
        assert all(label.reason == reason for label in labels)
