"""Who may ask a served adapter, and what its pod reaches: the NetworkPolicy beside its InferenceService."""

from pipelines.serving.inference_service import PORT, Manifest, Serving, labels_of


def network_policy(serving: Serving) -> Manifest:
    """Who may ask (this namespace and the gateways), and what it reaches: DNS, the object store, and a hub if need be."""
    store = {"matchLabels": {"app.kubernetes.io/name": "whetstone-store"}}
    egress: list[Manifest] = [
        {
            "to": [
                {"podSelector": store},
                {
                    "namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "whetstone"}},
                    "podSelector": store,
                },
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kubeflow"}},
                    "podSelector": {"matchLabels": {"app": "seaweedfs"}},
                },
            ],
            "ports": _ports(8333),
        },
        {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                },
                {"ipBlock": {"cidr": "169.254.20.10/32"}},
            ],
            "ports": [{"port": 53, "protocol": "UDP"}, *_ports(53)],
        },
    ]
    if serving.base_uri.startswith("hf://"):
        private = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]
        hub = [{"ipBlock": {"cidr": "0.0.0.0/0", "except": private}}, {"ipBlock": {"cidr": "2000::/3"}}]
        egress.append({"to": hub, "ports": _ports(443)})
    gateways = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["istio-system", "kserve"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": serving.name, "labels": labels_of(serving.name)},
        "spec": {
            "podSelector": {"matchLabels": labels_of(serving.name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": {}}, {"namespaceSelector": {"matchExpressions": [gateways]}}],
                    "ports": _ports(PORT),
                }
            ],
            "egress": egress,
        },
    }


def _ports(port: int) -> list[Manifest]:
    return [{"port": port, "protocol": "TCP"}]
