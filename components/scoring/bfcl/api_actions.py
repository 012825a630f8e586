"""What the process of BFCL's API classes can be asked to do; `request` is the form that `api_worker` reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from components.contracts.records import ToolCall


@dataclass(frozen=True)
class Begin:
    """Make a conversation's instances; one of the same key is replaced."""

    key: str
    classes: Sequence[str]
    config: Mapping[str, JsonValue]
    long_context: bool = False

    def request(self) -> dict[str, Any]:
        """See the module."""
        return {
            "do": "begin",
            "key": self.key,
            "classes": list(self.classes),
            "config": dict(self.config),
            "long_context": self.long_context,
        }


@dataclass(frozen=True)
class Call:
    """Call a documented function. positional: unnamed arguments, which published ground truth has."""

    key: str
    call: ToolCall
    positional: Sequence[JsonValue] = ()

    def request(self) -> dict[str, Any]:
        """See the module."""
        return {
            "do": "call",
            "key": self.key,
            "name": self.call.name,
            "positional": list(self.positional),
            "arguments": self.call.arguments,
        }


@dataclass(frozen=True)
class Compare:
    """Say in which public attributes a conversation differs from another one, the accepted."""

    key: str
    accepted: str

    def request(self) -> dict[str, Any]:
        """See the module."""
        return {"do": "compare", "key": self.key, "other": self.accepted}


@dataclass(frozen=True)
class End:
    """Forget a conversation."""

    key: str

    def request(self) -> dict[str, Any]:
        """See the module."""
        return {"do": "end", "key": self.key}


Action = Begin | Call | Compare | End
