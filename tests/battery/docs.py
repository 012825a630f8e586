"""`python -m tests.battery.docs`: the commands of README and the pages, in a copy of the checkout, to their end.

Page after page, each command once and in its order, in a shell, as a reader would: `make run` makes an environment and
fetches a model, runs go through all their stages. What needs a cluster, an API or a server that can't be had here is left
out, as are the images; `tests.docs_commands.WAYS` says so for each. The whole takes hours. The last line is JSON: the
commands with their seconds and exit codes. Exit code 1 when one failed.

    --list           only tell what would be executed
    --only, --skip   regular expressions that a command must, or may not, have in it
    --here           take the environment that this runs in, instead of making one
    --keep FOLDER    where the copy is made, and stays
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.docs_commands import IN_BATTERY, PAGES, ROOT, Command, commands, written_files

SECONDS = 4 * 3600
START_SECONDS = 300
ENVIRONMENT = ".venv"
CODE = "tmp/code"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--skip", default="(?!)")
    parser.add_argument("--here", action="store_true")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    pages: dict[str, list[Command]] = {page: [] for page in PAGES}
    seen: set[str] = set()
    for page, chosen in pages.items():
        for one in commands(page):
            wanted = one.way in IN_BATTERY and re.search(given.only, one.text)
            if wanted and not re.search(given.skip, one.text) and one.text not in seen:
                chosen.append(one)
                seen.add(one.text)
    if given.list:
        for one in (one for chosen in pages.values() for one in chosen):
            print(one)
        return 0
    with ExitStack() as stack:
        folder = (
            given.keep.resolve()
            if given.keep
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whetstone-docs-")))
        )
        copy_checkout(folder, here=given.here)
        results = [result for page, chosen in pages.items() for result in run_page(folder, page, chosen)]
    failed = [one["command"] for one in results if one["exit_code"] != 0]
    print(json.dumps({"name": "docs", "commands": len(results), "failed": failed, "results": results}))
    return 1 if failed else 0


def copy_checkout(folder: Path, *, here: bool) -> None:
    """What git knows or would take, with its times (make goes by them). here: and a link to this environment."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "tmp").mkdir(exist_ok=True)
    if here:
        (folder / ENVIRONMENT).symlink_to(sys.prefix)
        (folder / CODE).mkdir()
        for room in ("components", "pipelines", "tools_service"):
            (folder / CODE / room).symlink_to(folder / room)


def run_page(folder: Path, page: str, chosen: list[Command]) -> Iterator[dict[str, Any]]:
    """Execute a page's commands; its servers run until the page is over."""
    for name, text in written_files(page).items() if chosen else ():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{folder / ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    if (folder / ENVIRONMENT).is_symlink():  # somebody's, with another checkout's code in it
        environment |= {"PYTHONPATH": str(folder / CODE), "MAKEFLAGS": f"--assume-old={ENVIRONMENT}/.ready"}
    with ExitStack() as servers:
        for one in chosen:
            print(f"== {one}", flush=True)
            begun = time.monotonic()
            if one.is_server:
                code = servers.enter_context(server(folder, one, environment))
            else:
                code = run(folder, one, environment)
            seconds = round(time.monotonic() - begun, 1)
            print(f"== exit code {code} after {seconds} s", flush=True)
            yield {"page": page, "command": one.text, "seconds": seconds, "exit_code": code}


def run(folder: Path, command: Command, environment: Mapping[str, str]) -> int:
    """The command's exit code; 124 when it took too long."""
    text = command.text.replace("/tmp/", "tmp/")
    process = subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", text], cwd=folder, env=environment, start_new_session=True
    )
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        return 124
    finally:
        _stop(process)


@contextmanager
def server(folder: Path, command: Command, environment: Mapping[str, str]) -> Iterator[int]:
    """Start a command that goes on; 0 when its port answers, else its exit code, or 124."""
    found = re.search(r"--port (\d+)", command.text)
    if found is None:
        raise ValueError(f"{command}: expected --port")
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command.text}" if command.text[0].islower() else command.text],
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        yield _code_at_start(process, int(found[1]))
    finally:
        _stop(process)


def _code_at_start(process: "subprocess.Popen[bytes]", port: int) -> int:
    for _ in range(START_SECONDS):
        if (code := process.poll()) is not None:
            return code or 1
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return 0
        time.sleep(1)
    return 124


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C to all that the command started, and after a while the end."""
    for number, seconds in ((signal.SIGINT, 60), (signal.SIGKILL, 10)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue


if __name__ == "__main__":
    sys.exit(main())
