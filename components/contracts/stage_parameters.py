"""What a stage's face says about its parameters: their names, kinds, defaults and help texts.

A face is the function behind a KFP component. kfp is not imported for it: that a parameter is an artifact, and which
way it goes, is read off its annotation (`Output[Model]` is `Annotated[Model, OutputAnnotation]`).
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

Kind = Literal["input", "inputs", "output", "text", "number", "switch"]

# What an output is called as a file; artifacts of other types are folders.
SUFFIXES = {"HTML": ".html", "Markdown": ".md", "Metrics": ".json", "ClassificationMetrics": ".json"}
_VALUES: dict[Any, Kind] = {str: "text", int: "number", bool: "switch"}
_ARGUMENT = re.compile(r"(\w+): (.*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a face. artifact: the class that KFP gives it, None for values; default: None where it has none."""

    name: str
    kind: Kind
    help: str
    has_default: bool
    default: Any = None
    artifact: Any = None

    @property
    def option(self) -> str:
        """What it is called on a command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_json(self) -> bool:
        """Whether its text is a JSON object; an empty one is that of the defaults."""
        return self.kind == "text" and (self.name.endswith("settings") or self.name == "overrides")

    @property
    def required(self) -> bool:
        """Whether a command line must have it: an input or text without a default, unless the help tells what
        its being empty means. Lists may be empty and numbers 0; outputs have places of their own.
        """
        if self.has_default or self.kind not in ("input", "text"):
            return False
        return self.kind == "input" or not (self.is_json or re.search(r"\bempty\b", self.help))

    @property
    def file_name(self) -> str:
        """What an output is called in the folder of all outputs."""
        return self.name + SUFFIXES.get(self.artifact.__name__, "")

    @property
    def is_figures(self) -> bool:
        """Whether a stage gives numbers to the artifact itself and writes no file."""
        return self.kind == "output" and self.file_name.endswith(".json")


def parameters_of(face: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a face in its order.

    Left out is what only KFP needs: `NAME_1`, `NAME_2` ..., single artifacts for the list `NAMEs`.

    Raises:
        TypeError: an annotation that no face of ours has.
    """
    helps = argument_helps(face.__doc__ or "")
    hints = get_type_hints(face, include_extras=True)
    found = []
    for name, one in inspect.signature(face).parameters.items():
        kind, artifact = _kind(name, hints[name])
        given = one.default is not inspect.Parameter.empty
        found.append(
            Parameter(name, kind, helps.get(name, ""), given, one.default if given else None, artifact)
        )
    lists = {one.name for one in found if one.kind == "inputs"}
    return [one for one in found if re.sub(r"_[0-9]+$", "s", one.name) not in lists - {one.name}]


def argument_helps(docstring: str) -> dict[str, str]:
    """The section "Args" of a docstring: names and texts, each text on one line."""
    helps: dict[str, str] = {}
    name = ""
    _, _, section = inspect.cleandoc(docstring).partition("\nArgs:\n")
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        start = _ARGUMENT.fullmatch(line[4:])
        if start:
            name, helps[start[1]] = start[1], start[2]
        elif name:
            helps[name] += " " + line.strip()
    return helps


def _kind(name: str, annotation: Any) -> tuple[Kind, Any]:
    if annotation in _VALUES:
        return _VALUES[annotation], None
    if getattr(annotation, "__name__", "") == "PipelineTaskFinalStatus":
        return "text", None  # a stage that takes it also takes its JSON
    if get_origin(annotation) is Annotated:
        held, direction, *_ = get_args(annotation)
        if getattr(direction, "__name__", "") == "OutputAnnotation":
            return "output", held
        return ("inputs", get_args(held)[0]) if get_origin(held) is list else ("input", held)
    raise TypeError(f"{name}: {annotation} is neither an artifact nor a text, a number or a switch")
