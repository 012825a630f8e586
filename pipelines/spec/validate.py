"""A strict look at a compiled pipeline: protobufs that know every field, and references that resolve.

The backend ignores what it does not know, so that a misspelt field or an input that was not handed into
a loop shows only on the cluster, or never.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineDeploymentConfig, PipelineSpec, PlatformSpec

from components.contracts.errors import InputError

UNSAFE_NAMES = frozenset({"n", "y", "no", "yes", "on", "off"})  # booleans to YAML 1.1 readers


def check_compiled(text: str) -> None:
    """Check the text of a compiled pipeline.

    Raises:
        InputError: not ASCII, not two YAML documents, a field that no protobuf knows, a task that reads
            an input its DAG does not have, a loop with a parameter from another task, or a parameter without description or named like a boolean.
    """
    if not text.isascii():
        raise InputError("compiled pipeline: expected ASCII only, as the backend's database may hold no more")
    documents = list(yaml.safe_load_all(text))
    if len(documents) != 2:
        raise InputError(f"compiled pipeline: expected 2 documents (spec, platform), got {len(documents)}")
    spec, platform = documents
    _check_fields(spec, platform)
    platform_executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for problem in (*_unresolved(spec, platform_executors), *_bad_parameters(spec)):
        raise InputError(f"compiled pipeline: {problem}")


def _check_fields(spec: Mapping[str, Any], platform: Mapping[str, Any]) -> None:
    parts: list[tuple[str, Mapping[str, Any], Any]] = [
        ("pipeline spec", spec, PipelineSpec()),
        ("platform spec", platform, PlatformSpec()),
    ]
    for name, executor in spec["deploymentSpec"]["executors"].items():
        parts.append((name, executor, PipelineDeploymentConfig.ExecutorSpec()))
    for name, executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items():
        parts.append((f"kubernetes {name}", executor, KubernetesExecutorConfig()))
    for name, part, message in parts:
        try:
            json_format.ParseDict(part, message)
        except json_format.ParseError as error:
            first_line = str(error).splitlines()[0]
            raise InputError(f"compiled pipeline: {name}: {first_line}") from error


def _unresolved(spec: Mapping[str, Any], platform_executors: Mapping[str, Any]) -> Iterator[str]:
    """Inputs that a task, its placeholders or its pod read, and that nobody hands them."""
    dags = {"root": spec["root"], **{k: v for k, v in spec["components"].items() if "dag" in v}}
    for dag_name, dag in dags.items():
        has = set(dag.get("inputDefinitions", {}).get("parameters", {}))
        has |= set(dag.get("inputDefinitions", {}).get("artifacts", {}))
        for task_name, task in dag["dag"]["tasks"].items():
            component = spec["components"][task["componentRef"]["name"]]
            pod = platform_executors.get(component.get("executorLabel", ""), {})
            for reference in (*_references(task.get("inputs", {})), *_references(pod)):
                if reference not in has:
                    yield f"task {task_name} reads {reference!r}, which {dag_name} does not have"
            for name in _misread(task):
                yield f"task {task_name} is a loop that kfp.local would give its item for {name!r}"
            given = set(task.get("inputs", {}).get("parameters", {}))
            executor = spec["deploymentSpec"]["executors"].get(component.get("executorLabel", ""), {})
            container = {key: executor.get("container", {}).get(key) for key in ("image", "resources")}
            for asked in (*_placeholders(task.get("inputs", {})), *_placeholders(container)):
                if asked not in given:
                    yield f"task {task_name} has a placeholder for {asked!r}, which it is not given"


def _misread(task: Mapping[str, Any]) -> Iterator[str]:
    """What a loop takes from another task besides its items: kfp.local 2.17 gives the item for that too."""
    iterator = task.get("parameterIterator")
    for name, given in task.get("inputs", {}).get("parameters", {}).items():
        if iterator and "taskOutputParameter" in given and name != iterator["items"].get("inputParameter"):
            yield name


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("componentInputParameter", "componentInputArtifact"):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _placeholders(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _placeholders(value)
    elif isinstance(node, str) and node.startswith("{{$.inputs.parameters['"):
        yield node.removeprefix("{{$.inputs.parameters['").removesuffix("']}}")


def _bad_parameters(spec: Mapping[str, Any]) -> Iterator[str]:
    for name, parameter in spec["root"]["inputDefinitions"]["parameters"].items():
        if not parameter.get("description"):
            yield f"parameter {name} has no description"
        if name.lower() in UNSAFE_NAMES:
            yield f"parameter {name} is a boolean to some YAML readers; choose another name"
        if name.endswith(("_accelerators", "_image")) and parameter["parameterType"] != "STRING":
            yield f"parameter {name} must be typed str: another type is silently dropped on the cluster"
