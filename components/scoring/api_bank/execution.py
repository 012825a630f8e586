"""API-Bank's verdict by execution: gold and predicted call made by a checkout's own classes, and compared by them.

The benchmark's evaluator compares with the response that its dialogues recorded, and makes no earlier call. Here the
dialogue's earlier calls are made first, and the gold is made as well, in the same state.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.scoring.foreign_code.pipe import CodeLimits, NotJsonError, ProcessEndedError
from components.scoring.foreign_code.process import Closing, CodeProcess

WORKER = Path(__file__).with_name("worker.py")
BASE = Path("apis", "api.py")
DATABASES = "init_database"


@dataclass(frozen=True)
class Execution:
    """correct: None where it could not be executed. note: why not, or why it is wrong; empty where it is right."""

    correct: bool | None
    note: str = ""


class ApiBank(Closing):
    """The classes of an `api-bank` folder, in a process with limits. Not for several threads.

    Close it, or use it in a `with`.
    """

    def __init__(self, checkout: Path, limits: CodeLimits | None = None) -> None:
        """Begin the process.

        Raises:
            InputError: the folder is no checkout, or its classes and databases can't be read.
        """
        checkout = checkout.resolve()
        if not (checkout / BASE).is_file() or not (checkout / DATABASES).is_dir():
            raise InputError(
                f"{checkout}: has no {BASE} beside {DATABASES}; expected the folder api-bank of a DAMO-ConvAI checkout"
            )
        self.limits = limits or CodeLimits()
        self._process = CodeProcess(WORKER, {"checkout": os.fspath(checkout)}, self.limits, checkout)
        self.classes: tuple[str, ...] = tuple(self._process.greeting()["classes"])

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def judge(
        self,
        earlier: Sequence[ToolCall],
        gold: ToolCall,
        calls: Sequence[ToolCall],
        *,
        unparsed: bool = False,
    ) -> Execution:
        """Whether a turn's call does what the gold does, behind the dialogue's earlier calls.

        A turn is right with one call, of the gold's name, whose response the class takes for the gold's. It can't
        be executed where the gold can't: its class is not there, needs the network or a file, or does not take even
        the gold's own response for right.
        """
        request = {"do": "execute", "earlier": [*map(_plain, earlier)], "gold": _plain(gold)}
        status, why = self._ask(request)
        if status != "right":
            return Execution(None, f"{gold.name}: {why}")
        return self._compared(request, gold, calls, unparsed=unparsed)

    def _compared(
        self, request: dict[str, Any], gold: ToolCall, calls: Sequence[ToolCall], *, unparsed: bool
    ) -> Execution:
        if unparsed:
            return Execution(False, "a call can't be parsed")
        if len(calls) != 1:
            return Execution(False, f"{len(calls)} calls, expected one")
        if calls[0].name != gold.name:
            return Execution(False, f"{calls[0].name!r} was called, expected {gold.name!r}")
        status, why = self._ask({**request, "do": "compare", "made": _plain(calls[0])})
        if status == "right":
            return Execution(True)
        if status in ("outside", "absent"):
            return Execution(None, f"{gold.name}: {why}")
        return Execution(False, why)

    def _ask(self, request: dict[str, Any]) -> tuple[str, str]:
        """Status and reason; a limit that was passed is a status as well."""
        try:
            [reply] = self._process.ask([request])
        except NotJsonError as error:
            return "refused", f"an argument that JSON can't hold: {error}"
        except ProcessEndedError as ended:
            return "ended", str(ended)
        if reply["status"] == "memory":
            self.close()  # the next request begins anew, with what this one left
            return "memory", f"more than {self.limits.memory_bytes >> 20} MiB of memory"
        return str(reply["status"]), str(reply["content"])


def _plain(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments}
