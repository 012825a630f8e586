"""The compiled pipelines: as committed, known to the protobufs, with parameters that work at submit."""

from typing import Any

import pytest
import yaml

from components.contracts.errors import InputError
from pipelines.arguments import declared_parameters
from pipelines.compile import PIPELINES, check_committed, compile_pipeline, compiled_path
from pipelines.resources import read_resources
from pipelines.self_training import STAGES
from pipelines.validate import check_compiled

PLACEMENT = {
    "accelerator_type",
    "node_selector",
    "tolerations",
    "store_secret",
    "tools_secret",
    "model_secret",
}


@pytest.fixture(scope="module")
def compiled() -> str:
    return compile_pipeline("self_training")


@pytest.fixture(scope="module")
def executors(compiled: str) -> dict[str, Any]:
    spec, platform = yaml.safe_load_all(compiled)
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {
        name: {"container": executor["container"], "pod": pods[name]}
        for name, executor in spec["deploymentSpec"]["executors"].items()
    }


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


def test_parameters_are_few_described_and_typed_for_submit() -> None:
    declared = declared_parameters("self_training")
    images = {f"{stage}_image" for stage in STAGES}
    accelerators = {name for name in declared if name.endswith("_accelerators")}
    others = set(declared) - images - accelerators - PLACEMENT
    assert images | PLACEMENT <= set(declared)
    assert accelerators == {f"{stage}_accelerators" for stage in ("trace_generation", "sft", "evaluation")}
    assert {f"{stage}_settings" for stage in STAGES} <= others
    assert len(others) <= 15
    assert all(definition["description"] for definition in declared.values())
    kinds = {name: definition["parameterType"] for name, definition in declared.items()}
    assert kinds.pop("node_selector") == "STRUCT"
    assert kinds.pop("tolerations") == "LIST"
    assert set(kinds.values()) == {"STRING"}
    assert [name for name, definition in declared.items() if "defaultValue" not in definition] == [
        "questions"
    ]


def test_no_image_is_latest_or_names_a_registry() -> None:
    declared = declared_parameters("self_training")
    images = [declared[f"{stage}_image"]["defaultValue"] for stage in STAGES]
    for image in images:
        name, _, tag = image.partition(":")
        assert tag not in ("", "latest")
        assert "." not in name.split("/")[0]


def test_every_pod_has_limits_retries_a_deadline_and_its_secrets(executors: dict[str, Any]) -> None:
    assert len(executors) == len(STAGES) + 1  # evaluation runs twice
    for executor in executors.values():
        assert executor["container"]["resources"]["resourceMemoryLimit"]
        assert executor["container"]["image"].startswith("{{$.inputs.parameters['")
        pod = executor["pod"]
        assert int(pod["activeDeadlineSeconds"]) > 0
        assert {secret["optional"] for secret in pod["secretAsEnv"]} == {True}
        assert all("secretName" not in secret for secret in pod["secretAsEnv"])
        assert pod["nodeSelector"]
        assert pod["tolerations"]


def test_retries_back_off(compiled: str) -> None:
    spec = next(iter(yaml.safe_load_all(compiled)))
    dags = [spec["root"], spec["components"]["comp-for-loop-1"]]
    tasks = [task for dag in dags for name, task in dag["dag"]["tasks"].items() if name != "for-loop-1"]
    assert len(tasks) == len(STAGES) + 1
    for task in tasks:
        assert task["retryPolicy"]["maxRetryCount"] >= 1
        assert task["retryPolicy"]["backoffFactor"] > 1
        assert task["taskInfo"]["name"]


def test_resources_cover_every_stage() -> None:
    assert set(read_resources()) == set(STAGES)


def test_unknown_pipeline_is_offered_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'self_training'\?"):
        compiled_path("self_trainin")
