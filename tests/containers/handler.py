"""kfp.local's tasks as containers, instead of its DockerRunner, which takes a failed one for a success.

kfp.local orders the tasks, hands parameters on and decides conditions and loops; here each becomes one container, whose
exit code and declared outputs are looked at, and of which a line is kept.
"""

import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kfp.local import status
from pydantic import BaseModel, ConfigDict

from components.contracts.errors import InputError
from components.contracts.manifests import read_manifest
from components.storage import open_input
from tests.containers.engine import ContainerError, Engine, Usage, docker, program, usage

PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)']}}")
OF_METRICS = ("system.Metrics", "system.ClassificationMetrics")
OF_FILES = ("system.HTML", "system.Markdown")


class Finished(BaseModel):
    """One container that ended. command: what it executed; problem: why it counts as failed although it exited with 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    image: str
    exit_code: int
    seconds: float
    cpu_seconds: float
    most_bytes: int
    outputs: tuple[str, ...]
    problem: str
    killed: bool
    log: Path
    command: tuple[str, ...]


@dataclass
class Containers:
    """Where tasks run as containers. environment: what each gets, secrets included; kill: stage -> the step of its
    training after which its first container is killed.
    """

    engine: Engine
    folder: Path
    environment: Mapping[str, str]
    kill: Mapping[str, int]
    started: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def record(self) -> Path:
        """A line for each container that ended."""
        return self.folder / "containers.jsonl"

    def run(self, image: str, command: Sequence[str], root: Path) -> Finished:
        """Run one task to its end and look at what it left."""
        stage, given = command[-1], executor_input(command)
        with self.lock:
            attempt = self.started[stage] = self.started.get(stage, 0) + 1
        log = self.folder / "logs" / f"{stage}-{attempt}.log"
        log.parent.mkdir(exist_ok=True)
        kill_after = self.kill.get(stage, 0) if attempt == 1 else 0
        resolved = resolve(image, given)
        begun = time.monotonic()
        container = self.engine.create(
            resolved, command, environment=self.environment, mounts=[f"{root}:{root}"]
        )
        try:
            killed, used = self._follow(container, stage, log, kill_after)
            code = int(docker("wait", container))
        finally:
            docker("rm", "--force", "--volumes", container)
        outputs, problem = look_at_outputs(given) if code == 0 else ((), "")
        finished = Finished(
            stage=stage,
            image=resolved,
            exit_code=code,
            seconds=round(time.monotonic() - begun, 1),
            cpu_seconds=round(used.cpu_seconds, 1),
            most_bytes=used.most_bytes,
            outputs=outputs,
            problem=problem,
            killed=killed,
            log=log,
            command=tuple(command),
        )
        with self.lock, self.record.open("a", encoding="utf-8") as file:
            file.write(finished.model_dump_json() + "\n")
        print(
            f"container of {stage} ({resolved}): exit code {code}, {finished.seconds} s"
            f"{', killed' if killed else ''}{', ' + problem if problem else ''}",
            flush=True,
        )
        return finished

    def _follow(self, container: str, stage: str, log: Path, kill_after: int) -> tuple[bool, Usage]:
        """Start it and read its log to the end; whether it was killed, and what it had used shortly before the end."""
        step = re.compile(rf"^\[{re.escape(stage)}\] (\d+)/(\d+) ")
        killed = False
        docker("start", container)
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(
                [program(), "logs", "--follow", container],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as follower,
        ):
            assert follower.stdout is not None
            watcher = _Watcher(container)
            watcher.start()
            for line in follower.stdout:
                kept.write(line)
                kept.flush()
                print(line, end="", flush=True)
                at = step.match(line)
                if kill_after and not killed and at and kill_after < int(at[1]) < int(at[2]):
                    docker("kill", "--signal", "KILL", container)
                    killed = True
            watcher.stop()
        return killed, watcher.used


class _Watcher(threading.Thread):
    """Keeps looking at what a container has used: after its end nobody can tell."""

    def __init__(self, container: str) -> None:
        super().__init__(daemon=True)
        self.container, self.used, self._done = container, Usage(), threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.2):
            now = usage(self.container)
            if now.cpu_seconds:
                self.used = now

    def stop(self) -> None:
        self._done.set()
        self.join()


def executor_input(command: Sequence[str]) -> dict[str, Any]:
    """KFP's executor input out of a task's command."""
    found: dict[str, Any] = json.loads(command[command.index("--executor_input") + 1])
    return found


def resolve(image: str, given: Mapping[str, Any]) -> str:
    """The image, where it is a parameter that parameter's value, as the driver does it."""
    found = PARAMETER.search(image)
    if found is None:
        return image
    value = given["inputs"]["parameterValues"][found[1]]
    if not isinstance(value, str):
        raise InputError(f"{found[1]}: expected the name of an image, got {value!r}")
    return value


def look_at_outputs(given: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The names of the outputs that a task declares and has written, and what is wrong with the first that it has not."""
    declared = given["outputs"]
    try:
        written = json.loads(Path(declared["outputFile"]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return (), f"no executor_output.json: {error}"
    found: list[str] = []
    for name in declared.get("parameters", {}):
        if name not in written.get("parameterValues", {}):
            return tuple(found), f"output {name}: no value"
        found.append(name)
    for name, artifacts in declared.get("artifacts", {}).items():
        (artifact,) = artifacts["artifacts"]
        (told,) = written.get("artifacts", {}).get(name, {}).get("artifacts", [{}])
        if problem := _problem(artifact, told.get("metadata", {})):
            return tuple(found), f"output {name}: {problem}"
        found.append(name)
    return tuple(found), ""


def _problem(artifact: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    kind, path = artifact["type"]["schemaTitle"], Path(artifact["uri"])
    if kind in OF_METRICS:
        return "" if metadata else "no metrics"
    if kind in OF_FILES:
        return "" if path.is_file() and path.stat().st_size else f"no file {path.name}"
    try:
        open_input(path, read_manifest(path).schema_tag)  # every file's checksum, wherever it lies
    except InputError as error:
        return str(error).splitlines()[0]
    return ""


class ContainerTaskHandler:
    """kfp.local's task handler; `containers` is set before the run."""

    containers: ClassVar[Containers]

    def __init__(
        self,
        image: str,
        full_command: list[str],
        pipeline_root: str,
        runner: object,
        env_vars: dict[str, str] | None = None,
    ) -> None:
        self.image, self.command, self.root = image, full_command, Path(pipeline_root)

    def run(self) -> status.Status:
        """Run the task's container; a success only with exit code 0 and all declared outputs.

        Raises:
            ContainerError: it failed by itself, so that it would fail again; one that was killed is tried again.
        """
        done = self.containers.run(self.image, self.command, self.root)
        if done.killed:
            return status.Status.FAILURE
        if done.exit_code or done.problem:
            said = done.log.read_text(encoding="utf-8").strip().splitlines() or ["no output"]
            raise ContainerError(f"{done.stage}: exit code {done.exit_code}: {done.problem or said[-1]}")
        return status.Status.SUCCESS
