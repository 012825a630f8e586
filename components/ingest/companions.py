"""Files that belong to a file of rows: BFCL's `possible_answer`, Seal-Tools' `tool.jsonl`.

question/BFCL_v4_exec_simple.json   +  possible_answer/BFCL_v4_exec_simple.json   (by id)
dev.jsonl                           +  tool.jsonl                                 (by tool name)
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from components.ingest.containers import read_rows
from components.ingest.rows import Row

ANSWERS = "possible_answer"
TOOLS = "tool.jsonl"
INFERRED = "tools_are_inferred"
JSON_TYPES = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
OTHERS = 7  # tools offered beside a gold's own


class Companions:
    """What lies beside one file; nothing is read before a row needs it. `used` names what was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.used: list[Path] = []
        self._are_inferred = False

    def complete(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """The row with what its companion file adds; the row itself where there is none."""
        bfcl = "function" in row or "involved_classes" in row
        if bfcl and "question" in row and "ground_truth" not in row:
            found = self._answers.get(str(row.get("id")))
            return {**row, "ground_truth": found} if found is not None else row
        if "query" in row and "calling" in row and "tools" not in row and self._tools:
            return {**row, "tools": self._offer(row), INFERRED: self._are_inferred}
        return row

    @cached_property
    def _answers(self) -> dict[str, object]:
        folder = self._path.parent
        return {
            str(row.get("id")): row["ground_truth"]
            for row in self._rows(folder.parent / ANSWERS, folder / ANSWERS, name=self._path.name)
            if "ground_truth" in row
        }

    @cached_property
    def _tools(self) -> dict[str, Mapping[str, object]]:
        listed = {str(row.get("api_name")): row for row in self._rows(self._path.parent, name=TOOLS)}
        self._are_inferred = not listed
        return listed or _inferred(self._path)

    def _rows(self, *folders: Path, name: str) -> Iterator[Mapping[str, object]]:
        path = next((one / name for one in folders if (one / name).is_file()), None)
        if path is None or path == self._path:
            return
        self.used.append(path)
        yield from _objects(path)

    def _offer(self, row: Mapping[str, object]) -> list[Mapping[str, object]]:
        """The gold's own tools and OTHERS of the same fields, drawn by the request's own seed."""
        made = row["calling"]
        named = (
            [str(one.get("api")) for one in made if isinstance(one, Mapping)]
            if isinstance(made, Sequence)
            else []
        )
        own = {name: self._tools[name] for name in named if name in self._tools}
        fields = {str(one.get("field")).partition("/")[0] for one in own.values()}
        draw = random.Random(str(row["query"]))
        others = [name for name in self._near(fields) if name not in own]
        chosen = [*own, *draw.sample(others, min(OTHERS, len(others)))]
        draw.shuffle(chosen)
        return [self._tools[name] for name in chosen]

    def _near(self, fields: set[str]) -> list[str]:
        return [name for field in sorted(fields) for name in self._by_field.get(field, ())]

    @cached_property
    def _by_field(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, tool in self._tools.items():
            found.setdefault(str(tool.get("field")).partition("/")[0], []).append(name)
        return found


def _inferred(path: Path) -> dict[str, Mapping[str, object]]:
    """Tools as the file's calls use them. A parameter that every call of a tool has is required."""
    used: dict[str, list[Mapping[str, object]]] = {}
    for row in _objects(path):
        made = row.get("calling")
        for one in made if isinstance(made, list) else ():
            if isinstance(one, Mapping) and isinstance(one.get("parameters"), Mapping):
                used.setdefault(str(one.get("api")), []).append(one["parameters"])
    return {name: _tool(name, calls) for name, calls in sorted(used.items())}


def _objects(path: Path) -> Iterator[Mapping[str, object]]:
    return (one.value for one in read_rows(path, path.name) if isinstance(one, Row))


def _tool(name: str, calls: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    names = dict.fromkeys(key for call in calls for key in call)
    types = {key: dict.fromkeys(_json_type(call[key]) for call in calls if key in call) for key in names}
    return {
        "api_name": name,
        "parameters": {key: {"type": list(found)} for key, found in types.items()},
        "required": [key for key in names if all(key in call for call in calls)],
    }


def _json_type(value: object) -> str:
    return next((name for kind, name in JSON_TYPES if isinstance(value, kind)), "object")


def is_companion(path: Path) -> bool:
    """Whether a file found in a folder is no source of its own but belongs to others beside it."""
    if path.name == TOOLS:
        return any(
            one.suffix == ".jsonl" and one.name != TOOLS for one in path.parent.iterdir()
        ) and _lists_tools(path)
    if path.parent.name != ANSWERS:
        return False
    beside = path.parent.parent
    return any(
        (folder / path.name).is_file() for folder in (beside, *beside.iterdir()) if folder != path.parent
    )


def _lists_tools(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            first = json.loads(file.readline())
        except ValueError:
            return False
    return isinstance(first, Mapping) and "api_name" in first
