"""Index folders, models and corpora to and from S3 (boto3's own environment: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID ...)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.manifests import MANIFEST, read_manifest, verify_files


def is_remote(uri: str) -> bool:
    """Whether the URI names an object store."""
    return uri.startswith("s3://")


def upload_artifact(folder: Path, uri: str) -> None:
    """Uploads an artifact folder under the URI, its manifest last.

    Raises:
        InputError: the store can't be reached or refuses.
    """
    bucket, prefix = _split(uri)
    client = _client()
    with _explained(uri):
        for entry in read_manifest(folder).files:
            client.upload_file(str(folder / entry.path), bucket, prefix + entry.path)
        client.upload_file(str(folder / MANIFEST), bucket, prefix + MANIFEST)


def download_artifact(uri: str, folder: Path) -> Path:
    """Downloads an artifact into `folder` and checks every file; an equal copy there is reused.

    Raises:
        InputError: nothing there, damaged, or the store can't be reached or refuses.
    """
    bucket, prefix = _split(uri)
    client = _client()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / (MANIFEST + ".partial")
    with _explained(uri):
        client.download_file(bucket, prefix + MANIFEST, str(fresh))
        known = folder / MANIFEST
        if known.is_file() and known.read_bytes() == fresh.read_bytes():
            return folder
        known.unlink(missing_ok=True)
        fresh.rename(known)
        try:
            manifest = read_manifest(folder)
            for entry in manifest.files:
                (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, prefix + entry.path, str(folder / entry.path))
            verify_files(folder, manifest)
        except BaseException:
            known.unlink(missing_ok=True)
            raise
    return folder


def download_file(uri: str, folder: Path) -> Path:
    """Downloads one object into `folder` under its own name.

    Raises:
        InputError: no such object, or the store can't be reached or refuses.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    name = Path(key).name
    if not bucket or not name or key.endswith("/"):
        raise InputError(f"{uri}: expected s3://bucket/key of one object")
    path = folder / name
    client = _client()
    with _explained(uri):
        client.download_file(bucket, key, str(path))
    return path


def download_folder(uri: str, folder: Path) -> Path:
    """Downloads every object under the URI into `folder`, unless that was done before.

    Raises:
        InputError: nothing there, or the store can't be reached or refuses.
    """
    if folder.is_dir():
        return folder
    bucket, prefix = _split(uri)
    client = _client()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary, _explained(uri):
        whole = (Path(temporary) / "whole").resolve()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                if item["Key"].endswith("/"):  # what consoles make for an empty folder
                    continue
                path = (whole / str(item["Key"]).removeprefix(prefix)).resolve()
                if whole not in path.parents:
                    raise InputError(f"{uri}: an object's name leads out of the folder: {item['Key']}")
                path.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, item["Key"], str(path))
        if not whole.is_dir():
            raise InputError(f"{uri}: nothing there; expected a model's files")
        whole.rename(folder)
    return folder


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise InputError(f"{uri}: expected s3://bucket/prefix")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise InputError("s3:// needs the package boto3, which is not installed") from error
    session = boto3.session.Session()  # the default session would remember the first credentials it met
    return session.client("s3", config=Config(retries={"mode": "adaptive", "max_attempts": 8}))


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise InputError(
            f"{uri}: the object store answered {code}; check the URI, the bucket and AWS_*"
        ) from error
    except (BotoCoreError, Boto3Error) as error:
        raise InputError(
            f"{uri}: {type(error).__name__}: check AWS_ENDPOINT_URL and the credentials"
        ) from error
