"""All images: built by docker/build.sh as a user would, and looked at one by one."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from components.contracts.images import VERSION, image
from tests.containers.engine import ContainerError, Engine, docker, layers, program, size
from tests.containers.foundation import IMAGE as FOUNDATION
from tests.containers.foundation import make_foundation, wheels_served
from tests.docker_files import BASES, IMAGES, OPTIONAL, ROOT, SERVICE

STORE = f"whetstone-store:{VERSION}"
OWN_SFT = f"own-sft:{VERSION}"
AT_ONCE = 2  # containers
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for found in pkgutil.walk_packages(package.__path__, sys.argv[1] + "."):
    if not found.name.endswith(".__main__"):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] not in sys.argv[2:]:
                raise
"""


def tag(name: str) -> str:
    """The image of a stage, a base or the service, as `docker/build.sh` calls it."""
    return image(name)


def names() -> list[str]:
    """All of them, the bases first."""
    return [*BASES, *(name for name in IMAGES if name not in BASES)]


def build_all(log: Path) -> None:
    """Foundation, every image for CPUs, the store's and the worked example's.

    Raises:
        ContainerError: one could not be built; `log` says why.
    """
    foundation = os.environ.get("FOUNDATION") or make_foundation()
    # On the host's network, as wheels of a local folder are served on its loopback. This docker may have no BuildKit.
    environment = {
        **os.environ,
        "FOUNDATION": foundation,
        "TORCH": "cpu",
        "BUILD_ARGS": "--network host --force-rm",
        "DOCKER_BUILDKIT": "0",
        "REGISTRY": "",
        "PUSH": "",
    }
    own = [program(), "build", "--network", "host", "--force-rm"]
    with log.open("w") as stream, wheels_served():
        for command in (
            ["sh", "docker/build.sh"],
            [*own, "--build-arg", f"BASE={tag('serve')}", "--tag", STORE, "tests/containers/store"],
            [*own, "--build-arg", f"BASE={tag('sft')}", "--tag", OWN_SFT, "docs/examples/own_sft"],
        ):
            done = subprocess.run(
                command, stdout=stream, stderr=stream, env=environment, cwd=ROOT, check=False
            )
            if done.returncode:
                last = log.read_text().strip().splitlines()[-1]
                raise ContainerError(f"images: {' '.join(command[:2])}: {last} (log: {log})")


def remove_all() -> None:
    """Remove the images and their foundation, so that the next build is a cold one."""
    for name in [OWN_SFT, STORE, *map(tag, reversed(names())), FOUNDATION]:
        if docker("images", "--quiet", name):
            docker("rmi", "--force", name)
    docker("image", "prune", "--force")


def look_at(engine: Engine) -> None:
    """Check every image: all modules of its stage can be imported, it is not root, and its default command works.

    Raises:
        ContainerError: one is not so.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_look_at_one, engine), names()))


def _look_at_one(engine: Engine, name: str) -> None:
    user = docker("image", "inspect", "--format", "{{.Config.User}}", tag(name))
    if not user.partition(":")[0].isdecimal() or user.startswith("0"):
        raise ContainerError(f"{tag(name)}: user {user!r}, expected a number that is not root's")
    if name in BASES:
        return
    package = SERVICE if name == SERVICE else f"components.{name}"
    engine.call(tag(name), ["python", "-c", IMPORT_ALL, package, *OPTIONAL])
    if name != SERVICE:
        engine.call(tag(name), [])  # its own command tells what it takes


def sizes() -> dict[str, int]:
    """Megabytes of each image, its bases included; `all`: of all together, where what they share counts once."""
    found = {name: round(size(tag(name)) / 1e6) for name in names()}
    own = {tuple(layers(tag(name))): size(tag(name)) for name in names()}
    total = 0
    for digests, bytes_ in own.items():
        under = [other for other in own if other != digests and digests[: len(other)] == other]
        total += bytes_ - max((own[other] for other in under), default=0)
    return {**found, "all": round(total / 1e6)}
