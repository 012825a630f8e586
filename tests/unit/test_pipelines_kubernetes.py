"""Every Kubernetes setting of every stage of every pipeline, as it stands in the committed YAML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from pipelines.catalog import PIPELINES
from pipelines.compile import compile_pipeline
from pipelines.resources import RESOURCES
from tests.compiled_pipelines import documents_of

TABLE: dict[str, dict[str, Any]] = yaml.safe_load(RESOURCES.read_text(encoding="utf-8"))
OF_RUN = TABLE.pop("run")
ACCELERATED = {"trace_generation", "sft", "dpo", "ppo", "mcts", "evaluation", "regression"}
WITHOUT_SECRETS = {"run_report"}
SECRETS = {
    "store_secret": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"},
    "tools_secret": {"WHETSTONE_TOOLS_TOKEN"},
    "model_secret": {"HF_TOKEN", "OPENAI_API_KEY"},
}


@dataclass(frozen=True)
class Executor:
    """One of a pipeline's: its container and its pod, the task that it is of, and the DAGs around, innermost first."""

    pipeline: str
    name: str
    stage: str
    container: dict[str, Any]
    pod: dict[str, Any]
    task: dict[str, Any]
    around: tuple[dict[str, Any], ...]  # the tasks of the DAGs that it lies in

    def parameter(self, given: dict[str, Any]) -> str:
        """The run's parameter that a pod's field gets, followed out of the DAGs."""
        return self._outwards(given["componentInputParameter"])

    def placeholder(self, text: str) -> str:
        """The same for a field that is the text of a placeholder, and nothing else."""
        match = re.fullmatch(r"\{\{\$\.inputs\.parameters\['([\w-]+)'\]\}\}", text)
        assert match, text
        return self._outwards(self.task["inputs"]["parameters"][match[1]]["componentInputParameter"])

    def _outwards(self, name: str) -> str:
        for dag in self.around:
            name = dag["inputs"]["parameters"][name]["componentInputParameter"]
        return name


def walk(pipeline: str, spec: dict[str, Any], platform: dict[str, Any]) -> Iterator[Executor]:
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    containers = spec["deploymentSpec"]["executors"]

    def inside(dag: dict[str, Any], around: tuple[dict[str, Any], ...]) -> Iterator[Executor]:
        for task in dag["tasks"].values():
            component = spec["components"][task["componentRef"]["name"]]
            if "dag" in component:
                yield from inside(component["dag"], (task, *around))
                continue
            name = component["executorLabel"]
            stage = re.sub(r"(-\d+)*$", "", name.removeprefix("exec-")).replace("-", "_")
            yield Executor(pipeline, name, stage, containers[name]["container"], pods[name], task, around)

    yield from inside(spec["root"]["dag"], ())


ON_DEMAND = "self_training with regression"
EXECUTORS = [
    *(executor for pipeline in PIPELINES for executor in walk(pipeline, *documents_of(pipeline))),
    *walk(ON_DEMAND, *yaml.safe_load_all(compile_pipeline("self_training", also=["regression"]))),
]
every_executor = pytest.mark.parametrize(
    "one", EXECUTORS, ids=[f"{executor.pipeline}-{executor.name}" for executor in EXECUTORS]
)


def test_no_pod_is_forgotten() -> None:
    for pipeline in PIPELINES:
        spec, platform = documents_of(pipeline)
        walked = [executor.name for executor in EXECUTORS if executor.pipeline == pipeline]
        assert sorted(walked) == sorted(spec["deploymentSpec"]["executors"])
        assert sorted(walked) == sorted(platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"])
    assert {executor.stage for executor in EXECUTORS} == set(TABLE)


@every_executor
def test_sizes_times_and_retries_are_the_tables(one: Executor) -> None:
    line = TABLE[one.stage]
    resources = one.container["resources"]
    assert resources["resourceCpuRequest"] == line["cpu"]
    assert resources["resourceMemoryRequest"] == line["memory"]
    assert resources["resourceMemoryLimit"] == line["memory"]
    assert one.pod["activeDeadlineSeconds"] == str(line["timeout_seconds"])
    assert one.task["retryPolicy"] == {
        "maxRetryCount": line["retries"],
        "backoffDuration": f"{line['retry_seconds']}s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "600s",
    }
    volumes = {volume["mountPath"]: volume for volume in one.pod["emptyDirMounts"]}
    assert volumes.pop("/tmp") == {
        "mountPath": "/tmp",
        "sizeLimit": line["disk"],
        "volumeName": "scratch",
    }
    shared = volumes.pop("/dev/shm", None)
    if "shared_memory" in line:
        assert shared is not None
        assert (shared["medium"], shared["sizeLimit"]) == ("Memory", line["shared_memory"])
    else:
        assert shared is None
    assert not volumes


@every_executor
def test_placement_and_secrets_are_parameters_of_the_run(one: Executor) -> None:
    assert one.placeholder(one.container["image"]) == f"{one.stage}_image"
    assert one.parameter(one.pod["nodeSelector"]["nodeSelectorJson"]) == "node_selector"
    (toleration,) = one.pod["tolerations"]
    assert one.parameter(toleration["tolerationJson"]) == "tolerations"
    (pull,) = one.pod["imagePullSecret"]
    assert one.parameter(pull["secretNameParameter"]) == "registry_secret"
    read = {
        one.parameter(secret["secretNameParameter"]): {key["envVar"] for key in secret["keyToEnv"]}
        for secret in one.pod.get("secretAsEnv", ())
    }
    assert read == ({} if one.stage in WITHOUT_SECRETS else SECRETS)
    for secret in one.pod.get("secretAsEnv", ()):
        assert secret["optional"] is True
        assert "secretName" not in secret
        assert all(key["envVar"] == key["secretKey"] for key in secret["keyToEnv"])
    accelerator = one.container["resources"].get("accelerator")
    if one.stage in ACCELERATED:
        assert one.placeholder(accelerator["resourceType"]) == "accelerator_type"
        assert one.placeholder(accelerator["resourceCount"]) == f"{one.stage}_accelerators"
    else:
        assert accelerator is None


@every_executor
def test_pods_are_labeled_and_restricted(one: Executor) -> None:
    assert one.pod["podMetadata"]["labels"] == {
        "app.kubernetes.io/name": one.stage,
        "app.kubernetes.io/component": "stage",
        "app.kubernetes.io/part-of": "whetstone",
    }
    assert one.pod["securityContext"] == {"runAsNonRoot": True}
    assert one.pod["imagePullPolicy"] == OF_RUN["image_pull_policy"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_cluster_ends_and_forgets_runs(pipeline: str) -> None:
    _, platform = documents_of(pipeline)
    assert platform["platforms"]["kubernetes"]["pipelineConfig"] == {
        "resourceTtlOnSuccess": OF_RUN["keep_succeeded_seconds"],
        "resourceTtlOnFailure": OF_RUN["keep_failed_seconds"],
        "activeDeadlineSeconds": OF_RUN["deadline_seconds"],
    }


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_report_comes_after_all_stages_whatever_became_of_them(pipeline: str) -> None:
    spec, _ = documents_of(pipeline)
    root = dict(spec["root"]["dag"]["tasks"])
    report = root.pop("run-report")
    ((name, stages),) = root.items()
    assert stages["taskInfo"]["name"] == "Stages"
    assert report["dependentTasks"] == [name]
    assert report["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert report["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": name}}
    assert report["inputs"].get("artifacts", {}) == {}
    assert not report["cachingOptions"]
    told = {"questions", "base_model", "tools_url", "artifact_store", "checkpoint_root"}
    told |= {"method", "kind", "publish_to"} & set(spec["root"]["inputDefinitions"]["parameters"])
    handed = {
        key
        for key, given in report["inputs"]["parameters"].items()
        if given == {"componentInputParameter": key}
    }
    assert handed == told


def test_what_is_compiled_for_other_rounds_or_parts_reports_too() -> None:
    for pipeline, rounds, without in (("self_training_rounds", 1, ()), ("whetstone", 2, ("ppo",))):
        spec, platform = yaml.safe_load_all(compile_pipeline(pipeline, rounds, without=without))
        assert "run-report" in spec["root"]["dag"]["tasks"]
        assert platform["platforms"]["kubernetes"]["pipelineConfig"]
