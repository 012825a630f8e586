"""Storage in a bucket through boto3: adaptive retries, multipart, parallel ranged reads.

Endpoint, region and credentials come from boto3's own environment (AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY ...). Needs the rights to list the bucket, and to get, put and
delete objects where that is asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import boto3
import botocore.session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from components.contracts.errors import InputError
from components.contracts.jsonl import write_errors
from components.storage.base import StoredObject
from components.storage.names import inside, join, split_s3
from components.storage.s3_errors import MISSING, error_code, s3_errors

Item = TypeVar("Item")

MEGABYTE = 1024 * 1024
FILES_AT_ONCE = 4
DESCRIPTIONS = create_loader(None)
TRANSFER = TransferConfig(
    multipart_threshold=16 * MEGABYTE, multipart_chunksize=16 * MEGABYTE, max_concurrency=8
)
# The first contact must fail quickly when there is nobody; later requests ride out a busy store.
FIRST_CONTACT = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=2.5
)
STEADY = Config(
    retries={"mode": "adaptive", "total_max_attempts": 8},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=8 * FILES_AT_ONCE,
    tcp_keepalive=True,
)


class S3Storage:
    """Objects under `s3://bucket/prefix`.

    Raises:
        InputError: when made, if the endpoint can't be reached, refuses the credentials, or has no
            such bucket.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._bucket, self._prefix = split_s3(uri)
        with s3_errors(uri):
            session = _new_session()
            first = session.client("s3", config=FIRST_CONTACT)
            try:
                first.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
            except ClientError as error:
                if error_code(error) not in MISSING:
                    raise
                raise InputError(
                    f"{uri}: what answers there is no S3 store; check AWS_ENDPOINT_URL"
                ) from error
            self._client: Any = session.client("s3", config=STEADY)

    def get_file(self, name: str, path: Path) -> None:
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with s3_errors(join(self.uri, name), path):
            self._client.download_file(self._bucket, self._key(name), str(path), Config=TRANSFER)

    def put_file(self, path: Path, name: str) -> None:
        with s3_errors(join(self.uri, name), path):
            self._client.upload_file(str(path), self._bucket, self._key(name), Config=TRANSFER)

    def exists(self, name: str, *, size: int | None = None) -> bool:
        with s3_errors(join(self.uri, name)):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._key(name))
            except ClientError as error:
                if error_code(error) in MISSING:
                    return False
                raise
        return size is None or head["ContentLength"] == size

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        start = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start + prefix
        )
        with s3_errors(join(self.uri, prefix)):
            for page in pages:
                for item in page.get("Contents", ()):
                    if not item["Key"].endswith("/"):  # a folder's placeholder, as some tools make them
                        yield StoredObject(item["Key"].removeprefix(start), item["Size"])

    def delete_prefix(self, prefix: str) -> int:
        names = [one.name for one in self.list(join(prefix) + "/" if prefix else "")]
        for start in range(0, len(names), 1000):  # the most that one request may name
            keys = [{"Key": self._key(name)} for name in names[start : start + 1000]]
            with s3_errors(join(self.uri, prefix)):
                reply = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                )
            for problem in reply.get("Errors", ()):
                raise InputError(f"s3://{self._bucket}/{problem['Key']}: can't be deleted: {problem['Code']}")
        return len(names)

    def upload_folder(self, folder: Path, prefix: str = "") -> int:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return in_parallel(
            lambda path: self.put_file(path, join(prefix, path.relative_to(folder).as_posix())), files
        )

    def download_folder(self, prefix: str, folder: Path) -> int:
        start = join(prefix) + "/" if prefix else ""
        names = [one.name for one in self.list(start)]
        return in_parallel(lambda name: self.get_file(name, inside(folder, name.removeprefix(start))), names)

    def _key(self, name: str) -> str:
        inside(Path(), name)
        return join(self._prefix, name) if self._prefix else name


def _new_session() -> boto3.session.Session:
    """A session that reads the environment anew, but not boto3's service descriptions (0.3 s)."""
    core = botocore.session.get_session()
    core.register_component("data_loader", DESCRIPTIONS)
    return boto3.session.Session(botocore_session=core)


def in_parallel(action: Callable[[Item], None], items: Iterable[Item]) -> int:
    """Do something to every item, a few at once; the first error is raised. Returns the count."""
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        return len(list(pool.map(action, items)))
