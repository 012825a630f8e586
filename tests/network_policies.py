"""Which traffic NetworkPolicies let through, by their definition (networking.k8s.io/v1). Not a test."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Peer:
    """A pod, or (without a namespace) an address outside."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "10.244.0.7"


def passes(
    policies: Sequence[Manifest], source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection from `source` to a port of `target` is let through on both sides."""
    return _side(policies, "Egress", source, target, port, protocol) and _side(
        policies, "Ingress", target, source, port, protocol
    )


def _side(policies: Sequence[Manifest], way: str, own: Peer, other: Peer, port: int, protocol: str) -> bool:
    if not own.namespace:
        return True
    guarding = [
        one
        for one in policies
        if one["metadata"]["namespace"] == own.namespace
        and way in one["spec"]["policyTypes"]
        and matches(one["spec"]["podSelector"], own.labels)
    ]
    if not guarding:
        return True
    peers = "to" if way == "Egress" else "from"
    return any(
        _port(rule, port, protocol) and _peer(rule.get(peers), own, other)
        for one in guarding
        for rule in one["spec"].get(way.lower(), [])
    )


def _port(rule: Manifest, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(one["port"] == port and one.get("protocol", "TCP") == protocol for one in ports)


def _peer(peers: Sequence[Manifest] | None, own: Peer, other: Peer) -> bool:
    return not peers or any(_is_one(peer, own, other) for peer in peers)


def _is_one(peer: Manifest, own: Peer, other: Peer) -> bool:
    if block := peer.get("ipBlock"):
        if other.namespace:
            return False  # pods are selected, not addressed: what a plugin does there is its own
        address = ipaddress.ip_address(other.address)
        return _holds(block["cidr"], address) and not any(
            _holds(cidr, address) for cidr in block.get("except", [])
        )
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != own.namespace:
        return False
    return matches(peer.get("podSelector", {}), other.labels)


def _holds(cidr: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    network = ipaddress.ip_network(cidr)
    return network.version == address.version and address in network


def matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses what has these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for one in selector.get("matchExpressions", []):
        value = labels.get(one["key"])
        chosen = {
            "In": value in one.get("values", []),
            "NotIn": value not in one.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not chosen[one["operator"]]:
            return False
    return True
