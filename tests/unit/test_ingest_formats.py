"""Rows of every format become the right question, and wrong ones say which field is at fault."""

from typing import Any, get_args

import pytest

from components.contracts.errors import InputError
from components.ingest.formats import FORMATS, detect_format, named_format
from components.ingest.rows import Draft, RowError
from components.ingest.settings import FormatName

CHAT = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "What is 2+2?"},
    {"role": "assistant", "content": "4"},
]
GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "gsm8k",
        {"question": "How many?", "answer": "48/2 = <<48/2=24>>24\n#### 1,024"},
        {"text": "How many?", "answers": ("1,024",), "answer_type": "number"},
    ),
    (
        "popqa",
        {"id": 7, "subj": "George Rankin", "question": "Job?", "possible_answers": '["politician", "pol"]'},
        {"answers": ("politician", "pol"), "subject": "George Rankin", "id": "popqa-7"},
    ),
    (
        "nq",
        {"question": "who?", "answers": ["A", "B"], "ctxs": [], "nq_annotated_gold": {"title": "Page"}},
        {"answers": ("A", "B"), "subject": "Page"},
    ),
    (
        "messages",
        {"messages": CHAT, "tools": '[{"type": "function", "function": {"name": "calculator"}}]'},
        {"text": "What is 2+2?", "answers": ("4",), "tools": ("calculator",), "note": ""},
    ),
    (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "Hello"},
                {"from": "gpt", "value": "Hi"},
                {"from": "human", "value": "Capital of France?"},
                {"from": "gpt", "value": "Paris"},
            ]
        },
        {
            "text": "Capital of France?",
            "answers": ("Paris",),
            "note": "earlier user messages of a dialogue left out",
        },
    ),
    ("plain", {"problem": "2+2?", "answer": 4}, {"answers": ("4",), "answer_type": "number"}),
    ("plain", {"query": "Who?", "gold": "['A', \"B's\"]"}, {"answers": ("A", "B's"), "answer_type": "text"}),
    (
        "plain",
        {
            "question": "Who?",
            "answer": {"value": "A", "aliases": ["A", "a."]},
            "kind": "trivia",
            "subject": "S",
        },
        {"answers": ("A", "a."), "kind": "trivia", "subject": "S"},
    ),
    ("plain", {"text": "Who?", "answers": "12", "answer_type": "number"}, {"answer_type": "number"}),
]
BAD: list[tuple[FormatName, dict[str, Any], str, str]] = [
    ("gsm8k", {"question": "How many?", "answer": "24"}, "answer", "missing gold"),
    ("gsm8k", {"question": "How many?", "answer": "#### many"}, "answer", "expected a number"),
    ("gsm8k", {"question": " ", "answer": "#### 1"}, "question", "missing or empty"),
    (
        "popqa",
        {"question": "Job?", "possible_answers": "[]", "subj": "x"},
        "possible_answers",
        "missing gold",
    ),
    ("plain", {"question": "Who?"}, "answers", "missing gold"),
    ("plain", {"question": "Who?", "answers": [{"name": "f"}]}, "answers", "got dict"),
    ("plain", {"question": "Who?", "answer": True}, "answer", "got bool"),
    ("plain", {"question": "Who?", "answer": "x", "answer_type": "number"}, "answers", "number"),
    ("plain", {"question": "Who?", "answer": "x", "answer_type": "date"}, "answer_type", "expected"),
    ("plain", {"question": "Who?", "answer": "x", "tools": [{"function": {}}]}, "tools", "expected"),
    ("plain", {"question": ["Who?"], "answer": "x"}, "question", "got list"),
    ("messages", {"messages": CHAT[:2]}, "messages", "missing gold"),
    ("messages", {"messages": "not json"}, "messages", "expected JSON"),
    ("messages", {"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "expected one of"),
    (
        "messages",
        {"messages": [{"role": "assistant", "content": "x"}]},
        "messages",
        "expected a user message",
    ),
    ("sharegpt", {"conversations": []}, "conversations", "expected a list"),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": 3}]},
        "conversations[0].value",
        "expected text",
    ),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "so " * 40}]},
        "conversations",
        "longer than 12 words",
    ),
]


@pytest.mark.parametrize(("name", "row", "expected"), GOOD)
def test_row_becomes_the_right_question(name: str, row: dict[str, Any], expected: dict[str, Any]) -> None:
    known = detect_format([row], "file.jsonl")
    draft = known.convert(row)
    assert known.name == name
    assert isinstance(draft, Draft)
    assert {key: getattr(draft, key) for key in expected} == expected


@pytest.mark.parametrize(("name", "row", "field", "reason"), BAD)
def test_bad_row_names_its_field(name: FormatName, row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        named_format(name).convert(row)
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_an_explicit_answer_beats_the_final_message() -> None:
    draft = named_format("messages").convert({"messages": CHAT[:2], "answer": "four"})
    assert isinstance(draft, Draft)
    assert draft.answers == ("four",)


def test_the_format_of_most_rows_wins_over_a_broken_first_row() -> None:
    gsm8k = {"question": "q", "answer": "#### 1"}
    assert detect_format([{"question": "q", "answer": "1"}, gsm8k, gsm8k], "f").name == "gsm8k"


def test_every_format_can_be_named_and_unknown_fields_are_told() -> None:
    assert get_args(FormatName) == tuple(known.name for known in FORMATS)
    with pytest.raises(InputError, match=r"f\.csv: no known format has the fields a, b"):
        detect_format([{"a": 1, "b": 2}], "f.csv")


def test_only_the_papers_evaluation_sets_are_long_tail() -> None:
    assert {known.name for known in FORMATS if known.long_tail} == {"popqa", "nq"}
