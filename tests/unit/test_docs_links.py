"""Links, paths, names, settings and errors that README and the pages mention are there."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.arguments import settings_class
from pipelines.catalog import PIPELINES
from tests.docs_commands import PAGES, ROOT, prose

READMES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("components", "pipelines", "tools_service", "docs", "manifests", "docker")
    for path in (ROOT / folder).rglob("README.md")
)
ALL_PAGES = tuple(dict.fromkeys((*PAGES, *READMES)))
LINK = re.compile(r"(?<!!)\[[^\]\[]*(?:`[^`]*`[^\]\[]*)*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
ROOMS = ("components", "pipelines", "tools_service", "tests", "docs")
STAGES = tuple(sorted(path.parent.name for path in (ROOT / "components").glob("*/settings.py")))
SOURCES = sorted(
    path for room in ("components", "pipelines", "tools_service") for path in (ROOT / room).rglob("*.py")
)
TROUBLESHOOTING = "docs/troubleshooting.md"
LONGEST_README = 80


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", page.read_text(encoding="utf-8"), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {f"{slug}-{number}" for slug, last in found.items() for number in range(1, last + 1)} | set(found)


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        assert file.resolve().is_relative_to(ROOT), target
        if anchor:
            assert anchor in slugs(file), target


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in LINK.findall(prose("README.md"))}
    assert not {page for page in PAGES if page.startswith("docs/")} - linked


def test_the_readme_fits_a_screen_and_a_half() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def paths_in(page: str) -> Iterator[str]:
    """What stands in backticks and looks like a path of the project; `<stage>` stands for any."""
    for code in CODE.findall(prose(page)):
        for word in re.findall(r"(?<![\w:/.=-])[\w.<>*-]+(?:/[\w.<>*-]+)+/?", code):
            if word.split("/")[0] in (*ROOMS, "docker", "manifests"):
                yield word


@pytest.mark.parametrize("page", PAGES)
def test_paths_are_there(page: str) -> None:
    for path in paths_in(page):
        pattern = re.sub(r"<\w+>", "*", path.rstrip("/"))
        roots = (ROOT, ROOT / page / "..", ROOT / "manifests")  # whose pages name its `components` so
        assert any(any(root.resolve().glob(pattern)) for root in roots), path


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """What a module or a package's modules define or import at their top, and methods."""
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    names: set[str] = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {one.asname or one.name for one in node.names}
    return frozenset(names)


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_their_names_are_there(page: str) -> None:
    for code in CODE.findall(prose(page)):
        for dotted in re.findall(rf"(?<![\w./])(?:{'|'.join(ROOMS)})(?:\.\w+)+(?![\w/])", code):
            parts = dotted.split(".")
            if parts[-1] in ("py", "md", "yaml"):
                continue
            place, rest = ROOT, list(parts)
            while rest and ((place / rest[0]).is_dir() or (place / f"{rest[0]}.py").is_file()):
                step = rest.pop(0)
                place = place / step if (place / step).is_dir() else place / f"{step}.py"
            assert len(rest) <= 1, dotted
            assert not rest or rest[0] in names_in(place), dotted


def test_functions_that_the_papers_page_names_are_in_the_files_it_links() -> None:
    page = (ROOT / "docs/papers.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((\S+?)\): ((?:`\w+`(?:, )?)+)", page)
    assert named
    for target, names in named:
        defined = names_in((ROOT / "docs" / target).resolve())
        for name in re.findall(r"`(\w+)`", names):
            assert name in defined, f"{target}: {name}"


def test_pipelines_that_the_papers_page_names_are_there() -> None:
    page = (ROOT / "docs/papers.md").read_text(encoding="utf-8")
    for line in re.findall(r"pipelines? ((?:`\w+`(?:, )?)+)\.", page):
        assert set(re.findall(r"`(\w+)`", line)) <= set(PIPELINES)


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_pages_name_are_the_stages(page: str) -> None:
    for code in CODE.findall(prose(page)):
        for stage, setting in re.findall(rf"(?<![\w./])({'|'.join(STAGES)})\.([a-z]\w*)", code):
            if f"components.{stage}" in code or re.search(rf"{stage}\.{setting}\(", code):
                continue
            if setting in ("py", "json", "html", "jsonl", "safetensors", "yaml", "md"):
                continue
            fields = settings_class(stage).model_fields
            assert setting in fields, f"{stage}.{setting}"


@functools.cache
def texts_of_the_sources() -> tuple[str, ...]:
    """All texts in the code; what an f-string fills in is a NUL."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (one.value if isinstance(one, ast.Constant) else "\0" for one in node.values)
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def errors_of_the_page() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / TROUBLESHOOTING).read_text(encoding="utf-8"), re.M)


def test_the_page_has_the_errors_that_people_meet() -> None:
    assert len(errors_of_the_page()) >= 25
    assert len(set(errors_of_the_page())) == len(errors_of_the_page())


@pytest.mark.parametrize("error", errors_of_the_page())
def test_errors_on_the_page_are_said_by_the_code(error: str) -> None:
    fixed = ".*".join(re.escape(part) for part in error.split("..."))
    assert any(re.search(fixed, text) for text in texts_of_the_sources())
