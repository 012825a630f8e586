"""Can object storage and folders be written, and are there credentials for them?"""

import os
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from components.contracts.errors import InputError
from components.preflight.checks import Skipped
from components.storage import open_storage

EMPTY = {
    "artifact_store": "empty: artifacts travel with the pipeline's own launcher",
    "checkpoint_root": "empty: no checkpoints, an interrupted stage starts over",
    "publish_to": "empty: the adapter is not published",
}
PROBE = b"whetstone preflight\n"


def look_at_store(parameter: str, uri: str) -> str:
    """Put a small object under `uri`, get it back, delete it.

    Raises:
        InputError: one of these failed, or what came back was something else.
        Skipped: the parameter is empty.
    """
    if not uri.strip():
        raise Skipped(EMPTY[parameter])
    folder = f".preflight-{uuid.uuid4().hex}"
    name = f"{folder}/probe"
    with TemporaryDirectory() as scratch:
        sent, returned = Path(scratch) / "sent", Path(scratch) / "returned"
        sent.write_bytes(PROBE)
        try:
            storage = open_storage(uri)
            storage.put_file(sent, name)
            try:
                storage.get_file(name, returned)
            finally:
                storage.delete_prefix(folder)
        except InputError as error:
            raise InputError(f"{parameter}: {error}") from error
        if returned.read_bytes() != PROBE:
            raise InputError(f"{parameter}: {uri}: gave back something else than was put there")
    return "written, read back and deleted"


def look_at_credentials() -> str:
    """Whether boto3 finds credentials: environment, file, or the pod's role; never shows them.

    Raises:
        InputError: it finds none.
    """
    import boto3
    from botocore.exceptions import BotoCoreError

    os.environ.setdefault("AWS_METADATA_SERVICE_TIMEOUT", "1")
    try:
        found = boto3.Session().get_credentials()
    except BotoCoreError as error:
        raise InputError(f"secret: boto3 can't read the credentials of object storage: {error}") from error
    if found is None:
        raise InputError(
            "secret: no credentials for s3://; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "(on a cluster: name their secret in the run's parameters)"
        )
    return f"found ({found.method})"
