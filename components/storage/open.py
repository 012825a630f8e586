"""From an address to its storage, and from an address to local files."""

from pathlib import Path

from components.contracts.errors import InputError
from components.storage.base import Storage
from components.storage.local import LocalStorage
from components.storage.names import is_remote, join, local_path, split_s3


def open_storage(uri: str) -> Storage:
    """The storage at `s3://bucket/prefix` or at a local folder (a path, or `file://`).

    Raises:
        InputError: another kind of address; a store that can't be reached, refuses the credentials, or
            has no such bucket (within seconds).
    """
    if not uri:
        raise InputError("an empty address, expected s3://bucket/prefix or a local path")
    if not is_remote(uri):
        return LocalStorage(local_path(uri))
    from components.storage.s3 import S3Storage  # boto3 takes half a second to import

    return S3Storage(uri)


def fetch(uri: str, folder: Path) -> Path:
    """The local path of one file or folder, copied under `folder` first when it is remote.

    Raises:
        InputError: nothing at that address, or it can't be read.
    """
    if not is_remote(uri):
        path = local_path(uri)
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        return path
    bucket, key = split_s3(uri)
    parent, _, last = key.rpartition("/")
    storage = open_storage(join(f"s3://{bucket}", parent))
    if last and not uri.endswith("/") and storage.exists(last):
        storage.get_file(last, folder / last)
        return folder / last
    target = folder / (last or bucket)
    if not storage.download_folder(last, target):
        raise InputError(f"{uri}: no such object, and no objects under it")
    return target
