"""`python -m components.<stage>`: a stage from a shell, on artifact folders; derived from its face.

Inputs are folders of artifacts, a list of them may be given in one go or bit by bit. Outputs lie under `--output DIR`
by their names, unless one has a place of its own. Texts, numbers and switches are options. What is printed last are
the metrics, and what the stage returns.
"""

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from components.contracts.errors import InputError
from components.contracts.stage_parameters import Parameter, parameters_of

UNUSABLE = 2  # the exit code for what can't be used, argparse's own
INTERRUPTED = 130  # that of a shell for SIGINT


class OneLineParser(argparse.ArgumentParser):
    """A parser that takes no shortened option, and tells what is wrong in one line."""

    def __init__(self, **named: Any) -> None:
        super().__init__(allow_abbrev=False, **named)

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(UNUSABLE, f"{self.prog}: {message}; --help lists the options\n")


def exit_code(action: Callable[[], None], failures: tuple[type[Exception], ...] = (InputError,)) -> int:
    """Call it; 2, and the message as one line, when it ended in one of `failures`; 130 when it was interrupted."""
    try:
        action()
    except failures as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


@dataclass(frozen=True)
class StageCommand:
    """The command line of a stage.

    face: the function behind its KFP component. failures: what else than an InputError is the user's to know of, in
    one line. shows: an output whose text is printed at the end. earlier: for a stage that follows itself, which output
    of the time before an input is; `NAME_so_far` is NAME without being told. With it comes the option `--before`.
    """

    face: Callable[..., Any]
    failures: tuple[type[Exception], ...] = ()
    shows: str = ""
    earlier: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the stage; 2 when an input can't be used, 130 when it was interrupted (Ctrl-C)."""
        parameters = parameters_of(self.face)
        parser = self.parser(parameters)
        given = parser.parse_args(arguments)
        places = _places(parser, parameters, given)
        failures: tuple[type[Exception], ...] = (InputError, *self.failures)
        return exit_code(lambda: self._run(parameters, given, places, failures), failures)

    def parser(self, parameters: Sequence[Parameter]) -> OneLineParser:
        """Its options, required ones first in the line of usage."""
        prog = f"python -m components.{self.face.__name__}"
        outputs = [one for one in parameters if one.kind == "output"]
        needed = [f"{one.option} {_metavar(one)}" for one in parameters if one.required]
        parser = OneLineParser(
            prog=prog,
            usage=" ".join([prog, *needed, "--output DIR", "[options]"]),
            description=inspect.cleandoc(self.face.__doc__ or "").partition("\n\n")[0],
        )
        inputs, out = parser.add_argument_group("inputs"), parser.add_argument_group("outputs")
        groups = {"input": inputs, "inputs": inputs, "output": out}
        for one in parameters:
            groups.get(one.kind, parser).add_argument(one.option, help=_help(one), **_form(one))
        names = ", ".join(f"{one.file_name}{'' if '.' in one.file_name else '/'}" for one in outputs)
        out.add_argument("--output", type=Path, metavar="DIR", help=f"Folder for {names}.")
        if self.earlier:
            before = "The --output of the time before, for what is not given of it; absent for the first."
            inputs.add_argument("--before", type=Path, metavar="DIR", help=before)
        return parser

    def _run(
        self,
        parameters: Sequence[Parameter],
        given: argparse.Namespace,
        places: Mapping[str, Path],
        failures: tuple[type[Exception], ...],
    ) -> None:
        values = {one.name: self._value(one, parameters, given, places) for one in parameters}
        figures = {one.name: values[one.name] for one in parameters if one.is_figures}
        try:
            returned = self.face(**values)
        except failures as error:
            _write_json(getattr(given, "metrics", None), {"error": str(error), "kind": type(error).__name__})
            raise
        for name, artifact in figures.items():
            _write_json(places.get(name), artifact.metadata)
        if "metrics" in figures and not given.metrics:
            for name, value in figures["metrics"].metadata.items():
                print(f"{name}\t{value:g}")
        if self.shows:
            print(places[self.shows].read_text(encoding="utf-8"))
        if returned is not None:
            print(returned)

    def _value(
        self,
        one: Parameter,
        parameters: Sequence[Parameter],
        given: argparse.Namespace,
        places: Mapping[str, Path],
    ) -> Any:
        """What the face gets: an artifact of its class, several, or the value itself."""
        value = getattr(given, one.name)
        if one.kind == "output":
            return one.artifact(uri=str(places.get(one.name, one.file_name)))
        if one.kind == "inputs":
            return [one.artifact(uri=folder) for folder in value]
        if one.kind != "input":
            return value
        if not value and self.earlier and given.before is not None:
            outputs = {of.name: of.file_name for of in parameters if of.kind == "output"}
            output = outputs.get(self.earlier.get(one.name, one.name.removesuffix("_so_far")))
            value = str(given.before / output) if output else ""
        return one.artifact(uri=value) if value else None


def _places(
    parser: OneLineParser, parameters: Sequence[Parameter], given: argparse.Namespace
) -> dict[str, Path]:
    """Where each output goes; metrics may have no place, and then are printed only."""
    places: dict[str, Path] = {}
    for one in parameters:
        if one.kind != "output":
            continue
        if own := getattr(given, one.name):
            places[one.name] = own
        elif given.output is not None:
            places[one.name] = given.output / one.file_name
        elif not one.is_figures:
            parser.error(f"--output is missing, {one.name} has no place")
    return places


def _metavar(one: Parameter) -> str:
    if one.kind in ("text", "number"):
        return "JSON" if one.is_json else {"text": "TEXT", "number": "NUMBER"}[one.kind]
    return "PATH"


def _form(one: Parameter) -> dict[str, Any]:
    """How argparse takes it."""
    if one.kind == "switch":
        return {"action": "store_true"}
    common = {"metavar": _metavar(one), "required": one.required}
    if one.kind == "inputs":
        return {**common, "nargs": "+", "action": "extend", "default": []}
    if one.kind == "output":
        return {**common, "type": Path}
    if one.kind == "number":
        return {**common, "type": int, "default": one.default or 0}
    return {**common, "default": one.default or ""}


def _help(one: Parameter) -> str:
    text = one.help.replace("%", "%%")
    return f"{text} By default DIR/{one.file_name}." if one.kind == "output" else text


def _write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Nothing where there is no content: of several processes, only the first has some."""
    if path is not None and content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
