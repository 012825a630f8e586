"""Build every image and run the compiled demo in them: `python -m tests.containers`, or `make containers`.

Each stage of the DAG is a container of its own on a private network without a way out, next to the tools service and
the object store. The first container of SFT is killed after a checkpoint and started again, and must give the weights
of one that nobody killed. Then somebody else's image takes SFT's place. Prints one JSON line; exit code 1 when
something is not as it should be, which the line before tells.
"""

import argparse
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.containers import images, runs
from tests.containers.engine import ContainerError, Engine
from tests.containers.services import start_services


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="remove the images first, their foundation too")
    parser.add_argument("--no-build", action="store_true", help="take the images that are there")
    parser.add_argument("--keep", type=Path, help="an empty or new folder for what the runs leave")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="whetstone-containers-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    folder.chmod(0o755)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that containers are removed
    result: dict[str, Any] = {"name": "containers"}
    try:
        execute(folder, result, cold=given.cold, build=not given.no_build)
    except (ContainerError, subprocess.CalledProcessError) as error:
        print(f"containers: {error} (left in {folder})", flush=True)
        return 1
    result["seconds"] |= {"all": round(sum(result["seconds"].values()), 1)}
    if not given.keep:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(result))
    return 0


def execute(folder: Path, result: dict[str, Any], *, cold: bool, build: bool) -> None:
    """All steps, with what each found into `result`."""
    seconds: dict[str, float] = {}
    result["seconds"] = seconds

    def done(step: str, since: float) -> float:
        now = time.monotonic()
        seconds[step] = round(now - since, 1)
        print(f"containers: {step}: {seconds[step]} s", flush=True)
        return now

    if cold:
        images.remove_all()
    at = time.monotonic()
    if build:
        images.build_all(folder / "build.log")
        at = done("images", at)
    result["megabytes"] = images.sizes()
    with Engine.opened(secrets.token_hex(4)) as engine:
        images.look_at(engine)
        at = done("looked at", at)
        services = start_services(engine, folder)
        at = done("services", at)
        result["dag"] = runs.run_demo(engine, services, folder / "dag")
        at = done("dag", at)
        result["resumed"] = runs.compare_with_undisturbed(engine, services, folder / "dag")
        at = done("undisturbed SFT", at)
        result["own_image"] = runs.run_with_own_sft(engine, services, folder / "own")
        done("dag with an image of one's own", at)


if __name__ == "__main__":
    sys.exit(main())
