"""What `kubectl kustomize` makes of the manifests, and the pods in it. Not a test."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

MANIFESTS = Path(__file__).parent.parent / "manifests"
# Each overlay with what is applied beside it, for the namespace in which runs are executed.
OVERLAYS = {
    "dev": ("overlays/dev", "overlays/dev/runs"),
    "production": ("overlays/production", "overlays/production/runs"),
    "kubeflow": ("overlays/kubeflow",),
}
Manifest = dict[str, Any]


@dataclass(frozen=True)
class PodOf:
    """A pod that a manifest asks for: `owner` is kind/name, `spec` a PodSpec."""

    owner: str
    namespace: str
    labels: dict[str, str]
    spec: Manifest

    @property
    def containers(self) -> list[Manifest]:
        """All of them, those that initialise too."""
        return [*self.spec["containers"], *self.spec.get("initContainers", [])]


def kubectl() -> str:
    """The program; skips the test by name where it is not installed."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed")
    return found


@cache
def rendered_text(folder: Path) -> str:
    """The YAML of one folder."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # deprecated fields are warned of
    return done.stdout


def rendered(folder: Path) -> list[Manifest]:
    """The manifests of one folder."""
    return [one for one in yaml.safe_load_all(rendered_text(folder)) if one]


def overlay(name: str) -> list[Manifest]:
    """All manifests of an overlay."""
    return [one for folder in OVERLAYS[name] for one in rendered(MANIFESTS / folder)]


def one_of(manifests: Sequence[Manifest], kind: str, name: str = "") -> Manifest:
    """The one manifest of a kind, or of a kind and name (generated ones by how their name begins)."""
    found = [
        one for one in manifests if one["kind"] == kind and (one["metadata"]["name"] + "-").startswith(name)
    ]
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def pods_of(manifests: Sequence[Manifest]) -> Iterator[PodOf]:
    """Every pod that the manifests ask for. A kind that is not known to have none is an error."""
    for one in manifests:
        namespace = one["metadata"].get("namespace", "")
        owner = f"{one['kind']}/{one['metadata']['name']}"
        match one["kind"]:
            case "Deployment" | "StatefulSet":
                template = one["spec"]["template"]
                yield PodOf(owner, namespace, template["metadata"]["labels"], template["spec"])
            case "InferenceService":
                predictor = one["spec"]["predictor"]
                yield PodOf(owner, namespace, predictor["labels"], predictor)
            case kind:
                assert kind in PODLESS, f"{owner}: does it make pods?"


PODLESS = {
    "ConfigMap",
    "HorizontalPodAutoscaler",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDefault",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
}
