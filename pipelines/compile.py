"""Compiling: the pipelines by name, their committed YAML, and whether the two still agree."""

import importlib
import tempfile
from collections.abc import Sequence
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


def package_path(
    pipeline: str, rounds: int, folder: Path, *, without: Sequence[str] = (), also: Sequence[str] = ()
) -> Path:
    """The compiled YAML of a pipeline: the committed file, or one made in `folder` for other rounds or parts."""
    if rounds == PIPELINES[pipeline].rounds and not without and not also:
        return compiled_path(pipeline)
    return write_package(pipeline, rounds, folder / f"{pipeline}.yaml", without=without, also=also)


def compile_pipeline(
    pipeline: str, rounds: int = 0, *, without: Sequence[str] = (), also: Sequence[str] = ()
) -> str:
    """Compile and strictly check one pipeline; the same source gives the same bytes.

    rounds: another number of them than the committed one's; 0 leaves that. without: parts that are left out, also:
    parts that are there on demand alone, by their names in the catalog.

    Raises:
        InputError: no pipeline has that name, or nothing of it is left.
    """
    from kfp import compiler

    from pipelines.spec.validate import check_compiled

    compiled_path(pipeline)
    module = importlib.import_module(f"pipelines.{pipeline}")
    function: Any = getattr(module, pipeline)
    if without:
        function = module.unrolled(rounds or PIPELINES[pipeline].rounds, without)
    elif rounds:
        function = module.unrolled(rounds)
    if also:
        function = function.with_stages(also)
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


def write_package(
    pipeline: str, rounds: int, path: Path, *, without: Sequence[str] = (), also: Sequence[str] = ()
) -> Path:
    """Compile a pipeline, with so many rounds (0: it has none), without some parts and with others, into a file.

    Raises:
        InputError: the file can't be written, or nothing of the pipeline is left.
    """
    text = compile_pipeline(pipeline, rounds, without=without, also=also)
    try:
        path.write_text(text, encoding="ascii", newline="\n")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
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
