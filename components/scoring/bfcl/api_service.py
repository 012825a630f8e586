"""BFCL's stateful API classes behind a process with limits; one set of instances a conversation.

Hundreds of conversations share one process. A call that takes too long or too much memory ends it; the next one
begins where it was: each conversation's earlier calls are made again when it is next used (the classes' own
randomness is seeded, so they give the same state). The call that ended the process is left out.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.records import ToolCall, ToolReply
from components.contracts.tool_errors import ToolError
from components.scoring.bfcl.api_actions import Action, Begin, Call, Compare, End
from components.scoring.bfcl.api_classes import (
    CLASS_MODULES,
    SOURCES,
    STATELESS,
    class_source,
    documented_functions,
)
from components.scoring.foreign_code.pipe import CodeLimits, NotJsonError, ProcessEndedError
from components.scoring.foreign_code.process import Closing, CodeProcess

WORKER = Path(__file__).with_name("api_worker.py")
PACKAGE = "bfcl_eval"
ATTEMPTS = 3  # to make earlier calls again in a new process
_ERRORS = {
    "ok": None,
    "error": ToolError.TOOL_CALL_FAILURE,
    "raised": ToolError.TOOL_CALL_FAILURE,
    "too_long": ToolError.TOOL_CALL_FAILURE,
    "unknown": ToolError.TOOL_HALLUCINATION,
}
Result = ToolReply | tuple[str, ...] | None


@dataclass
class _World:
    """The requests that make a conversation's instances again."""

    begin: dict[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)


class StatefulApis(Closing):
    """The official classes of an unpacked bfcl-eval package. Not for several threads.

    package: the `bfcl_eval` folder. Close it, or use it in a `with`.
    """

    def __init__(self, package: Path, limits: CodeLimits | None = None) -> None:
        """Begin no process yet.

        Raises:
            InputError: the folder holds none of the classes, or a class has no list of functions.
        """
        self.package = package.resolve()
        self.limits = limits or CodeLimits()
        there = [name for name in CLASS_MODULES if class_source(self.package, name).is_file()]
        if self.package.name != PACKAGE or not there:
            raise InputError(
                f"{package}: holds no API classes in {'/'.join(SOURCES)}; expected the folder {PACKAGE} of the "
                "unpacked bfcl-eval package"
            )
        self.functions = {
            name: [str(one["name"]) for one in documented_functions(self.package, name)] for name in there
        }
        modules = {name: ".".join((PACKAGE, *SOURCES, CLASS_MODULES[name])) for name in self.functions}
        setup = {
            "package": os.fspath(self.package),
            "modules": modules,
            "functions": self.functions,
            "stateless": list(STATELESS),
        }
        self._process = CodeProcess(WORKER, setup, self.limits, self.package)
        self._worlds: dict[str, _World] = {}
        self._alive: set[str] = set()  # keys whose instances the process has

    def close(self) -> None:
        """End the process, if there is one."""
        self._process.close()
        self._alive.clear()

    def perform(self, actions: Sequence[Action]) -> list[Result]:
        """Do all that, in order; for a call its reply, for a comparison what differs.

        It takes one round trip, unless one of the actions ends the process: then each is done by itself.
        A call that did not end well has its typed error: no such function, values that JSON can't hold, a function
        that raised or said no, too long a reply, too much time or memory (then the conversation is as it was
        before the call). What differs: public attributes, such as "GorillaFileSystem.root".

        Raises:
            InputError: a class is not in the package, can't be imported, or refuses its scenario.
        """
        for action in actions:
            if isinstance(action, Begin):
                self._check_classes(action.classes)
        together = self._together(actions)
        return [self._alone(action) for action in actions] if together is None else together

    def begin(
        self, key: str, classes: Sequence[str], config: Mapping[str, JsonValue], *, long_context: bool
    ) -> None:
        """`perform` of `Begin` alone."""
        self.perform([Begin(key, classes, config, long_context)])

    def call(self, key: str, call: ToolCall, positional: Sequence[JsonValue] = ()) -> ToolReply:
        """`perform` of one call."""
        return self.call_all([Call(key, call, positional)])[0]

    def call_all(self, calls: Sequence[Call]) -> list[ToolReply]:
        """`perform` of calls, perhaps of several conversations."""
        return [reply for reply in self.perform(calls) if isinstance(reply, ToolReply)]

    def differences(self, key: str, accepted: str) -> tuple[str, ...]:
        """`perform` of one comparison."""
        (found,) = self.perform([Compare(key, accepted)])
        assert isinstance(found, tuple)
        return found

    def end(self, key: str) -> None:
        """Forget a conversation."""
        self.perform([End(key)])

    def _together(self, actions: Sequence[Action]) -> list[Result] | None:
        """What `perform` gives; None where the process ended, with all its instances, or could not be asked."""
        begun = {action.key for action in actions if isinstance(action, Begin)}
        self._revive(key for action in actions for key in _used(action) if key not in begun)
        requests = [action.request() for action in actions]
        try:
            replies = self._ask(requests)
        except (ProcessEndedError, NotJsonError):
            return None
        if any(reply["status"] == "memory" for reply in replies):
            self.close()
            return None
        return [self._noted(*done) for done in zip(actions, requests, replies, strict=True)]

    def _alone(self, action: Action) -> Result:
        """One action; whatever it does to the process, the other conversations are there again when they are used."""
        problem = "", ToolError.TOOL_INSTABILITY
        for _ in range(1 if isinstance(action, Call) else ATTEMPTS):
            self._revive(_used(action))
            request = action.request()
            try:
                (reply,) = self._ask([request])
            except NotJsonError as error:
                problem = f"an argument that JSON can't hold: {error}", ToolError.WRONG_TYPE_OR_VALUE
                continue
            except ProcessEndedError as ended:
                problem = str(ended), ToolError.TIMEOUT if ended.timeout else ToolError.TOOL_INSTABILITY
                continue
            if reply["status"] != "memory":
                return self._noted(action, request, reply)
            self.close()
            needed = f"the call needs more than {self.limits.memory_bytes >> 20} MiB of memory"
            problem = needed, ToolError.TOOL_CALL_FAILURE
        if isinstance(action, Call):
            return ToolReply(content=f"Error: {problem[0]}", error=problem[1], call_id=action.call.id)
        if isinstance(action, Begin):
            raise InputError(f"{action.key}: its scenario can't be loaded: {problem[0]}")
        return ("the states could not be compared",) if isinstance(action, Compare) else None

    def _noted(self, action: Action, request: dict[str, Any], reply: dict[str, Any]) -> Result:
        """What an action gave, once it is known here what it did to the conversation."""
        match action:
            case Begin(key=key):
                if reply["status"] != "ok":
                    raise InputError(f"{key}: its scenario can't be loaded: {reply['content']}")
                self._worlds[key] = _World(request)
                self._alive.add(key)
            case Call(key=key):
                self._worlds[key].calls.append(request)
                return ToolReply(
                    content=reply["content"],
                    error=_ERRORS[reply["status"]],
                    seconds=reply["seconds"],
                    call_id=action.call.id,
                )
            case Compare():
                return tuple(reply["differences"]) if reply["status"] == "ok" else (reply["content"],)
            case End(key=key):
                self._worlds.pop(key, None)
                self._alive.discard(key)
        return None

    def _revive(self, keys: Iterable[str]) -> None:
        """Make sure that the process has these conversations as their calls left them."""
        needed = set(keys)
        for _ in range(ATTEMPTS):
            for key in sorted(needed - self._alive):
                world = self._worlds[key]
                try:
                    # each of them may idle as long as it did at first
                    replies = self._ask([world.begin, *world.calls], patience=1 + len(world.calls))
                except ProcessEndedError:
                    break
                if any(reply["status"] == "memory" for reply in replies):
                    self.close()
                    break
                self._alive.add(key)
            if needed <= self._alive:
                return
        raise InputError(f"{min(needed - self._alive)}: its earlier calls could not be made again")

    def _check_classes(self, classes: Sequence[str]) -> None:
        if absent := [name for name in classes if name not in self.functions]:
            raise InputError(f"{self.package}: has no class {absent[0]!r}")
        reasons = self._process.greeting()["failed"]
        if failed := [name for name in classes if name in reasons]:
            path = class_source(self.package, failed[0])
            raise InputError(f"{path}: can't be imported: {reasons[failed[0]]}")

    def _ask(self, requests: Sequence[dict[str, Any]], *, patience: int = 1) -> list[dict[str, Any]]:
        """The process's replies; the last one may say that memory did not suffice.

        Raises:
            ProcessEndedError: it did not reply; the instances of all conversations went with it.
            NotJsonError: JSON can't hold a request; nothing was asked.
        """
        try:
            return self._process.ask(requests, patience=patience)
        except ProcessEndedError:
            self.close()
            raise


def _used(action: Action) -> tuple[str, ...]:
    """The conversations that have to be there for it."""
    match action:
        case Call(key=key):
            return (key,)
        case Compare(key=key, accepted=accepted):
            return key, accepted
        case _:
            return ()
