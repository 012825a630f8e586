"""What a stage's pod gets: read from `resources.yaml`, put on the task when a pipeline is compiled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp import kubernetes
from kfp.dsl import PipelineTask
from pydantic import BaseModel, ConfigDict

RESOURCES = Path(__file__).with_name("resources.yaml")

STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
TOOLS_KEYS = ("WHETSTONE_TOOLS_TOKEN",)
MODEL_KEYS = ("HF_TOKEN", "OPENAI_API_KEY")


class StageResources(BaseModel):
    """One line of `resources.yaml`; sizes are Kubernetes quantities, times are seconds."""

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
    """The parameters of the run that hold for every stage: where pods go and which secrets they read.

    Each field is the pipeline's parameter, not its value, which is known only when a run is submitted.
    """

    accelerator_type: Any
    node_selector: Any
    tolerations: Any
    store_secret: Any
    tools_secret: Any
    model_secret: Any


def read_resources(path: Path = RESOURCES) -> dict[str, StageResources]:
    """Stage name -> its resources; pydantic's ValidationError names a misspelt field."""
    lines = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {stage: StageResources.model_validate(line) for stage, line in lines.items()}


def equip(
    task: PipelineTask,
    name: str,
    resources: StageResources,
    placement: Placement,
    *,
    image: Any,
    accelerators: Any = None,
) -> PipelineTask:
    """Give a task its display name, image, resources, retries, placement and secrets.

    accelerators: the run parameter with the count, typed `str` (an int is silently dropped on the
    cluster); None for a stage that needs no accelerator.
    """
    task.set_display_name(name)
    task.set_container_image(image)
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
    for secret, keys in (
        (placement.store_secret, STORE_KEYS),
        (placement.tools_secret, TOOLS_KEYS),
        (placement.model_secret, MODEL_KEYS),
    ):
        kubernetes.use_secret_as_env(task, secret, {key: key for key in keys}, optional=True)
    return task
