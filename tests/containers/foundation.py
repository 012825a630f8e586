"""What images stand on where no registry can be reached: Debian by debootstrap, set up as this machine is for pip.

The Dockerfiles know nothing of it: pip's settings and this machine's certificates lie in the foundation.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import ContainerError, docker, program

IMAGE = "whetstone-foundation:bookworm"
SUITE = "bookworm"
PACKAGES = "ca-certificates,python3,python3-venv"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
NOT_NEEDED = ("./var/cache/apt/archives/*.deb", "./var/cache/apt/*.bin", "./var/lib/apt/lists/*", "./dev/*")
PORT = 18098  # where local folders of wheels are served while images are built; the foundation remembers it


def make_foundation() -> str:
    """Make the image, unless it is there; gives its name. Takes about a minute, and root.

    Raises:
        ContainerError: debootstrap is missing or failed.
    """
    if docker("images", "--quiet", IMAGE):
        return IMAGE
    if shutil.which("debootstrap") is None or os.getuid():
        raise ContainerError(
            "foundation: debootstrap as root makes it; install it, or set FOUNDATION to an image with Python 3.11"
        )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ContainerError(f"foundation: debootstrap: {done.stdout.strip().splitlines()[-1]}")
        certificates = Path("/") / CERTIFICATES
        if certificates.exists():
            shutil.copyfile(certificates, root / CERTIFICATES)
        (root / "etc/pip.conf").write_text(pip_settings())
        without = " ".join(f"--exclude={pattern}" for pattern in NOT_NEEDED)
        client = shlex.quote(program())
        pack = f"tar {without} --create --directory {shlex.quote(str(root))} ."
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{pack} | {client} import - {IMAGE}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return IMAGE


def pip_settings() -> str:
    """This machine's settings of pip as a file for a container on the host's network."""
    lines = ["[global]"]
    if (Path("/") / CERTIFICATES).exists():
        lines.append(f"cert = /{CERTIFICATES}")
    for name in ("index-url", "timeout"):
        if found := _pip_config().get(name):
            lines.append(f"{name} = {found}")
    links = [f"http://127.0.0.1:{PORT}/{number}/" for number, _ in enumerate(wheel_folders())]
    lines += ["find-links ="] + [f"    {link}" for link in links] if links else []
    return "\n".join(lines) + "\n"


def wheel_folders() -> list[Path]:
    """Local folders in which pip looks for wheels."""
    given = _pip_config().get("find-links", "").split()
    return [Path(one.removeprefix("file://")) for one in given if Path(one.removeprefix("file://")).is_dir()]


def _pip_config() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    # of the same setting the environment's comes last, as :env:.find-links
    return {name.rpartition(".")[2]: value.strip("'\"").replace("\\n", " ") for name, _, value in pairs}


@contextmanager
def wheels_served() -> Iterator[None]:
    """Serve those folders on loopback until the block ends."""
    folders = wheel_folders()
    if not folders:
        yield
        return
    with tempfile.TemporaryDirectory() as shown:
        for number, folder in enumerate(folders):
            (Path(shown) / str(number)).symlink_to(folder)
        command = [
            sys.executable,
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            shown,
            str(PORT),
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
            if server.poll() is not None:
                raise ContainerError(f"foundation: port {PORT} is taken; wheels could not be served")
        finally:
            server.terminate()
            server.wait()
