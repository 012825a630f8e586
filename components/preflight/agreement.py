"""Do the stages' settings fit each other? Each may parse alone and the run still fail hours later."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from components.contracts.errors import InputError
from components.contracts.methods import is_on
from components.preflight.checks import Check, Skipped

if TYPE_CHECKING:  # an image may hold preflight without the stages
    from components.ablation.settings import AblationSettings
    from components.evaluation.settings import EvaluationSettings
    from components.ingest.settings import IngestSettings
    from components.mcts.settings import MCTSSettings
    from components.rounds.settings import RoundsSettings
    from components.trace_generation.settings import TraceGenerationSettings


def agreement_checks(parsed: Mapping[str, Any], method: str, sources: Sequence[str] = ()) -> list[Check]:
    """The checks of a run by its stages' settings; each only where the run has the stages that it compares.

    parsed: settings by stage. method: the run's ways of training; empty where it has none to choose. sources: URIs of
    the questions.
    """
    checks = []
    if {"trace_generation", "evaluation"} <= parsed.keys():
        look = partial(look_at_agreement, parsed["trace_generation"], parsed["evaluation"], method)
        checks.append(Check("settings", "trace_generation and evaluation", look))
    if {"trace_generation", "preferences"} <= parsed.keys():
        look = partial(look_at_pairs, parsed["trace_generation"], method)
        checks.append(Check("settings", "trace_generation and preferences", look))
    if "ablation" in parsed:
        look = partial(look_at_table, parsed["ablation"], tuple(parsed))
        checks.append(Check("settings", "the table's rows", look))
    if {"rounds", "evaluation"} <= parsed.keys():
        look = partial(look_at_kinds, parsed["rounds"], parsed["evaluation"])
        checks.append(Check("settings", "rounds and evaluation", look))
    if {"ppo", "mcts"} & parsed.keys() and {
        "ingest",
        "evaluation",
    } <= parsed.keys():  # golds are from trajectories
        look = partial(look_at_trajectories, parsed["ingest"], parsed["evaluation"])
        checks.append(Check("settings", "ingest and evaluation", look))
    if {"mcts", "evaluation"} <= parsed.keys():
        look = partial(look_at_search, parsed["mcts"], parsed["evaluation"])
        checks.append(Check("settings", "mcts and evaluation", look))
    if "mcts" in parsed:
        look = partial(look_at_searched, parsed["mcts"], sources, method)
        checks.append(Check("questions", "what is searched", look))
    return checks


def look_at_agreement(
    traces: "TraceGenerationSettings", evaluation: "EvaluationSettings", method: str = ""
) -> str:
    """Whether evaluation judges the policy under what its traces were sampled under.

    method: the run's ways of training, which may decide how many samples are without tools.

    Raises:
        InputError: call format or prompt variant differ, or evaluation's engine can't take an adapter.
    """
    pairs = [
        ("engine.call_format", traces.engine.call_format, evaluation.engine.call_format),
        ("variant", traces.variant, evaluation.variant),
    ]
    if traces.samples_without_tools(method):
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


def look_at_search(mcts: "MCTSSettings", evaluation: "EvaluationSettings") -> str:
    """Whether the search samples under what the policy is judged under.

    Raises:
        InputError: call format, prompt variant or number of tools differ.
    """
    for key, searched, judged in (
        ("engine.call_format", mcts.engine.call_format, evaluation.engine.call_format),
        ("variant", mcts.variant, evaluation.variant),
        ("max_tools", mcts.max_tools, evaluation.max_tools),
    ):
        if searched != judged:
            raise InputError(
                f"mcts_settings: {key}: {searched!r}, but evaluation_settings has {judged!r}; expected the same in both"
            )
    return f"both {mcts.variant} with calls as {mcts.engine.call_format}"


def look_at_searched(mcts: "MCTSSettings", sources: Sequence[str], method: str) -> str:
    """Whether the questions can be searched, as far as their names tell.

    Raises:
        InputError: the built-in questions have answers alone, and no call is executed.
    """
    if not is_on("mcts", method):
        return f"method {method} does not search"
    if not mcts.execute_tools and sources and set(sources) == {"demo://"}:
        raise InputError(
            "questions: demo:// has no gold calls to search by; expected demo://calls, files with golds, or "
            "mcts.execute_tools=true, which goes by answers"
        )
    return "answers or golds" if mcts.execute_tools else "golds, as search and training have them"


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
    samples = traces.num_samples + traces.samples_without_tools(method)
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
