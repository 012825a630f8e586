"""Values of a run's parameters that only a cluster reads: looked at before anything is sent, not hours later in a pod."""

import re
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError

# The grammar of distribution/reference, a registry's name and port first.
_IMAGE = (
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]{32,})?"
)
_TEXTS = {  # how a parameter's name ends -> what its text has to look like, in words too
    "_accelerators": (r"[0-9]{1,6}", "a whole number"),
    "_image": (_IMAGE, "an image such as registry.example/team/own-sft:1, in lower case"),
    "_secret": (r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", "the name of a Kubernetes Secret"),
    # Without a domain it is no resource of a device plugin; without a name the driver asks for none at all.
    "accelerator_type": (r"[a-z0-9.-]+/[A-Za-z0-9._-]+", "a resource name such as nvidia.com/gpu"),
}


def check_cluster_value(name: str, value: JsonValue) -> None:
    """Refuse a parameter's value of which no pod could be made; other parameters pass.

    Raises:
        InputError: a number of accelerators that is none, a malformed image, secret or resource name, a node
            selector with anything but texts, a toleration that is no object.
    """
    if name == "node_selector":
        _refuse_if(
            name, not _is_labels(value), 'a JSON object of texts such as {"pool":"gpu","rank":"1"}', value
        )
    elif name == "tolerations":
        objects = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        _refuse_if(name, not objects, 'a JSON list of objects such as [{"key":"gpu"}]', value)
    for ending, (pattern, expected) in _TEXTS.items():
        if name.endswith(ending):
            _refuse_if(name, not re.fullmatch(pattern, str(value)), expected, value)


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _refuse_if(name: str, wrong: bool, expected: str, value: JsonValue) -> None:
    if wrong:
        raise InputError(f"{name}: expected {expected}, got {value!r}")
