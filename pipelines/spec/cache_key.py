"""Which stages of a run the backend's cache answers for, without a cluster: its fingerprint by its own definition.

Source: kubeflow/pipelines, backend/src/v2/cacheutils/cache.go and driver/cache.go. A task's key holds the ids of its
input artifacts, the values of its parameters, the declared outputs, and the container's image and command as compiled:
a replaced image is seen through the parameter that names it. Secrets, node selectors, tolerations, memory, time limits
and retries are not in it (claims of volumes would be; no stage has one). The fingerprint is the SHA-256 of the key's
JSON as Go writes it, which the backend looks up among the tasks of the same pipeline name and namespace.

Before a run nobody knows the ids. In their place stand the fingerprint of the task that makes the artifact and the
output's name, so that two runs can be compared: tasks with equal fingerprints are answered by the cache. What a task
makes that is no artifact, and what a loop goes over, is treated alike. That is the cautious side: the backend compares
those by value, and takes more from the cache where they come out the same.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from pipelines.spec.executors import Executor, FinalStatus, Item, Path, Produced, Value, executors

# Registered as an output of every task by a backend that keeps logs, which is its default.
LOGS: Mapping[str, Any] = {"executor-logs": {"artifactType": {"schemaTitle": "system.Artifact"}}}


def fingerprints(package_text: str, parameters: Mapping[str, JsonValue], *, run: str = "") -> dict[Path, str]:
    """The fingerprint of each executor task of a compiled pipeline, by its path; tasks in a loop have one for all items.

    run: a name of the run, which what is never taken from the cache is made by.

    Raises:
        InputError: a parameter that the pipeline does not have, or one that is missing.
    """
    found = {one.path: one for one in executors(package_text, parameters)}
    names = _Names(found, run)
    return {path: names.fingerprint(path) for path in found}


def runs_again(
    package_text: str, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> frozenset[Path]:
    """The tasks that are executed in a run with parameters `after`, when one with `before` has finished.

    Those that the cache is switched off for are among them, and what is made from their outputs.

    Raises:
        InputError: as `fingerprints`.
    """
    old = fingerprints(package_text, before, run="before")
    new = fingerprints(package_text, after, run="after")
    return frozenset(path for path, fingerprint in new.items() if old[path] != fingerprint)


@dataclass(frozen=True)
class _Names:
    """Fingerprints by path, each of them computed once, after those it is made from."""

    executors: Mapping[Path, Executor]
    run: str
    known: dict[Path, str] = field(default_factory=dict)

    def fingerprint(self, path: Path) -> str:
        if path not in self.known:
            one = self.executors[path]
            held = {name: [self.name(made) for made in several] for name, several in one.artifacts.items()}
            given = {name: self.value(value) for name, value in one.parameters.items()}
            key = cache_key(
                held,
                given,
                one.component.get("outputDefinitions", {}),
                one.container["image"],
                [*one.container.get("command", ()), *one.container.get("args", ())],
            )
            # What the cache never answers for is made anew by each run.
            self.known[path] = fingerprint(key if one.cached else {"key": key, "run": self.run})
        return self.known[path]

    def name(self, made: Produced) -> str:
        name = f"{self.fingerprint(made.path)}.{made.output}"
        if not made.collected:
            return name
        # How many there are depends on what the loop goes over.
        return f"{name} of {go_json([self.value(items) for items in self.executors[made.path].loops])}"

    def value(self, value: Value) -> JsonValue:
        if isinstance(value, Produced):
            return self.name(value)
        if isinstance(value, Item):
            return {"each of": self.value(value.items)}
        return f"{self.run}: {value}" if isinstance(value, FinalStatus) else value


def cache_key(
    artifacts: Mapping[str, list[str]],
    parameters: Mapping[str, JsonValue],
    outputs: Mapping[str, Any],
    image: str,
    command: list[str],
) -> dict[str, JsonValue]:
    """The backend's CacheKey message in protobuf's JSON: fields that are empty are absent.

    artifacts: input -> names of its artifacts. outputs: the component's outputDefinitions. image, command: as
    compiled, placeholders and all.
    """
    held: dict[str, JsonValue] = {
        name: {"artifactNames": list(names)} if names else {} for name, names in artifacts.items()
    }
    made: dict[str, JsonValue] = {
        name: {"name": name, "type": one["artifactType"]}
        | ({"metadata": one["metadata"]} if "metadata" in one else {})
        for name, one in {**outputs.get("artifacts", {}), **LOGS}.items()
    }
    key: dict[str, JsonValue] = {
        "inputArtifactNames": held,
        "inputParameterValues": dict(parameters),
        "outputArtifactsSpec": made,
        "outputParametersSpec": {
            name: one["parameterType"] for name, one in outputs.get("parameters", {}).items()
        },
        "containerSpec": {"image": image, "cmdArgs": list(command)},
    }
    return {name: part for name, part in key.items() if part}


def fingerprint(key: JsonValue) -> str:
    """SHA-256, in hexadecimal, of a key's JSON as Go's encoding/json writes it."""
    return hashlib.sha256(go_json(key).encode("utf-8")).hexdigest()


def go_json(value: JsonValue) -> str:
    """JSON as Go's encoding/json writes what it has read: keys sorted, no spaces, numbers as doubles, `<>&` escaped."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{go_json(key)}:{go_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(go_json(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return _go_number(float(value))
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _go_number(number: float) -> str:
    """The shortest digits that give the double back; with an exponent below 1e-6 and from 1e21 on."""
    if number and not 1e-6 <= abs(number) < 1e21:
        digits, _, exponent = repr(number).partition("e")
        return f"{digits}e{exponent[0]}{exponent[1:].lstrip('0')}"
    text = format(Decimal(repr(number)), "f")
    return text.removesuffix(".0")
