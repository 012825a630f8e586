"""Benchmark items in training text: everything planted is found, against a naive reference, and nothing else."""

# ruff: noqa: RUF001

import json
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import InputError
from components.contracts.records import Message, Question, ToolCall
from components.scoring.bfcl.multi_turn_reference import BfclMultiTurn
from components.scoring.contamination import (
    LEAST_TEMPLATE,
    Benchmarks,
    contaminated_rows,
    refusal,
)
from components.scoring.training_text import (
    TrainingText,
    described_system,
    described_tools,
    question_text,
    trace_text,
)
from components.scoring.word_runs import TEMPLATE, Found, Passage, RunIndex
from components.scoring.words import sentence_bounds, words_of
from tests.traces import make_trace

LONG = "a farmer has twelve cows and buys nine more from his old neighbour who lives far away"
SHORT_WORDS = st.lists(st.sampled_from("abcde"), max_size=12)


def item(text: str, name: str = "i", **values: object) -> Question:
    return Question.model_validate({"id": name, "text": text, "suite": "s", **values})


def row(*asked: str, others: tuple[str, ...] = ()) -> TrainingText:
    return TrainingText("r", asked, tuple(("reply", text) for text in others))


def found_in(text: str, *items: Question, run_words: int = 13) -> bool:
    return bool(Benchmarks({"": items}, run_words=run_words).hits(row("Hello.", others=(text,))))


def naive(passages: list[list[str]], run: int, text: list[str]) -> set[tuple[int, int]]:
    """(passage, word of the text) for every word that any shared run covers."""
    covered = set()
    for number, words in enumerate(passages):
        length = min(run or len(words), len(words))
        runs = {tuple(words[start : start + length]) for start in range(len(words) - length + 1)} - {()}
        for start in range(len(text) - length + 1):
            if tuple(text[start : start + length]) in runs:
                covered |= {(number, place) for place in range(start, start + length)}
    return covered


@settings(max_examples=400, deadline=None)
@given(st.lists(SHORT_WORDS, max_size=8), st.integers(0, 5), st.lists(st.sampled_from("abcdef"), max_size=40))
def test_runs_are_those_of_naive_sets(passages: list[list[str]], run: int, text: list[str]) -> None:
    index = RunIndex([Passage(tuple(words), run) for words in passages])
    found = index.find(text)
    assert {(one.passage, place) for one in found for place in range(one.start, one.end)} == naive(
        passages, run, text
    )
    assert all(set(text[one.start : one.end]) <= set(passages[one.passage]) for one in found)


def test_overlapping_runs_are_joined_and_wholes_are_not() -> None:
    runs = RunIndex([Passage(tuple("abcdefg"), 3), Passage(("x", "x"), 0)])
    assert runs.find(list("zabcdezxxx")) == [Found(0, 1, 6), Found(1, 7, 9), Found(1, 8, 10)]
    assert RunIndex([Passage(("x",) * 5, 3)]).find(["x"] * 9) == [Found(0, 0, 9)]
    assert runs.find([]) == runs.find(["z"]) == RunIndex([]).find(["a"]) == []


def test_a_template_is_nobody_s_but_its_items_are_found_whole() -> None:
    template = "please compute for me the following value as exactly as you possibly can and then stop {}"
    items = [item(template.format(f"word{n}"), str(n)) for n in range(TEMPLATE + 1)]
    others = [
        item(f"quite another request about thing{n} than all of the rest here", f"o{n}") for n in range(250)
    ]
    assert not found_in(template.format("other"), *items, *others)
    assert found_in(template.format("other"), *items[:-1], *others)
    hits = Benchmarks({"": items}).hits(row("x", others=("So: " + template.format("word7") + " now.",)))
    assert [(one.item, one.words) for one in hits] == [("7", 13)]
    bare = item(template.format(""), "bare")
    again = Benchmarks({"": [*items, bare]}).hits(row("x", others=(f"So: {bare.text} there.",)))
    assert [(one.item, one.words) for one in again] == [("bare", 16)]


def test_a_template_of_a_small_suite_is_nobody_s_either() -> None:
    template = "you are the assistant of our shop and have to read the following request of a customer {} now"
    items = [item(template.format(f"word{n}"), str(n)) for n in range(LEAST_TEMPLATE + 1)]
    others = [
        item(f"quite another request about thing{n} than all of the rest here", f"o{n}") for n in range(60)
    ]
    assert not found_in(template.format("other"), *items)
    assert found_in(template.format("other"), *items[:-1])
    assert found_in(template.format("other"), *items, *others)
    large = [one.model_copy(update={"suite": "large"}) for one in others]
    assert not found_in(template.format("other"), *items, *large)
    assert found_in("Now: " + items[0].text, *items)


def test_a_run_of_numbers_is_anybody_s() -> None:
    numbers = ", ".join(map(str, range(30)))
    one = item(f"What is the sum of all these numbers in my list: {numbers}?")
    assert not found_in(f"[{numbers}]", one)
    assert found_in("Well: " + one.text, one)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([f"word{n}" for n in range(200)]), min_size=4, max_size=40),
    st.text(max_size=60),
    st.text(max_size=60),
    st.sampled_from(
        [str.upper, str.title, json.dumps, lambda text: json.dumps(json.dumps(text)), "**{}**".format,
         lambda text: text.replace(" ", ",\n"), lambda text: text.replace(" ", " * "),
         lambda text: "".join(chr(ord(sign) + 0xFEE0) if sign.isalnum() else sign for sign in text),
         lambda text: text.replace("w", "w\u200b"), lambda text: text.replace("o", "o\u00ad")]
    ),
)  # fmt: skip
def test_planted_items_are_found_whatever_is_around_them_and_however_they_are_written(
    words: list[str], before: str, behind: str, variant: object
) -> None:
    one = item(" ".join(words))
    assert callable(variant)
    assert found_in(f"{before}\n\n{variant(one.text)}\n\n{behind}", one)


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        ("Où se trouve la célèbre cathédrale de la ville ?", unicodedata.normalize("NFD", "où se trouve la célèbre cathédrale de la ville")),
        ("In welcher Straße steht das große Haus der Familie Groß?", "IN WELCHER STRASSE STEHT DAS GROSSE HAUS DER FAMILIE GROSS"),
        ("北京今天的天气怎么样？", "请问：「北京今天的天气怎么样」"),
        ("ประเทศไทยมีกี่จังหวัด", "ก่อนอื่น: ประเทศไทยมีกี่จังหวัด?"),
        ("What’s the “best” way to get to the old harbour?", "what's the best way to get to the old harbour"),
        ("Ask José about the naïve café owner from Zürich", r'{"q": "Ask Jos\u00e9 about the na\u00efve caf\u00e9 owner from Z\u00fcrich"}'),
        ("Solve $\\frac{a}{b} \\times \\nu = \\theta$ for the smallest real value of nu", json.dumps(
            "Solve $\\frac{a}{b} \\times \\nu = \\theta$ for the smallest real value of nu")),
        ("Call snake_case_name on it and tell me then what happens", "call snake_case_name on it, and tell me then: what happens?"),
        ("😀 Who wrote the 😀 old song of the sea and me?", "who wrote the old song of the sea and me"),
    ],
)  # fmt: skip
def test_unicode_escapes_and_punctuation_make_no_difference(text: str, copy: str) -> None:
    assert found_in(f"Look: {copy}", item(text))


def test_signs_of_arithmetic_are_words_and_marks_of_lists_are_not() -> None:
    assert words_of("What is 2 + 2?") != words_of("What is 2 - 2?")
    assert words_of("x^2+3") == ["x", "^", "2", "+", "3"]
    assert words_of("- a **well-known** T-shirt\n- 5 _more_") == [
        "a",
        "well",
        "known",
        "t",
        "shirt",
        "5",
        "more",
    ]


def test_how_much_is_enough_depends_on_the_length() -> None:
    thirteen = " ".join(LONG.split()[2:15])
    assert found_in(f"He said {thirteen} today", item(LONG))
    assert not found_in(f"He said {' '.join(LONG.split()[2:14])} today", item(LONG))
    eight = "who built the old bridge over the river"
    assert found_in(f"tell me {eight} please", item(eight))
    assert not found_in("tell me who built the old bridge over the water", item(eight))
    six = "What is the capital of France?"
    assert not found_in("Do you know what is the capital of France and Spain?", item(six))
    assert found_in('Two questions. "What is the capital of France?" is one.', item(six))
    assert found_in("1) what is the capital of france\n2) next", item(six))
    assert found_in("What is the capital of France and Spain? What is the capital of France?", item(six))


def test_the_shortest_items_are_whole_requests_only() -> None:
    benchmarks = Benchmarks({"": [item("Yes, please.")]})
    assert benchmarks.hits(row("yes please", "And now?"))
    assert not benchmarks.hits(row("Shall we?", "Yes, please."))
    assert not benchmarks.hits(row("Hello", others=("Yes, please.",)))


def test_without_runs_only_equal_requests_count() -> None:
    benchmarks = Benchmarks({"": [item(LONG)]}, run_words=0)
    assert benchmarks.hits(row(LONG.upper()))
    assert not benchmarks.hits(row(LONG + " now"))


def test_a_dialogue_counts_in_sequence() -> None:
    history = (
        Message(role="system", content="You are a helpful assistant that answers all of the questions of its users well."),
        Message(role="user", content="Please book a table for two"),
        Message(role="assistant", content="For when would you like me to book the table for the two of you, my friend?"),
    )  # fmt: skip
    one = item("Tomorrow at seven in the evening would be fine", history=history)
    benchmarks = Benchmarks({"": [one]})
    dialogue = question_text(one.model_copy(update={"id": "r"}))
    assert benchmarks.hits(dialogue)[0].where == "user"
    assert not benchmarks.hits(row("Tomorrow at seven in the evening would be fine"))
    assert not benchmarks.hits(row("Hi", others=tuple(message.content for message in history)))


def test_what_the_user_says_later_is_the_item_s_too() -> None:
    conversation = BfclMultiTurn(
        group="multi_turn_base",
        involved_classes=("MathAPI",),
        initial_config={},
        user_turns=("First this.", LONG, "And then that."),
        ground_truth=((), (), ()),
    )
    one = item("First this.", reference=conversation.to_json())
    assert found_in("and " + LONG, one)
    assert not found_in("First this.", one)


def test_long_values_of_gold_calls_are_the_item_s_own_and_short_ones_are_not() -> None:
    def gold(text: str) -> Question:
        call = ToolCall(name="send", arguments={"to": "x", "body": [{"text": text}]})
        return item("Send it to him.", golds=((call,),))

    assert found_in(f"He wrote: {LONG}", gold(LONG))
    assert not found_in("the quick brown fox jumps over the lazy dog", gold("The quick brown fox jumps over the lazy dog"))  # fmt: skip
    benchmarks = Benchmarks({"": [item(LONG)]})
    (hit,) = benchmarks.hits(question_text(gold(LONG)))
    assert (hit.where, hit.words) == ("golds", 17)


def test_all_of_a_trace_counts_and_its_part_is_named() -> None:
    trace = make_trace("Paris", errors=(None,))
    benchmarks = Benchmarks(
        {"held_out": [Question(id="h", text=LONG)], "suites": [item("Nobody asks this one.")]}
    )

    def said(place: int) -> list[str]:
        messages = list(trace.messages)
        messages[place] = messages[place].model_copy(update={"content": LONG})
        hits = benchmarks.hits(trace_text(trace.model_copy(update={"messages": tuple(messages)})))
        return [f"{one.row} {one.suite} {one.item}: {one.where}" for one in hits]

    assert [said(place) for place in range(5)] == [
        ["Paris#0 held_out h: message 0 (system)"],
        ["Paris#0 held_out h: user"],
        ["Paris#0 held_out h: message 2 (assistant)"],
        ["Paris#0 held_out h: message 3 (tool)"],
        ["Paris#0 held_out h: message 4 (assistant)"],
    ]
    for tool in (
        {"name": "x", "description": LONG, "parameters": {}},
        {"name": "x", "parameters": {"properties": {"a": {"type": "string", "description": LONG}}}},
        {"name": "x", "parameters": {"properties": {"name": {"type": "string", "default": LONG}}}},
        {"name": "x", "parameters": {"properties": {"a": {"enum": ["other", LONG]}}}},
        {"name": "x", "parameters": {"properties": {"a": {"examples": [{"text": LONG}]}}}},
    ):
        described = json.dumps([{"type": "function", "function": tool}])
        (hit,) = benchmarks.hits(trace_text(trace.model_copy(update={"tools": described})))
        assert (hit.item, hit.where, hit.words) == ("h", "tools", 17)
    (hit,) = benchmarks.hits(question_text(item("Hi.", "r", offered=described)))
    assert (hit.row, hit.where) == ("r", "tools")
    history = (Message(role="system", content=f"For example: {LONG}"),)
    (hit,) = benchmarks.hits(question_text(item("Hi.", "r", history=history)))
    assert hit.where == "history 0 (system)"


SCHEMA = {
    "name": "get_current_weather",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "The city and state, e.g. Oslo"}},
        "required": ["location"],
    },
}


def test_a_schema_s_own_words_are_nobody_s() -> None:
    pasted = item(f"Which function is this: {json.dumps(SCHEMA)}?")
    benchmarks = Benchmarks({"": [pasted]})
    shown = json.dumps([SCHEMA], indent=2)
    assert described_tools(shown) == "The city and state, e.g. Oslo"
    system = f"You have tools.\n<tools>\n{shown}\n</tools>\nWrite {{'name': NAME}} or {{\"name\": NAME}}."
    assert described_system(system).split() == [
        "You",
        "have",
        "tools.",
        "<tools>",
        "[",
        "The",
        "city",
        "and",
        "state,",
        "e.g.",
        "Oslo",
        "]",
        "</tools>",
        "Write",
        "{'name':",
        "NAME}",
        "or",
        '{"name":',
        "NAME}.",
    ]
    given = TrainingText(
        "r", (), (), (("system", described_system(system)), ("tools", described_tools(shown)))
    )
    assert not benchmarks.hits(given)
    assert benchmarks.hits(row(f"And? {json.dumps(SCHEMA)}"))
    assert described_tools("no JSON at all") == "no JSON at all"
    assert described_system('{"city": "Oslo"} and {{') == '{"city": "Oslo"} and {{'


def test_what_suites_system_texts_say_too_is_a_phrase_of_prompts() -> None:
    phrase = "You are a helpful assistant."
    system = (Message(role="system", content=f"{phrase} Be kind."),)
    asks_it, other = (
        item(phrase, "asks it"),
        item("What is the capital of France?", "capital", history=system),
    )
    benchmarks = Benchmarks({"": [asks_it, other]})

    def hits(text: str) -> list[str]:
        return [one.item for one in benchmarks.hits(TrainingText("r", (), (), (("system", text),)))]

    assert hits(f"{phrase} You have tools.") == []
    assert hits("An example. What is the capital of France? It is Paris.") == ["capital"]
    assert [one.item for one in benchmarks.hits(row(phrase))] == ["asks it"]
    assert [
        one.item for one in Benchmarks({"": [asks_it]}).hits(TrainingText("r", (), (), (("system", phrase),)))
    ] == ["asks it"]


def test_every_item_of_every_suite_is_named_once_with_its_longest_run() -> None:
    benchmarks = Benchmarks(
        {"": [item(LONG, "1", suite="a"), item(LONG + " today", "2", suite="b"), item(LONG, "3", suite="b")]}
    )
    hits = benchmarks.hits(row(" ".join(LONG.split()[:13]), others=(LONG,)))
    assert [(one.suite, one.item, one.where, one.words) for one in hits] == [
        ("a", "1", "reply", 17), ("b", "2", "reply", 17), ("b", "3", "reply", 17)
    ]  # fmt: skip
    assert hits[0].matched == LONG
    assert contaminated_rows(hits) == {"a": 1, "b": 1}
    with pytest.raises(InputError, match=r"^r: reply: holds 17 words of 1 of a \('a farmer"):
        raise refusal(hits[0], "x")


def test_no_hit_without_a_shared_word_run_in_random_text() -> None:
    chance = random.Random(0)
    vocabulary = [f"word{n}" for n in range(300)]
    items = [item(" ".join(chance.choices(vocabulary, k=20)), str(n)) for n in range(300)]
    benchmarks = Benchmarks({"": items})
    for _ in range(300):
        assert not benchmarks.hits(row(" ".join(chance.choices(vocabulary, k=300))))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_can_be_compared(text: str) -> None:
    bounds = sentence_bounds(text)
    assert {0, len(words_of(text))} <= bounds
    assert max(bounds) == len(words_of(text))
    one = item(text or "x")
    benchmarks = Benchmarks({"": [one]})
    assert benchmarks.hits(row(text or "x"))
