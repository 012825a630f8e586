"""Tools of which only the schema is there: checked like real ones, the same reply to the same call."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tests.tools_process import tools_service
from tools_service.failures import ToolFailure
from tools_service.stand_ins import make_stand_in, read_stand_ins, reply

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def schema(name: str, required: tuple[str, ...] = ("city",), **properties: dict[str, Any]) -> dict[str, Any]:
    properties = properties or {"city": {"type": "string"}, "days": {"type": "integer"}}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "type": "function",
        "function": {"name": name, "description": "About it.", "parameters": parameters},
    }


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@given(arguments=st.dictionaries(st.text(), VALUES, max_size=4))
def test_the_reply_depends_on_the_call_alone(arguments: dict[str, Any]) -> None:
    said = reply("weather", **arguments)
    assert reply("weather", **dict(reversed(arguments.items()))) == said
    assert json.loads(said)["result"].items() >= arguments.items()
    assert arguments.keys() >= {"id", "value"} or reply("climate", **arguments) != said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"town": "Rome", "city": "Rome"}, ToolError.PARAMETER_HALLUCINATION),
        ({"days": 2}, ToolError.MISSING_PARAMETER),
        ({"city": 7}, ToolError.WRONG_TYPE_OR_VALUE),
        ({"city": "Rome", "days": "2"}, ToolError.WRONG_TYPE_OR_VALUE),
    ],
)
def test_arguments_are_checked_against_the_schema(arguments: dict[str, Any], code: ToolError) -> None:
    tool = make_stand_in("weather", [schema("weather")])
    with pytest.raises(ToolFailure) as failure:
        tool.check(arguments)
    assert failure.value.code is code
    assert tool.check({"city": "Rome", "days": 2}) == {"city": "Rome", "days": 2}


def test_a_call_has_to_fit_one_of_several_schemas(tmp_path: Path) -> None:
    other = schema("weather", ("place",), place={"type": "string"})
    lines = [
        json.dumps({"id": str(n), "offered": json.dumps([one])})
        for n, one in enumerate([schema("weather"), other, other])
    ]
    (tool,) = read_stand_ins(write(tmp_path / "held_out.jsonl", *lines))
    assert tool.check({"city": "Rome"}) == {"city": "Rome"}
    assert tool.check({"place": "Rome"}) == {"place": "Rome"}
    with pytest.raises(ToolFailure):
        tool.check({"place": "Rome", "city": "Rome"})


def test_a_line_may_hold_separators_that_are_no_line_ends(tmp_path: Path) -> None:
    line = json.dumps(
        {"text": "one\u2028two\x85three", "offered": json.dumps([schema("weather")])}, ensure_ascii=False
    )
    (tool,) = read_stand_ins(write(tmp_path / "held_out.jsonl", line, ""))
    assert tool.name == "weather"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["[]"], "holds no tool schema"),
        (["[1]"], r"tools\[0\]"),
        (['{"id": "a"}'], "tools.json:1"),
        (['{"offered": "[]"}', '{"offered": 3}'], "tools.json:2: offered: expected text"),
        (['{"offered": "[2]"}'], r"tools.json:1: tools\[0\]"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_stand_ins(write(tmp_path / "tools.json", *lines))
    with pytest.raises(InputError, match=r"nothing\.json"):
        read_stand_ins(tmp_path / "nothing.json")


def test_the_service_offers_and_executes_them(tmp_path: Path) -> None:
    names = ["weather.in", "Search Managers", "calculator"]
    given_tools = write(tmp_path / "tools.json", json.dumps([schema(name) for name in names]))
    with tools_service(tmp_path, "--stand-ins", str(given_tools)) as service:
        offered = httpx.get(f"{service.url}/tools").json()["tools"]
        by_name = {tool["function"]["name"]: tool["function"] for tool in offered}
        assert by_name.keys() == set(names)
        assert "expression" in by_name["calculator"]["parameters"]["properties"]  # the real one stays
        calls = [
            {"id": "1", "name": "weather.in", "arguments": {"city": "Rome"}},
            {"id": "2", "name": "Search Managers", "arguments": {}},
            {"id": "3", "name": "calculator", "arguments": {"expression": "2+3"}},
            {"id": "4", "name": "calculator", "arguments": {"city": "Rome"}},
            {"id": "5", "name": "calculator", "arguments": {"river": "Po"}},
        ]
        good, bad, real, other, neither = httpx.post(f"{service.url}/batch", json={"calls": calls}).json()[
            "replies"
        ]
    assert json.loads(good["content"])["result"]["city"] == "Rome"
    assert bad["error"]["code"] == "missing_parameter"
    assert real["content"] == "5"
    assert json.loads(other["content"])["result"]["city"] == "Rome"
    assert neither["error"]["code"] == "parameter_hallucination"
