"""The self-training paper's metrics as they are counted here, each against an independent form or by hand."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import ExecutedCall, Message, Outcome, Question, ToolCall, ToolReply, Trace
from components.contracts.tool_errors import ToolError
from components.rollout import local_replies
from components.scoring.answers import accuracy, exact_match, is_correct, normalize_text
from components.scoring.tool_use import judge_trace, rates
from tests.evaluation_samples import question, trace

WORDS = st.sampled_from(
    ["the", "a", "An", "Paris", "_", "-", "\u2018", "`", "1805", "80", "O'Neil", ".", "é", "thea"]
)
TEXTS = st.lists(WORDS, max_size=8).flatmap(
    lambda words: st.sampled_from([" ", "", "  "]).map(lambda between: between.join(words))
)


def normal_by_hand(text: str) -> str:
    """TriviaQA's normaliser, a character and a word at a time."""
    kept = "".join(
        " " if sign in {*string.punctuation, *"\u2018\u2019\u00b4`"} else sign for sign in text.lower()
    )
    return " ".join(word for word in kept.split() if word not in {"a", "an", "the"})


@given(TEXTS | st.text(alphabet=string.ascii_letters + string.punctuation + " ", max_size=40))
def test_the_normaliser_equals_one_by_words(text: str) -> None:
    assert normalize_text(text) == normal_by_hand(text)
    assert normalize_text(text.replace(" ", "_")) == normalize_text(text)
    assert normalize_text(normalize_text(text)) == normalize_text(text)


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_exact_match_and_accuracy_equal_a_search_over_tokens(prediction: str, golds: list[str]) -> None:
    tokens = normal_by_hand(prediction).split()
    wanted = [gold for gold in (normal_by_hand(one).split() for one in golds) if gold]
    contained = [
        tokens[start : start + len(gold)] == gold for gold in wanted for start in range(len(tokens) + 1)
    ]
    assert exact_match(prediction, golds) == (tokens in wanted)
    assert accuracy(prediction, golds) == any(contained)
    by_substring = [normal_by_hand(gold) in normal_by_hand(prediction) for gold in golds]
    assert accuracy(prediction, golds, legacy=True) == any(by_substring)


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [("1,000", "1000"), ("$1000.", "1,000"), ("He has 3 + 4 = 7 apples", "7"), ("18.0", "18")],
)
def test_one_numeric_normaliser_for_gsm8k(prediction: str, gold: str) -> None:
    asked = Question(id="1", text="?", answers=(gold,), answer_type="number", kind="gsm8k")
    assert is_correct(prediction, asked)
    assert not is_correct(f"{prediction}, no, 5", asked)


def test_an_unknown_tool_is_counted_and_is_no_pass() -> None:
    asked = question("places", 42)
    call = ToolCall(name="oracle", arguments={"query": "42"})
    reply = local_replies.refused(call, ())
    assert reply is not None
    assert reply.error is ToolError.TOOL_HALLUCINATION
    made = trace(asked, answer="42", tool="wikipedia_search", error=reply.error, reply="no tool oracle, 42")
    found = rates([judge_trace(made, suite="held_out")])
    assert (found.invoke_rate, found.pass_rate, found.answerable_rate) == (1, 0, 0)
    assert found.errors["tool_hallucination"] == 1


def calls_of(asked: Question, turns: list[list[tuple[str, ToolError | None]]]) -> Trace:
    """A trace with these replies, turn by turn, and the right answer."""
    base = trace(asked, answer=asked.answers[0])
    [turn] = base.turns
    messages = [*base.messages[:2], *(Message(role="assistant", content="…") for _ in range(len(turns) + 1))]
    call = ToolCall(name="calculator", arguments={"expression": "1"})
    executed = [
        ExecutedCall(message=2 + at, text="…", call=call, reply=ToolReply(content=content, error=error))
        for at, replies in enumerate(turns)
        for content, error in replies
    ]
    made = [turn.model_copy(update={"message": 2 + at}) for at in range(len(turns) + 1)]
    update = {"messages": tuple(messages), "turns": tuple(made), "calls": tuple(executed)}
    return base.model_copy(update={**update, "outcome": Outcome(answer=asked.answers[0])})


def test_invoke_pass_and_answerable_rate_by_hand() -> None:
    """IR: calls in the first turn / samples. PR: replies without an error / calls. AR: of those that hold a gold / calls."""
    failed = ToolError.TOOL_CALL_FAILURE
    made = [
        calls_of(question("places", 42), [[("42", None), ("it is 42", None), ("42", failed)], [("7", None)]]),
        calls_of(question("places", 43), []),
        calls_of(question("places", 44), [[], [("1044", None)]]),  # its first turn calls nothing
    ]
    found = rates([judge_trace(one, suite="held_out") for one in made])
    assert found.invoke_rate == 3 / 3
    assert found.called_share == 2 / 3
    assert found.pass_rate == 4 / 5
    assert found.answerable_rate == 2 / 5
    assert found.accuracy == found.exact_match == 1
