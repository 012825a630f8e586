"""Do the stages' settings fit each other? Each may parse alone and the run still fail hours later."""

from typing import TYPE_CHECKING

from components.contracts.errors import InputError

if TYPE_CHECKING:  # an image may hold preflight without the stages
    from components.evaluation.settings import EvaluationSettings
    from components.ingest.settings import IngestSettings
    from components.trace_generation.settings import TraceGenerationSettings


def look_at_agreement(traces: "TraceGenerationSettings", evaluation: "EvaluationSettings") -> str:
    """Whether evaluation judges the policy under what its traces were sampled under.

    Raises:
        InputError: call format or prompt variant differ, or evaluation's engine can't take an adapter.
    """
    pairs = (
        ("engine.call_format", traces.engine.call_format, evaluation.engine.call_format),
        ("variant", traces.variant, evaluation.variant),
    )
    for key, trained, judged in pairs:
        if trained != judged:
            raise InputError(
                f"evaluation_settings: {key}: {judged!r}, but trace_generation_settings has {trained!r}; "
                "expected the same in both"
            )
    if evaluation.engine.kind == "openai":
        raise InputError(
            "evaluation_settings: engine.kind: 'openai' can't take the adapter that is evaluated; "
            "expected 'transformers' or 'vllm'"
        )
    return f"both {traces.variant} with calls as {traces.engine.call_format}"


def look_at_trajectories(ingest: "IngestSettings", evaluation: "EvaluationSettings") -> str:
    """Whether the calls of users' trajectories are written as the policy will be asked to write its own.

    Raises:
        InputError: the call formats differ.
    """
    written, judged = ingest.call_format, evaluation.engine.call_format
    if written != judged:
        raise InputError(
            f"ingest_settings: call_format: {written!r}, but evaluation_settings has engine.call_format "
            f"{judged!r}; expected the same in both"
        )
    return f"both write calls as {written}"
