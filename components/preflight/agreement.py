"""Do the stages' settings fit each other? Each may parse alone and the run still fail hours later."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from components.contracts.errors import InputError
from components.contracts.methods import is_on
from components.preflight.checks import Skipped

if TYPE_CHECKING:  # an image may hold preflight without the stages
    from components.ablation.settings import AblationSettings
    from components.evaluation.settings import EvaluationSettings
    from components.ingest.settings import IngestSettings
    from components.rounds.settings import RoundsSettings
    from components.trace_generation.settings import TraceGenerationSettings


def look_at_agreement(traces: "TraceGenerationSettings", evaluation: "EvaluationSettings") -> str:
    """Whether evaluation judges the policy under what its traces were sampled under.

    Raises:
        InputError: call format or prompt variant differ, or evaluation's engine can't take an adapter.
    """
    pairs = [
        ("engine.call_format", traces.engine.call_format, evaluation.engine.call_format),
        ("variant", traces.variant, evaluation.variant),
    ]
    if traces.no_tool_samples:
        pairs.append(("no_tool_variant", traces.no_tool_variant, evaluation.no_tool_variant))
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


def look_at_pairs(traces: "TraceGenerationSettings", method: str) -> str:
    """Whether practice can give pairs of traces, where the run prefers some to others.

    Raises:
        InputError: no trace has tools, or a question has one trace alone.
        Skipped: the run does without pairs.
    """
    if not is_on("dpo", method):
        raise Skipped(f"method {method} makes no pairs")
    if traces.variant in ("plain", "cot"):
        raise InputError(
            f"trace_generation_settings: variant: {traces.variant!r} offers no tools, and a pair of dpo needs a "
            "trace with a tool; expected 'single_step' or 'multi_step'"
        )
    samples = traces.num_samples + traces.no_tool_samples
    if samples < 2:
        raise InputError(
            "trace_generation_settings: num_samples: 1, and no_tool_samples 0, but a pair of dpo needs two traces "
            "of a question; raise either"
        )
    return f"{samples} traces a question"


def look_at_kinds(rounds: "RoundsSettings", evaluation: "EvaluationSettings") -> str:
    """Whether rounds are judged by the groups of questions that evaluation makes.

    Raises:
        InputError: they differ in which kinds need no tool.
    """
    if set(rounds.no_tool_kinds) != set(evaluation.no_tool_kinds):
        raise InputError(
            f"rounds_settings: no_tool_kinds: {list(rounds.no_tool_kinds)}, but evaluation_settings has "
            f"{list(evaluation.no_tool_kinds)}; expected the same in both"
        )
    return f"no tool for {', '.join(evaluation.no_tool_kinds) or 'no kind'}"


def look_at_table(table: "AblationSettings", stages: Collection[str]) -> str:
    """Whether the table is that of this run: another pipeline's preset has other rows.

    stages: those that the run has.

    Raises:
        InputError: the run does not have a training that the table tells of.
    """
    for name in table.trainings:
        if name.lower() not in stages:
            raise InputError(
                f"ablation_settings: trainings: {name!r} is no stage of this run; expected the preset of this pipeline"
            )
    return f"{len(table.rows)} rows, with {' and '.join(table.trainings)}"
