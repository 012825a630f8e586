"""What Dockerfiles put into images, and what the sources in them need (not a test)."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from components.contracts.images import VERSION

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
OURS = ("components", "tools_service")
BASES = ("serve", "train")
STAGES = sorted(path.parent.name for path in (ROOT / "components").glob("*/component.py"))
SERVICE = "tools_service"
IMAGES = sorted(path.parent.name for path in DOCKER.glob("*/Dockerfile"))
# Of images beside those: the object store of `make containers`, and the worked example.
MORE_DOCKERFILES = (ROOT / "tests/containers/store/Dockerfile", ROOT / "docs/examples/own_sft/Dockerfile")
# Imported where it is there, and left out of images: what does without says so, and docker/README.md how to add it.
OPTIONAL = frozenset({"bfcl_eval", "sentence_transformers", "vllm"})


def source_of(module: str) -> Path | None:
    """The file of one of our modules; None when there is none."""
    path = ROOT.joinpath(*module.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


@cache
def imported(module: str) -> frozenset[str]:
    """The modules that one of ours imports, at its head or later."""
    path = source_of(module)
    assert path is not None
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: a relative import"
            found.add(node.module)
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name for name in names if name.split(".")[0] in OURS and source_of(name)}
    return frozenset(found)


@cache
def reached(image: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of an image: our modules that it needs, and the foreign ones' top names that these import."""
    if image == SERVICE:  # its other programs too
        waiting = [f"{SERVICE}.{path.stem}" for path in (ROOT / SERVICE).glob("*.py")]
    else:
        waiting = [f"components.{image}.{name}" for name in ("run", "component", "__main__")]
    if image == "preflight":  # reads all stages' settings by their names
        waiting += [f"components.{stage}.settings" for stage in STAGES]
    ours, foreign = set[str](), set[str]()
    while waiting:
        module = waiting.pop()
        top = module.split(".")[0]
        if top not in OURS:
            foreign.add(top)
        elif module not in ours and source_of(module):
            ours.add(module)
            parts = module.split(".")
            waiting += [".".join(parts[:end]) for end in range(1, len(parts))]
            waiting += imported(module)
    return frozenset(ours), frozenset(foreign - set(sys.stdlib_module_names))


def instructions(image: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile, their continued lines joined."""
    text = re.sub(r"\\\n(\s*#.*\n)*", " ", (DOCKER / image / "Dockerfile").read_text(encoding="utf-8"))
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name.upper(), re.sub(r"\s+", " ", rest).strip()


def base_of(image: str) -> str:
    """The image of ours below an image; empty for `serve`."""
    (given,) = [
        rest.removeprefix("BASE=") for name, rest in instructions(image) if name == "ARG" and "BASE=" in rest
    ]
    return (
        given.removeprefix("whetstone/").removesuffix(f":{VERSION}") if given.startswith("whetstone/") else ""
    )


def below(image: str) -> list[str]:
    """An image and those below it, the lowest first."""
    base = base_of(image)
    return [*(below(base) if base else []), image]


def copied(image: str) -> set[str]:
    """The files of ours that an image gets, those of its bases included, as paths in the checkout."""
    found: set[str] = set()
    for one in below(image):
        for name, rest in instructions(one):
            *sources, target = rest.split() if name == "COPY" else [""]
            for source in sources:
                path = ROOT / source
                if source.split("/")[0] not in OURS:
                    continue
                files = [path] if path.is_file() else [*path.rglob("*.py")]
                placed = source if path.is_dir() else str(Path(source).parent)
                assert target.rstrip("/") == placed, f"{one}: {source} is copied to {target}"
                found |= {str(file.relative_to(ROOT)) for file in files}
    return found


def requirements(image: str) -> dict[str, str]:
    """The packages that an image installs itself, with their versions."""
    found: dict[str, str] = {}
    for path in sorted((DOCKER / image).glob("requirements*.txt")):
        if "cuda" not in path.name:
            found |= dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def asked(image: str) -> set[str]:
    """The packages that an image's requirements.in names."""
    path = DOCKER / image / "requirements.in"
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return {re.split(r"[\[=]", line)[0] for line in lines if line and not line.startswith("#")}
