"""The run parameters in groups, as tables for people: `python -m pipelines.submit.guide` writes them into their page.

They come from the compiled files, so from the descriptions in `pipelines/declare.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.arguments import declared_parameters
from pipelines.catalog import PIPELINES

PAGE = Path(__file__).parents[2] / "docs" / "submitting.md"
BEGIN = "<!-- parameters: written by `python -m pipelines.submit.guide` -->\n"
END = "<!-- end of parameters -->\n"

_STORAGE = ("artifact_store", "checkpoint_root", "publish_to")
_PLACES = ("accelerator_type", "node_selector", "tolerations")
_IN_GROUPS: Mapping[str, Callable[[str], bool]] = {  # the first that takes a parameter
    "Settings of the stages": lambda name: name.endswith("_settings"),
    "Images": lambda name: name.endswith("_image"),
    "Accelerators and nodes": lambda name: name.endswith("_accelerators") or name in _PLACES,
    "Secrets, by name": lambda name: name.endswith("_secret"),
    "Storage": lambda name: name in _STORAGE,
    "The run": lambda name: True,
}
_ORDER = (
    "The run",
    "Storage",
    "Settings of the stages",
    "Accelerators and nodes",
    "Images",
    "Secrets, by name",
)


def parameter_tables() -> str:
    """Markdown: a heading and a table for each group; parameters in the order in which pipelines declare them."""
    declared = {pipeline: declared_parameters(pipeline) for pipeline in PIPELINES}
    names = dict.fromkeys(name for one in declared.values() for name in one)
    groups: dict[str, list[str]] = {title: [] for title in _ORDER}
    for name in names:
        groups[next(title for title, takes in _IN_GROUPS.items() if takes(name))].append(name)
    groups[_ORDER[0]].sort(
        key=lambda name: any("defaultValue" in one[name] for one in declared.values() if name in one)
    )
    tables = [_table(title, members, declared) for title, members in groups.items()]
    return "\n".join([_presets(), *tables])


def write_page(page: Path = PAGE) -> None:
    """Put the tables into the page, between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n" + parameter_tables() + "\n" + END + after, encoding="utf-8")


def _table(title: str, names: Sequence[str], declared: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    rows = ["| parameter | default | what it is | pipelines |", "|---|---|---|---|"]
    for name in names:
        having = [pipeline for pipeline, one in declared.items() if name in one]
        told = dict.fromkeys(declared[pipeline][name]["description"] for pipeline in having)
        where = "all" if len(having) == len(declared) else ", ".join(having)
        defaults = _defaults({pipeline: declared[pipeline][name] for pipeline in having})
        rows.append(f"| `{name}` | {defaults} | {' / '.join(told)} | {where} |")
    return f"### {title}\n\n" + "\n".join(rows) + "\n"


def _presets() -> str:
    """A line that says which preset stands in the settings of each pipeline."""
    pipelines: dict[str, list[str]] = {}
    for name, facts in PIPELINES.items():
        pipelines.setdefault(facts.preset, []).append(name)
    told = [f"`{preset}` in {', '.join(names)}" for preset, names in pipelines.items() if preset]
    return f"Presets of the pipelines: {'; '.join(told)}; none in {', '.join(pipelines.get('', ()))}.\n"


def _defaults(definitions: Mapping[str, Mapping[str, Any]]) -> str:
    """The default, or each of them with its pipelines; the commonest comes first."""
    if all(_names_preset(pipeline, one.get("defaultValue")) for pipeline, one in definitions.items()):
        return "`{}` or the pipeline's preset"
    by_text: dict[str, list[str]] = {}
    for pipeline, definition in definitions.items():
        by_text.setdefault(_shown(definition), []).append(pipeline)
    first, *others = sorted(by_text.items(), key=lambda one: -len(one[1]))
    return "; ".join([first[0], *(f"{text} in {', '.join(pipelines)}" for text, pipelines in others)])


def _names_preset(pipeline: str, default: Any) -> bool:
    """True for settings that name their pipeline's preset, as far as the stage has it, and nothing else."""
    return default in ("{}", f'{{"preset":"{PIPELINES[pipeline].preset}"}}')


def _shown(definition: Mapping[str, Any]) -> str:
    if "defaultValue" not in definition:
        return "must be given"
    value = definition["defaultValue"]
    return f"`{value}`" if value != "" else "empty"


if __name__ == "__main__":
    write_page()
