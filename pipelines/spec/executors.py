"""Every pod that a compiled pipeline would start, with what its task is given, resolved as the backend's driver does.

Source: kubeflow/pipelines, backend/src/v2/driver (resolve.go, driver.go): a task's parameters are constants, parameters
of the DAG around it or outputs of other tasks; omitted parameters of the run take the pipeline's defaults.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any

import yaml
from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

Path = tuple[str, ...]


@dataclass(frozen=True)
class Produced:
    """What a task makes, and nobody knows before it ran: an output of the executor at `path`.

    collected: all iterations of the loop around it make a list.
    """

    path: Path
    output: str
    collected: bool = False

    def __str__(self) -> str:
        return f"{'every ' if self.collected else ''}{'/'.join(self.path)}.{self.output}"


@dataclass(frozen=True)
class Item:
    """The item of one iteration of a loop over `items`: a value, or JSON text of it."""

    items: "Value"

    def __str__(self) -> str:
        return f"each of {self.items if isinstance(self.items, Produced | Item) else json.dumps(self.items)}"


@dataclass(frozen=True)
class FinalStatus:
    """How the tasks went that an exit handler waits for; `of` are their names."""

    of: Path

    def __str__(self) -> str:
        return f"how {', '.join(self.of)} ended"


Value = JsonValue | Produced | Item | FinalStatus
Artifacts = tuple[Produced, ...]


@dataclass(frozen=True)
class Executor:
    """One executor task of the DAG.

    path: names of the tasks around it and its own. given: the parameters of the DAG that it is in, read by its
    Kubernetes settings. parameters, artifacts: what it is given itself. loops: what each loop around it goes over.
    conditions: what must hold for it to run, as compiled, outermost first.
    """

    path: Path
    task: Mapping[str, Any]
    component: Mapping[str, Any]
    container: Mapping[str, Any]
    kubernetes: Mapping[str, Any]
    given: Mapping[str, Value]
    parameters: Mapping[str, Value]
    artifacts: Mapping[str, Artifacts]
    loops: tuple[Value, ...] = ()
    conditions: tuple[str, ...] = ()

    @property
    def stage(self) -> str:
        """The function that it executes: the name of its face."""
        return function_name(self.container)

    @property
    def cached(self) -> bool:
        """Whether the backend's cache may answer for it."""
        return bool(self.task.get("cachingOptions", {}).get("enableCache"))


def function_name(container: Mapping[str, Any]) -> str:
    """The function of a Python component; empty for another container."""
    arguments: list[str] = [str(one) for one in container.get("args", ())]
    if "--function_to_execute" not in arguments[:-1]:
        return ""
    return arguments[arguments.index("--function_to_execute") + 1]


def executors(package_text: str, parameters: Mapping[str, JsonValue]) -> tuple[Executor, ...]:
    """The executor tasks of a compiled pipeline (its YAML, two documents), each after those that it waits for.

    Raises:
        InputError: a parameter that the pipeline does not have, or one without default that is not given.
    """
    spec, platform = _documents(package_text)
    given = _run_parameters(spec, parameters)
    return tuple(_Walk(spec, platform).dag((), spec["root"], given, {}, (), ()))


def way_to(package_text: str, path: Path) -> Iterator[Mapping[str, Any]]:
    """The compiled tasks around an executor, outermost first, and its own last."""
    spec, _ = _documents(package_text)
    component = spec["root"]
    for name in path:
        task: Mapping[str, Any] = component["dag"]["tasks"][name]
        component = spec["components"][task["componentRef"]["name"]]
        yield task


@lru_cache(maxsize=8)
def _documents(package_text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    spec, *platforms = list(yaml.load_all(package_text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    platform = platforms[0]["platforms"]["kubernetes"] if platforms else {}
    return spec, platform.get("deploymentSpec", {}).get("executors", {})


def _run_parameters(spec: Mapping[str, Any], parameters: Mapping[str, JsonValue]) -> dict[str, Value]:
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name in parameters:
        if name not in known:
            raise InputError(f"parameter {name}: the pipeline has none of that name{nearest(name, known)}")
    given: dict[str, Value] = {}
    for name, one in known.items():
        if name in parameters:
            given[name] = parameters[name]
        elif "defaultValue" in one:
            given[name] = one["defaultValue"]
        elif one.get("isOptional"):
            given[name] = None
        else:
            raise InputError(f"parameter {name}: not given, and it has no default")
    return given


@dataclass(frozen=True)
class _Walk:
    spec: Mapping[str, Any]
    kubernetes: Mapping[str, Any]

    def dag(
        self,
        path: Path,
        dag: Mapping[str, Any],
        given: Mapping[str, Value],
        artifacts: Mapping[str, Artifacts],
        loops: tuple[Value, ...],
        conditions: tuple[str, ...],
    ) -> Iterator[Executor]:
        """The executors below a DAG, whose own inputs are `given` and `artifacts`."""
        tasks = dag["dag"]["tasks"]
        waits = {name: task.get("dependentTasks", ()) for name, task in tasks.items()}
        for name in TopologicalSorter(waits).static_order():
            task = tasks[name]
            component = self.component(task)
            inputs = task.get("inputs", {})
            own = {
                key: self.value(path, dag, task, one, given)
                for key, one in inputs.get("parameters", {}).items()
            }
            own = {key: value for key, value in own.items() if value is not None}  # the face has the default
            held = {
                key: self.artifacts(path, dag, one, artifacts)
                for key, one in inputs.get("artifacts", {}).items()
            }
            condition = task.get("triggerPolicy", {}).get("condition", "")
            inside = (*conditions, condition) if condition else conditions
            if "dag" in component:
                around, looped = _iterated(task, _with_defaults(component, own))
                below = (*loops, looped.items) if looped else loops
                yield from self.dag((*path, name), component, around, held, below, inside)
                continue
            label = component["executorLabel"]
            container = self.spec["deploymentSpec"]["executors"][label].get("container", {})
            kubernetes = self.kubernetes.get(label, {})
            yield Executor(
                (*path, name), task, component, container, kubernetes, given, own, held, loops, inside
            )

    def component(self, task: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.spec["components"][task["componentRef"]["name"]]
        return found

    def value(
        self,
        path: Path,
        dag: Mapping[str, Any],
        task: Mapping[str, Any],
        one: Mapping[str, Any],
        given: Mapping[str, Value],
    ) -> Value:
        """A parameter of a task. Text in a constant stays as it is: the launcher fills its placeholders in, in the pod."""
        if "componentInputParameter" in one:
            return given[one["componentInputParameter"]]
        if "taskOutputParameter" in one:
            source = one["taskOutputParameter"]
            return self.made(path, dag, source["producerTask"], source["outputParameterKey"], "parameters")[0]
        if "taskFinalStatus" in one:
            return FinalStatus(tuple(task.get("dependentTasks", ())))
        constant: JsonValue = one["runtimeValue"]["constant"]
        return constant

    def artifacts(
        self, path: Path, dag: Mapping[str, Any], one: Mapping[str, Any], held: Mapping[str, Artifacts]
    ) -> Artifacts:
        if "componentInputArtifact" in one:
            return held[one["componentInputArtifact"]]
        source = one["taskOutputArtifact"]
        return self.made(path, dag, source["producerTask"], source["outputArtifactKey"], "artifacts")

    def made(self, path: Path, dag: Mapping[str, Any], producer: str, output: str, kind: str) -> Artifacts:
        """The outputs behind an output of a task: its own, or those of the executors inside it."""
        task = dag["dag"]["tasks"][producer]
        inner = self.component(task)
        if "dag" not in inner:
            return (Produced((*path, producer), output),)
        found = [
            one
            for subtask, key in _selected(inner["dag"]["outputs"][kind][output])
            for one in self.made((*path, producer), inner, subtask, key, kind)
        ]
        collected = "parameterIterator" in task
        return tuple(Produced(one.path, one.output, one.collected or collected) for one in found)


def _with_defaults(component: Mapping[str, Any], given: Mapping[str, Value]) -> dict[str, Value]:
    """A nested DAG's parameters; those it is not given are its defaults."""
    known = component.get("inputDefinitions", {}).get("parameters", {})
    return {name: one.get("defaultValue") for name, one in known.items()} | dict(given)


def _iterated(task: Mapping[str, Any], given: Mapping[str, Value]) -> tuple[Mapping[str, Value], Item | None]:
    """The parameters of one iteration, and the loop's item; None where the task is no loop."""
    iterator = task.get("parameterIterator")
    if not iterator:
        return given, None
    items = iterator["items"]
    item = Item(given[items["inputParameter"]] if "inputParameter" in items else json.loads(items["raw"]))
    return {**given, iterator["itemInput"]: item}, item


def _selected(output: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The subtasks that an output of a DAG comes from, with the names that it has there; no pipeline here has a OneOf."""
    for one in output.get("artifactSelectors", ()):
        yield one["producerSubtask"], one["outputArtifactKey"]
    if "valueFromParameter" in output:
        one = output["valueFromParameter"]
        yield one["producerSubtask"], one["outputParameterKey"]
