"""The docker command line: containers that are always removed, networks, sizes. $DOCKER names another program."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LABEL = "whetstone.containers"  # on all that is started; its value is the run's
CGROUPS = Path("/sys/fs/cgroup")
# As a restricted pod: nothing but /tmp can be written, no capabilities.
RESTRICTED = ("--read-only", "--volume", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


class ContainerError(Exception):
    """A container or an image is not what it should be; one line."""


def program() -> str:
    """The docker command, or what stands in for it."""
    return os.environ.get("DOCKER", "docker")


def docker(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a docker command; gives what it printed.

    Raises:
        ContainerError: it failed; the message is its last line.
    """
    command = [program(), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise ContainerError(f"docker {words[0]}: {lines[-1]}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Usage:
    """What a container has used so far: CPU seconds, and most bytes at once; 0 where the machine does not tell."""

    cpu_seconds: float = 0.0
    most_bytes: int = 0


@dataclass(frozen=True)
class Engine:
    """Starts containers of one run, all with its label. network: they reach nothing beyond it."""

    run: str
    network: str

    @classmethod
    @contextmanager
    def opened(cls, run: str) -> Iterator["Engine"]:
        """Make the private network; in the end remove it and every container of the run."""
        engine = cls(run, f"whetstone-{run}")
        docker("network", "create", "--internal", "--label", f"{LABEL}={run}", engine.network)
        try:
            yield engine
        finally:
            left = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={run}").split()
            if left:
                docker("rm", "--force", "--volumes", *left)
            docker("network", "rm", engine.network)

    def create(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        mounts: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> str:
        """Create a container, restricted; gives its id. environment: goes by name, so that no value is seen in `ps`."""
        given = environment or {}
        words = ["create", "--label", f"{LABEL}={self.run}", "--network", self.network, *RESTRICTED]
        # Whoever owns the folders that are mounted; root gets the image's own user.
        words += ["--user", f"{os.getuid()}:{os.getgid()}"] if os.getuid() else []
        words += [word for name in given for word in ("--env", name)]
        words += [word for mount in mounts for word in ("--volume", mount)]
        return docker(*words, *more, image, *command, environment=given)

    def call(
        self,
        image: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        mounts: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> str:
        """Run a command to its end in a container; gives its output.

        Raises:
            ContainerError: its exit code is not 0.
        """
        container = self.create(image, command, environment=environment, mounts=mounts, more=more)
        try:
            docker("start", container)
            code = docker("wait", container)
            if code != "0":
                said = logs(container).strip().splitlines() or ["no output"]
                raise ContainerError(f"{image}: exit code {code}: {said[-1]}")
            return logs(container)
        finally:
            docker("rm", "--force", "--volumes", container)


def logs(container: str) -> str:
    """All that a container has said, on both streams in the order in which it came."""
    command = [program(), "logs", container]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout


def usage(container: str) -> Usage:
    """Read the control group, of the first or the second kind, of a container by its full id."""
    first = CGROUPS / "cpuacct/docker" / container / "cpuacct.usage"
    second = CGROUPS / f"system.slice/docker-{container}.scope"
    try:
        if first.exists():
            most = CGROUPS / "memory/docker" / container / "memory.max_usage_in_bytes"
            return Usage(int(first.read_text()) / 1e9, int(most.read_text()))
        line = (second / "cpu.stat").read_text().splitlines()[0]
        return Usage(int(line.split()[1]) / 1e6, int((second / "memory.peak").read_text()))
    except (OSError, ValueError, IndexError):
        return Usage()


def wait_healthy(container: str, seconds: float = 120.0) -> None:
    """Wait for the image's own health check.

    Raises:
        ContainerError: it ended, or is not healthy in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = json.loads(docker("inspect", "--format", "{{json .State}}", container))
        if not state["Running"]:
            break
        if state.get("Health", {}).get("Status") == "healthy":
            return
        time.sleep(0.5)
    said = logs(container).strip().splitlines() or ["no output"]
    raise ContainerError(f"a container is not healthy: {said[-1]}")


def address(container: str, network: str) -> str:
    """The container's IP address, which this machine reaches too."""
    found = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container))
    return str(found[network]["IPAddress"])


def size(image: str) -> int:
    """Bytes of an image, its bases included."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def layers(image: str) -> list[str]:
    """Digests of its layers; those that images share are stored once."""
    found: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))
    return found
