"""The one registry of tools. A tool is a typed Python function with a docstring; nothing else is written.

    def weather(city: str, days: int = 1) -> str:
        \"\"\"Forecasts the weather of a city.

        Args:
            city: the city's name in English
            days: how many days ahead, 1 to 7
        \"\"\"

The name, the description, the JSON schema and the checks of the arguments all come from it.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tools_service.failures import ToolFailure

ToolFunction = Callable[..., Any]  # returns str, or an awaitable of str
# The arguments, checked (no coercion: "3" is not an int) and with defaults filled in; raises ToolFailure:
# parameter_hallucination, missing_parameter or wrong_type_or_value.
ArgumentsCheck = Callable[[Mapping[str, JsonValue]], dict[str, Any]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_ARGUMENT_LINE = re.compile(r"(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


@dataclass(frozen=True)
class Tool:
    """One registered tool.

    `quick` tools are pure, never wait and are bounded to a few milliseconds: they run on the event
    loop itself. All others run on a worker thread (or are awaited, when they are coroutines).
    otherwise: takes the calls whose arguments fit it and not this tool.
    """

    name: str
    description: str
    function: ToolFunction
    parameters: dict[str, JsonValue]
    check: ArgumentsCheck
    quick: bool
    is_coroutine: bool
    otherwise: "Tool | None" = None

    def taking(self, arguments: Mapping[str, JsonValue]) -> "Tool":
        """This tool, or `otherwise` where the arguments fit that one alone."""
        if self.otherwise is not None and not self.fits(arguments) and self.otherwise.fits(arguments):
            return self.otherwise
        return self

    def fits(self, arguments: Mapping[str, JsonValue]) -> bool:
        """Whether the tool takes these arguments."""
        try:
            self.check(arguments)
        except ToolFailure:
            return False
        return True

    @property
    def schema(self) -> dict[str, JsonValue]:
        """The OpenAI form: {"type": "function", "function": {name, description, parameters}}."""
        function: dict[str, JsonValue] = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


class Registry:
    """Tools by name, in the order in which they were added, and the reasons why others are missing.

    content: of tools that reply from data, which data, so that a client knows when replies may be others.
    """

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}
        self.unavailable: dict[str, str] = {}
        self.content: dict[str, str] = {}
        self._closers: list[Callable[[], None]] = []

    def add(self, function: ToolFunction, *, name: str = "", quick: bool = False) -> Tool:
        """Registers a typed function as a tool.

        Raises:
            InputError: no docstring, an untyped parameter, a bad or a taken name.
        """
        return self.add_tool(_make_tool(function, name or function.__name__, quick))

    def add_tool(self, tool: Tool) -> Tool:
        """Registers a tool that is made already.

        Raises:
            InputError: a taken name.
        """
        if tool.name in self.tools:
            raise InputError(f"tool {tool.name!r}: two tools have this name; expected one")
        self.tools[tool.name] = tool
        return tool

    def add_otherwise(self, tool: Tool) -> None:
        """Registers a tool for the calls of its name that fit it and not the one that has the name already."""
        self.tools[tool.name] = replace(self.tools[tool.name], otherwise=tool)

    def add_by_path(self, path: str) -> Tool:
        """Registers the function at `package.module:function`.

        Raises:
            InputError: nothing can be imported from there.
        """
        module, _, attribute = path.partition(":")
        try:
            function = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"tool {path!r}: {error}; expected package.module:function") from error
        return self.add(function)

    def leave_out(self, name: str, reason: str) -> None:
        """Records why a tool is not offered; GET /tools tells it under "unavailable"."""
        self.unavailable[name] = reason

    def on_close(self, closer: Callable[[], None]) -> None:
        """To be called when the service ends: tools that live elsewhere are connected to."""
        self._closers.append(closer)

    def close(self) -> None:
        """Ends all connections of its tools; more than once does no harm."""
        while self._closers:
            self._closers.pop()()

    def find(self, name: str) -> Tool:
        """The tool of this name.

        Raises:
            ToolFailure: tool_hallucination when there is none.
        """
        tool = self.tools.get(name)
        if tool is not None:
            return tool
        known = ", ".join(self.tools)
        reason = f" ({self.unavailable[name]})" if name in self.unavailable else ""
        raise ToolFailure(
            ToolError.TOOL_HALLUCINATION, f"there is no tool {name[:64]!r}{reason}; available tools: {known}"
        )

    def schemas(self) -> list[dict[str, JsonValue]]:
        """All tools in the OpenAI form."""
        return [tool.schema for tool in self.tools.values()]


def _make_tool(function: ToolFunction, name: str, quick: bool) -> Tool:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"tool {name!r}: not a tool name; expected letters, digits, '_', '.', '-', at most 64"
        )
    documentation = inspect.getdoc(function)
    if not documentation:
        raise InputError(f"tool {name!r}: no docstring; expected one that tells the model what the tool does")
    description, explained = _read_documentation(documentation)
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            raise InputError(f"tool {name!r}: parameter {parameter.name!r} has no type; expected name: type")
        default = ... if parameter.default is parameter.empty else parameter.default
        about = explained.get(parameter.name)
        fields[parameter.name] = (hints[parameter.name], Field(default, description=about))
    model = create_model(name, __config__=ConfigDict(extra="forbid", strict=True), **fields)
    return Tool(
        name=name,
        description=description,
        function=function,
        parameters=_parameters_schema(model),
        check=partial(_check, model, name),
        quick=quick,
        is_coroutine=inspect.iscoroutinefunction(function),
    )


def _check(model: type[BaseModel], tool: str, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
    try:
        return vars(model.model_validate(arguments))
    except ValidationError as error:
        raise _explain(error, model, tool) from None


def _explain(error: ValidationError, model: type[BaseModel], tool: str) -> ToolFailure:
    found = {
        str(item["type"]): item for item in reversed(error.errors(include_url=False, include_input=False))
    }
    known = ", ".join(model.model_fields) or "none"
    if item := found.get("extra_forbidden"):
        name = _place(item["loc"])
        return ToolFailure(
            ToolError.PARAMETER_HALLUCINATION, f"{tool} has no parameter {name!r}; its parameters: {known}"
        )
    if item := found.get("missing"):
        return ToolFailure(ToolError.MISSING_PARAMETER, f"{tool} needs the parameter {_place(item['loc'])!r}")
    item = next(iter(found.values()))
    text = str(item["msg"])
    return ToolFailure(
        ToolError.WRONG_TYPE_OR_VALUE, f"{tool}: {_place(item['loc'])}: {text[:1].lower()}{text[1:]}"
    )


def _read_documentation(documentation: str) -> tuple[str, dict[str, str]]:
    """The text in front of the first section as one line, and what `Args:` says of each parameter."""
    text, _, rest = documentation.partition("\nArgs:")
    text = re.split(r"\n(?:Returns|Raises|Example|Examples|Note):", text)[0]
    explained: dict[str, str] = {}
    last = ""
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            break
        found = _ARGUMENT_LINE.fullmatch(line.strip())
        if found:
            last = found[1]
            explained[last] = found[2].strip()
        elif last and line.strip():
            explained[last] += " " + line.strip()
    return " ".join(text.split()), explained


def _parameters_schema(model: type[BaseModel]) -> dict[str, JsonValue]:
    schema: dict[str, Any] = model.model_json_schema()
    schema.pop("title", None)
    for property_schema in schema.get("properties", {}).values():
        property_schema.pop("title", None)
    schema.setdefault("properties", {})
    schema.setdefault("required", [])
    return schema


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
