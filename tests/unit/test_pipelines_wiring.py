"""How the compiled pipelines of TL-Training hang together: the arms, what feeds what, what is gathered."""

import importlib
import json
import re
from typing import Any

import pytest
import yaml

from components.ablation.settings import AblationSettings
from components.error_labeling.settings import ErrorLabelingSettings
from components.sft.settings import SFTSettings
from pipelines.catalog import PIPELINES
from pipelines.compile import compiled_path
from pipelines.local_run import has_arms, task_names


def spec_of(pipeline: str) -> dict[str, Any]:
    with compiled_path(pipeline).open(encoding="ascii") as file:
        spec: dict[str, Any] = next(iter(yaml.safe_load_all(file)))
    return spec


def arms_of(spec: dict[str, Any]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The items of the ablation's loop, and the tasks inside by display name."""
    (loop,) = [
        task
        for task in spec["root"]["dag"]["tasks"].values()
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
    gathered = spec["root"]["dag"]["tasks"]["ablation"]["inputs"]["artifacts"]
    assert set(gathered) == {"base", "evaluations", "more_evaluations", "adapters", "more_adapters"}
    loops = {
        given["taskOutputArtifact"]["producerTask"] for name, given in gathered.items() if name != "base"
    }
    assert len(loops) == 1
    assert gathered["base"]["taskOutputArtifact"]["producerTask"] == "evaluation"


def test_tl_training_judges_three_policies_and_publishes_the_last() -> None:
    tasks = spec_of("tl_training")["root"]["dag"]["tasks"]
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
    given = spec_of(pipeline)["root"]["dag"]["tasks"]["preflight"]["inputs"]["parameters"]
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
        assert {"traces", "trajectories"} == set(labeling["inputs"]["artifacts"])


def test_the_tables_alone_work_on_whole_arms_side_by_side() -> None:
    with_arms = [pipeline for pipeline in PIPELINES if has_arms(spec_of(pipeline))]
    assert with_arms == ["self_training_grid", "tl_ablation"]
    assert {"Table", "Trace generation", "Evaluation of the base model"} <= set(
        task_names(spec_of("tl_ablation")).values()
    )
