"""Every pipeline of the catalog starts: under its presets its stages' settings fit each other, as preflight sees them."""

import inspect
import itertools
import json
from contextlib import suppress
from functools import partial

import pytest

from components.contracts.errors import InputError
from components.contracts.methods import METHODS
from components.evaluation.settings import EvaluationSettings
from components.mcts.settings import MCTSSettings
from components.preflight import agreement
from components.preflight.agreement import (
    agreement_checks,
    look_at_agreement,
    look_at_pairs,
    look_at_search,
    look_at_searched,
)
from components.preflight.checks import Check, Skipped
from components.preflight.stage_settings import parsed_settings
from components.trace_generation.settings import TraceGenerationSettings
from pipelines.arguments import SETTINGS, declared_parameters, parse_arguments
from pipelines.catalog import PIPELINES

# What every pipeline starts with: its own settings and its demo's; those of self-training with the paper's as well.
STARTED = [(name, preset) for name in PIPELINES for preset in ("", "demo")] + [
    (name, "self-training") for name in PIPELINES if name.startswith("self_training")
]


def methods_of(pipeline: str) -> tuple[str, ...]:
    """What preflight may be told: each way of training alone, and all; one without the parameter says nothing."""
    declared = declared_parameters(pipeline)
    known = [name for name in METHODS if name + SETTINGS in declared]
    return tuple(dict.fromkeys([*known, ",".join(known)])) if "method" in declared else ("",)


def checks_of(pipeline: str, preset: str, method: str) -> list[Check]:
    """Preflight's checks of a run by its words."""
    words = [f"preset={preset}"] if preset else []
    words += [f"method={method}"] if method else []
    sent = parse_arguments(pipeline, words).parameters
    texts = {key.removesuffix(SETTINGS): str(text) for key, text in sent.items() if key.endswith(SETTINGS)}
    texts.pop("preflight")
    parsed = parsed_settings(texts)
    assert parsed.keys() == texts.keys()
    sources = PIPELINES[pipeline].demo_questions if preset == "demo" else "questions.jsonl"
    return agreement_checks(parsed, method, [sources])


@pytest.mark.parametrize(("pipeline", "preset"), STARTED)
def test_every_pipeline_passes_its_own_preflight(pipeline: str, preset: str) -> None:
    for method in methods_of(pipeline):
        for check in checks_of(pipeline, preset, method):
            with suppress(Skipped):
                assert check.look()


def test_every_check_of_agreement_is_asked_of_some_pipeline() -> None:
    looks = {
        name for name, one in vars(agreement).items() if name.startswith("look_") and inspect.isfunction(one)
    }
    asked = set()
    for pipeline, method in itertools.product(PIPELINES, ("", "dpo")):
        if method in (*methods_of(pipeline), ""):
            for check in checks_of(pipeline, "demo", method):
                assert isinstance(check.look, partial)
                asked.add(check.look.func.__name__)
    assert asked == looks


def test_preference_tuning_starts_on_default_settings() -> None:
    traces = TraceGenerationSettings()
    assert traces.no_tool_samples is None
    for method, samples in (("", 0), ("sft", 0), ("none", 0), ("dpo", 1), ("sft, dpo", 1)):
        assert traces.samples_without_tools(method) == samples
        assert TraceGenerationSettings(no_tool_samples=3).samples_without_tools(method) == 3
    assert look_at_pairs(traces, "dpo") == "2 traces a question"
    with pytest.raises(InputError, match=r"num_samples: 1, and no_tool_samples 0"):
        look_at_pairs(TraceGenerationSettings(no_tool_samples=0), "dpo")
    look_at_agreement(traces, EvaluationSettings(no_tool_variant="plain"), "sft")
    with pytest.raises(InputError, match=r"^evaluation_settings: no_tool_variant: 'plain', but"):
        look_at_agreement(traces, EvaluationSettings(no_tool_variant="plain"), "dpo")


def test_the_grids_demo_practises_and_judges_without_tools_under_one_prompt() -> None:
    sent = parse_arguments("self_training_grid", ["preset=demo"]).parameters
    variants = {
        json.loads(str(sent[f"{stage}_settings"]))["no_tool_variant"]
        for stage in ("trace_generation", "evaluation")
    }
    assert variants == {"cot"}


def test_the_search_samples_under_what_the_policy_is_judged_under() -> None:
    assert "multi_step" in look_at_search(MCTSSettings(), EvaluationSettings())
    with pytest.raises(InputError, match=r"^mcts_settings: variant: 'multi_step', but .* 'single_step'"):
        look_at_search(MCTSSettings(), EvaluationSettings(variant="single_step"))
    with pytest.raises(InputError, match=r"^mcts_settings: engine.call_format: 'pythonic'"):
        look_at_search(MCTSSettings.parse('{"preset":"demo_calls"}'), EvaluationSettings())


def test_questions_with_answers_alone_are_refused_before_anything_is_searched() -> None:
    with pytest.raises(InputError, match=r"demo:// has no gold calls to search by; expected demo://calls"):
        look_at_searched(MCTSSettings(), ["demo://"], "sft,mcts,dpo")
    assert look_at_searched(MCTSSettings(execute_tools=True), ["demo://"], "mcts,dpo")
    assert look_at_searched(MCTSSettings(), ["demo://calls"], "mcts,dpo")
    assert look_at_searched(MCTSSettings(), ["demo://"], "sft") == "method sft does not search"
