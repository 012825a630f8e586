"""The four call formats: rendering comes back, spans are exact, hostile texts stay harmless and quick."""

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import Record, ToolCall
from components.contracts.tool_calls import CALL_FORMATS, FailureReason, get_call_format
from components.contracts.tool_schemas import ToolSchema


def make_tool(name: str, **parameters: str) -> ToolSchema:
    """A tool whose parameters are all required; name -> JSON type."""
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {
        "type": "function",
        "function": {"name": name, "description": f"About {name}.", "parameters": schema},
    }


CALCULATOR = make_tool("calculator", expression="string")
SEARCH = make_tool("wikipedia_search", query="string")
WEATHER = make_tool("weather.today: by city", city="string", days="integer")
TOOLS = (CALCULATOR, SEARCH, WEATHER)

ALPHABET = st.sampled_from([*list("ab z.:-_[](){}=,;'\"\\/\n\t<>|&%é中🙂0159"), "\u2028", "\x7f", "\x00"])
TEXTS = st.one_of(st.text(ALPHABET, max_size=25), st.text(max_size=10))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
NAMES = st.one_of(
    st.sampled_from(
        ["f", "get.weather", "Daily Match List-Scheduled", "ns::tool", "a: b, c", "x(y)", "p[q]", 'say "hi"']
    ),
    st.text(ALPHABET.filter(str.isprintable), min_size=1, max_size=12)
    .filter(lambda name: name == name.strip())
    .filter(lambda name: not name.startswith(("*", "[", "{", "(", ")", ",", ";", "]"))),
)
KEYS = st.one_of(
    st.sampled_from(["a", "query", "unit-name", "two words"]), st.text(ALPHABET, min_size=1, max_size=6)
)
CALLS = st.builds(
    lambda name, arguments: ToolCall(name=name, arguments=arguments),
    NAMES,
    st.dictionaries(KEYS, VALUES, max_size=4),
)


def tools_of(calls: list[ToolCall]) -> tuple[ToolSchema, ...]:
    """Tools that those calls fit, without declared types, one a name."""
    by_name: dict[str, dict[str, object]] = {}
    for call in calls:
        by_name.setdefault(call.name, {}).update({key: {} for key in call.arguments})
    return tuple(
        {
            "type": "function",
            "function": {"name": name, "parameters": {"type": "object", "properties": properties}},
        }
        for name, properties in by_name.items()
    )


@pytest.mark.parametrize("name", CALL_FORMATS)
@settings(max_examples=150, deadline=None)
@given(calls=st.lists(CALLS, min_size=1, max_size=3), thought=st.sampled_from(["", "I look it up."]))
@example(calls=[ToolCall(name="f", arguments={"a": "</think>"})], thought="")
@example(
    calls=[ToolCall(name="f", arguments={"a": "x\n</think>\ny", "</think>": {"</think>": 1}})], thought=""
)
@example(calls=[ToolCall(name="f", arguments={"a": "<think>b</think>"})] * 2, thought="I look it up.")
@example(calls=[ToolCall(name="</think>", arguments={"a": "<think>"})], thought="I look it up.")
@example(calls=[ToolCall(name="f", arguments={"a": "<tool_call>"})] * 2, thought="")
@example(calls=[ToolCall(name="f", arguments={"a": "</tool_call>\n<tool_call>"})] * 2, thought="")
@example(
    calls=[ToolCall(name="<tool_call>", arguments={"a": "<|python_tag|>{", "b": "</think>"})], thought=""
)
@example(
    calls=[ToolCall(name="f", arguments={"a": '<|python_tag|>{"name": "g", "parameters": {}}'})], thought=""
)
@example(calls=[ToolCall(name="f", arguments={"a": "x\nAction: g[1]\nAnswer: 2"})], thought="I look it up.")
@example(calls=[ToolCall(name="f", arguments={"a": "1]\n[g(a=1)]"})], thought="")
def test_rendered_calls_come_back_with_exact_spans(name: str, calls: list[ToolCall], thought: str) -> None:
    form = get_call_format(name)
    tools = tools_of(calls)
    text = form.render(calls, thought=thought, tools=tools)
    turn = form.parse(text, tools)
    assert not turn.failures
    assert [one.call for one in turn.calls] == calls
    assert [[type(value) for value in one.call.arguments.values()] for one in turn.calls] == [
        [type(value) for value in call.arguments.values()] for call in calls
    ]
    assert turn.answer is None
    assert turn.thought == ("" if name == "llama3_json" else thought)
    for parsed in turn.calls:
        written = text[slice(*parsed.name_span)]
        as_json = name in ("hermes", "llama3_json")
        assert written == (
            json.dumps(parsed.call.name, ensure_ascii=False)[1:-1] if as_json else parsed.call.name
        )
        assert text[slice(*parsed.span)] == parsed.text
        assert parsed.argument_spans.keys() == parsed.call.arguments.keys()
        for key, (start, end) in parsed.argument_spans.items():
            assert parsed.span[0] < start <= end < parsed.span[1]
            if as_json:
                assert json.loads(text[start:end]) == parsed.call.arguments[key]


@pytest.mark.parametrize("name", [name for name in CALL_FORMATS if name != "paper"])
@settings(max_examples=100, deadline=None)
@given(call=CALLS)
def test_a_rendered_call_begins_with_the_prefill(name: str, call: ToolCall) -> None:
    form = get_call_format(name)
    (tool,) = tools_of([call])
    assert form.render([call], tools=[tool]).startswith(form.prefill(tool))


def test_the_prefill_of_the_paper_format_names_the_parameter() -> None:
    (tool,) = tools_of([ToolCall(name="calculator", arguments={"expression": ""})])
    tool["function"]["parameters"]["required"] = ["expression"]
    beginning = get_call_format("paper").prefill(tool)
    assert beginning == "Action: calculator[expression ="
    (parsed,) = get_call_format("paper").parse(f"{beginning} 6 * 7]", [tool]).calls
    assert parsed.call.arguments == {"expression": "6 * 7"}


@pytest.mark.parametrize("name", CALL_FORMATS)
@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "Action:",
                    "\nAnswer: ",
                    "Thought: ",
                    "calculator[",
                    "calculator(",
                    "]",
                    ")",
                    "[",
                    "{",
                    "}",
                    "<tool_call>",
                    "</tool_call>",
                    '{"name": "calculator", ',
                    '"arguments": {',
                    '"parameters": ',
                    "expression=",
                    "'",
                    '"',
                    ",",
                    ";",
                    "\n",
                    "<think>",
                    "</think>",
                    "\\",
                    "**{",
                    ":",
                    "1",
                    "\ud800",
                ]
            ),
            TEXTS,
        ),
        max_size=30,
    )
)
def test_no_text_makes_parsing_raise_and_spans_stay_inside(name: str, pieces: list[str]) -> None:
    form = get_call_format(name)
    text = "".join(pieces)
    turn = form.parse(text, TOOLS)
    form.stop_after(text)
    assert not (turn.answer is not None and (turn.calls or turn.failures))
    spans = sorted([one.span for one in turn.calls] + [one.span for one in turn.failures])
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


HOSTILE = {
    "brackets": "[" * 100_000,
    "action of brackets": "Action: calculator" + "[" * 100_000,
    "closed brackets": "Action: calculator" + "[" * 50_000 + "]" * 50_000,
    "many calls": "Action: " + "a[], " * 20_000,
    "many broken calls": "Action: " + "a[b=1,b=1], " * 9_000,
    "many actions": "Action: a[1\n" * 9_000,
    "labels": "Action:\n" * 12_000,
    "quotes": "Action: a[" + "'[\"" * 30_000,
    "escaped quotes": "Action: a['" + "\\'" * 50_000,
    "keys": "Action: a[" + "k=[" * 30_000,
    "commas": "Action: a[k=1" + ",k" * 50_000 + "]",
    "spaces": "Action: a" + " " * 100_000,
    "blank lines": "\n " * 50_000,
    "hermes openers": "<tool_call>" * 9_000,
    "hermes broken blocks": '<tool_call>{"name":"a' * 5_000,
    "hermes strings": '<tool_call>{"name":"' * 5_000,
    "hermes deep": '<tool_call>{"name":"a","arguments":' + '{"a":' * 18_000,
    "hermes deep closed": '<tool_call>{"name":"a","arguments":{"a":'
    + "[" * 900
    + "]" * 900
    + "}}</tool_call>",
    "json deep": '{"name":"a","parameters":' + '{"a":' * 18_000,
    "json deep closed": '{"name":"a","parameters":{"a":' + "[" * 900 + "]" * 900 + "}}",
    "json number": '{"name":"a","parameters":{"a":' + "9" * 100_000 + "}}",
    "json many": '{"name":"a","parameters":{}};' * 3_500,
    "pythonic deep": "[calculator(a=" + "[" * 100_000,
    "pythonic mixed": "[calculator(a=" + '[{"a":(' * 14_000,
    "pythonic signs": "[calculator(a=" + "-" * 100_000 + "1)]",
    "pythonic sum": "[calculator(a=" + "1+" * 50_000 + "1)]",
    "pythonic number": "[calculator(a=" + "1" * 100_000 + ")]",
    "pythonic strings": "[calculator(a=" + "'' " * 33_000 + ")]",
    "pythonic triple": "[calculator(a=" + "'''" * 33_000,
    "pythonic triple quotes": "[calculator(a='''" + "''x" * 33_000,
    "pythonic lines": "[a\n" * 33_000,
    "pythonic calls": "[" + "calculator(a=1)," * 6_000,
    "pythonic names": "[a " + " " * 100_000,
    "pythonic line calls": "calculator(\n" * 8_000,
    "pythonic backslashes": "[calculator(a='" + "\\" * 99_999,
    "reasoning": "<think>" * 14_000,
    "closed reasoning": "</think>" * 12_000,
    "reasoning behind calls": "[calculator(a='</think>')]\n" * 4_000,
    "reasoning lines": "<tool_call>{" + "\n \t</think> </think>" * 5_000,
}


@pytest.mark.parametrize("name", CALL_FORMATS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_parsed_in_linear_time(name: str, kind: str) -> None:
    form = get_call_format(name)
    start = time.process_time()
    form.parse(HOSTILE[kind], TOOLS)
    form.stop_after(HOSTILE[kind])
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", [name for name in CALL_FORMATS if name != "paper"])
@pytest.mark.parametrize("value", ["1+1", "</think>", "\n</think>", "<think>\n</think>\n"])
@pytest.mark.parametrize(
    "reasoning", ["<think>\nAdd.\n</think>\n\n", "<think>Add.</think>", "Add.\n</think>\n\n", "Add.</think>"]
)
def test_reasoning_before_a_call_is_its_thought(name: str, value: str, reasoning: str) -> None:
    """A template may have opened the block, so that the turn's text begins inside it."""
    form = get_call_format(name)
    call = ToolCall(name="calculator", arguments={"expression": value})
    turn = form.parse(reasoning + form.render([call], tools=TOOLS), TOOLS)
    assert [one.call for one in turn.calls] == [call]
    assert (turn.thought, turn.failures) == ("Add.", ())
    assert form.parse(f"{reasoning}It is 2.", TOOLS).answer == "It is 2."


@pytest.mark.parametrize("name", [name for name in CALL_FORMATS if name != "paper"])
def test_a_call_that_was_only_thought_of_is_not_made(name: str) -> None:
    form = get_call_format(name)
    drafted = form.render([ToolCall(name="calculator", arguments={"expression": "</think>"})], tools=TOOLS)
    turn = form.parse(f"{drafted}\nNo.\n</think>\n\nIt is 2.", TOOLS)
    assert (turn.calls, turn.failures) == ((), ())
    assert (turn.thought, turn.answer) == (f"{drafted}\nNo.", "It is 2.")


@pytest.mark.parametrize("name", ["hermes", "llama3_json"])
def test_a_closing_mark_in_a_call_that_breaks_off_is_no_end_of_reasoning(name: str) -> None:
    form = get_call_format(name)
    text = form.prefill(CALCULATOR) + '"expression": "</think> 12'
    turn = form.parse(text, TOOLS)
    assert [failure.reason for failure in turn.failures] == [FailureReason.UNTERMINATED]
    assert (turn.thought, turn.answer) == ("", None)


def test_a_closing_mark_on_a_line_of_a_long_string_is_part_of_it() -> None:
    text = "Look.\n[calculator(expression='''a\n</think>\nb''')]"
    turn = get_call_format("pythonic").parse(text, TOOLS)
    assert [one.call.arguments for one in turn.calls] == [{"expression": "a\n</think>\nb"}]
    assert turn.thought == "Look."


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("Answer: 42", False),
        ("Answer:", False),
        ("Answer:\n", False),
        ("Answer:\n42", False),
        ("Answer:\n42\n", True),
        ("Answer: 42\n", True),
        ("Answer: see [1]", False),
        ("Answer: 42\nThought: and", True),
        ("Thought: 6 * 7\n", False),
        ("Thought: 6 * 7\nAnswer: 42", False),
        ("Thought: 6 * 7\nRationale: so\nAnswer: 42\n", True),
        ("Answer: 42\nAction: calculator[1", True),
        ("Action: calculator[1\nAnswer: 42\n", False),
        ("It is 42.\n", False),
    ],
)
def test_the_paper_format_stops_behind_the_line_of_an_answer(text: str, complete: bool) -> None:
    assert get_call_format("paper").stop_after(text) is complete


@pytest.mark.parametrize("name", [name for name in CALL_FORMATS if name != "paper"])
def test_the_other_formats_end_with_the_models_stop_token(name: str) -> None:
    form = get_call_format(name)
    call = form.render([ToolCall(name="calculator", arguments={"expression": "1"})], tools=TOOLS)
    assert not form.stop_after(f"{call}\n")
    assert not form.stop_after("Answer: 42\n")


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_an_answer_begins_with_its_prefill(name: str) -> None:
    form = get_call_format(name)
    beginning = form.prefill_answer()
    assert form.render_answer("42").startswith(beginning)
    assert form.parse(f"{beginning} 42\n", TOOLS).answer == "42"
    assert bool(beginning) is (name == "paper")


@pytest.mark.parametrize("debris", [":", "][", ").", "]", " ", ".\n", "];"])
def test_the_paper_format_ignores_what_small_models_put_behind_a_call(debris: str) -> None:
    turn = get_call_format("paper").parse(f"Action: calculator[6 * 7]{debris}", TOOLS)
    assert [one.call.arguments for one in turn.calls] == [{"expression": "6 * 7"}]
    assert turn.calls[0].text == "calculator[6 * 7]"
    assert turn.failures == ()


def test_words_behind_a_call_of_the_paper_format_are_a_failure() -> None:
    turn = get_call_format("paper").parse("Action: calculator[6 * 7]: forty-two", TOOLS)
    assert len(turn.calls) == len(turn.failures) == 1
    assert turn.failures[0].text == "forty-two"


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_a_plain_turn_is_an_answer(name: str) -> None:
    form = get_call_format(name)
    answer = form.parse("It is 42, f(x) = 2 [1].\n[2] says Paris (France).", TOOLS)
    assert answer.answer == "It is 42, f(x) = 2 [1].\n[2] says Paris (France)."
    assert not answer.calls
    assert not answer.failures
    assert form.parse(" \n", TOOLS).answer is None
    assert form.parse(form.render_answer("42"), TOOLS).answer == "42"


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_describe_names_every_tool_and_parameter(name: str) -> None:
    text = get_call_format(name).describe(TOOLS, multi_step=True)
    for word in ("calculator", "expression", "wikipedia_search", "query", "weather.today: by city", "days"):
        assert word in text
    assert text != get_call_format(name).describe(TOOLS, multi_step=False)
    assert len(text) < 1500


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"unknown call format 'xml'.*paper"):
        get_call_format("xml")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("[calculator(expression='1+1')]", {"expression": "1+1"}),
        ('calculator(expression="1+1")', {"expression": "1+1"}),
        ("[calculator('1+1')]", {"expression": "1+1"}),
        ("Let me see.\n[calculator(expression='a' 'b')]", {"expression": "ab"}),
        (
            "<think>[calculator(expression='no')]</think>\n[calculator(expression=r'\\d')]",
            {"expression": "\\d"},
        ),
        ("[calculator(expression='''two\nlines''')]", {"expression": "two\nlines"}),
        (
            "[calculator(expression=(1, -2.5, True, None, {'a': [null]}))]",
            {"expression": [1, -2.5, True, None, {"a": [None]}]},
        ),
        ("[calculator(expression=(1))]", {"expression": 1}),
        ("[ calculator ( expression = 1, ) , ]", {"expression": 1}),
    ],
)
def test_pythonic_reads_python_literals(text: str, arguments: dict[str, object]) -> None:
    turn = get_call_format("pythonic").parse(text, TOOLS)
    assert [(one.call.name, one.call.arguments) for one in turn.calls] == [("calculator", arguments)]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("pythonic", "[calculator(expression='1", FailureReason.UNTERMINATED),
        ("pythonic", "[calculator(expression=1)", FailureReason.UNTERMINATED),
        ("pythonic", "[calculator(expression=1) and]", FailureReason.TRAILING_TEXT),
        ("pythonic", "[calculator(expression=1), 5]", FailureReason.BAD_NAME),
        ("pythonic", "[calculator(expression=__import__('os'))]", FailureReason.BAD_ARGUMENTS),
        ("pythonic", "[calculator(expression=f'{1}')]", FailureReason.BAD_ARGUMENTS),
        ("pythonic", "[calculator(expression=1, expression=2)]", FailureReason.DUPLICATE_ARGUMENT),
        ("pythonic", "[calculator(expression=" + "[" * 80, FailureReason.TOO_DEEP),
        ("pythonic", "[unknown(5, a=1)]", None),
        ("hermes", "<tool_call>{}</tool_call>", FailureReason.BAD_NAME),
        ("hermes", '<tool_call>{"name": "a"}</tool_call>', FailureReason.BAD_ARGUMENTS),
        ("hermes", '<tool_call>{"name": "a", "arguments": "x"}</tool_call>', FailureReason.BAD_ARGUMENTS),
        (
            "hermes",
            '<tool_call>{"name": "a", "arguments": {"b": NaN}}</tool_call>',
            FailureReason.BAD_ARGUMENTS,
        ),
        (
            "hermes",
            '<tool_call>{"name": "a", "arguments": {"b": 1, "b": 1}}</tool_call>',
            FailureReason.DUPLICATE_ARGUMENT,
        ),
        ("hermes", '<tool_call>{"name": "a", "arguments": {}}', FailureReason.UNTERMINATED),
        ("hermes", '<tool_call>{"name": "a", "argu', FailureReason.UNTERMINATED),
        ("hermes", '<tool_call>{"name": "a", "arguments": {}} x</tool_call>', FailureReason.TRAILING_TEXT),
        ("llama3_json", '{"name": "a", "parameters": {}} and', FailureReason.TRAILING_TEXT),
        ("llama3_json", '{"name": "a", "parameters": {"b": 1', FailureReason.UNTERMINATED),
        ("llama3_json", "{'name': 'a'}", None),
        ("paper", "Action: calculator[12*(3", FailureReason.UNTERMINATED),
        ("paper", "Action: I think it is 5", FailureReason.BAD_NAME),
        ("paper", "Action: calculator[expression=1, expression=2]", FailureReason.DUPLICATE_ARGUMENT),
    ],
)
def test_failures_are_typed(name: str, text: str, reason: FailureReason | None) -> None:
    turn = get_call_format(name).parse(text, TOOLS)
    assert [failure.reason for failure in turn.failures] == ([reason] if reason else [])
    assert all(failure.detail and text[slice(*failure.span)] == failure.text for failure in turn.failures)
    assert reason is None or turn.answer is None


def test_hermes_keeps_good_blocks_beside_broken_ones() -> None:
    text = (
        'First. <tool_call>{"name": oops</tool_call> then\n<tool_call>\n{"name": "calculator", "arguments": '
        '{"expression": "</tool_call>"}}\n</tool_call> end'
    )
    turn = get_call_format("hermes").parse(text, TOOLS)
    assert turn.thought == "First.\nthen\nend"
    assert [one.call.arguments for one in turn.calls] == [{"expression": "</tool_call>"}]
    assert [one.reason for one in turn.failures] == [FailureReason.BAD_ARGUMENTS]
    inside = get_call_format("hermes").parse("<think>maybe <tool_call>x</think> It is 5.", TOOLS)
    assert (inside.thought, inside.answer, inside.calls) == ("maybe <tool_call>x", "It is 5.", ())


def test_llama3_json_reads_several_calls_and_leaves_json_answers() -> None:
    form = get_call_format("llama3_json")
    text = '<|python_tag|>{"name": "a", "parameters": {"x": 1}}; {"type": "function", "name": "b", "arguments": {}}'
    assert [one.call.name for one in form.parse(text, TOOLS).calls] == ["a", "b"]
    assert form.parse('{"city": "Oslo"}', TOOLS).answer == '{"city": "Oslo"}'
    assert form.parse('{"name": "Ada", "born": 1815}', TOOLS).answer is not None


@pytest.mark.parametrize("name", CALL_FORMATS)
def test_what_can_be_parsed_can_be_stored_inside_a_trace(name: str, tmp_path: Path) -> None:
    """Nested as deep as a call may be, it survives as part of deeper records; deeper is a failure."""

    class Deep(Record):
        inside: list[list[list[list[list[ToolCall]]]]]

    form = get_call_format(name)
    tools = (make_tool("f", a="array"),)
    parsed = 0
    for depth in range(1, 300):
        value: list[object] = []
        for _ in range(depth - 1):
            value = [value]
        call = ToolCall.model_construct(name="f", arguments={"a": value}, id="")
        turn = form.parse(form.render([call], tools=tools), tools)
        if turn.failures or turn.calls[0].call.arguments["a"] != value:
            continue
        parsed = depth
        write_records(tmp_path / "deep.jsonl", [Deep(inside=[[[[[turn.calls[0].call]]]]])])
        assert len(list(read_records(tmp_path / "deep.jsonl", Deep))) == 1
    assert 60 <= parsed <= 70
