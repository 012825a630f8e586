"""Foreign tool lists in the OpenAI form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.tool_dialects import normalise_tools
from components.contracts.tool_schemas import parse_tools

WANTED = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Which"}, "days": {"type": "integer"}},
    "required": ["city"],
}
CITY = {"type": "string", "description": "Which"}
SAME: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "a b", "description": "x", "parameters": WANTED}},
    {"name": "a b", "description": "x", "parameters": WANTED},
    {"name": "a b", "description": "x", "parameters": WANTED | {"type": "dict"}},
    {"name": "a b", "description": "x", "input_schema": WANTED},
    {
        "name": "a b",
        "description": "x",
        "parameters": {"city": CITY | {"required": True}, "days": {"type": "int", "required": False}},
    },
    {
        "name": "a b",
        "description": "x",
        "parameters": {"city": CITY | {"type": "str"}, "days": {"type": "int, optional"}},
    },
    {
        "name": "a b",
        "description": "x",
        "input_parameters": {"city": CITY | {"type": "str"}, "days": {"type": "Optional[int]"}},
    },
    {
        "api_name": "a b",
        "api_description": "x",
        "parameters": {"city": CITY | {"type": "str"}, "days": {"type": "int"}},
        "required": ["city"],
    },
    {
        "name": "a b",
        "description": "x",
        "parameters": [CITY | {"name": "city", "required": True}, {"name": "days", "type": "integer"}],
    },
]


@pytest.mark.parametrize("tool", SAME)
def test_every_dialect_says_the_same(tool: dict[str, Any]) -> None:
    (found,) = normalise_tools([tool])
    assert found == {
        "type": "function",
        "function": {"name": "a b", "description": "x", "parameters": WANTED},
    }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("List[List[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("list(str)", {"type": "array", "items": {"type": "string"}}),
        ("Tuple[float, float]", {"type": "array", "items": {"type": "number"}}),
        ("Tuple[int, str]", {"type": "array"}),
        ("List", {"type": "array"}),
        ("Dict[str, int]", {"type": "object"}),
        ("List[Union[int, float]]", {"type": "array", "items": {"type": ["integer", "number"]}}),
        ("Union[str, None]", {"type": "string"}),
        ("Callable[[float], float]", {"title": "Callable[[float], float]"}),
        ("json", {"title": "json"}),
        ("FLOAT", {"type": "number"}),
        (["string", "null"], {"type": ["string", "null"]}),
        (None, {}),
    ],
)
def test_type_names(declared: object, expected: dict[str, Any]) -> None:
    (tool,) = normalise_tools([{"name": "f", "parameters": {"a": {"type": declared, "default": 1}}}])
    assert tool["function"]["parameters"]["properties"]["a"] == expected | {"default": 1}


def test_parameters_named_like_a_schemas_keys() -> None:
    flat = {
        "type": {"type": "str"},
        "properties": {"type": "str", "description": "x"},
        "required": {"type": "bool"},
    }
    (tool,) = normalise_tools([{"name": "f", "parameters": flat}])
    parameters = tool["function"]["parameters"]
    assert list(parameters["properties"]) == parameters["required"] == ["type", "properties", "required"]


def test_nested_schemas_and_tools_of_one_name() -> None:
    inner = {"type": "dict", "properties": {"lat": {"type": "float"}}, "required": ["lat"]}
    schema = {"type": "dict", "properties": {"place": inner, "list": {"type": "array", "items": inner}}}
    (tool,) = normalise_tools([{"name": "f", "parameters": schema}])
    place = {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]}
    assert tool["function"]["parameters"]["properties"] == {
        "place": place,
        "list": {"type": "array", "items": place},
    }
    twice = [
        {"name": "drivers", "description": d, "parameters": {k: {"type": "string", "required": True}, "n": {"type": "string", "required": True}}}
        for d, k in (("Drivers", "a"), ("Teams", "b"))
    ]  # fmt: skip
    (joined,) = normalise_tools(twice)
    assert joined["function"]["description"] == "Drivers / Teams"
    assert set(joined["function"]["parameters"]["properties"]) == {"a", "b", "n"}
    assert joined["function"]["parameters"]["required"] == ["n"]


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ([], "tools: the list is empty"),
        ("[", "tools: not JSON"),
        (3, "tools: expected a list of tools, got int"),
        ([3], r"tools\[0\]: expected a tool's schema, got int"),
        ([{"parameters": {}}], r"tools\[0\]\.function\.name: expected printable text, got None"),
        ([{"name": " f"}], r"tools\[0\]\.function\.name: expected printable text"),
        ([{"name": "f", "parameters": "none"}], r"tools\[0\]\.parameters: expected a JSON schema, got str"),
        (
            [{"name": "f", "parameters": {"type": "array"}}],
            r"tools\[0\]\.parameters\.type: expected 'object'",
        ),
        (
            [{"name": "f", "parameters": {"a": 3}}],
            r"tools\[0\]\.parameters\.a: expected a JSON schema, got int",
        ),
        (
            [{"name": "f", "parameters": {"a": {"type": 3}}}],
            r"parameters\.a\.type: expected the name of a type",
        ),
        (
            [{"name": "f", "parameters": {"a": {"enum": "x"}}}],
            r"parameters\.a\.enum: expected a list, got str",
        ),
        (
            [{"name": "f", "parameters": {"type": "objekt"}}],
            r"parameters\.type: expected a JSON schema, got str",
        ),
        (
            [{"name": "f", "parameters": {"a": {"type": "string", "minLength": "x"}}}],
            r"tools\[0\]\.parameters: not a JSON schema: properties\.a\.minLength: 'x' is not of type",
        ),
        (
            [{"name": "f", "parameters": {"type": "object", "properties": [], "required": 3}}],
            r"parameters\.required: expected a list of names, got int",
        ),
    ],
)
def test_what_is_no_tool_list(tools: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        normalise_tools(tools)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "type", "properties", "required", "parameters", "function", "items", "enum", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_anything_is_normalised_or_refused_and_normal_forms_stay(value: object) -> None:
    try:
        found = normalise_tools(value)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert parse_tools(json.dumps(found)) == found
    assert normalise_tools(list(found)) == found
