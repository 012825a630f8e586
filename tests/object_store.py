"""A real SeaweedFS server for tests: started on free loopback ports, stopped by its own id."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


@dataclass(frozen=True)
class ObjectStore:
    """Where the server is and who may use it."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str

    def environment(self) -> dict[str, str]:
        """What boto3 reads from the environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def find_weed() -> str | None:
    """The server's binary, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def running_store(folder: Path, *, bucket: str = "test") -> Iterator[ObjectStore]:
    """Run the server with its data in `folder` until the block ends."""
    s3, master, volume, filer = free_ports(4)
    store = ObjectStore(f"http://127.0.0.1:{s3}", "test", secrets.token_hex(16), bucket)
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(find_weed() or "weed", "-logtostderr=true", "mini", f"-dir={folder}", f"-bucket={bucket}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3}", f"-master.port={master}"),
        *(f"-volume.port={volume}", f"-filer.port={filer}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-admin.ui=false", "-webdav=false", "-master.telemetry=false", "-volume.preStopSeconds=0"),
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, env={**os.environ, **store.environment()}, stdout=log, stderr=log, cwd=folder
        )
    try:
        _wait(store, server)
        yield store
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def free_ports(count: int) -> list[int]:
    """Free ports whose gRPC twins, 10000 above, are free as well."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        while len(ports) < count:
            port = 20000 + secrets.randbelow(12000)  # below the range that the kernel hands out itself
            try:
                for one in (port, port + 10000):
                    held.append(socket.socket())
                    held[-1].bind(("127.0.0.1", one))
            except OSError:
                continue
            ports.append(port)
    finally:
        for one_socket in held:
            one_socket.close()
    return ports


def _wait(store: ObjectStore, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5),
    )
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.head_bucket(Bucket=store.bucket)
            return
        except (BotoCoreError, ClientError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the object store did not start: {error}") from error
            time.sleep(0.1)
