"""The reward by kind of error: every row and sum of the paper's table, matching, bounds, bad input."""

import itertools
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import ToolSchema
from components.ppo.reward import calls_reward, tool_call_reward


def make_tool(name: str, required: Sequence[str], **parameters: str) -> ToolSchema:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": schema}}


WEATHER = make_tool("weather", ["city"], city="string", days="integer", unit="string", wind="boolean")
SEARCH = make_tool("search", ["query"], query="string", limit="integer")
TOOLS = [WEATHER, SEARCH]
OSLO = {"name": "weather", "arguments": {"city": "Oslo", "days": 2}}
ROME = {"name": "weather", "arguments": {"city": "Rome", "days": 2}}
FJORD = {"name": "search", "arguments": {"query": "fjord"}}


def gold(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


def write(calls: Sequence[dict[str, Any]], call_format: str) -> str:
    """A turn of those calls as the format renders it."""
    return get_call_format(call_format).render([ToolCall(**call) for call in calls], tools=TOOLS)


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (gold("weather", city="Oslo", days=2), 1),
        (gold("weather", days=2, city="Oslo"), 1),
        (gold("weather", city="Oslo", days=2.0), 1),
        (gold("forecast", city="Oslo", days=2), -2),
        (gold("Weather", city="Oslo", days=2), -2),
        (gold("search", query="Oslo"), -1.5),
        (gold("search", colour="red"), -1.5),  # the wrong tool counts, its parameters do not
        (gold("weather", city="Oslo", days=2, colour="red"), -0.8),
        (gold("weather", city="Oslo", days=2, colour="red", size=3), -0.8),
        (gold("weather", city="Oslo", days=2, unit="C"), -0.5),
        (gold("weather", city="Oslo", days=2, unit="C", wind=True), -0.5),
        (gold("weather", city="Oslo"), -0.5),
        (gold("weather"), -0.5),
        (gold("weather", city="Rome"), -0.5),  # wrong parameters count, their content does not
        (gold("weather", city="Oslo", days=2, unit="C", colour="red"), -1.3),
        (gold("weather", city="Oslo", colour="red"), -1.3),
        (gold("weather", city="Oslo", unit="C"), -1.0),
        (gold("weather", city="Oslo", unit="C", colour="red"), -1.8),
        (gold("weather", unit="C", wind=False, colour="red", size=3), -1.8),
        (gold("weather", city="Rome", days=2), -0.25),
        (gold("weather", city="Oslo", days="2"), -0.25),
        (gold("weather", city="oslo", days=3), -0.25),
        (gold("weather", city="Oslo", days=True), -0.25),
    ],
)
def test_every_row_and_every_sum(call: dict[str, Any], expected: float, call_format: str) -> None:
    assert tool_call_reward(write([call], call_format), OSLO, TOOLS, call_format) == expected


@pytest.mark.parametrize(
    ("call_format", "output"),
    [
        *(
            (call_format, text)
            for call_format in CALL_FORMATS
            for text in ("", " \n", "It rains.", "\x00\ud800")
        ),
        ("pythonic", '[weather(city="Oslo", days=2'),
        ("pythonic", '[weather(city="Oslo, days=2)]'),
        ("pythonic", '[weather(city="Oslo", city="Oslo", days=2)]'),
        ("pythonic", '[weather(city="Oslo", days=1+1)]'),
        ("pythonic", '[(city="Oslo", days=2)]'),
        ("pythonic", '(city="Oslo", days=2)'),
        ("pythonic", '[weather(city="Oslo", days=2), weather('),
        ("hermes", '<tool_call>{"name": "weather", "arguments": {"city": "Oslo", "days": 2}'),
        ("hermes", '<tool_call>{"name": "", "arguments": {"city": "Oslo", "days": 2}}</tool_call>'),
        ("hermes", '<tool_call>{"arguments": {"city": "Oslo", "days": 2}}</tool_call>'),
        ("hermes", "<tool_call>weather(city='Oslo', days=2)</tool_call>"),
        ("llama3_json", '{"name": "weather", "parameters": {"city": "Oslo", "days": 2}'),
        ("llama3_json", '{"name": "", "parameters": {"city": "Oslo", "days": 2}}'),
        ("llama3_json", '{"name": "weather", "parameters": {"city": "Oslo", "days": 2}} done'),
        ("paper", "Action: weather[city=Oslo, days=2"),
        ("paper", "Action: [city=Oslo, days=2]"),
        ("paper", "Action: weather"),
        ("paper", "Action: none"),
        ("paper", "Answer: rain\nAction: weather[city=Oslo, days=2]"),
    ],
)
def test_what_cannot_be_parsed_or_has_no_tool_name(call_format: str, output: str) -> None:
    assert tool_call_reward(output, OSLO, TOOLS, call_format) == -2
    assert tool_call_reward(output, [OSLO, FJORD], TOOLS, call_format) == -2


@pytest.mark.parametrize(
    ("output", "right", "expected"),
    [
        ('f(a="9")', gold("f", a="1"), -0.25),  # what a pattern for single quotes never sees
        ("f(a = '1')", gold("f", a="1"), 1),
        ("f(a=9)", gold("f", a=1), -0.25),
        ("f(a=9)", gold("f", a="9"), -0.25),
        ("f(a='x)')", gold("f", a="x)"), 1),
        ("f(a='x)')", gold("f", a="x"), -0.25),
        ("f(a='x', )", gold("f", a="x"), 1),
        ("f('x')", gold("f", a="x"), 1),
        ("f(a=[1, {'b': None}])", gold("f", a=[1, {"b": None}]), 1),
        ("f(a=[1, {'b': False}])", gold("f", a=[1, {"b": 0}]), -0.25),
        ("f(a=[2, 1])", gold("f", a=[1, 2]), -0.25),
        ("f(a=1)", gold("f", a=1, undeclared=2), -0.5),
        ("f(a=1, undeclared=2)", gold("f", a=1, undeclared=2), 1),  # the gold knows better than the schema
    ],
)
def test_values_are_parsed_and_typed(output: str, right: dict[str, Any], expected: float) -> None:
    tools = [make_tool("f", [], a="any")]
    assert tool_call_reward(output, right, tools, "pythonic") == expected


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize(
    ("calls", "right", "expected"),
    [
        ([OSLO], [OSLO], 1),
        ([OSLO, FJORD], [OSLO, FJORD], 1),
        ([FJORD, OSLO], [OSLO, FJORD], 1),
        ([ROME, OSLO], [OSLO, ROME], 1),
        ([OSLO, FJORD], OSLO, -0.25),  # (1 - 1.5) / 2, an extra call
        ([OSLO], [OSLO, FJORD], -0.25),  # an absent one
        ([OSLO], [OSLO, OSLO], -0.25),
        ([OSLO, OSLO, OSLO], OSLO, -2 / 3),
        ([OSLO, gold("forecast")], OSLO, -0.25),  # an extra one of an unknown tool
        ([OSLO, gold("forecast")], [OSLO, FJORD], -0.5),  # (1 - 2) / 2
        ([gold("weather", city="Rome"), OSLO], [OSLO, ROME], 0.25),  # (-0.5 + 1) / 2
        ([FJORD, FJORD], [OSLO, ROME], -1.5),
        ([FJORD], [[OSLO], [FJORD]], 1),
        ([ROME], [[OSLO], [FJORD]], -0.25),
        ([OSLO], [[OSLO, FJORD], [ROME]], -0.25),
        ([FJORD, ROME], [[OSLO], [ROME, FJORD]], 1),
        ([FJORD], [[OSLO, ROME, OSLO]], -1.5),
    ],
)
def test_parallel_calls_and_alternatives(
    calls: list[dict[str, Any]], right: Any, expected: float, call_format: str
) -> None:
    assert tool_call_reward(write(calls, call_format), right, TOOLS, call_format) == pytest.approx(expected)


def with_schema(parameters: object) -> list[ToolSchema]:
    function = {"name": "weather", "parameters": parameters}
    return [{"type": "function", "function": function}, SEARCH]


@pytest.mark.parametrize(
    ("right", "tools", "field"),
    [
        (OSLO, [], "tools: "),
        (OSLO, [SEARCH], "gold.name: the tool 'weather'"),
        ([FJORD, OSLO], [SEARCH], "gold[1].name"),
        ([[FJORD], [FJORD, OSLO]], [SEARCH], "gold[1][1].name"),
        (gold(""), TOOLS, "gold.name"),
        ([], TOOLS, "gold: "),
        ([[OSLO], []], TOOLS, "gold[1]: "),
        ([OSLO, [FJORD]], TOOLS, "gold[1]: "),
        ("weather", TOOLS, "gold: "),
        (None, TOOLS, "gold: "),
        ({"name": "weather"}, TOOLS, "gold: "),
        ({"type": "function", "function": OSLO}, TOOLS, "gold: "),
        ({"name": "weather", "arguments": '{"city": "Oslo"}'}, TOOLS, "gold.arguments"),
        ({"name": 3, "arguments": {}}, TOOLS, "gold.name"),
        (gold("weather", city=float("nan")), TOOLS, "gold.arguments"),
        (gold("weather", city=b"Oslo"), TOOLS, "gold.arguments"),
        (gold("weather", city="\ud800"), TOOLS, "gold.arguments"),
        (OSLO, ["weather"], "tools[0]"),
        (OSLO, [{"name": "weather"}], "tools[0]"),
        (OSLO, [WEATHER, WEATHER], "tools[1].function.name"),
        (OSLO, [{"type": "function", "function": {"name": "weather", "parameters": b"x"}}], "tools: "),
        (OSLO, with_schema("city"), "tools[0].function.parameters"),
        (OSLO, with_schema({"type": "string"}), "tools[0].function.parameters.type"),
        (OSLO, with_schema({"type": 3}), "tools[0].function.parameters.type"),
        (OSLO, with_schema({"properties": ["city"]}), "tools[0].function.parameters"),
        (
            OSLO,
            with_schema({"properties": {"city": "string"}}),
            "tools[0].function.parameters.properties.city",
        ),
        (OSLO, with_schema({"properties": {"city": {"type": "text"}}}), "parameters.properties.city.type"),
        (OSLO, with_schema({"properties": {"city": {"enum": 1}}}), "parameters.properties.city.enum"),
        (OSLO, with_schema({"required": "city"}), "tools[0].function.parameters.required"),
    ],
)
def test_bad_input_is_named(right: Any, tools: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        tool_call_reward("weather()", right, tools, "pythonic", sample="row-7")
    message = str(caught.value)
    assert message.startswith("row-7: ")
    assert field in message
    assert "\n" not in message


def test_an_unknown_format_is_named_and_so_is_no_sample() -> None:
    with pytest.raises(InputError, match=r"^unknown call format 'xml'"):
        tool_call_reward("", OSLO, TOOLS, "xml")


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "dict", "properties": {"city": {"type": "str"}, "days": {"type": "any"}}, "required": None},
    ],
)
def test_foreign_type_names_and_absent_schemas_are_taken(parameters: object) -> None:
    output = '[weather(days=2, city="Oslo")]'
    assert tool_call_reward(output, OSLO, with_schema(parameters), "pythonic") == 1


NAMES = st.sampled_from(["weather", "weather", "search", "forecast"])
KEYS = st.sampled_from(["city", "days", "unit", "query", "limit", "colour"])
TEXTS = st.one_of(st.sampled_from(["a", "1", "it's", 'say "hi"', "x)", "]", "a, b=1"]), st.text(max_size=6))
VALUES = st.one_of(
    TEXTS, st.integers(0, 2), st.booleans(), st.none(), st.lists(st.integers(0, 1), max_size=2)
)
ARGUMENTS = st.dictionaries(KEYS, st.one_of(st.integers(0, 1), VALUES), max_size=4)
CALLS = st.builds(lambda name, arguments: ToolCall(name=name, arguments=arguments), NAMES, ARGUMENTS)
SMALL = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    NAMES,
    st.dictionaries(st.sampled_from(["city", "days", "colour"]), st.integers(0, 1), max_size=3),
)
GOLDS = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    st.sampled_from(["weather", "search"]),
    st.dictionaries(st.sampled_from(["city", "days", "unit"]), st.integers(0, 1), max_size=3),
)


def as_gold(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    return [{"name": call.name, "arguments": call.arguments} for call in calls]


def canonical(calls: Sequence[ToolCall]) -> list[str]:
    return sorted(json.dumps([call.name, call.arguments], sort_keys=True) for call in calls)


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@settings(max_examples=100, deadline=None)
@given(
    calls=st.lists(SMALL, min_size=1, max_size=4),
    golds=st.lists(st.lists(GOLDS, min_size=1, max_size=3), min_size=1, max_size=2),
    same=st.booleans(),
)
def test_bounds_and_one_only_for_equal_calls(
    call_format: str, calls: list[ToolCall], golds: list[list[ToolCall]], same: bool
) -> None:
    calls = golds[-1][::-1] if same else calls
    form = get_call_format(call_format)
    output = form.render(calls, tools=TOOLS)
    read = [one.call for one in form.parse(output, TOOLS).calls]
    reward = tool_call_reward(output, [as_gold(one) for one in golds], TOOLS, call_format)
    assert -2 <= reward <= 1
    assert (reward == 1) == any(canonical(read) == canonical(one) for one in golds)


PIECES = [
    *["weather", "search", "city", "days", "2", "(", ")", "[", "]", "{", "}", '"', "'", "=", ",", ":", "\n"],
    *["Action:", "Answer:", "<tool_call>", "</tool_call>"],
    '{"name": "weather", "arguments": {',
]


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@settings(max_examples=150, deadline=None)
@given(
    output=st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    )
)
def test_any_text_has_a_reward_within_bounds(call_format: str, output: str) -> None:
    assert -2 <= tool_call_reward(output, [[OSLO], [FJORD, ROME]], TOOLS, call_format) <= 1


def escaped(text: str) -> str:
    """Without quotes around it. Not in ASCII: Python reads no pairs of surrogate escapes."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


QUOTES: list[Callable[[str], str]] = [
    repr,
    lambda text: f'"{escaped(text)}"',
    lambda text: "'" + escaped(text).replace("'", "\\'") + "'",
    lambda text: f'"""{escaped(text)}"""',
]


def write_pythonic(call: ToolCall, order: Sequence[str], quotes: Sequence[Callable[[str], str]]) -> str:
    def value(one: Any, quote: Callable[[str], str]) -> str:
        return quote(one) if isinstance(one, str) else repr(one)

    pieces = (
        f"{key} = {value(call.arguments[key], quote)}" for key, quote in zip(order, quotes, strict=True)
    )
    return f"{call.name}({', '.join(pieces)})"


@settings(max_examples=200, deadline=None)
@given(call=CALLS, right=st.one_of(st.none(), GOLDS), data=st.data())
def test_quoting_and_order_of_arguments_never_change_it(
    call: ToolCall, right: ToolCall | None, data: st.DataObject
) -> None:
    if right is None:
        right = call if call.name != "forecast" else ToolCall(name="weather", arguments=call.arguments)
    plain = f"[{write_pythonic(call, list(call.arguments), [repr] * len(call.arguments))}]"
    order = data.draw(st.permutations(list(call.arguments)))
    quotes = [data.draw(st.sampled_from(QUOTES)) for _ in order]
    other = f"[{write_pythonic(call, order, quotes)}]"
    (right_gold,) = as_gold([right])
    reward = tool_call_reward(plain, right_gold, TOOLS, "pythonic")
    assert reward > -2 or call.name == "forecast"
    assert tool_call_reward(other, right_gold, TOOLS, "pythonic") == reward
    turned = {**right_gold, "arguments": dict(reversed(right.arguments.items()))}
    assert tool_call_reward(other, turned, TOOLS, "pythonic") == reward


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_a_hallucinated_parameter_costs_the_same_in_first_place(call_format: str) -> None:
    output = write([gold("weather", colour="red", city="Oslo", days=2)], call_format)
    assert tool_call_reward(output, OSLO, TOOLS, call_format) == -0.8


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@settings(max_examples=80, deadline=None)
@given(
    calls=st.lists(CALLS, min_size=1, max_size=3),
    golds=st.lists(GOLDS, min_size=1, max_size=3),
    data=st.data(),
)
def test_order_never_changes_it_in_any_format(
    call_format: str, calls: list[ToolCall], golds: list[ToolCall], data: st.DataObject
) -> None:
    form = get_call_format(call_format)
    shuffled = [
        ToolCall(
            name=call.name,
            arguments={key: call.arguments[key] for key in data.draw(st.permutations(list(call.arguments)))},
        )
        for call in data.draw(st.permutations(calls))
    ]
    first, second = (
        tool_call_reward(form.render(one, tools=TOOLS), as_gold(golds), TOOLS, call_format)
        for one in (calls, shuffled)
    )
    assert first == second


def paper_reward(call: ToolCall, right: ToolCall) -> float:
    """The paper's table read once more, without the code under test."""
    schemas = {"weather": {"city", "days", "unit", "wind"}, "search": {"query", "limit"}}
    if call.name not in schemas:
        return -2
    if call.name != right.name:
        return -1.5
    given_names, wanted = set(call.arguments), set(right.arguments)
    if given_names != wanted:
        extra = given_names - wanted
        hallucinated = any(name not in schemas[call.name] for name in extra)
        redundant = any(name in schemas[call.name] for name in extra)
        return -0.8 * hallucinated - 0.5 * redundant - 0.5 * bool(wanted - given_names)
    return 1 if canonical([call]) == canonical([right]) else -0.25


@settings(max_examples=300, deadline=None)
@given(calls=st.lists(SMALL, min_size=1, max_size=5), golds=st.lists(GOLDS, min_size=1, max_size=5))
def test_matching_equals_brute_force(calls: list[ToolCall], golds: list[ToolCall]) -> None:
    places = max(len(calls), len(golds))
    rows: list[ToolCall | None] = [*calls, *[None] * (places - len(calls))]
    columns: list[ToolCall | None] = [*golds, *[None] * (places - len(golds))]
    best = max(
        sum(paper_reward(a, b) if a and b else -1.5 for a, b in zip(rows, order, strict=True)) / places
        for order in itertools.permutations(columns)
    )
    assert calls_reward(calls, golds, TOOLS) == pytest.approx(best, abs=1e-12)


def test_a_flood_of_calls_stays_quick() -> None:
    output = write([{**OSLO, "arguments": {"city": "Oslo", "days": day}} for day in range(150)], "pythonic")
    start = time.perf_counter()
    reward = tool_call_reward(output, [OSLO, ROME, FJORD], TOOLS, "pythonic")
    assert time.perf_counter() - start < 5
    assert reward == pytest.approx((1 - 0.25 - 1.5 - 147 * 1.5) / 150)
