"""BFCL's stateful API classes as `foreign_code.serve` has them; nothing of the project is imported.

The setup gives the package's folder, the classes' modules and documented functions; the greeting says which classes
could not be imported and why. Requests and replies:

    {"do": "begin", "key": "a", "classes": ["MathAPI"], "config": {}, "long_context": false} -> {"status": "ok"}
    {"do": "call", "key": "a", "name": "add", "positional": [], "arguments": {"a": 1, "b": 2}}
        -> {"status": "ok" | "error" | "raised" | "unknown" | "too_long" | "memory", "content": "..."}
    {"do": "compare", "key": "a", "other": "b"} -> {"status": "ok", "differences": ["GorillaFileSystem.root"]}
    {"do": "end", "key": "a"} -> {"status": "ok"}

A function is looked up by its name among the documented ones; no text is ever evaluated.
"""

import importlib
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

Instances = dict[str, Any]


def prepare(setup: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]:
    """Import the classes; gives what answers a request, and the greeting."""
    _name_package(setup["package"])
    classes, failed = _import(setup["modules"])
    worlds: dict[str, Instances] = {}
    return lambda request: _answer(request, worlds, classes, setup), {"failed": failed}


def _name_package(folder: str) -> None:
    """Let the package's modules be imported from `folder`, whatever else of that name is installed."""
    package = ModuleType(folder.rstrip("/").rpartition("/")[2])
    package.__path__ = [folder]
    sys.modules[package.__name__] = package


def _import(modules: dict[str, str]) -> tuple[dict[str, type], dict[str, str]]:
    """The classes, and for those that can't be imported why not."""
    classes: dict[str, type] = {}
    failed: dict[str, str] = {}
    for name, module in modules.items():
        try:
            classes[name] = getattr(importlib.import_module(module), name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return classes, failed


def _answer(
    request: dict[str, Any], worlds: dict[str, Instances], classes: dict[str, type], setup: dict[str, Any]
) -> dict[str, Any]:
    key = request["key"]
    match request["do"]:
        case "begin":
            worlds[key] = _begin(request, classes, setup["stateless"])
            return {"status": "ok"}
        case "call":
            return _call(request, worlds[key], setup["functions"], setup["limits"]["reply_characters"])
        case "compare":
            return {"status": "ok", "differences": _differences(worlds[key], worlds[request["other"]])}
        case _:
            worlds.pop(key, None)
            return {"status": "ok"}


def _begin(request: dict[str, Any], classes: dict[str, type], stateless: list[str]) -> Instances:
    instances: Instances = {}
    for name in request["classes"]:
        instances[name] = classes[name]()
        if name not in stateless:
            scenario = request["config"].get(name, {})
            instances[name]._load_scenario(scenario, long_context=request["long_context"])
    return instances


def _call(
    request: dict[str, Any], instances: Instances, functions: dict[str, list[str]], most: int
) -> dict[str, Any]:
    """One call's reply as text: objects as JSON, where they can be, as the official harness writes them."""
    name = request["name"]
    owner = next((one for one in reversed(instances) if name in functions[one]), None)
    if owner is None or name.startswith("_"):
        return {"status": "unknown", "content": f"Error during execution: there is no function {name!r}"}
    try:
        result = getattr(instances[owner], name)(*request["positional"], **request["arguments"])
        content = _text(result)
    except MemoryError:
        return {"status": "memory", "content": ""}
    except (Exception, SystemExit) as error:
        return {"status": "raised", "content": f"Error during execution: {error}"[:most]}
    if len(content) > most:
        reason = f"Error during execution: the reply has {len(content)} characters, more than {most}"
        return {"status": "too_long", "content": reason}
    refused = isinstance(result, dict) and bool(result.get("error"))
    return {"status": "error" if refused else "ok", "content": content}


def _text(result: Any) -> str:
    if isinstance(result, str):
        return result
    if type(result) is dict:
        try:
            return json.dumps(result)
        except MemoryError:
            raise
        except Exception:
            return str(result)
    return str(result)


def _differences(model: Instances, accepted: Instances) -> list[str]:
    """Class and name of the public attributes that differ from the accepted instances'."""
    return [
        f"{name}.{attribute}"
        for name, instance in accepted.items()
        for attribute, value in vars(instance).items()
        if not attribute.startswith("_") and getattr(model[name], attribute) != value
    ]
