"""Rows with calls of tools that can't be used: each is refused with its field and reason, none crashes."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.ingest.convert import to_question
from components.ingest.exchanges import build_sample
from components.ingest.formats import FORMATS
from components.ingest.rows import Draft, Exchange, RowError
from tests import tool_rows as rows
from tests.tool_rows import ALL_ROWS, sample_of


def changed(name: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    row = copy.deepcopy(ALL_ROWS[name])
    return change(row) or row


REFUSED: list[tuple[str, Callable[[Any], Any], str, str]] = [
    ("messages", lambda row: row.pop("tools") and None, "tools", "no tools are offered"),
    ("messages", lambda row: row.update(tools=[]), "tools", "the list is empty"),
    ("messages", lambda row: row.update(tools=["get_weather"]), "tools", "expected a tool's schema, got str"),
    ("messages", lambda row: row.update(tools="[{"), "tools", "not JSON"),
    (
        "messages",
        lambda row: row.update(tools=[rows.BARE | {"parameters": 3}]),
        "tools",
        "expected a JSON schema, got int",
    ),
    (
        "messages",
        lambda row: row.update(tools=[rows.BARE | {"parameters": {"type": "string"}}]),
        "tools",
        "expected 'object', got 'string'",
    ),
    (
        "messages",
        lambda row: row["messages"][1]["tool_calls"][0]["function"].update(arguments='{"city": '),
        "messages[1].tool_calls",
        "unparsable call: not JSON",
    ),
    (
        "messages",
        lambda row: row["messages"][1]["tool_calls"][0]["function"].update(arguments='{"city": NaN}'),
        "messages[1].tool_calls",
        "unparsable call: arguments that JSON can't hold",
    ),
    ("messages", lambda row: row["messages"].pop(0) and None, "messages", "expected a user message"),
    ("sharegpt", lambda row: row.update(tools="[]"), "tools", "the list is empty"),
    (
        "sharegpt",
        lambda row: row["conversations"][1].update(value="get_weather Oslo"),
        "conversations[1].value",
        "unparsable call: not JSON",
    ),
    ("toolace", lambda row: row["conversations"].pop(1) and None, "messages", "a trajectory without a call"),
    (
        "toolace",
        lambda row: row["conversations"][1].update(value="[get_weather(city=Oslo)]"),
        "conversations[1].value",
        "unparsable call",
    ),
    (
        "toolace",
        lambda row: row.update(system="functions in JSON format: [ ]"),
        "system",
        "the list is empty",
    ),
    ("glaive", lambda row: row.update(chat="USER: Hi\n\n\nASSISTANT: Hello"), "chat", "a trajectory without a call"),
    (
        "rotbench",
        lambda row: row["conversations"][2].update(value=["Thought: I do not know"]),
        "conversations[2].value",
        "unparsable call",
    ),
    (
        "rotbench",
        lambda row: row["conversations"][2].update(value=[rows.ACTION.replace("get_weather", "weather")]),
        "golds",
        "the gold names a tool that is not offered",
    ),
    ("toolrl", lambda row: row.update(output="<response> 4 </response>"), "messages", "a trajectory without a call"),
    ("toolrl", lambda row: row.update(output="4"), "output", "expected one <tool_call> or <response>"),
    (
        "api_bank",
        lambda row: row.update(expected_output="API-Request: [Other(a='b')]"),
        "golds",
        "the gold names a tool that is not offered",
    ),
    ("api_bank", lambda row: row.update(expected_output="none"), "expected_output", "unparsable call"),
    ("seal_tools", lambda row: row.pop("tools") and None, "tools", "no tools are offered"),
    ("seal_tools", lambda row: row.update(calling=[]), "messages", "a gold without a call"),
    ("toolalpaca", lambda row: row.update(Golden_Answers=[None]), "Golden_Answers", "expected a list"),
    (
        "xlam",
        lambda row: row.update(answers='[{"name": "get_news", "arguments": {}}]'),
        "golds",
        "the gold names a tool that is not offered",
    ),
    ("xlam", lambda row: row.update(answers="[]"), "messages", "a gold without a call"),
    ("bfcl", lambda row: row.pop("ground_truth") and None, "ground_truth", "missing"),
    ("bfcl", lambda row: row.update(ground_truth=[{"f": {}}]), "ground_truth", "expected a list of calls"),
    (
        "bfcl",
        lambda row: row.update(ground_truth=["get_weather(city=open('x'))"]),
        "ground_truth",
        "unparsable call",
    ),
    ("bfcl", lambda row: row.update(question=row["question"] * 2), "question", "several turns"),
    ("tooleyes", lambda row: row["conversations"][1].update(value=" "), "messages", "expected a user message"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "field", "reason"), REFUSED)
def test_what_is_refused_says_why(name: str, change: Callable[[Any], Any], field: str, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        sample_of(changed(name, change))
    assert caught.value.field == field
    assert reason in caught.value.reason


ODD: list[Any] = [
    None,
    True,
    -1,
    float("nan"),
    "",
    " x",
    "[{",
    "{}",
    [],
    {},
    [None],
    {"a": None},
    [3],
    "\ud800",
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value inside a row."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from paths(one, (*path, key))


def with_odd(row: dict[str, Any], path: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    changed = copy.deepcopy(row)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    return changed


@pytest.mark.parametrize("name", ALL_ROWS)
def test_no_value_in_any_place_is_more_than_a_refused_row(name: str) -> None:
    known = next(one for one in FORMATS if one.name == name)
    refused = 0
    for path in paths(ALL_ROWS[name]):
        for odd in ODD:
            row = with_odd(ALL_ROWS[name], path, odd)
            assert all(one.matches(row) in (True, False) for one in FORMATS)
            try:
                for part in known.parts(row):
                    found = known.convert(part)
                    if isinstance(found, Exchange):
                        assert build_sample(found, "x", "pythonic").question.model_dump_json()
            except RowError:
                refused += 1
    assert refused > 10


def test_half_a_character_out_of_embedded_json_is_a_refused_row() -> None:
    popqa = next(one for one in FORMATS if one.name == "popqa")
    with pytest.raises(RowError, match="surrogate"):
        to_question(Draft("Who?", ("\ud800",)), popqa, "")
