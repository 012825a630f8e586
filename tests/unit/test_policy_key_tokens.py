"""Key tokens by hand, and against brute force over tokenizers, call formats and tool sets."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from components.contracts.records import Message, ToolCall
from components.contracts.tool_calls import CALL_FORMATS, ParsedCall, get_call_format
from components.policy.chat import Chat
from components.policy.key_tokens import (
    Reading,
    find_key_tokens,
    key_weight,
    may_share_tokens,
    renamed,
    tokens_over,
)
from tests.chat_families import FAMILIES, family_tokenizer

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
ASKED = (Message(role="user", content="What is it?"),)
READINGS: tuple[Reading, ...] = ("first_divergence", "shared_prefix")
STEMS = (
    "get",
    "get_weather",
    "get_",
    "Get",
    "search",
    "search.web",
    "ns:tool",
    "my tool",
    "é",
    "è",
    "天气",
    "天",
)
LETTERS = "gest_w.:- 01éè天"


def schema(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


@lru_cache
def chat_of(family: str, call_format: str) -> Chat:
    return Chat(family_tokenizer(family), call_format)


def found(
    chat: Chat, text: str, tools: Sequence[str], reading: Reading
) -> tuple[list[int], tuple[ParsedCall, ...], tuple[int, ...]]:
    encode = chat.turn_encoder(ASKED)
    ids = encode(text)
    offered = [schema(name) for name in tools]
    calls = get_call_format(chat.call_format).parse(text, offered).calls
    keys = find_key_tokens(ids, text, calls, offered, reading, encode=encode, locate=chat.offsets)
    return ids, calls, keys


def toy_keys(name: str, others: Sequence[str], reading: Reading, tail: str = '(q="x")') -> list[str]:
    """Key tokens of `[name(q="x")]` where words and marks are the tokens."""
    pattern = re.compile(r"[a-z]+|.")
    known: dict[str, int] = {}

    def encode(text: str) -> list[int]:
        return [known.setdefault(word, len(known)) for word in pattern.findall(text)]

    def locate(ids: Sequence[int]) -> list[tuple[int, int]]:
        words = {number: word for word, number in known.items()}
        ends = [0]
        for token in ids:
            ends.append(ends[-1] + len(words[token]))
        return list(pairwise(ends))

    text = f"[{name}{tail}]"
    tools = [schema(one) for one in (name, *others)]
    calls = get_call_format("pythonic").parse(text, tools).calls
    ids = encode(text)
    keys = find_key_tokens(ids, text, calls, tools, reading, encode=encode, locate=locate)
    return [pattern.findall(text)[key] for key in keys]


@pytest.mark.parametrize(
    ("name", "others", "first_divergence", "shared_prefix"),
    [
        ("get_weather", (), ["get"], ["get"]),
        ("get_weather", ("search",), ["get"], ["get"]),
        ("get_weather", ("get_wind",), ["get", "weather"], ["get", "_"]),
        ("get_weather", ("get_wind", "get_rain"), ["get", "weather"], ["get", "_"]),
        (
            "get_weather_now",
            ("get_wind", "get_weather_map"),
            ["get", "weather", "now"],
            ["get", "_", "weather", "_"],
        ),
        # The called name is how another's begins: what ends it tells them apart.
        ("get", ("get_weather",), ["get", "("], ["get"]),
        ("get_weather", ("get",), ["get", "_"], ["get"]),
        ("getter", ("get_weather",), ["getter"], ["getter"]),  # letters in common, but no token
    ],
)
def test_readings_by_hand(
    name: str, others: tuple[str, ...], first_divergence: list[str], shared_prefix: list[str]
) -> None:
    assert toy_keys(name, others, "first_divergence") == first_divergence
    assert toy_keys(name, others, "shared_prefix") == shared_prefix


def test_several_calls_and_the_order_of_tools() -> None:
    tail = '(q="get_wind"), get_wind(q="a")'  # a name inside an argument is no name
    expected = ["get", "weather", "get", "wind"]
    assert toy_keys("get_weather", ("get_wind",), "first_divergence", tail) == expected
    assert toy_keys("get_weather", ("zoo", "get_wind", "get_wind_map"), "first_divergence", tail) == [
        *expected,
        "(",
    ]


def test_a_blank_behind_the_name_is_not_of_the_name() -> None:
    assert toy_keys("get", ("get now",), "first_divergence", ' (q="x")') == ["get", "("]
    assert toy_keys("get", ("get now",), "shared_prefix", ' (q="x")') == ["get"]


@pytest.mark.parametrize(
    ("keys", "others", "weight"),
    [(1, 0, 1.0), (2, 1, 1.0), (3, 3, 1.0), (2, 7, 3.5), (1, 9, 9.0), (1, 400, 9.0), (50, 400, 8.0)],
)
def test_weights_by_hand(keys: int, others: int, weight: float) -> None:
    assert key_weight(keys, others, 9.0) == weight


def test_names_in_json_are_put_in_as_the_model_writes_them() -> None:
    assert renamed('{"name": "a"}', (10, 11), 'é"') == '{"name": "é\\""}'
    assert renamed('{"name": "\\u5929"}', (10, 16), "é") == '{"name": "\\u00e9"}'
    assert renamed("Action: a[1]", (8, 9), 'é"') == 'Action: é"[1]'


names = (
    st.one_of(
        st.sampled_from(STEMS),
        st.builds(lambda stem, end: stem + end, st.sampled_from(STEMS), st.text(LETTERS, max_size=5)),
        st.text(LETTERS, min_size=1, max_size=8),
    )
    .map(str.strip)
    .filter(bool)
)
tool_sets = st.lists(names, min_size=1, max_size=7, unique=True)
cases = st.tuples(
    st.sampled_from(FAMILIES),
    st.sampled_from(CALL_FORMATS),
    tool_sets,
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["x", "get", "1 + 2"])), min_size=1, max_size=3),
)
Case = tuple[str, str, list[str], list[tuple[int, str]]]


def turn_of(case: Case) -> tuple[Chat, str, list[str]]:
    """The chat, the turn's text and the tools; only where the text survives the tokenizer."""
    family, call_format, tools, picks = case
    chat = chat_of(family, call_format)
    called = [ToolCall(name=tools[pick % len(tools)], arguments={"q": value}) for pick, value in picks]
    offered = [schema(name) for name in tools]
    text = get_call_format(call_format).render(called, tools=offered)
    assume(chat.decode(chat.turn_encoder(ASKED)(text)) == text)
    parsed = get_call_format(call_format).parse(text, offered).calls
    assume([one.call.name for one in parsed] == [one.name for one in called])
    return chat, text, tools


def brute_force(
    chat: Chat, text: str, calls: Sequence[ParsedCall], tools: Sequence[str]
) -> dict[Reading, set[int]]:
    """All pairs, their whole turns encoded with the prompt by `Chat.encode`, token by token."""

    def encoded(said: str) -> list[int]:
        encoding = chat.encode(ASKED, prefill=said)
        return encoding.ids[encoding.spans[-1].start :]

    ids = encoded(text)
    offsets = chat.offsets(ids)
    diverging: set[int] = set()
    shared: set[int] = set()
    for call in calls:
        start, end = call.name_span
        first = min(i for i, (_, stop) in enumerate(offsets) if stop > start)
        diverging.add(first)
        shared.add(first)
        for other in tools:
            if other == call.call.name:
                continue
            written = encoded(text[:start] + other + text[end:])
            position = 0
            while ids[position] == written[position]:
                position += 1
            if position > first:
                diverging.add(position)
                shared |= {i for i in range(first, position) if offsets[i][0] < end}
    return {"first_divergence": diverging, "shared_prefix": shared}


@quick
@given(cases)
def test_key_tokens_are_those_of_brute_force(case: Case) -> None:
    chat, text, tools = turn_of(case)
    for reading in READINGS:
        ids, calls, keys = found(chat, text, tools, reading)
        assert set(keys) == brute_force(chat, text, calls, tools)[reading]
        assert list(keys) == sorted(set(keys))
        offsets = chat.offsets(ids)
        for call in calls:
            over = tokens_over(offsets, call.name_span)
            assert over[0] in keys
            assert offsets[over[0]][0] <= call.name_span[0] < offsets[over[0]][1]
        others = len(ids) + 1 - len(keys)
        assert 1.0 <= key_weight(len(keys), others, 9.0) <= 9.0


@quick
@given(cases)
def test_key_tokens_lie_in_names(case: Case) -> None:
    """But for the token behind a name that is how another offered one begins."""
    chat, text, tools = turn_of(case)
    for reading in READINGS:
        ids, calls, keys = found(chat, text, tools, reading)
        offsets = chat.offsets(ids)
        inside = {key for call in calls for key in tokens_over(offsets, call.name_span)}
        behind = {
            tokens_over(offsets, (call.name_span[1], call.name_span[1] + 1))[0]
            for call in calls
            if any(other != call.call.name and other.startswith(call.call.name) for other in tools)
        }
        assert set(keys) <= inside | (behind if reading == "first_divergence" else set())


@quick
@given(cases)
def test_readings_nest(case: Case) -> None:
    """Of the tokens that tell tools apart, all but a name's last are shared with another tool's name."""
    chat, text, tools = turn_of((*case[:3], case[3][:1]))
    diverging = found(chat, text, tools, "first_divergence")[2]
    shared = found(chat, text, tools, "shared_prefix")[2]
    assert set(diverging[:-1]) <= set(shared)
    assert diverging[0] == shared[0]
    assert (len(diverging) == 1) <= (len(shared) == 1)
    assert max(shared) < max(diverging) or diverging == shared


@quick
@given(cases)
def test_names_that_share_nothing_leave_first_tokens(case: Case) -> None:
    family, call_format, tools, picks = case
    alone = tools[0]
    strangers = [f"{mark}{name}" for mark, name in zip("ABCDFHIJ", tools, strict=False)]
    chat, text, offered = turn_of(
        (family, call_format, [alone, *strangers], [(0, value) for _, value in picks])
    )
    for reading in READINGS:
        ids, calls, keys = found(chat, text, offered, reading)
        offsets = chat.offsets(ids)
        if all(not may_share_tokens(alone, other) for other in strangers):
            assert list(keys) == [tokens_over(offsets, call.name_span)[0] for call in calls]
        assert found(chat, text, [alone], reading)[2] == tuple(
            tokens_over(offsets, call.name_span)[0] for call in calls
        )


@quick
@given(cases)
def test_sampled_ids_need_not_be_the_tokenizers_own(case: Case) -> None:
    """Written letter by letter: each name's first letter is key, and all keys lie in or behind names."""
    chat, text, tools = turn_of(case)
    encode: Callable[[str], list[int]] = chat.turn_encoder(ASKED)
    offered = [schema(name) for name in tools]
    calls = get_call_format(chat.call_format).parse(text, offered).calls
    start, end = calls[0].name_span
    ids = [
        *encode(text[:start]),
        *(
            token
            for letter in text[start:end]
            for token in chat.tokenizer.encode(letter, add_special_tokens=False)
        ),
        *encode(text[end:]),
    ]
    assume(chat.decode(ids) == text)
    for reading in READINGS:
        keys = find_key_tokens(ids, text, calls, offered, reading, encode=encode, locate=chat.offsets)
        offsets = chat.offsets(ids)
        for call in calls:
            assert tokens_over(offsets, call.name_span)[0] in keys
        for key in keys:
            assert any(
                offsets[key][0] <= call.name_span[1] and offsets[key][1] > call.name_span[0] for call in calls
            )


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_examples_read_well(family: str, call_format: str) -> None:
    """`get_weather` among `get_wind` and `search`: the pieces differ by tokenizer, what they begin does not."""
    chat = chat_of(family, call_format)
    tools = ["get_weather", "get_wind", "search"]
    call = ToolCall(name="get_weather", arguments={"q": "Oslo"})
    text = get_call_format(call_format).render([call], tools=[schema(name) for name in tools])
    ids, calls, keys = found(chat, text, tools, "first_divergence")
    offsets = chat.offsets(ids)
    first, *later = keys
    assert offsets[first][0] <= calls[0].name_span[0] < offsets[first][1]
    assert len(later) <= 1
    for key in later:  # the token that holds the first letter which differs, or one that leads to it
        assert offsets[key][0] <= calls[0].name_span[0] + len("get_we")
    assert len(found(chat, text.replace("get_weather", "search"), tools, "first_divergence")[2]) == 1
