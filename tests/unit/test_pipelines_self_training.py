"""How the compiled pipelines of self-training hang together: methods, rounds and the grid's arms."""

import json
from typing import Any

import pytest
import yaml

from components.ablation.settings import AblationSettings
from components.error_labeling.settings import ErrorLabelingSettings
from components.evaluation.settings import EvaluationSettings
from components.trace_generation.settings import TraceGenerationSettings
from pipelines.catalog import PIPELINES
from pipelines.compile import compile_pipeline, compiled_path
from pipelines.judging import KEPT
from tests.compiled_pipelines import stage_tasks

Task = dict[str, Any]


def spec_of(text: str) -> dict[str, Any]:
    spec: dict[str, Any] = next(iter(yaml.safe_load_all(text)))
    return spec


def committed(pipeline: str) -> dict[str, Any]:
    return spec_of(compiled_path(pipeline).read_text(encoding="ascii"))


def tasks_of(spec: dict[str, Any]) -> dict[str, Task]:
    """Every task by the name that people see; those inside a loop too."""
    dags = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
    return {task["taskInfo"]["name"]: task for dag in dags for task in dag["dag"]["tasks"].values()}


def source(spec: dict[str, Any], task: Task, name: str) -> str:
    """What feeds an input: `task name:output`, a run's parameter, or a constant; through loops' borders."""
    inputs = task["inputs"]
    given = inputs.get("artifacts", {}).get(name) or inputs.get("parameters", {}).get(name)
    if given is None:
        return ""
    if "runtimeValue" in given:
        return str(given["runtimeValue"]["constant"])
    made = given.get("taskOutputArtifact") or given.get("taskOutputParameter")
    if made:
        producer = next(
            one["taskInfo"]["name"]
            for dag in (spec["root"], *spec["components"].values())
            for key, one in dag.get("dag", {}).get("tasks", {}).items()
            if key == made["producerTask"]
        )
        return f"{producer}:{made.get('outputArtifactKey') or made.get('outputParameterKey')}"
    channel = str(given.get("componentInputParameter") or given.get("componentInputArtifact"))
    return channel.removeprefix("pipelinechannel--")


def test_one_pass_hands_one_method_to_every_stage_and_one_adapter_through_them() -> None:
    spec = committed("self_training")
    tasks = tasks_of(spec)
    found = {
        (name, key): source(spec, tasks[name], key)
        for name, key in (
            ("Preference pairs", "labeled"),
            ("SFT", "labeled"),
            ("SFT", "initial"),
            ("DPO", "pairs"),
            ("DPO", "initial"),
            ("Evaluation after", "adapter"),
            ("Promotion", "adapter"),
            ("Promotion", "before"),
            ("Promotion", "after"),
            ("Promotion", "without_tools"),
            ("Promotion", "labeled"),
        )
    }
    assert found == {
        ("Preference pairs", "labeled"): "Error labeling:labeled",
        ("SFT", "labeled"): "Error labeling:labeled",
        ("SFT", "initial"): "",
        ("DPO", "pairs"): "Preference pairs:pairs",
        ("DPO", "initial"): "SFT:adapter",
        ("Evaluation after", "adapter"): "DPO:adapter",
        ("Promotion", "adapter"): "DPO:adapter",
        ("Promotion", "before"): "Evaluation before:evaluation",
        ("Promotion", "after"): "Evaluation after:evaluation",
        ("Promotion", "without_tools"): "Evaluation without tools:evaluation",
        ("Promotion", "labeled"): "Error labeling:labeled",
    }
    for name in ("Preflight", "Trace generation", "Preference pairs", "SFT", "DPO"):
        assert source(spec, tasks[name], "method") == "method", name
    assert source(spec, tasks["Preference pairs"], "kind") == "kind"
    for name in ("Evaluation before", "Evaluation without tools"):
        assert source(spec, tasks[name], "adapter") == ""
    assert source(spec, tasks["Evaluation without tools"], "without_tools") == "True"
    assert source(spec, tasks["Evaluation after"], "without_tools") == ""
    assert source(spec, tasks["Evaluation after"], "title").startswith("after {{$.inputs.parameters[")
    assert source(spec, tasks["Ingest"], "validation") == ""


@pytest.fixture(scope="module", params=["committed", 2])
def rounds(request: pytest.FixtureRequest) -> tuple[dict[str, Any], int]:
    if request.param == "committed":
        return committed("self_training_rounds"), PIPELINES["self_training_rounds"].rounds
    return spec_of(compile_pipeline("self_training_rounds", request.param)), request.param


def test_each_round_goes_on_where_the_one_before_ended(rounds: tuple[dict[str, Any], int]) -> None:
    spec, count = rounds
    tasks = tasks_of(spec)
    root = stage_tasks(spec)
    practices = [root[name] for name in sorted(root) if name.startswith("practice")]
    assert [name for name in tasks if name.endswith("Judgement")] == [
        f"Round {number}: Judgement" for number in range(1, count + 1)
    ]
    for number in range(1, count + 1):
        here = {
            name.partition(": ")[2]: task
            for name, task in tasks.items()
            if name.startswith(f"Round {number}:")
        }
        first, before = number == 1, f"Round {number - 1}: "
        adapter = "" if first else f"{before}Judgement:next_adapter"
        method = "method" if first else f"{before}Judgement:Output"
        assert source(spec, here["SFT"], "initial") == adapter
        assert source(spec, here["DPO"], "initial") == f"Round {number}: SFT:adapter"
        for stage in ("Preference pairs", "SFT", "DPO", "Judgement"):
            assert source(spec, here[stage], "method") == method, stage
        practised = practices[number - 1]
        assert source(spec, practised, "adapter") == adapter
        assert source(spec, practised, "method") == method
        assert source(spec, here["Trace generation"], "method") == "method"
        assert source(spec, here["Trace generation"], "adapter") == ("" if first else "adapter")
        traces = here["Error labeling"]["inputs"]["artifacts"]["traces"]["taskOutputArtifact"]
        assert root[traces["producerTask"]] is practised
        judged = {
            key: source(spec, here["Judgement"], key) for key in here["Judgement"]["inputs"]["artifacts"]
        }
        assert judged == {
            "evaluation": f"Round {number}: Evaluation:evaluation",
            "adapter": f"Round {number}: DPO:adapter",
            "labeled": f"Round {number}: Error labeling:labeled",
            "base": "Evaluation before, on validation:evaluation",
        } | (
            {}
            if first
            else {"earlier": f"{before}Judgement:history"}
            | {f"{name}_so_far": f"{before}Judgement:{name}" for name in KEPT}
        )
        evaluated = here["Evaluation"]
        assert source(spec, evaluated, "adapter") == f"Round {number}: DPO:adapter"
        assert (
            source(spec, evaluated, "title") == source(spec, here["Judgement"], "title") == f"round {number}"
        )
        assert source(spec, here["Judgement"], "noun") == "round"
        assert source(spec, evaluated, "earlier") == ("" if first else f"{before}Judgement:best_evaluation")


def test_validation_chooses_and_held_out_judges_once(rounds: tuple[dict[str, Any], int]) -> None:
    spec, count = rounds
    tasks = tasks_of(spec)
    assert source(spec, tasks["Ingest"], "validation") == "True"
    splits = {
        name: source(spec, task, "split")
        for name, task in tasks.items()
        if "title" in task.get("inputs", {}).get("parameters", {}) and not name.endswith("Judgement")
    }
    choosing = {
        "Evaluation before, on validation",
        *(f"Round {one}: Evaluation" for one in range(1, count + 1)),
    }
    judging = {"Evaluation before", "Evaluation after", "Evaluation without tools"}
    assert set(splits) == choosing | judging
    assert {splits[name] for name in choosing} == {"validation"}
    assert {splits[name] for name in judging} == {""}  # the settings' own, held_out
    promoted = {
        key: source(spec, tasks["Promotion"], key) for key in tasks["Promotion"]["inputs"]["artifacts"]
    }
    assert promoted == {
        "before": "Evaluation before:evaluation",
        "after": "Evaluation after:evaluation",
        "without_tools": "Evaluation without tools:evaluation",
        "adapter": f"Round {count}: Judgement:best",
        "labeled": f"Round {count}: Judgement:best_labeled",
    }
    assert source(spec, tasks["Evaluation after"], "adapter") == f"Round {count}: Judgement:best"


def loop_items(spec: dict[str, Any], inside: str) -> list[dict[str, str]]:
    """The items of the loop over constants that holds the task with this name."""
    for task in stage_tasks(spec).values():
        part = spec["components"][task["componentRef"]["name"]]
        names = {one["taskInfo"]["name"] for one in part.get("dag", {}).get("tasks", {}).values()}
        if inside in names and "raw" in task.get("parameterIterator", {}).get("items", {}):
            found: list[dict[str, str]] = json.loads(task["parameterIterator"]["items"]["raw"])
            return found
    raise AssertionError(f"no loop over constants holds {inside!r}")


def test_the_grids_rows_are_those_of_its_table() -> None:
    spec = committed("self_training_grid")
    prompts, arms = loop_items(spec, "Evaluation of a prompt"), loop_items(spec, "SFT")
    titles = [item["title"] for item in (*prompts, *arms)]
    for preset, variant in (("self-training", "multi_step"), ("demo", "single_step")):
        table = AblationSettings.parse(json.dumps({"preset": preset}))
        assert list(table.rows) == titles
        judged = EvaluationSettings.parse(json.dumps({"preset": preset}))
        (reference,) = [item for item in prompts if item["title"] == table.reference]
        assert json.loads(reference["evaluation"]) == {"variant": variant} == {"variant": judged.variant}
        (unaided,) = [item for item in prompts if item["title"] == table.without_tools]
        assert json.loads(unaided["evaluation"])["variant"] in ("plain", "cot")
    assert [json.loads(item["evaluation"])["variant"] for item in prompts] == [
        "plain",
        "cot",
        "single_step",
        "multi_step",
    ]


def test_the_grids_arms_train_by_one_method_each_and_are_judged_under_what_they_learned() -> None:
    spec = committed("self_training_grid")
    arms = loop_items(spec, "SFT")
    assert [(arm["method"], arm["kind"]) for arm in arms] == [
        ("sft", ""),
        ("sft", ""),
        ("sft", ""),
        ("dpo", "response"),
        ("dpo", "conversation"),
        ("dpo", "masked_conversation"),
    ]
    recipes = [ErrorLabelingSettings.parse("", arm["labeling"]).recipe for arm in arms]
    assert recipes == ["tools", "mixture", "no_tool", "mixture", "mixture", "mixture"]
    prompt = TraceGenerationSettings.parse(json.dumps({"preset": PIPELINES["self_training_grid"].preset}))
    assert prompt.no_tool_samples >= 1
    for arm, recipe in zip(arms, recipes, strict=True):
        expected = {"variant": prompt.no_tool_variant} if recipe == "no_tool" else {}
        assert json.loads(arm["evaluation"]) == expected
    tasks = tasks_of(spec)
    read = {
        (name, key): inputs["parameterExpressionSelector"].split('"')[1]
        for name in ("Error labeling", "Preference pairs", "SFT", "DPO", "Evaluation after training")
        for key, inputs in tasks[name]["inputs"]["parameters"].items()
        if "parameterExpressionSelector" in inputs
    }
    assert read == {
        ("Error labeling", "overrides"): "labeling",
        ("Preference pairs", "method"): "method",
        ("Preference pairs", "kind"): "kind",
        ("SFT", "method"): "method",
        ("DPO", "method"): "method",
        ("Evaluation after training", "title"): "title",
        ("Evaluation after training", "overrides"): "evaluation",
    }
    assert source(spec, tasks["Evaluation after training"], "adapter") == "DPO:adapter"
    gathered = tasks["Table"]["inputs"]["artifacts"]
    assert set(gathered) == {"evaluations", "more_evaluations", "adapters", "more_adapters"}
