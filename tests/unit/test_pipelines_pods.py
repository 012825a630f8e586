"""The pods of a run before it is submitted: placeholders resolved as the driver would, and what a replaced image changes."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml

from components.contracts.errors import InputError
from components.contracts.images import image
from pipelines.catalog import PIPELINES
from pipelines.compile import compiled_path
from pipelines.spec.pods import Pod, SecretKeys, Volume, resolved_pods
from tests.dag_edges import descendants, flow

RUN = {"questions": "s3://bucket/questions.jsonl"}
HERE = "{{$.inputs.parameters['%s']}}"


@cache
def package(pipeline: str) -> str:
    return compiled_path(pipeline).read_text(encoding="utf-8")


def pods_of(pipeline: str, **parameters: Any) -> tuple[Pod, ...]:
    return resolved_pods(package(pipeline), {**RUN, **parameters})


def pod_of(pipeline: str, stage: str, **parameters: Any) -> Pod:
    return next(pod for pod in pods_of(pipeline, **parameters) if pod.stage == stage)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_executor_task_is_a_pod_with_its_stages_image_and_nothing_left_to_fill_in(
    pipeline: str,
) -> None:
    functions = flow(package(pipeline))[1]
    pods = pods_of(pipeline)
    assert {pod.path: pod.stage for pod in pods} == functions
    for pod in pods:
        assert pod.image == image(pod.stage)
        assert pod.command[:2] == ("sh", "-ec")
        assert pod.command[-4:] == ("--executor_input", "{{$}}", "--function_to_execute", pod.stage)
        shown = repr(replace(pod, command=()))
        assert "{{" not in shown
        assert pod.cpu
        assert pod.memory == pod.memory_limit != ""
        assert pod.timeout_seconds
        assert pod.retry_seconds > 0


@pytest.mark.parametrize(
    ("pipeline", "stage"),
    [
        (pipeline, stage)
        for pipeline in PIPELINES
        for stage in sorted(set(flow(compiled_path(pipeline).read_text(encoding="utf-8"))[1].values()))
    ],
)
def test_an_image_at_submit_replaces_that_stages_image_and_nothing_else(pipeline: str, stage: str) -> None:
    """In all tasks of the stage, in loops and nested pipelines too."""
    other = "registry.example/own/image@sha256:0123"
    changed = pods_of(pipeline, **{f"{stage}_image": other})
    assert changed == tuple(
        replace(pod, image=other) if pod.stage == stage else pod for pod in pods_of(pipeline)
    )
    assert any(pod.image == other for pod in changed)


def test_a_runs_placement_reaches_every_pod() -> None:
    """The run's report alone reads no secret."""
    tolerations = [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    given = {"node_selector": {"pool": "large"}, "tolerations": tolerations, "store_secret": "theirs"}
    for pod in pods_of("whetstone", **given):
        assert pod.node_selector == {"pool": "large"}
        assert pod.tolerations == tuple(tolerations)
        named = {secret.name for secret in pod.secrets}
        assert named == (
            {"theirs", "whetstone-tools", "whetstone-model"} if pod.stage != "run_report" else set()
        )


def test_accelerators_are_those_of_their_stage() -> None:
    pods = pods_of("self_training", sft_accelerators="4", accelerator_type="amd.com/gpu")
    asked = {pod.stage: (pod.accelerator_type, pod.accelerators) for pod in pods if pod.accelerators}
    assert asked.pop("sft") == ("amd.com/gpu", "4")
    assert set(asked) >= {"trace_generation", "evaluation", "dpo"}
    assert set(asked.values()) == {("amd.com/gpu", "0")}


def test_the_pod_of_sft() -> None:
    pod = pod_of("self_training", "sft")
    assert (pod.path[-1], pod.display_name, pod.cached) == ("sft", "SFT", True)
    assert Volume("shared-memory", "/dev/shm", "16Gi", "Memory") in pod.volumes
    tools = SecretKeys("whetstone-tools", {"WHETSTONE_TOOLS_TOKEN": "WHETSTONE_TOOLS_TOKEN"}, optional=True)
    assert tools in pod.secrets


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_pods_come_in_an_order_in_which_they_can_run(pipeline: str) -> None:
    """Whatever flows into a pod is made by one before it; the report on the run is the last."""
    graph, _ = flow(package(pipeline))
    place = {pod.path: number for number, pod in enumerate(pods_of(pipeline))}
    for path, number in place.items():
        assert all(place[after] > number for after in descendants(graph, {path})), path
    assert max(place, key=lambda path: place[path]) == ("run-report",)


def test_loops_and_conditions_are_shown() -> None:
    shard = pod_of("self_training", "trace_generation")
    assert shard.loops == ("<exit-handler-1/ingest.Output>",)
    assert "== 'promoted'" in pod_of("self_training", "publication").conditions[-1]
    assert pod_of("self_training", "sft").loops == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sft_imge": "x"}, r"parameter sft_imge: the pipeline has none of that name.*sft_image"),
        ({"node_selector": "large"}, r"node selector: expected a JSON object of labels, got large"),
        ({"tolerations": ["gpu"]}, r"tolerations: expected JSON objects, got gpu"),
        ({"store_secret": ""}, r"name of a secret must be a text that is not empty"),
    ],
)
def test_what_no_pod_can_be_made_of_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pods_of("self_training", **given)


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(InputError, match="parameter questions: not given, and it has no default"):
        resolved_pods(package("self_training"), {})


def small_package(container: dict[str, Any], kubernetes: dict[str, Any] | None = None) -> str:
    """A pipeline of two tasks; the second has this container, and every kind of parameter."""
    texts = {name: {"parameterType": "STRING", "isOptional": True} for name in ("name", "count", "absent")}
    texts["name"]["defaultValue"] = "theirs"
    channels = {
        "name": {"componentInputParameter": "name"},
        "count": {"componentInputParameter": "count"},
        "made": {"taskOutputParameter": {"producerTask": "first", "outputParameterKey": "Output"}},
        "constant": {"runtimeValue": {"constant": 3}},
        "absent": {"componentInputParameter": "absent"},
    }
    tasks = {
        "first": {"componentRef": {"name": "comp-first"}},
        "second": {"componentRef": {"name": "comp-second"}, "inputs": {"parameters": channels}},
    }
    spec = {
        "pipelineInfo": {"name": "small"},
        "root": {"inputDefinitions": {"parameters": texts}, "dag": {"tasks": tasks}},
        "components": {
            name: {"executorLabel": name.replace("comp", "exec")} for name in ("comp-first", "comp-second")
        },
        "deploymentSpec": {
            "executors": {
                "exec-first": {"container": {"image": "a"}},
                "exec-second": {"container": container},
            }
        },
    }
    platform = {"deploymentSpec": {"executors": {"exec-second": kubernetes or {}}}}
    return yaml.safe_dump_all([spec, {"platforms": {"kubernetes": platform}}])


def second(container: dict[str, Any], kubernetes: dict[str, Any] | None = None, **given: Any) -> Pod:
    return resolved_pods(small_package({"image": "a", **container}, kubernetes), given)[1]


@pytest.mark.parametrize(
    ("image_text", "resolved"),
    [
        ("registry/own:1", "registry/own:1"),
        (HERE % "name", "theirs"),
        (f"registry/{HERE % 'name'}:1", "theirs"),  # the whole of it is replaced
        (HERE % "made", "<first.Output>"),
        (HERE % "constant", ""),  # not a text: nothing is left of it
    ],
)
def test_an_image_with_a_placeholder_is_that_parameter_as_a_whole(image_text: str, resolved: str) -> None:
    assert second({"image": image_text}).image == resolved


def test_a_count_of_accelerators_that_is_no_text_is_dropped_as_on_the_cluster() -> None:
    asked = {"accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": HERE % "count"}}
    assert second({"resources": asked}, count="2").accelerators == "2"
    dropped = second({"resources": asked}, count=2)
    assert (dropped.accelerator_type, dropped.accelerators) == ("", "")


def test_arguments_have_their_placeholders_replaced_in_place() -> None:
    arguments = [
        f"--of={HERE % 'name'}!",
        HERE % "constant",
        "{{$.outputs.parameters['x'].output_file}}",
        "{{$}}",
    ]
    assert second({"command": ["sh"], "args": arguments}).command == (
        "sh",
        "--of=theirs!",
        "3",
        *arguments[2:],
    )


def test_a_placeholder_for_what_a_task_is_not_given_is_an_error() -> None:
    with pytest.raises(InputError, match="task second: reads 'absent', which it is not given"):
        second({"image": HERE % "absent"})


def test_tolerations_may_be_one_or_several_or_written_out() -> None:
    one, other = {"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}
    constant = [
        {"tolerationJson": {"runtimeValue": {"constant": value}}} for value in (one, [other, {}], {}, [])
    ]
    assert second({}, {"tolerations": [*constant, {"key": "c"}]}).tolerations == (one, other, {"key": "c"})


def test_other_settings_of_a_pod() -> None:
    pod = second(
        {"env": [{"name": "A", "value": "1"}]},
        {
            "podMetadata": {"labels": {"stage": "second"}},
            "imagePullPolicy": "Always",
            "imagePullSecret": [{"secretNameParameter": {"componentInputParameter": "name"}}],
            "securityContext": {"runAsNonRoot": True},
            "nodeSelector": {"labels": {"pool": "small"}},
            "secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "V"}]}],
        },
    )
    assert pod.labels == {"stage": "second"}
    assert (pod.image_pull_policy, pod.image_pull_secrets) == ("Always", ("theirs",))
    assert pod.security_context == {"runAsNonRoot": True}
    assert pod.node_selector == {"pool": "small"}
    assert pod.secrets == (SecretKeys("s", {"V": "k"}),)
    assert pod.environment == {"A": "1"}
    assert (pod.name, pod.timeout_seconds, pod.retries, pod.cached) == ("second", None, 0, False)
