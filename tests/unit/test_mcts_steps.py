"""Where steps end, for each call format; the steps are always the turn."""

from functools import lru_cache
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.mcts.boundaries import find_boundaries
from components.mcts.settings import StepKind
from components.mcts.steps import StepCutter, cut_turn
from components.policy.chat import Chat
from tests.chat_families import FAMILIES, family_tokenizer

KINDS: tuple[StepKind, ...] = get_args(StepKind)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a"],
            },
        },
    }
    for name in ("calc", 'odd "name" (x')
]
PIECES = [
    "<tool_call>",
    "</tool_call>",
    '{"name": "calc", "arguments": {"a": "x, y"}}',
    "[calc(a=1, ",
    "Action: calc[a=1, b=",
    "\nAnswer:",
    "<think>",
    "</think>",
    *"[](){},;:=\"'. !\n\\é猫",
    "3.14",
    " word",
    '"""',
    "<|python_tag|>",
]


@lru_cache
def chat_of(family: str, call_format: str) -> Chat:
    return Chat(family_tokenizer(family), call_format)


def cut(text: str, call_format: str, kind: StepKind) -> list[str]:
    """The pieces between the boundaries, found while the text grows by a character at a time."""
    growing, whole = (find_boundaries(call_format, kind, TOOLS) for _ in range(2))
    found: list[int] = []
    for end in range(len(text) + 1):
        found += growing.read(text[:end])
    assert whole.read(text) == found
    return [text[start:end] for start, end in zip([0, *found], [*found, len(text)], strict=True)]


CASES: list[tuple[str, str, list[str], list[str]]] = [
    (
        "hermes",
        'I look. It is 3.14 units!\n<tool_call>\n{"name": "x, y", "arguments": {"a": "q, \\"</tool_call>\\" {", '
        '"b": [1, {"c": 2, "d": 3}], "e": 1}}\n</tool_call>\n<tool_call>{"name": "y", "arguments": {}}</tool_call>\n',
        [
            "I look.",
            " It is 3.14 units!",
            '\n<tool_call>\n{"name": "x, y", "arguments": {"a": "q, \\"</tool_call>\\" {", '
            '"b": [1, {"c": 2, "d": 3}], "e": 1}}\n</tool_call>',
            '\n<tool_call>{"name": "y", "arguments": {}}</tool_call>\n',
        ],
        [
            "I look.",
            " It is 3.14 units!",
            '\n<tool_call>\n{"name": "x, y",',
            ' "arguments": {"a": "q, \\"</tool_call>\\" {",',
            ' "b": [1, {"c": 2, "d": 3}],',
            ' "e": 1}}\n</tool_call>',
            '\n<tool_call>{"name": "y",',
            ' "arguments": {}}</tool_call>\n',
        ],
    ),
    (
        "hermes",
        "<think>Hm. A <tool_call> here?</think>None. 1. first one\n2. second",
        ["<think>Hm.", " A <tool_call> here?", "</think>None.", " 1. first one", "\n2. second"],
        ["<think>Hm.", " A <tool_call> here?", "</think>None.", " 1. first one", "\n2. second"],
    ),
    (
        "hermes",  # a call that lacks a bracket ends at its closing mark
        'See <tool_call>{"name": "x", "arguments": {"a": 1}</tool_call> Then. More',
        ["See ", '<tool_call>{"name": "x", "arguments": {"a": 1}</tool_call>', " Then.", " More"],
        ["See ", '<tool_call>{"name": "x",', ' "arguments": {"a": 1}</tool_call>', " Then.", " More"],
    ),
    (
        "llama3_json",
        '{"name": "x", "parameters": {"a": "1; 2, 3", "b": 2}}; {"name": "y", "parameters": {}} {"name": "z"}',
        [
            '{"name": "x", "parameters": {"a": "1; 2, 3", "b": 2}};',
            ' {"name": "y", "parameters": {}}',
            ' {"name": "z"}',
        ],
        [
            '{"name": "x",',
            ' "parameters": {"a": "1; 2, 3",',
            ' "b": 2}};',
            ' {"name": "y",',
            ' "parameters": {}}',
            ' {"name": "z"}',
        ],
    ),
    (
        "llama3_json",
        '<|python_tag|>{"name": "x", "parameters": {"a": 1}} Then. More',
        ['<|python_tag|>{"name": "x", "parameters": {"a": 1}}', " Then.", " More"],
        ['<|python_tag|>{"name": "x",', ' "parameters": {"a": 1}}', " Then.", " More"],
    ),
    (
        "pythonic",
        'See it. OK\n[calc(a="1, (2", b=[1, 2]), weather.today(), calc("it\'s, ", b="""x"y, z""",)]\nSo. On',
        [
            "See it.",
            " OK",
            '\n[calc(a="1, (2", b=[1, 2]),',
            " weather.today(),",
            ' calc("it\'s, ", b="""x"y, z""",)]',
            "\nSo.",
            " On",
        ],
        [
            "See it.",
            " OK",
            "\n[calc(",
            'a="1, (2",',
            " b=[1, 2]),",
            " weather.today(),",
            " calc(",
            '"it\'s, ",',
            ' b="""x"y, z""",)]',
            "\nSo.",
            " On",
        ],
    ),
    (
        "pythonic",
        '[odd "name" (x(a={"k": 1, "l": 2}, b=3)]',
        ['[odd "name" (x(a={"k": 1, "l": 2}, b=3)]'],
        ['[odd "name" (x(', 'a={"k": 1, "l": 2},', " b=3)]"],
    ),
    (
        "pythonic",
        "calc(a=1, b=2)",
        ["calc(a=1, b=2)"],
        ["calc(", "a=1,", " b=2)"],
    ),
    (
        "paper",
        'Thought: I need it. Now\nAction: calc[a=1, b="x, b=2, c[d"]\nAnswer: 5',
        ["Thought: I need it.", " Now", '\nAction: calc[a=1, b="x, b=2, c[d"]', "\nAnswer: 5"],
        [
            "Thought: I need it.",
            " Now",
            "\nAction: calc[",
            "a=1,",
            ' b="x, b=2, c[d"]',
            "\nAnswer: 5",
        ],
    ),
    (
        "paper",  # one text; b is no argument's name here
        "Action: calc[Paris, b=France]",
        ["Action: calc[Paris, b=France]"],
        ["Action: calc[", "Paris, b=France]"],
    ),
    (
        "paper",  # zz is no parameter
        "Action: calc[a=it's fun, really, zz=3, b=(1, a=2), b=f(x)]",
        ["Action: calc[a=it's fun, really, zz=3, b=(1, a=2), b=f(x)]"],
        ["Action: calc[", "a=it's fun, really, zz=3,", " b=(1, a=2),", " b=f(x)]"],
    ),
]


@pytest.mark.parametrize(("call_format", "text", "calls", "arguments"), CASES)
def test_boundaries_stand_where_calls_sentences_and_arguments_end(
    call_format: str, text: str, calls: list[str], arguments: list[str]
) -> None:
    assert cut(text, call_format, "call") == calls
    assert cut(text, call_format, "argument") == arguments


VALUES = st.recursive(
    st.one_of(
        st.text("ab,;.[](){}\"'\\= :\n</tool_call>", max_size=12),
        st.integers(-99, 99),
        st.booleans(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("klm"), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(
    call_format=st.sampled_from(["hermes", "llama3_json", "pythonic"]),
    arguments=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), min_size=1, max_size=3),
)
def test_rendered_calls_are_cut_into_their_calls_and_arguments(
    call_format: str, arguments: list[dict[str, Any]]
) -> None:
    calls = [ToolCall(name="calc", arguments=one) for one in arguments]
    text = get_call_format(call_format).render(calls, tools=TOOLS)
    assert len(cut(text, call_format, "call")) == len(calls)
    inside = sum(max(1, len(one)) for one in arguments)
    # The name is a step of its own, where arguments follow it.
    named = sum(bool(one) or call_format != "pythonic" for one in arguments)
    assert len(cut(text, call_format, "argument")) == inside + named


@settings(max_examples=300, deadline=None)
@given(
    family=st.sampled_from(FAMILIES),
    call_format=st.sampled_from(CALL_FORMATS),
    kind=st.sampled_from(KINDS),
    pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=30),
    noise=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=4),
    most=st.integers(0, 4),
    stopped=st.booleans(),
)
def test_the_steps_ids_are_the_turns_ids(
    family: str,
    call_format: str,
    kind: StepKind,
    pieces: list[str],
    noise: list[tuple[int, int]],
    most: int,
    stopped: bool,
) -> None:
    chat = chat_of(family, call_format)
    ids = list(chat.tokenizer.encode("".join(pieces), add_special_tokens=False))
    for place, token_id in noise:  # ids that no text gives, broken letters among them
        ids.insert(place % (len(ids) + 1), token_id % len(chat.tokenizer))
    ids = [token_id for token_id in ids if token_id not in chat.stop_ids]
    turn = [*ids, chat.stop_ids[0]] if stopped else ids
    steps = cut_turn(turn, chat, kind, tools=TOOLS, most=most)
    assert [token_id for step in steps for token_id in step] == turn
    assert all(steps)
    assert not most or len(steps) <= most
    assert not stopped or not ids or steps[-1] != (chat.stop_ids[0],)
    # Cut while it grows: what is found early stays, and a path that ends with a step goes on with the next.
    cutter = StepCutter(chat.decode, call_format, kind, TOOLS)
    earlier: list[int] = []
    for token_id in ids:
        cutter.add(token_id)
        assert cutter.ends[: len(earlier)] == earlier
        earlier = cutter.ends
    ends = [sum(map(len, steps[: count + 1])) for count in range(len(steps) - 1)]
    assert ends == (earlier[: most - 1] if most else earlier)


def test_the_token_that_completes_a_boundary_belongs_to_the_step() -> None:
    chat = chat_of("chatml", "pythonic")
    turn = chat.tokenizer.encode('[calc(a="x, y", b=2), calc(a=1)]', add_special_tokens=False)
    texts = [chat.decode(step) for step in cut_turn(turn, chat, "argument", tools=TOOLS)]
    for text, beginning in zip(texts, ["[calc(", 'a="x, y",', " b=2),", " calc(", "a=1)]"], strict=True):
        assert beginning.strip() in text or text.strip() in beginning
    (last,) = cut_turn([*turn, chat.stop_ids[0]], chat, "argument", tools=TOOLS, most=1)
    assert list(last) == [*turn, chat.stop_ids[0]]
