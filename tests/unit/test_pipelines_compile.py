"""The compiled pipelines: as committed, known to the protobufs, with parameters that work at submit."""

import importlib
import json
from typing import Any

import pytest

from components.contracts.errors import InputError
from pipelines.arguments import declared_parameters, settings_class
from pipelines.catalog import PIPELINES
from pipelines.compile import check_committed, compile_pipeline, compiled_path
from pipelines.resources import read_resources
from pipelines.spec.validate import check_compiled
from tests.compiled_pipelines import spec_of, stage_tasks

PLACEMENT = {
    "accelerator_type",
    "node_selector",
    "tolerations",
    "store_secret",
    "tools_secret",
    "model_secret",
    "registry_secret",
}


# Containers beyond one a stage and the run's report: evaluations, and in rounds each stage of a round again.
MORE = {
    "self_training": 2,
    "self_training_rounds": 3 + 3 + 2 * 6,
    "self_training_grid": 1,
    "tl_training": 2,
    "tl_ablation": 2,
    # Beyond one of each stage: a second preflight and SFT, three judgements, two searches and DPOs, eleven evaluations.
    "itool": 2 + 3 + 2 * 2 + 11,
    # Beyond one of each stage: a second preflight and SFT, four searches and DPOs, seven evaluations.
    "itool_ablation": 2 + 2 * 4 + 7,
    "whetstone": 2 + 5,
}
GPU_STAGES = {"trace_generation", "sft", "dpo", "ppo", "mcts", "evaluation"}


# Those of the last stage, which has no settings; an ablation publishes nothing.
PUBLISHING = {name for name in MORE if not name.endswith(("_grid", "_ablation"))}


def stages_of(pipeline: str) -> tuple[str, ...]:
    stages: tuple[str, ...] = importlib.import_module(f"pipelines.{pipeline}").STAGES
    return stages


@pytest.fixture(scope="module")
def compiled() -> str:
    return compile_pipeline("self_training")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_committed_yaml_is_what_the_source_compiles_to(pipeline: str) -> None:
    check_committed(pipeline)


def test_difference_from_the_committed_file_names_the_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, compiled: str
) -> None:
    monkeypatch.setattr("pipelines.compile.COMPILED", tmp_path)
    lines = compiled.split("\n")
    lines[6] += " "
    (tmp_path / "self_training.yaml").write_text("\n".join(lines), encoding="ascii")
    with pytest.raises(InputError, match=r"self_training\.yaml:7: differs .* run `whetstone compile`"):
        check_committed("self_training")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("retryPolicy", "retryPolcy", "retryPolcy"),
        ("activeDeadlineSeconds", "activeDeadlineSecond", "activeDeadlineSecond"),
        ("resourceMemoryLimit", "resourceMemoryLimits", "resourceMemoryLimits"),
        ("resourceCount", "resourceCounts", "resourceCounts"),
        ("secretNameParameter", "secretNameParam", "secretNameParam"),
        ("Pipeline", "Pip\u00e9line", "ASCII"),
        (
            "componentInputParameter: pipelinechannel--tolerations",
            "componentInputParameter: nobody",
            "'nobody'",
        ),
        (
            "        pipelinechannel--trace_generation_accelerators:\n          parameterType: STRING\n",
            "",
            "trace_generation_accelerators",
        ),
        ("description: Kubernetes resource name of the accelerators.", "description: ''", "accelerator_type"),
    ],
)
def test_strict_check_refuses(compiled: str, old: str, new: str, said: str) -> None:
    text = compiled if old == "Pipeline" else compiled.replace(old, new)
    if old == "Pipeline":
        text += f"# {new}\n"
    assert text != compiled
    with pytest.raises(InputError, match=said):
        check_compiled(text)


def test_strict_check_refuses_a_loop_that_would_be_misread_here(compiled: str) -> None:
    name, input_of = " " * 14 + "pipelinechannel--base_model:\n", " " * 16
    given = f"{name}{input_of}componentInputParameter: pipelinechannel--base_model\n"
    made = (
        f"{name}{input_of}taskOutputParameter:\n"
        f"{input_of}  outputParameterKey: Output\n{input_of}  producerTask: ingest\n"
    )
    assert compiled.count(given) == 1  # into the loop of trace generation
    with pytest.raises(InputError, match=r"a loop that kfp\.local would give its item for .*base_model"):
        check_compiled(compiled.replace(given, made))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_parameters_are_few_described_and_typed_for_submit(pipeline: str) -> None:
    declared = declared_parameters(pipeline)
    stages = stages_of(pipeline)
    images = {f"{stage}_image" for stage in stages}
    images |= {"publication_image"} if pipeline in PUBLISHING else set()
    images.add("run_report_image")
    accelerators = {name for name in declared if name.endswith("_accelerators")}
    others = set(declared) - images - accelerators - PLACEMENT
    assert images | PLACEMENT <= set(declared)
    assert accelerators == {f"{stage}_accelerators" for stage in GPU_STAGES & set(stages)}
    assert {f"{stage}_settings" for stage in stages} <= others
    assert len(others) <= 19
    assert all(definition["description"] for definition in declared.values())
    kinds = {name: definition["parameterType"] for name, definition in declared.items()}
    assert kinds.pop("node_selector") == "STRUCT"
    assert kinds.pop("tolerations") == "LIST"
    assert set(kinds.values()) == {"STRING"}
    assert [name for name, definition in declared.items() if "defaultValue" not in definition] == [
        "questions"
    ]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_settings_that_hold_when_none_are_given_parse(pipeline: str) -> None:
    declared = declared_parameters(pipeline)
    for stage in stages_of(pipeline):
        cls, text = settings_class(stage), declared[f"{stage}_settings"]["defaultValue"]
        preset = PIPELINES[pipeline].preset
        assert cls.parse(text) == cls.parse(json.dumps({"preset": preset}) if preset in cls.presets else "")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_image_is_latest_or_names_a_registry(pipeline: str) -> None:
    declared = declared_parameters(pipeline)
    images = [declared[f"{stage}_image"]["defaultValue"] for stage in stages_of(pipeline)]
    for image in images:
        name, _, tag = image.partition(":")
        assert tag not in ("", "latest")
        assert "." not in name.split("/")[0]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_there_is_one_container_a_task(pipeline: str) -> None:
    executors = spec_of(pipeline)["deploymentSpec"]["executors"]
    assert len(executors) == len(stages_of(pipeline)) + (pipeline in PUBLISHING) + 1 + MORE[pipeline]


def test_resources_cover_every_stage() -> None:
    stages = {stage for pipeline in PIPELINES for stage in stages_of(pipeline)}
    on_demand = {stage for facts in PIPELINES.values() for stage in facts.on_demand}
    assert set(read_resources()) == {*stages, *on_demand, "publication", "run_report"}


@pytest.mark.parametrize("pipeline", sorted(PUBLISHING))
def test_only_what_is_promoted_is_published(pipeline: str) -> None:
    spec = spec_of(pipeline)
    conditions = {name: task for name, task in stage_tasks(spec).items() if "triggerPolicy" in task}
    (task,) = conditions.values()
    given = "inputs.parameter_values['pipelinechannel--promotion-Output']"
    assert task["triggerPolicy"]["condition"] == f"{given} == 'promoted'"
    assert "promotion" in task["dependentTasks"]
    inside = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
    assert list(inside) == ["publication"]
    decided = stage_tasks(spec)["promotion"]["inputs"]["artifacts"]["adapter"]
    published = inside["publication"]["inputs"]["artifacts"]["adapter"]["componentInputArtifact"]
    assert task["inputs"]["artifacts"][published] == decided  # the very adapter that was decided on
    assert not inside["publication"].get("cachingOptions")


def test_unknown_pipeline_is_offered_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'self_training'\?"):
        compiled_path("self_trainin")
