"""What a stage's pod gets: read from `resources.yaml`, put on the task when a pipeline is compiled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from kfp import kubernetes
from kfp.dsl import PipelineConfig, PipelineTask
from pydantic import BaseModel, ConfigDict

RESOURCES = Path(__file__).with_name("resources.yaml")
RUN = "run"  # its line that is about no stage

STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
TOOLS_KEYS = ("WHETSTONE_TOOLS_TOKEN",)
MODEL_KEYS = ("HF_TOKEN", "OPENAI_API_KEY")


# NetworkPolicies and people find a stage's pods by them; the stage's own name comes with them.
LABELS = {"app.kubernetes.io/part-of": "whetstone", "app.kubernetes.io/component": "stage"}
NAME_LABEL = "app.kubernetes.io/name"


class RunResources(BaseModel):
    """The line `run` of `resources.yaml`: what holds for a run and all of its pods; times are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_succeeded_seconds: int
    keep_failed_seconds: int
    deadline_seconds: int
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"]


class StageResources(BaseModel):
    """A stage's line of `resources.yaml`; sizes are Kubernetes quantities, times are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: str
    memory: str
    disk: str
    timeout_seconds: int
    retries: int
    retry_seconds: int
    shared_memory: str = ""


@dataclass(frozen=True)
class Placement:
    """The parameters of the run that hold for every stage: where pods go, which secrets they and their images need.

    Each field is the pipeline's parameter, not its value, which is known only when a run is submitted.
    """

    accelerator_type: Any
    node_selector: Any
    tolerations: Any
    store_secret: Any
    tools_secret: Any
    model_secret: Any
    registry_secret: Any


def read_resources(path: Path = RESOURCES) -> dict[str, StageResources]:
    """Stage name -> its resources; pydantic's ValidationError names a misspelt field."""
    lines = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {stage: StageResources.model_validate(line) for stage, line in lines.items() if stage != RUN}


def read_run_resources(path: Path = RESOURCES) -> RunResources:
    """What holds for the whole run; pydantic's ValidationError names a misspelt field."""
    return RunResources.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))[RUN])


def pipeline_config() -> PipelineConfig:
    """How long a run may take, and how long the cluster keeps its pods and their logs afterwards."""
    of_run = read_run_resources()
    return PipelineConfig(
        ttl_seconds_after_success=of_run.keep_succeeded_seconds,
        ttl_seconds_after_failure=of_run.keep_failed_seconds,
        active_deadline_seconds=of_run.deadline_seconds,
    )


def equip(
    task: PipelineTask,
    name: str,
    resources: StageResources,
    placement: Placement,
    *,
    stage: str,
    image: Any,
    accelerators: Any = None,
    with_secrets: bool = True,
) -> PipelineTask:
    """Give a task its display name, labels, image, resources, retries, placement and secrets.

    accelerators: the run parameter with the count, typed `str` (an int is silently dropped on the cluster); None for a
    stage that needs no accelerator. with_secrets: the stage reads the store, the tools or a model.
    """
    task.set_display_name(name)
    for label, value in (LABELS | {NAME_LABEL: stage}).items():
        kubernetes.add_pod_label(task, label, value)
    task.set_container_image(image)
    kubernetes.set_image_pull_policy(task, read_run_resources().image_pull_policy)
    kubernetes.set_image_pull_secrets(task, [placement.registry_secret])
    kubernetes.set_security_context(task, run_as_non_root=True)
    task.set_cpu_request(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    task.set_retry(
        num_retries=resources.retries,
        backoff_duration=f"{resources.retry_seconds}s",
        backoff_factor=2.0,
        backoff_max_duration="600s",
    )
    kubernetes.set_timeout(task, resources.timeout_seconds)
    kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit=resources.disk)
    if resources.shared_memory:
        kubernetes.empty_dir_mount(
            task, "shared-memory", "/dev/shm", medium="Memory", size_limit=resources.shared_memory
        )
    if accelerators is not None:
        # KFP 2.17 forgets to hand these two into a ParallelFor, unlike the image; registering them does it.
        task.register_pipeline_channels([placement.accelerator_type, accelerators])
        task.set_accelerator_type(placement.accelerator_type).set_accelerator_limit(accelerators)
    kubernetes.add_node_selector_json(task, placement.node_selector)
    kubernetes.add_toleration_json(task, placement.tolerations)
    secrets = (
        (placement.store_secret, STORE_KEYS),
        (placement.tools_secret, TOOLS_KEYS),
        (placement.model_secret, MODEL_KEYS),
    )
    for secret, keys in secrets if with_secrets else ():
        kubernetes.use_secret_as_env(task, secret, {key: key for key in keys}, optional=True)
    return task
