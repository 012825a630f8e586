"""API-Bank's classes as `foreign_code.serve` has them; nothing of the project is imported.

The setup gives the checkout's folder: `apis/*.py` with classes that derive from `apis.api.API`, and
`init_database/*.json`. The greeting lists the classes, and those that can't be imported with the reason. Requests:

    {"do": "execute", "earlier": [{"name": "GetUserToken", "arguments": {...}}], "gold": {"name": ..., "arguments": ...}}
    {"do": "compare", ..., "made": {"name": ..., "arguments": ...}}
        -> {"status": "right" | "wrong" | "refused" | "outside" | "absent" | "memory", "content": "why"}

Each call is made in a world of its own: fresh databases, in which the earlier calls were made. A world is what the
benchmark's ToolManager makes of them: the classes of one `database_name` share that database, and those with a
parameter `token` get the CheckToken of the world. "execute" makes the gold, "compare" also the other call, and has the
gold's class compare their responses (`check_api_call_correctness`).
refused: the call does not fit the class. absent: its class could not be imported or made. outside: the call reached for
a file, the network or a process, none of which is there. The first two are said of the gold by "execute".
"""

import ast
import codecs
import copy
import importlib
import json
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "apis"
BASE = "api"
CHECKER = "CheckToken"
REACHES = {
    "open": "a file",
    "os.listdir": "a folder",
    "os.scandir": "a folder",
    "os.fork": "a process",
    "os.posix_spawn": "a process",
    "os.system": "a process",
    "subprocess.Popen": "a process",
    "socket.__new__": "the network",
    "socket.getaddrinfo": "the network",
}
Classes = Mapping[str, type]


class AbsentError(Exception):
    """A call's class is not there, or can't be made."""


class RefusedError(Exception):
    """A call does not fit its class."""


class _Outside:
    """Notes what the classes reach for outside the process; the limits keep it from them."""

    def __init__(self) -> None:
        self.reached = ""

    def watch(self, event: str, _: tuple[Any, ...]) -> None:
        """An audit hook."""
        if event in REACHES:
            self.reached = self.reached or REACHES[event]


def prepare(setup: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]:
    """Import the classes; gives what answers a request, and the greeting."""
    checkout = Path(setup["checkout"])
    classes, failed = _import(checkout / PACKAGE)
    databases = {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted((checkout / "init_database").glob("*.json"))
    }
    for text in databases.values():
        json.loads(text)
    codecs.lookup("idna")  # for hosts' names; a later import would fail once, and unnoticed from then on
    outside = _Outside()
    sys.addaudithook(outside.watch)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        return _answer(request, _Checkout(classes, failed, databases, outside))

    return answer, {"classes": sorted(classes), "failed": failed}


def _import(folder: Path) -> tuple[dict[str, type], dict[str, str]]:
    """The classes by name, and for those whose file can't be imported why not.

    The package's own `__init__` is not run: it imports every file, and one that fails takes all with it.
    """
    package = ModuleType(PACKAGE)
    package.__path__ = [os.fspath(folder)]
    sys.modules[PACKAGE] = package
    base = importlib.import_module(f"{PACKAGE}.{BASE}").API
    package.API = base  # type: ignore[attr-defined]
    classes: dict[str, type] = {}
    failed: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem in ("__init__", BASE):
            continue
        try:
            module = importlib.import_module(f"{PACKAGE}.{path.stem}")
        except (Exception, SystemExit) as error:
            failed |= dict.fromkeys(_class_names(path), f"{type(error).__name__}: {error}")
            continue
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, base) and value is not base:
                classes[name] = value
    return classes, {name: reason for name, reason in failed.items() if name not in classes}


def _class_names(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef)]


class _Checkout:
    """What was imported, and what was reached for since."""

    def __init__(
        self,
        classes: Classes,
        failed: Mapping[str, str],
        databases: Mapping[str, str],
        outside: _Outside,
    ) -> None:
        self.classes = classes
        self.failed = failed
        self.databases = databases
        self.outside = outside

    def world(self, earlier: list[dict[str, Any]]) -> "_World":
        """A new one behind the earlier calls; what they answer, and whether they can be made, is not looked at."""
        random.seed(0)
        world = _World(self)
        for call in earlier:
            try:
                world.respond(call)
            except MemoryError:
                raise
            except (Exception, SystemExit):
                continue
        self.outside.reached = ""
        return world


class _World:
    """Instances of the classes, each made when it is first called."""

    def __init__(self, checkout: _Checkout) -> None:
        self._checkout = checkout
        self._databases: dict[str, Any] = {}
        self._tools: dict[str, Any] = {}

    def respond(self, call: dict[str, Any]) -> Any:
        """The class's response to a call."""
        tool = self.tool(call["name"])
        return tool.call(**_fitted(call["arguments"], tool.input_parameters))

    def tool(self, name: str) -> Any:
        """The instance of a class."""
        if name not in self._tools:
            if name not in self._checkout.classes:
                raise AbsentError(self._checkout.failed.get(name, f"the checkout has no class {name}"))
            made: Any = self._checkout.classes[name]
            given: list[Any] = []
            if getattr(made, "database_name", None) in self._checkout.databases:
                given.append(self._database(made.database_name))
            if name != CHECKER and "token" in made.input_parameters:
                given.append(self.tool(CHECKER))
            try:
                self._tools[name] = made(*given)
            except MemoryError:
                raise
            except (Exception, SystemExit) as error:
                raise AbsentError(f"{name} can't be made: {type(error).__name__}: {error}") from None
        return self._tools[name]

    def _database(self, name: str) -> Any:
        if name not in self._databases:
            self._databases[name] = json.loads(self._checkout.databases[name])
        return self._databases[name]


def _fitted(arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the benchmark's ToolManager hands them on, by the types that the class declares."""
    fitted: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in parameters:
            raise RefusedError(f"there is no parameter {name!r}")
        match parameters[name]["type"]:
            case "int" | "float" as kind:
                fitted[name] = _number(name, value, float if kind == "float" else int)
            case "bool":
                fitted[name] = value if isinstance(value, bool) else value == "True"
            case "str" if not isinstance(value, str):
                fitted[name] = str(value)  # the benchmark reads every value as text
            case _:
                fitted[name] = value
    return fitted


def _number(name: str, value: Any, kind: type[int] | type[float]) -> int | float:
    if isinstance(value, str):
        digits = value.replace(".", "", 1) if kind is float else value
        if not digits.isdigit():
            raise RefusedError(f"{name}: expected a number")
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise RefusedError(f"{name}: expected a number") from None


def _answer(request: dict[str, Any], checkout: _Checkout) -> dict[str, Any]:
    try:
        world = checkout.world(request["earlier"])
        accepted = _respond(world, request["gold"])
        checker = world.tool(request["gold"]["name"])
        made = accepted
        if request["do"] == "compare":
            made = _respond(checkout.world(request["earlier"]), request["made"])
        right = not checkout.outside.reached and _is_right(checker, made, accepted)
    except (AbsentError, RefusedError) as error:
        status = "absent" if isinstance(error, AbsentError) else "refused"
        return {"status": "outside" if checkout.outside.reached else status, "content": str(error)}
    if checkout.outside.reached:
        return {"status": "outside", "content": f"it reaches for {checkout.outside.reached}"}
    if right:
        return {"status": "right", "content": ""}
    gold = "even the gold's own response is wrong, as its class compares"
    differ = "the response differs from the gold's, as its class compares"
    return {"status": "wrong", "content": gold if request["do"] == "execute" else differ}


def _respond(world: _World, call: dict[str, Any]) -> Any:
    try:
        return world.respond(call)
    except (MemoryError, AbsentError, RefusedError):
        raise
    except (Exception, SystemExit) as error:
        raise RefusedError(f"{type(error).__name__}: {error}"[:500]) from None


def _is_right(checker: Any, made: Any, accepted: Any) -> bool:
    """The class's own verdict; it changes what it is given, and raises where it does not know what to say."""
    try:
        return bool(checker.check_api_call_correctness(copy.deepcopy(made), copy.deepcopy(accepted)))
    except MemoryError:
        raise
    except (Exception, SystemExit):
        return False
