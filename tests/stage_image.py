"""Images of stages as folders, and a stage executed in one: the command that its pod would execute, on this machine.

A folder stands before everything else on Python's path, as in an image that holds nothing else of ours.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOMS = Path("components")
# A checkout's packages come by a hook of their own, even into a package of the same name; in an image there is none.
NO_CHECKOUT = """\
import sys
sys.meta_path = [one for one in sys.meta_path if not getattr(one, "__module__", "").startswith("__editable__")]
"""


def foreign_image(folder: Path, stage: str = "", source: str = "") -> Path:
    """An image with no package of ours but, where a stage is named, `components/<stage>/run.py`."""
    room = folder / "components" / stage
    room.mkdir(parents=True)
    (folder / "components" / "__init__.py").touch()
    (folder / "sitecustomize.py").write_text(NO_CHECKOUT, encoding="utf-8")
    if stage:
        (room / "__init__.py").touch()
        (room / "run.py").write_text(source, encoding="utf-8")
    return folder


def replaced_image(folder: Path, stage: str, run: Path) -> Path:
    """A stage's own image in which run.py is another's."""
    (folder / "components" / stage).mkdir(parents=True)
    for room in ROOMS.iterdir():
        if room.name not in (stage, "__pycache__"):
            (folder / "components" / room.name).symlink_to(room.resolve())
    for module in (ROOMS / stage).iterdir():
        if module.name not in ("run.py", "__pycache__"):
            (folder / "components" / stage / module.name).symlink_to(module.resolve())
    (folder / "components" / stage / "run.py").symlink_to(run.resolve())
    return folder


@dataclass(frozen=True)
class Executed:
    """How a stage went. outputs: what its executor wrote about them; empty when it failed."""

    code: int
    errors: str
    outputs: Mapping[str, Any]

    @property
    def error(self) -> str:
        """The last line of what it wrote to its standard error."""
        return self.errors.strip().splitlines()[-1]


def execute(
    image: Path, stage: str, parameters: Mapping[str, Any], inputs: Mapping[str, Path], out: Path
) -> Executed:
    """Execute a stage's compiled command; outputs that are artifacts go to `out` by their names."""
    component = getattr(importlib.import_module(f"components.{stage}.component"), stage)
    container, known = component.component_spec.implementation.container, component.component_spec.outputs
    made = {
        name: _artifact(name, out / name, one.type) for name, one in known.items() if "@" in str(one.type)
    }
    returned = {name: {"outputFile": str(out / name)} for name in known if name not in made}
    executor_input = {
        "inputs": {
            "parameterValues": dict(parameters),
            "artifacts": {
                name: _artifact(name, path, component.component_spec.inputs[name].type)
                for name, path in inputs.items()
            },
        },
        "outputs": {
            "artifacts": made,
            "parameters": returned,
            "outputFile": str(out / "executor_output.json"),
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [*container.command, "--executor_input", json.dumps(executor_input), "--function_to_execute", stage],
        cwd=out,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(image),
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    written = out / "executor_output.json"
    outputs = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else {}
    return Executed(ended.returncode, ended.stderr, outputs)


def _artifact(name: str, path: Path, kind: object) -> dict[str, Any]:
    title = str(kind).partition("@")[0]
    return {"artifacts": [{"name": name, "uri": str(path), "type": {"schemaTitle": title}, "metadata": {}}]}
