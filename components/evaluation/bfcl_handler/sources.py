"""The files of ours that a module needs, found by reading imports; nothing is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "components"


def needed_files(*modules: str) -> tuple[Path, ...]:
    """Paths below `ROOT` of the modules, of all of ours that they import, and of the packages around them.

    Raises:
        FileNotFoundError: there is no such module.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = _path(module)
        if path is None:
            raise FileNotFoundError(f"no module {module}")
        if path in found:
            continue
        found.add(path)
        waiting += _parents(module)
        waiting += [name for name in _imported(ROOT / path) if _path(name) is not None]
    return tuple(sorted(found))


def _path(module: str) -> Path | None:
    place = Path(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if (ROOT / path).is_file():
            return path
    return None


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _imported(path: Path) -> Iterator[str]:
    """Names of modules of ours, and of what is imported from them, which may be modules too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            yield str(node.module)
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.partition(".")[0] == PACKAGE)
