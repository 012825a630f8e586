"""Addresses and object names: what is allowed, and what never leaves its folder."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from components.contracts.errors import InputError

S3 = "s3://"


def is_remote(uri: str) -> bool:
    """Whether the address is not a local path.

    Raises:
        InputError: a scheme that is neither s3 nor file.
    """
    if uri.startswith(S3):
        return True
    if "://" in uri and not uri.startswith("file://"):
        raise InputError(f"{uri}: unknown kind of address, expected s3://bucket/prefix or a local path")
    return False


def local_path(uri: str) -> Path:
    """The path of a local address, `file://` or plain."""
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file://") else Path(uri)


def split_s3(uri: str) -> tuple[str, str]:
    """Bucket and prefix (without slashes at its ends) of `s3://bucket/prefix`.

    Raises:
        InputError: no bucket.
    """
    bucket, _, prefix = uri.removeprefix(S3).partition("/")
    if not bucket:
        raise InputError(f"{uri}: expected s3://bucket/prefix")
    return bucket, prefix.strip("/")


def join(*parts: str) -> str:
    """Parts of an address or name, with one slash between them and empty ones left out."""
    return "/".join(
        part.strip("/") if index else part.rstrip("/") for index, part in enumerate(parts) if part
    )


def inside(folder: Path, name: str) -> Path:
    """The local path of an object's name.

    Raises:
        InputError: the name would lead out of the folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise InputError(f"{name!r}: an object's name that would lead out of its folder")
    return folder.joinpath(*parts)
