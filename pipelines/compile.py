"""Compiling: the pipelines by name, their committed YAML, and whether the two still agree."""

import importlib
import tempfile
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.nearest import nearest
from pipelines.catalog import PIPELINES

COMPILED = Path(__file__).with_name("compiled")


def compiled_path(pipeline: str) -> Path:
    """Where the committed YAML of a pipeline lies.

    Raises:
        InputError: no pipeline has that name; the nearest one is offered.
    """
    if pipeline not in PIPELINES:
        raise InputError(
            f"unknown pipeline {pipeline!r}{nearest(pipeline, PIPELINES)}; known: {', '.join(PIPELINES)}"
        )
    return COMPILED / f"{pipeline}.yaml"


def compile_pipeline(pipeline: str) -> str:
    """Compile and strictly check one pipeline; the same source gives the same bytes."""
    from kfp import compiler

    from pipelines.validate import check_compiled

    compiled_path(pipeline)
    function: Any = getattr(importlib.import_module(f"pipelines.{pipeline}"), pipeline)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(function, str(path))
        text = path.read_text(encoding="utf-8")
    check_compiled(text)
    return text


def write_compiled(pipeline: str) -> Path:
    """Compile a pipeline into its committed file."""
    path = compiled_path(pipeline)
    text = compile_pipeline(pipeline)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="ascii", newline="\n")
    return path


def check_committed(pipeline: str) -> None:
    """Compare the committed file with a fresh compilation, byte for byte.

    Raises:
        InputError: absent or different; the first line that differs is named.
    """
    path = compiled_path(pipeline)
    fresh = compile_pipeline(pipeline).encode("ascii")
    committed = path.read_bytes() if path.is_file() else b""
    if committed == fresh:
        return
    lines = zip(committed.split(b"\n"), fresh.split(b"\n"), strict=False)
    number = next((index for index, (old, new) in enumerate(lines, start=1) if old != new), 1)
    raise InputError(
        f"{path.name}:{number}: differs from what pipelines/{pipeline}.py compiles to; run `whetstone compile`"
    )
