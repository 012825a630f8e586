"""Every manifest is what Kubernetes knows: unknown fields are refused, kinds of others checked by their fields."""

import os
from pathlib import Path

import pytest
import yaml

from tests.kustomized import MANIFESTS, OVERLAYS, Manifest, overlay, rendered

validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")

VERSIONS = ("1.30", "1.34", validate.latest_version())
BUILT = [folder for folders in OVERLAYS.values() for folder in folders]

# components/admission-webhook/pkg/apis/settings/v1alpha1/poddefault_types.go of kubeflow/kubeflow
POD_DEFAULT_FIELDS = {
    *("selector", "desc", "serviceAccountName", "automountServiceAccountToken", "env", "envFrom", "volumes"),
    *("volumeMounts", "annotations", "labels", "tolerations"),
}
# backend/src/v2/config/s3.go of kubeflow/pipelines 2.17
S3_PROVIDER_FIELDS = {"endpoint", "credentials", "region", "disableSSL", "forcePathStyle", "maxRetries"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", BUILT)
def test_strictly_valid(folder: str, version: str) -> None:
    for manifest in rendered(MANIFESTS / folder):
        if manifest["kind"] != "PodDefault":
            validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_refused() -> None:
    (deployment,) = (one for one in rendered(MANIFESTS / "base") if one["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(validate.ValidationError, match="readynessProbe"):
        validate.validate(deployment, "1.34", strict=True)


def test_every_folder_builds_and_every_file_is_used(tmp_path: Path) -> None:
    for kustomization in MANIFESTS.rglob("kustomization.yaml"):
        folder = kustomization.parent
        text = yaml.safe_load(kustomization.read_text(encoding="utf-8"))
        named = {
            *text.get("resources", []),
            *(one["path"] for one in text.get("patches", []) if "path" in one),
        }
        assert {path.name for path in folder.glob("*.yaml")} == {"kustomization.yaml"} | {
            one for one in named if one.endswith(".yaml")
        }, folder
        if text["kind"] == "Kustomization":
            assert rendered(folder)


@pytest.mark.parametrize("version", VERSIONS)
def test_components_fit_the_base(tmp_path: Path, version: str) -> None:
    names = ("store", "shared-corpus", "hub-access", "external-store", "kubeflow-control")
    assert {path.name for path in (MANIFESTS / "components").iterdir()} == set(names)
    at = os.path.relpath(MANIFESTS, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {"resources": [f"{at}/base"], "components": [f"{at}/components/{one}" for one in names]}
        )
    )
    manifests = rendered(tmp_path.resolve())
    for manifest in manifests:
        validate.validate(manifest, version, strict=True)
    (tools,) = (one for one in manifests if one["kind"] == "Deployment")
    volumes = {one["name"]: one for one in tools["spec"]["template"]["spec"]["volumes"]}
    assert volumes["shared-corpus"]["persistentVolumeClaim"] == {
        "claimName": "whetstone-corpus",
        "readOnly": True,
    }
    (settings,) = (one for one in manifests if one["metadata"]["name"].startswith("whetstone-tools-"))
    assert settings["data"]["WHETSTONE_TOOLS_INDEX"] == "/corpus/index"


def test_pod_default_has_the_fields_of_its_kind() -> None:
    (pod_default,) = (one for one in overlay("kubeflow") if one["kind"] == "PodDefault")
    assert pod_default["apiVersion"] == "kubeflow.org/v1alpha1"
    spec = pod_default["spec"]
    assert set(spec) <= POD_DEFAULT_FIELDS
    assert set(spec["selector"]) <= {"matchLabels", "matchExpressions"}
    validate.validate(_pod({"name": "one", "image": "one", "env": spec["env"]}), "1.34", strict=True)


def test_artifact_repository_is_what_the_launcher_reads() -> None:
    (launcher,) = (one for one in overlay("kubeflow") if one["metadata"]["name"] == "kfp-launcher")
    assert set(launcher["data"]) == {"providers"}  # the profile controller's own keys stay as they are
    providers = yaml.safe_load(launcher["data"]["providers"])
    assert set(providers) == {"s3"}
    assert set(providers["s3"]) == {"default"}
    default = providers["s3"]["default"]
    assert set(default) <= S3_PROVIDER_FIELDS
    assert set(default["credentials"]) == {"fromEnv", "secretRef"}
    assert set(default["credentials"]["secretRef"]) == {"secretName", "accessKeyKey", "secretKeyKey"}


def _pod(container: Manifest) -> Manifest:
    metadata = {"name": "one"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
