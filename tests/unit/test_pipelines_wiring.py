"""How the compiled pipelines of TL-Training hang together: the arms, what feeds what, what is gathered."""

import importlib
import json
import re
from typing import Any

import pytest
import yaml

from components.ablation.settings import AblationSettings
from components.contracts.errors import InputError
from components.error_labeling.settings import ErrorLabelingSettings
from components.sft.settings import SFTSettings
from pipelines.arguments import parameters_of_form
from pipelines.catalog import PIPELINES
from pipelines.compile import compile_pipeline
from pipelines.local.spec import has_arms, task_names
from tests.compiled_pipelines import spec_of, stage_tasks


def arms_of(spec: dict[str, Any]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The items of the ablation's loop, and the tasks inside by display name."""
    (loop,) = [
        task
        for task in stage_tasks(spec).values()
        if "raw" in task.get("parameterIterator", {}).get("items", {})
    ]
    inside = spec["components"][loop["componentRef"]["name"]]["dag"]["tasks"].values()
    return json.loads(loop["parameterIterator"]["items"]["raw"]), {
        task["taskInfo"]["name"]: task for task in inside
    }


def test_the_arms_are_the_papers_eight_rows() -> None:
    items, tasks = arms_of(spec_of("tl_ablation"))
    titles = {item[key] for item in items for key in ("title", "title_with_ppo")}
    assert titles == set(AblationSettings().rows)
    for item in items:
        masks = json.loads(item["error_labeling"]) == {"mask_errors": True}
        weighs = json.loads(item["sft"]) == {"key_tokens": "first_divergence"}
        parts = [part for part, there in (("MAE", masks), ("PKT", weighs)) if there]
        assert item["title"] == (" & ".join(parts) or "none")
        assert item["title_with_ppo"] == ("All" if len(parts) == 2 else " & ".join([*parts, "IRM"]))
        assert ErrorLabelingSettings.parse("{}", item["error_labeling"]).mask_errors is masks
        assert (SFTSettings.parse('{"preset":"tl-training"}', item["sft"]).key_tokens != "none") is weighs
    read = {
        (name, key): inputs["parameterExpressionSelector"]
        for name, task in tasks.items()
        for key, inputs in task["inputs"]["parameters"].items()
        if "parameterExpressionSelector" in inputs
    }
    assert read == {
        ("Error labeling", "overrides"): 'parseJson(string_value)["error_labeling"]',
        ("SFT", "overrides"): 'parseJson(string_value)["sft"]',
        ("Evaluation after SFT", "title"): 'parseJson(string_value)["title"]',
        ("Evaluation after PPO", "title"): 'parseJson(string_value)["title_with_ppo"]',
    }


def test_every_arm_goes_from_labels_to_two_evaluations_and_all_are_gathered() -> None:
    spec = spec_of("tl_ablation")
    _, tasks = arms_of(spec)
    sources = {
        (name, key): given["taskOutputArtifact"]["producerTask"]
        for name, task in tasks.items()
        for key, given in task["inputs"]["artifacts"].items()
        if "taskOutputArtifact" in given
    }
    assert sources == {
        ("SFT", "labeled"): "error-labeling",
        ("PPO", "labeled"): "error-labeling",
        ("PPO", "initial"): "sft",
        ("Evaluation after SFT", "adapter"): "sft",
        ("Evaluation after PPO", "adapter"): "ppo",
    }
    gathered = stage_tasks(spec)["ablation"]["inputs"]["artifacts"]
    assert set(gathered) == {"base", "evaluations", "more_evaluations", "adapters", "more_adapters"}
    loops = {
        given["taskOutputArtifact"]["producerTask"] for name, given in gathered.items() if name != "base"
    }
    assert len(loops) == 1
    assert gathered["base"]["taskOutputArtifact"]["producerTask"] == "evaluation"


def test_tl_training_judges_three_policies_and_publishes_the_last() -> None:
    tasks = stage_tasks(spec_of("tl_training"))
    titles = {
        name: task["inputs"]["parameters"]["title"]["runtimeValue"]["constant"]
        for name, task in tasks.items()
        if name.startswith("evaluation")
    }
    assert titles == {
        "evaluation": "base model",
        "evaluation-2": "after SFT",
        "evaluation-3": "after PPO",
    }
    promoted = {
        key: given["taskOutputArtifact"]["producerTask"]
        for key, given in tasks["promotion"]["inputs"]["artifacts"].items()
    }
    assert promoted == {
        "before": "evaluation",
        "between": "evaluation-2",
        "after": "evaluation-3",
        "adapter": "ppo",
        "labeled": "error-labeling",
    }
    assert tasks["ppo"]["inputs"]["artifacts"]["initial"]["taskOutputArtifact"]["producerTask"] == "sft"


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_preflight_sees_the_settings_of_every_stage(pipeline: str) -> None:
    given = stage_tasks(spec_of(pipeline))["preflight"]["inputs"]["parameters"]
    assert {
        f"{stage}_settings"
        for stage in importlib.import_module(f"pipelines.{pipeline}").STAGES
        if stage != "preflight"
    } == {name for name in given if name.endswith("_settings")}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_user_trajectories_are_labeled(pipeline: str) -> None:
    spec = spec_of(pipeline)
    dags = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
    labelings = [
        task
        for dag in dags
        for name, task in dag["dag"]["tasks"].items()
        if re.fullmatch(r"error-labeling(-\d+)?", name)
    ]
    assert len(labelings) == (3 if pipeline == "self_training_rounds" else 1)
    for labeling in labelings:
        assert {"traces", "trajectories", "question_set"} == set(labeling["inputs"]["artifacts"])


def test_the_tables_alone_work_on_whole_arms_side_by_side() -> None:
    with_arms = [pipeline for pipeline in PIPELINES if has_arms(spec_of(pipeline))]
    assert with_arms == ["self_training_grid", "tl_ablation", "itool_ablation"]
    assert {"Table", "Trace generation", "Evaluation of the base model"} <= set(
        task_names(spec_of("tl_ablation")).values()
    )


def producers(task: dict[str, Any]) -> dict[str, str]:
    """Input -> `task.output` that it comes from; what the judge hands to itself is left out."""
    given = task.get("inputs", {}).get("artifacts", {})
    return {
        name: f"{source['producerTask']}.{source['outputArtifactKey']}"
        for name, one in given.items()
        if (source := one.get("taskOutputArtifact")) and not name.endswith("_so_far")
    }


def named_tasks(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["taskInfo"]["name"]: task for task in stage_tasks(spec).values()}


def constant(task: dict[str, Any], name: str) -> Any:
    given = task["inputs"]["parameters"].get(name, {})
    return given.get("runtimeValue", {}).get("constant")


@pytest.mark.parametrize(("pipeline", "count"), [("itool", 3), ("whetstone", 1)])
def test_each_iteration_begins_with_the_policy_of_the_one_before(pipeline: str, count: int) -> None:
    tasks = named_tasks(spec_of(pipeline))
    before = "Warm-up: Judgement" if pipeline == "itool" else "Before search: Judgement"
    assert producers(tasks[before])["adapter"] == ("sft.adapter" if pipeline == "itool" else "ppo.adapter")
    for number in range(1, count + 1):
        place = f"-{number}" if number > 1 else ""
        judged = f"rounds{place}"
        search, tuning = tasks[f"Iteration {number}: Search"], tasks[f"Iteration {number}: DPO"]
        assert producers(search)["adapter"] == f"{judged}.next_adapter"
        assert producers(tuning) == {"initial": f"{judged}.next_adapter", "pairs": f"mcts{place}.pairs"}
        for task in (search, tuning):  # once an iteration hurt, nothing is trained any more
            assert task["inputs"]["parameters"]["method"]["taskOutputParameter"]["producerTask"] == judged
        judgement = producers(tasks[f"Iteration {number}: Judgement"])
        assert judgement["adapter"] == f"dpo{place}.adapter"
        assert judgement["earlier"] == f"{judged}.history"
        told = tasks[f"Iteration {number}: Judgement"]
        assert (constant(told, "title"), constant(told, "noun")) == (f"iteration {number}", "iteration")
    assert f"Iteration {count + 1}: DPO" not in tasks
    promoted = producers(tasks["Promotion"])
    assert promoted["adapter"] == f"rounds-{count + 1}.best"
    assert promoted["adapter"] == producers(tasks["Evaluation after"])["adapter"]


@pytest.mark.parametrize("pipeline", ["itool", "whetstone"])
def test_validation_chooses_and_held_out_judges(pipeline: str) -> None:
    tasks = stage_tasks(spec_of(pipeline))
    on_validation = {name for name, task in tasks.items() if constant(task, "split") == "validation"}
    others = {name for name in tasks if name.startswith("evaluation")} - on_validation
    assert on_validation
    assert others
    for name, task in tasks.items():
        read = {source.partition(".")[0] for source in producers(task).values()}
        if name.startswith("rounds"):
            assert not read & others
        elif not name.startswith("evaluation"):
            assert not read & on_validation
    assert constant(tasks["ingest"], "validation") is True


def test_the_table_of_itool_has_the_control_and_every_iteration() -> None:
    tasks = named_tasks(spec_of("itool"))
    rows = json.loads(constant(tasks["Table"], "overrides"))["rows"]
    assert rows == list(AblationSettings.parse('{"preset":"itool"}').rows)
    assert json.loads(constant(tasks["Mixed SFT"], "overrides")) == {"curriculum": "mixed"}
    for title in rows:
        assert constant(tasks[f"Evaluation of {title}"], "title") == title
    gathered = producers(tasks["Table"])
    assert len([name for name in gathered if name.startswith("evaluation_")]) == len(rows)
    assert [gathered[f"adapter_{place}"] for place in range(1, 6)] == [
        "sft.adapter",
        "sft-2.adapter",
        "dpo.adapter",
        "dpo-2.adapter",
        "dpo-3.adapter",
    ]


@pytest.mark.parametrize(
    ("without", "gone", "promoted"),
    [
        (["sft"], {"sft"}, "rounds-2.best"),
        (["ppo"], {"ppo"}, "rounds-2.best"),
        (["sft", "ppo"], {"sft", "ppo", "rounds-2", "evaluation-5", "evaluation-6"}, "rounds.best"),
        (
            ["dpo"],
            {
                "preflight-2",  # of what there is to search
                "mcts",
                "dpo",
                "rounds",
                "rounds-2",
                "evaluation-3",
                "evaluation-4",
                "evaluation-5",
                "evaluation-6",
            },
            "ppo.adapter",
        ),
        (
            ["ppo", "mcts"],
            {"ppo", "preflight-2", "mcts", "dpo", "rounds", "rounds-2"}
            | {f"evaluation-{number}" for number in (3, 4, 5, 6)},
            "sft.adapter",
        ),
    ],
)
def test_what_is_left_out_when_compiling_is_gone_and_nothing_else(
    without: list[str], gone: set[str], promoted: str
) -> None:
    whole = spec_of("whetstone")
    spec: dict[str, Any] = next(iter(yaml.safe_load_all(compile_pipeline("whetstone", without=without))))
    tasks = stage_tasks(spec)
    assert set(stage_tasks(whole)) - set(tasks) == gone
    assert producers(tasks["promotion"])["adapter"] == promoted
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    stages = {stage for part in without for stage in PIPELINES["whetstone"].parts[part]}
    assert set(parameters) == set(parameters_of_form("whetstone", without))
    assert not [name for name in parameters if name.removesuffix("_settings") in stages]
    assert not set(parameters["method"]["defaultValue"].split(",")) & stages


def test_without_any_training_there_is_nothing_to_compile() -> None:
    with pytest.raises(InputError, match=r"^without: no training is left"):
        compile_pipeline("whetstone", without=["sft", "ppo", "mcts"])


@pytest.mark.parametrize("pipeline", [name for name, facts in PIPELINES.items() if facts.on_demand])
def test_regression_is_there_on_demand_before_and_after_and_nothing_else_changes(pipeline: str) -> None:
    committed = stage_tasks(spec_of(pipeline))
    spec: dict[str, Any] = next(iter(yaml.safe_load_all(compile_pipeline(pipeline, also=["regression"]))))
    tasks = stage_tasks(spec)
    assert set(tasks) - set(committed) == {"regression", "regression-2"}
    told, before = producers(tasks["promotion"]), producers(committed["promotion"])
    assert told == before | {
        "regression_before": "regression.evaluation",
        "regression_after": "regression-2.evaluation",
    }
    assert producers(tasks["regression"]) == {}
    assert producers(tasks["regression-2"]) == {"adapter": told["adapter"]}
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    own = {"regression_settings", "regression_image", "regression_accelerators"}
    assert set(parameters) - set(spec_of(pipeline)["root"]["inputDefinitions"]["parameters"]) == own
    assert parameters == parameters_of_form(pipeline, also=["regression"])
