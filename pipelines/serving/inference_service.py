"""The Kubernetes objects that serve an adapter: a KServe InferenceService that runs vLLM, its account, and kustomize's files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contracts.errors import InputError

IMAGE, IMAGE_TAG = "vllm/vllm-openai", "v0.33.0"
PORT = 8080
# KServe puts what several addresses hold under one folder.
MODELS = "/mnt/models"
ADAPTER, BASE = f"{MODELS}/adapter", f"{MODELS}/base"
TEMPLATE_FOLDER, TEMPLATE_FILE = "/etc/whetstone", "chat_template.jinja"
CACHE = "/var/cache/whetstone"
STORE_SECRET, MODEL_SECRET, KEY_SECRET = "whetstone-store", "whetstone-model", "whetstone-serving"

# vllm/config/lora.py: MaxLoRARanks
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# Call format -> vLLM's parser. `paper` has none.
PARSERS = {"hermes": "hermes", "pythonic": "pythonic", "llama3_json": "llama3_json"}

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Serving:
    """What is served under which name.

    name: of the InferenceService, and of the model in requests. adapter_uri: s3://. base_uri: hf:// or s3://; empty
    where the adapter is a whole model. lora_rank: 0 for a whole model. pinned_template: a chat template lies in the
    ConfigMap.
    """

    name: str
    adapter_uri: str
    base_uri: str
    call_format: str
    lora_rank: int
    pinned_template: bool


def vllm_arguments(serving: Serving) -> list[str]:
    """What follows `vllm serve`: the model, then options.

    Raises:
        InputError: a rank above all that vLLM serves.
    """
    if serving.lora_rank:
        model, revision = _base_model(serving.base_uri)
        arguments = [model, f"--port={PORT}", *([f"--revision={revision}"] if revision else [])]
        module = {"name": serving.name, "path": ADAPTER, "base_model_name": f"{serving.name}-base"}
        arguments += [f"--served-model-name={serving.name}-base", "--enable-lora"]
        arguments += [
            f"--max-lora-rank={_served_rank(serving.lora_rank)}",
            "--lora-modules",
            json.dumps(module),
        ]
    else:
        arguments = [ADAPTER, f"--port={PORT}", f"--served-model-name={serving.name}"]
    if serving.pinned_template:
        arguments.append(f"--chat-template={TEMPLATE_FOLDER}/{TEMPLATE_FILE}")
    if parser := PARSERS.get(serving.call_format):
        arguments += ["--enable-auto-tool-choice", f"--tool-call-parser={parser}"]
    return arguments


def inference_service(serving: Serving) -> Manifest:
    """The InferenceService: one replica on one accelerator; KServe (0.16 or newer) fetches what lies at s3://."""
    storage = [{"uri": serving.adapter_uri, "mountPath": ADAPTER}]
    if serving.base_uri.startswith("s3://"):
        storage.append({"uri": serving.base_uri, "mountPath": BASE})
    mounts = [("cache", CACHE), ("temporary", "/tmp"), ("shared-memory", "/dev/shm")]
    volumes: list[Manifest] = [
        {"name": "cache", "emptyDir": {"sizeLimit": "100Gi"}},
        {"name": "temporary", "emptyDir": {"sizeLimit": "10Gi"}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
    ]
    if serving.pinned_template:
        mounts.append(("template", TEMPLATE_FOLDER))
        volumes.append({"name": "template", "configMap": {"name": f"{serving.name}-template"}})
    container = {
        "name": "kserve-container",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["vllm", "serve"],
        "args": vllm_arguments(serving),
        "ports": [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(),
        "startupProbe": _probe(period=10, failures=360),  # weights are fetched and loaded, kernels compiled
        "readinessProbe": _probe(period=5, failures=3),
        "livenessProbe": _probe(period=20, failures=6),
        "resources": {
            "requests": {"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "1"},
            "limits": {"memory": "64Gi", "nvidia.com/gpu": "1"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts],
    }
    labels = labels_of(serving.name)
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": serving.name,
            "labels": labels,
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {
            "predictor": {
                "labels": labels,
                "minReplicas": 1,
                "maxReplicas": 1,
                "storageUris": storage,
                "serviceAccountName": serving.name,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 1000,  # the image's own user is root
                    "runAsGroup": 1000,
                    "fsGroup": 1000,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": volumes,
            }
        },
    }


def service_account(serving: Serving) -> Manifest:
    """The account by whose secret KServe fetches from the object store."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": serving.name, "labels": labels_of(serving.name)},
        "automountServiceAccountToken": False,
        "secrets": [{"name": STORE_SECRET}],
    }


def kustomization(serving: Serving, resources: Sequence[str]) -> Manifest:
    """What `kubectl apply -k` reads; namespace and image are changed here."""
    found: Manifest = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
        "images": [{"name": IMAGE, "newTag": IMAGE_TAG}],
    }
    if serving.pinned_template:
        # Neither is a kind kustomize knows, so both are told where an InferenceService names them.
        found["configMapGenerator"] = [{"name": f"{serving.name}-template", "files": [TEMPLATE_FILE]}]
    found["configurations"] = ["kustomizeconfig.yaml"]
    return found


def kustomize_configuration() -> Manifest:
    """Where an InferenceService names images and ConfigMaps, which kustomize does not know by itself."""
    kind = "InferenceService"
    return {
        "images": [{"path": "spec/predictor/containers[]/image", "kind": kind}],
        "nameReference": [
            {
                "kind": "ConfigMap",
                "version": "v1",
                "fieldSpecs": [{"path": "spec/predictor/volumes/configMap/name", "kind": kind}],
            }
        ],
    }


def labels_of(name: str) -> Mapping[str, str]:
    """The labels of everything that belongs to a served adapter."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": "serving",
        "app.kubernetes.io/part-of": "whetstone",
    }


def _environment() -> list[Manifest]:
    plain = {
        "HOME": "/tmp",
        "USER": "vllm",  # torch asks for the user's name, and the number has no entry in /etc/passwd
        "XDG_CACHE_HOME": CACHE,
        "HF_HOME": f"{CACHE}/huggingface",
        "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor",
        "TRITON_CACHE_DIR": f"{CACHE}/triton",
        "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        _from_secret("VLLM_API_KEY", KEY_SECRET),
        _from_secret("HF_TOKEN", MODEL_SECRET, optional=True),
    ]


def _from_secret(key: str, secret: str, **options: bool) -> Manifest:
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key, **options}}}


def _probe(*, period: int, failures: int) -> Manifest:
    asked = {"path": "/health", "port": PORT, "scheme": "HTTP"}
    return {"httpGet": asked, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}


def _base_model(uri: str) -> tuple[str, str]:
    """What vLLM loads, and of which revision."""
    if uri.startswith("hf://"):
        name, _, revision = uri.removeprefix("hf://").partition("@")
        return name, revision
    return BASE, ""


def _served_rank(rank: int) -> int:
    for served in LORA_RANKS:
        if rank <= served:
            return served
    raise InputError(f"adapter: its LoRA rank is {rank}; vLLM serves at most {LORA_RANKS[-1]}")
