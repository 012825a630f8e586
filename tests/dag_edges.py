"""What flows where in a compiled pipeline, as a graph: read off the YAML alone, for checks of what else reads it."""

from collections.abc import Iterator, Mapping
from typing import Any

import networkx as nx
import yaml

Path = tuple[str, ...]


def flow(package_text: str) -> tuple["nx.DiGraph[Any]", dict[Path, str]]:
    """The graph, and the function that each executor task runs, by the task's path.

    Nodes are executor tasks ("task", path), and the inputs and outputs of DAGs, ("in" or "out", path, name).
    """
    spec = next(yaml.load_all(package_text, Loader=yaml.CSafeLoader))
    graph: nx.DiGraph[Any] = nx.DiGraph()
    functions: dict[Path, str] = {}
    _add(spec, (), spec["root"]["dag"], graph, functions)
    return graph, functions


def descendants(graph: "nx.DiGraph[Any]", paths: set[Path]) -> set[Path]:
    """The executor tasks that get something made from what these make, themselves left out unless they do."""
    reached = {node for path in paths for node in nx.descendants(graph, ("task", path))}
    return {node[1] for node in reached if node[0] == "task"}


def _add(
    spec: Mapping[str, Any], path: Path, dag: Mapping[str, Any], graph: Any, functions: dict[Path, str]
) -> None:
    for name, task in dag["tasks"].items():
        inside, component = (*path, name), spec["components"][task["componentRef"]["name"]]
        inputs = task.get("inputs", {})
        for of in ("parameters", "artifacts"):
            for key, given in inputs.get(of, {}).items():
                target = ("in", inside, key) if "dag" in component else ("task", inside)
                for source in _sources(spec, path, dag, given):
                    graph.add_edge(source, target)
        if "dag" not in component:
            arguments = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]["args"]
            functions[inside] = arguments[-1]
            graph.add_node(("task", inside))
            continue
        iterator = task.get("parameterIterator")
        if iterator and "inputParameter" in iterator["items"]:
            items = ("in", inside, iterator["items"]["inputParameter"])
            graph.add_edge(items, ("in", inside, iterator["itemInput"]))
        _add(spec, inside, component["dag"], graph, functions)
        for of in ("parameters", "artifacts"):
            for key, made in component["dag"].get("outputs", {}).get(of, {}).items():
                for part in _parts(made):
                    output = part.get("outputParameterKey") or part["outputArtifactKey"]
                    source = _node(spec, inside, component["dag"], part["producerSubtask"], output)
                    graph.add_edge(source, ("out", inside, key))


def _sources(
    spec: Mapping[str, Any], path: Path, dag: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    outer = given.get("componentInputParameter") or given.get("componentInputArtifact")
    if outer:
        yield "in", path, outer
    for kind, key in (
        ("taskOutputParameter", "outputParameterKey"),
        ("taskOutputArtifact", "outputArtifactKey"),
    ):
        if kind in given:
            yield _node(spec, path, dag, given[kind]["producerTask"], given[kind][key])


def _node(
    spec: Mapping[str, Any], path: Path, dag: Mapping[str, Any], producer: str, output: str
) -> tuple[Any, ...]:
    component = spec["components"][dag["tasks"][producer]["componentRef"]["name"]]
    return ("out", (*path, producer), output) if "dag" in component else ("task", (*path, producer))


def _parts(made: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    single = [made["valueFromParameter"]] if "valueFromParameter" in made else []
    return [*made.get("artifactSelectors", []), *single]
