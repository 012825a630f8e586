"""The pods of a run before it is submitted: every placeholder of the compiled YAML filled in, as the driver would.

An image, a resource, an accelerator whose text holds a placeholder anywhere is replaced as a whole by that parameter's
text, and by nothing where the parameter is no text (kubeflow/pipelines, driver/resolve.go).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError
from pipelines.spec.executors import Executor, FinalStatus, Item, Path, Produced, Value, executors

_PLACEHOLDER = re.compile(r"\$\.inputs\.parameters\['(.+?)'\]")
_IN_ARGUMENT = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)']}}")


@dataclass(frozen=True)
class SecretKeys:
    """A secret whose keys become environment variables. variables: variable -> key; optional: the pod starts without it."""

    name: str
    variables: Mapping[str, str]
    optional: bool = False


@dataclass(frozen=True)
class Volume:
    """An empty volume of the pod. medium: `Memory`, or empty for the node's disk; size: a Kubernetes quantity."""

    name: str
    mounted_at: str
    size: str = ""
    medium: str = ""


@dataclass(frozen=True)
class Pod:
    """One pod of a run. Sizes are Kubernetes quantities as text, times are seconds; empty or None: not set.

    path: the task's names from the outermost DAG inwards; display_name: what the UI calls it. command: what the
    container executes, arguments included. accelerators: how many, as text. retries: attempts after the first;
    retry_seconds: the first wait, which is multiplied by retry_factor up to retry_most_seconds. cached: whether a
    finished one like it may be taken instead. loops: what the loops around it go over, outermost first; each item of it
    has a pod of its own. conditions: what must hold for it to start.
    """

    path: Path
    stage: str
    display_name: str
    image: str
    command: tuple[str, ...]
    cpu: str = ""
    cpu_limit: str = ""
    memory: str = ""
    memory_limit: str = ""
    accelerator_type: str = ""
    accelerators: str = ""
    node_selector: Mapping[str, str] | None = None
    tolerations: tuple[Mapping[str, JsonValue], ...] = ()
    secrets: tuple[SecretKeys, ...] = ()
    timeout_seconds: int | None = None
    retries: int = 0
    retry_seconds: float = 0.0
    retry_factor: float = 1.0
    retry_most_seconds: float = 0.0
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] | None = None
    image_pull_policy: str = ""
    image_pull_secrets: tuple[str, ...] = ()
    security_context: Mapping[str, JsonValue] | None = None
    environment: Mapping[str, str] | None = None
    cached: bool = False
    loops: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`loop/task`, as one text."""
        return "/".join(self.path)


def resolved_pods(package_text: str, parameters: Mapping[str, JsonValue]) -> tuple[Pod, ...]:
    """Every executor task of a compiled pipeline (YAML, two documents) as its pod, each after those that it waits for.

    parameters: the run's; those left out take the pipeline's defaults. What other tasks make is shown by their names.

    Raises:
        InputError: a parameter that the pipeline does not have or that is missing, or a secret's name that is empty.
    """
    return tuple(_pod(one) for one in executors(package_text, parameters))


def _pod(one: Executor) -> Pod:
    resources = one.container.get("resources", {})
    accelerator = resources.get("accelerator", {})
    kind = _whole(one, accelerator.get("resourceType", "") or accelerator.get("type", ""))
    count = _whole(one, accelerator.get("resourceCount", "") or str(accelerator.get("count", "") or ""))
    retry = one.task.get("retryPolicy", {})
    settings = one.kubernetes
    return Pod(
        path=one.path,
        stage=one.stage,
        display_name=str(one.task.get("taskInfo", {}).get("name", one.path[-1])),
        image=_whole(one, one.container.get("image", "")),
        command=tuple(
            _argument(one, text)
            for text in (*one.container.get("command", ()), *one.container.get("args", ()))
        ),
        cpu=_whole(one, resources.get("resourceCpuRequest", "")),
        cpu_limit=_whole(one, resources.get("resourceCpuLimit", "")),
        memory=_whole(one, resources.get("resourceMemoryRequest", "")),
        memory_limit=_whole(one, resources.get("resourceMemoryLimit", "")),
        # The driver asks for nothing unless it has both.
        accelerator_type=kind if kind and count else "",
        accelerators=count if kind and count else "",
        node_selector=_node_selector(one),
        tolerations=tuple(_tolerations(one)),
        secrets=tuple(_secret(one, secret) for secret in settings.get("secretAsEnv", ())),
        timeout_seconds=int(settings["activeDeadlineSeconds"])
        if "activeDeadlineSeconds" in settings
        else None,
        retries=int(retry.get("maxRetryCount", 0)),
        retry_seconds=_seconds(retry.get("backoffDuration")),
        retry_factor=float(retry.get("backoffFactor", 1.0)),
        retry_most_seconds=_seconds(retry.get("backoffMaxDuration")),
        volumes=tuple(_volumes(settings)),
        labels=dict(settings.get("podMetadata", {}).get("labels", {})),
        image_pull_policy=str(settings.get("imagePullPolicy", "")),
        image_pull_secrets=tuple(_secret_name(one, secret) for secret in settings.get("imagePullSecret", ())),
        security_context=dict(settings.get("securityContext", {})),
        environment={variable["name"]: variable["value"] for variable in one.container.get("env", ())},
        cached=one.cached,
        loops=tuple(_shown(items) for items in one.loops),
        conditions=one.conditions,
    )


def _whole(one: Executor, text: str) -> str:
    """A pod's field; with a placeholder anywhere in it, the whole of it is that parameter."""
    found = _PLACEHOLDER.search(text)
    if not found:
        return text
    if found[1] not in one.parameters:
        raise InputError(f"task {'/'.join(one.path)}: reads {found[1]!r}, which it is not given")
    value = one.parameters[found[1]]
    return value if isinstance(value, str) else _shown(value) if _later(value) else ""


def _argument(one: Executor, text: str) -> str:
    """An argument of the command: each placeholder in it is replaced by its parameter's text."""
    if "$.outputs" in text:
        return text
    return _IN_ARGUMENT.sub(
        lambda found: _shown(one.parameters[found[1]]) if found[1] in one.parameters else found[0], text
    )


def _later(value: Value) -> bool:
    return isinstance(value, Produced | Item | FinalStatus)


def _shown(value: Value) -> str:
    """A value as text; `<...>` for what is known only when other tasks ran."""
    if isinstance(value, Produced | Item | FinalStatus):
        return f"<{value}>"
    return value if isinstance(value, str) else json.dumps(value)


def _read(one: Executor, reference: Mapping[str, Any]) -> Value:
    """What a Kubernetes setting refers to: a parameter of the DAG around the task, or a constant."""
    if "componentInputParameter" in reference:
        return one.given[reference["componentInputParameter"]]
    if "taskOutputParameter" in reference:
        source = reference["taskOutputParameter"]
        return Produced((*one.path[:-1], source["producerTask"]), source["outputParameterKey"])
    constant: JsonValue = reference["runtimeValue"]["constant"]
    return constant


def _node_selector(one: Executor) -> dict[str, str]:
    selector = one.kubernetes.get("nodeSelector", {})
    if "nodeSelectorJson" not in selector:
        return dict(selector.get("labels", {}))
    value = _read(one, selector["nodeSelectorJson"])
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"node selector: expected a JSON object of labels, got {_shown(value)}")
    return {key: str(label) for key, label in value.items()}


def _tolerations(one: Executor) -> list[Mapping[str, JsonValue]]:
    """All of them: a setting may hold one object or a list of objects; empty ones are left out."""
    found: list[Mapping[str, JsonValue]] = []
    for setting in one.kubernetes.get("tolerations", ()):
        value = _read(one, setting["tolerationJson"]) if "tolerationJson" in setting else dict(setting)
        for toleration in value if isinstance(value, list) else [value]:
            if toleration is None or toleration == {}:
                continue
            if not isinstance(toleration, dict):
                raise InputError(f"tolerations: expected JSON objects, got {_shown(toleration)}")
            found.append(toleration)
    return found


def _secret_name(one: Executor, setting: Mapping[str, Any]) -> str:
    reference = setting.get("secretNameParameter")
    value = _read(one, reference) if reference else setting.get("secretName", "")
    if value is None:
        return ""
    if not isinstance(value, str) or not value:
        raise InputError(
            f"task {'/'.join(one.path)}: the name of a secret must be a text that is not empty, got {_shown(value)}"
        )
    return value


def _secret(one: Executor, setting: Mapping[str, Any]) -> SecretKeys:
    variables = {key["envVar"]: key["secretKey"] for key in setting.get("keyToEnv", ())}
    return SecretKeys(_secret_name(one, setting), variables, bool(setting.get("optional", False)))


def _volumes(settings: Mapping[str, Any]) -> list[Volume]:
    return [
        Volume(mount["volumeName"], mount["mountPath"], mount.get("sizeLimit", ""), mount.get("medium", ""))
        for mount in settings.get("emptyDirMounts", ())
    ]


def _seconds(duration: str | None) -> float:
    """`60s` in protobuf's JSON is 60.0."""
    return float(duration.removesuffix("s")) if duration else 0.0
