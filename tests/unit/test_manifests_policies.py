"""Every pod of every overlay: restricted, bounded, guarded by NetworkPolicies; and exactly which traffic passes."""

from dataclasses import dataclass

import pytest

from pipelines.resources import LABELS
from tests.kustomized import MANIFESTS, OVERLAYS, Manifest, PodOf, kubectl, overlay, pods_of
from tests.network_policies import Peer, matches, passes

# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"),
    "secret",
}
POD_FIELDS_REFUSED = ("hostNetwork", "hostPID", "hostIPC")


def pods(name: str) -> list[PodOf]:
    return list(pods_of(overlay(name)))


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_meet_the_restricted_standard(name: str) -> None:
    assert {pod.owner for pod in pods(name)} >= {"Deployment/whetstone-tools"}
    for pod in pods(name):
        assert restricted_faults(pod.spec) == [], pod.owner


def restricted_faults(spec: Manifest) -> list[str]:
    """What the Pod Security Standard `restricted` has against a pod."""
    own = spec.get("securityContext", {})
    found = [field for field in POD_FIELDS_REFUSED if spec.get(field)]
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        found += sorted(kinds - VOLUMES)
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        context = {**own, **container.get("securityContext", {})}
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
            found.append("root")
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            found.append("privilege")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            found.append("capabilities")
        if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            found.append("seccomp")
        if any("hostPort" in port for port in container.get("ports", [])):
            found.append("hostPort")
    return found


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("root", {"securityContext": {"runAsUser": 0}}),
        ("seccomp", {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
        ("capabilities", {"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}),
        ("privilege", {"securityContext": {"allowPrivilegeEscalation": True}}),
    ],
)
def test_the_standard_notices(fault: str, change: Manifest) -> None:
    (tools,) = (pod for pod in pods("production") if pod.owner == "Deployment/whetstone-tools")
    container = tools.spec["containers"][0]
    changed = {**container, "securityContext": {**container["securityContext"], **change["securityContext"]}}
    assert restricted_faults({**tools.spec, "containers": [changed]}) == [fault]


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_bounded_probed_and_write_only_to_volumes(name: str) -> None:
    for pod in pods(name):
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert pod.spec["enableServiceLinks"] is False, pod.owner
        assert pod.spec["serviceAccountName"] != "default"
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod.owner
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), pod.owner
            assert "memory" in resources["limits"]
            assert "cpu" not in resources["limits"]  # it would be throttled while cores idle
            image, _, tag = container["image"].partition(":")
            assert tag not in ("", "latest"), container["image"]
            assert "." not in image.split("/")[0], "no registry's host"
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), pod.owner
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert "/tmp" in paths
            assert len(set(paths)) == len(paths)
            volumes = {one["name"] for one in pod.spec.get("volumes", [])} | _claimed(name, pod)
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        for volume in pod.spec.get("volumes", []):
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], f"{pod.owner}: {volume['name']} could fill the node"


def _claimed(name: str, pod: PodOf) -> set[str]:
    owner = next(one for one in overlay(name) if f"{one['kind']}/{one['metadata']['name']}" == pod.owner)
    return {one["metadata"]["name"] for one in owner["spec"].get("volumeClaimTemplates", [])}


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_secret_is_committed_or_inline(name: str) -> None:
    for manifest in overlay(name):
        assert manifest["kind"] != "Secret"
    for pod in pods(name):
        for container in pod.containers:
            for one in container.get("env", []):
                secret = any(word in one["name"] for word in ("TOKEN", "SECRET", "ACCESS_KEY", "API_KEY"))
                assert not (secret and "value" in one), one["name"]
    files = [path for path in MANIFESTS.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert "stringData" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", OVERLAYS)
def test_services_budgets_and_scalers_choose_pods_that_are_there(name: str) -> None:
    manifests, made = overlay(name), pods(name)
    for one in manifests:
        namespace = one["metadata"].get("namespace", "")
        if one["kind"] == "Service":
            (pod,) = (pod for pod in made if matches({"matchLabels": one["spec"]["selector"]}, pod.labels))
            ports = {port["name"] for container in pod.containers for port in container["ports"]}
            assert pod.namespace == namespace
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
        elif one["kind"] == "PodDisruptionBudget":
            assert [pod.namespace for pod in made if matches(one["spec"]["selector"], pod.labels)] == [
                namespace
            ]
        elif one["kind"] == "HorizontalPodAutoscaler":
            target = one["spec"]["scaleTargetRef"]
            assert f"{target['kind']}/{target['name']}" in {pod.owner for pod in made}
            assert one["spec"]["minReplicas"] >= 2
    if name != "dev":
        deployment = next(one for one in manifests if one["kind"] == "Deployment")
        assert "replicas" not in deployment["spec"], "it would fight with the autoscaler"


def test_namespaces_of_our_own_enforce_the_standard() -> None:
    for name in ("dev", "production"):
        (namespace,) = (one for one in overlay(name) if one["kind"] == "Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        inside = {one["metadata"]["namespace"] for one in overlay(name) if one["kind"] != "Namespace"}
        assert inside == {namespace["metadata"]["name"], "kubeflow"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_guarded_both_ways(name: str) -> None:
    policies = [one for one in overlay(name) if one["kind"] == "NetworkPolicy"]
    stage = PodOf("a stage", scene(name).runs, dict(LABELS), {})
    for pod in [*pods(name), stage]:
        ways = {
            way
            for one in policies
            if one["metadata"]["namespace"] == pod.namespace
            and matches(one["spec"]["podSelector"], pod.labels)
            for way in one["spec"]["policyTypes"]
        }
        assert ways == {"Ingress", "Egress"}, pod.owner


@dataclass(frozen=True)
class Scene:
    """Where an overlay's parts stand: the service's own namespace, and that of the runs."""

    own: str
    runs: str


def scene(name: str) -> Scene:
    """Of an overlay."""
    kubectl()
    return {
        "dev": Scene("whetstone-dev", "kubeflow"),
        "production": Scene("whetstone", "kubeflow"),
        "kubeflow": Scene("kubeflow-user-example-com", "kubeflow-user-example-com"),
    }[name]


def peers(name: str) -> dict[str, Peer]:
    """Everybody in a cluster who could speak to somebody, by name."""
    where = scene(name)

    def pod(title: str, namespace: str, **labels: str) -> Peer:
        ours = {"app.kubernetes.io/part-of": "whetstone"} if namespace.startswith("whetstone") else {}
        return Peer(title, namespace, labels, {"kubernetes.io/metadata.name": namespace, **ours})

    def ours(title: str, service: str, component: str) -> Peer:
        labels = {
            "app.kubernetes.io/name": service,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "whetstone",
        }
        return pod(title, where.own, **labels)

    listed = [
        pod("stage", where.runs, **LABELS, **{"app.kubernetes.io/name": "sft"}),
        pod("stranger's stage", "elsewhere", **LABELS, **{"app.kubernetes.io/name": "sft"}),
        pod("neighbour", where.runs, app="notebook"),
        ours("tools", "whetstone-tools", "tools"),
        pod("dns", "kube-system", **{"k8s-app": "kube-dns"}),
        pod("kubelet's neighbour", "kube-system", app="other"),
        pod("pipelines", "kubeflow", app="ml-pipeline"),
        pod("metadata", "kubeflow", component="metadata-grpc-server"),
        pod("kubeflow's store", "kubeflow", app="seaweedfs"),
        pod("kubeflow's database", "kubeflow", app="mysql"),
        Peer("kubernetes", address="10.96.0.1"),
        Peer("internet", address="93.184.215.14"),
        Peer("internet 6", address="2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
        Peer("instance metadata", address="169.254.169.254"),
        Peer("store outside", address="203.0.113.8"),
    ]
    if name == "dev":
        listed.append(ours("store", "whetstone-store", "store"))
    return {one.name: one for one in listed}


PORTS = {
    "tools": (8080, 22),
    "store": (8333, 8888, 9333),
    "dns": (53, 9153),
    "kubelet's neighbour": (53,),
    "pipelines": (8887, 8888),
    "metadata": (8080,),
    "kubeflow's store": (8333, 8111),
    "kubeflow's database": (3306,),
    "kubernetes": (443, 6443, 22),
    "internet": (443, 80, 6443),
    "internet 6": (443,),
    "instance metadata": (80, 443),
    "store outside": (443, 80),
    "stage": (8080, 443),
}
TO_DNS = {("dns", 53)}
TO_KUBEFLOW = {
    *(("pipelines", 8887), ("pipelines", 8888), ("metadata", 8080), ("kubeflow's store", 8333)),
    *(("kubernetes", 443), ("kubernetes", 6443)),
}
TO_HUB = {("internet", 443), ("internet 6", 443), ("store outside", 443)}
REACHED = {
    "dev": {
        "stage": {("tools", 8080), ("store", 8333), *TO_DNS, *TO_KUBEFLOW, *TO_HUB},
        "tools": {("store", 8333), *TO_DNS, *TO_HUB},
        "store": set(),
    },
    "production": {
        "stage": {("tools", 8080), ("store outside", 443), *TO_DNS, *TO_KUBEFLOW},
        "tools": {("store outside", 443), *TO_DNS},
    },
    "kubeflow": {
        "stage": {("tools", 8080), *TO_DNS, *TO_KUBEFLOW},
        "tools": {("kubeflow's store", 8333), *TO_DNS},
    },
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_exactly_this_traffic_passes(name: str) -> None:
    policies = [one for one in overlay(name) if one["kind"] == "NetworkPolicy"]
    everybody = peers(name)
    for source, expected in REACHED[name].items():
        passed = {
            (target, port)
            for target, ports in PORTS.items()
            for port in ports
            if target in everybody and passes(policies, everybody[source], everybody[target], port)
        }
        assert passed == expected, source
    assert passes(policies, everybody["stage"], everybody["dns"], 53, "UDP")


@pytest.mark.parametrize("name", OVERLAYS)
def test_who_else_may_not_call(name: str) -> None:
    policies = [one for one in overlay(name) if one["kind"] == "NetworkPolicy"]
    everybody = peers(name)
    for source in ("stranger's stage", "neighbour", "pipelines", "internet"):
        for target in {"tools", "store", "stage"} & set(everybody):
            for port in PORTS[target]:
                assert not passes(policies, everybody[source], everybody[target], port), (
                    source,
                    target,
                    port,
                )


def test_a_stage_without_kubeflow_reaches_tools_store_and_dns_only() -> None:
    """`manifests/stages` alone, which the overlays widen by name."""
    from tests.kustomized import rendered

    where = "kubeflow-user-example-com"
    policies = [
        {**one, "metadata": {**one["metadata"], "namespace": where}} for one in rendered(MANIFESTS / "stages")
    ]
    everybody = peers("kubeflow")
    store = {"app.kubernetes.io/name": "whetstone-store"}
    everybody["store"] = Peer("store", where, store, {"kubernetes.io/metadata.name": where})
    passed = {
        (target, port)
        for target, ports in PORTS.items()
        for port in ports
        if passes(policies, everybody["stage"], everybody[target], port)
    }
    assert passed == {("tools", 8080), ("store", 8333), ("dns", 53)}
