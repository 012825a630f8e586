"""A typed function with a docstring becomes a tool: schema, checks, and what is refused."""

import asyncio
import json
from typing import Literal

import pytest

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import parse_tools, validate_call
from tools_service.execution import Call, Executor
from tools_service.failures import ToolFailure
from tools_service.registry import Registry


def forecast(city: str, days: int = 1, unit: Literal["c", "f"] = "c", places: list[str] | None = None) -> str:
    """Forecasts the weather
    of a city.

    Args:
        city: the city's name,
            in English
        days (int): how many days ahead

    Returns:
        A sentence.
    """
    return f"{city} {days} {unit} {places}"


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.add(forecast)
    return made


def test_the_schema_comes_from_the_signature_and_the_docstring(registry: Registry) -> None:
    (schema,) = registry.schemas()
    function = schema["function"]
    assert isinstance(function, dict)
    assert function["name"] == "forecast"
    assert function["description"] == "Forecasts the weather of a city."
    parameters = function["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["required"] == ["city"]
    properties = parameters["properties"]
    assert isinstance(properties, dict)
    assert properties["city"] == {"type": "string", "description": "the city's name, in English"}
    assert properties["days"] == {"type": "integer", "default": 1, "description": "how many days ahead"}
    assert isinstance(properties["unit"], dict)
    assert properties["unit"]["enum"] == ["c", "f"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"city": "Oslo"}, None),
        ({"city": "Oslo", "days": 3, "unit": "f", "places": ["a"]}, None),
        ({}, ToolError.MISSING_PARAMETER),
        ({"city": "Oslo", "town": "x"}, ToolError.PARAMETER_HALLUCINATION),
        ({"town": "x"}, ToolError.PARAMETER_HALLUCINATION),
        ({"city": 3}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "days": "3"}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "days": True}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Oslo", "unit": "k"}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": None}, ToolError.WRONG_TYPE_OR_VALUE),
    ],
)
def test_arguments_are_checked_as_the_contracts_check_them(
    registry: Registry, arguments: dict[str, object], code: ToolError | None
) -> None:
    (reply,) = asyncio.run(Executor(registry).run([Call(name="forecast", arguments=arguments)]))
    assert (reply["error"]["code"] if reply["error"] else None) == code
    offered = parse_tools(json.dumps(registry.schemas()))
    made = ToolCall.model_validate({"name": "forecast", "arguments": arguments})
    assert validate_call(made, offered) == code
    if code is None:
        assert reply["content"].startswith("Oslo ")


def test_unknown_tools_are_named_with_those_there_are(registry: Registry) -> None:
    registry.leave_out("machine_translator", "no model was given")
    with pytest.raises(ToolFailure, match=r"there is no tool 'x'; available tools: forecast"):
        registry.find("x")
    with pytest.raises(ToolFailure, match="no model was given"):
        registry.find("machine_translator")


def test_functions_that_can_not_be_tools_are_refused(registry: Registry) -> None:
    def untold(text: str) -> str:
        return text

    def untyped(text) -> str:  # type: ignore[no-untyped-def]
        """Has no type."""
        return str(text)

    def open_ended(*texts: str) -> str:
        """Takes anything."""
        return str(texts)

    for function, reason in ((untold, "no docstring"), (untyped, "has no type"), (open_ended, "has no type")):
        with pytest.raises(InputError, match=reason):
            registry.add(function)
    with pytest.raises(InputError, match="two tools"):
        registry.add(forecast)
    with pytest.raises(InputError, match="not a tool name"):
        registry.add(forecast, name="weather forecast")
    with pytest.raises(InputError, match=r"package\.module:function"):
        registry.add_by_path("json:nothing")
    assert registry.add_by_path("tests.unit.test_tools_service_registry:add_one").name == "add_one"


def add_one(number: int) -> str:
    """Adds one."""
    return str(number + 1)
