"""Diversity and entropy of traces, against brute force and by hand."""

import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.records import AssistantTurn, LabeledTrace, Message, Outcome, ToolCall, TurnLabel
from components.rounds.practice import first_action, measure_practice
from components.rounds.records import Practice
from tests.evaluation_samples import labeled, question, trace


def measure(traces: Iterable[LabeledTrace]) -> Practice:
    """The figures of traces that the base model sampled."""
    return measure_practice(traces, "demo://test", "")


def spoken(
    number: int, *texts: str, answer: str | None = None, trained: bool = True, **turn: Any
) -> LabeledTrace:
    """A trace of question `number` whose assistant turns are `texts`."""
    shown = [Message(role="user", content="asked")]
    turns, labels = [], []
    for text in texts:
        shown.append(Message(role="assistant", content=text))
        given: dict[str, Any] = {"token_ids": (5, 6, 7), "logprobs": (-0.1, -0.2, -0.3)} | turn
        turns.append(AssistantTurn(message=len(shown) - 1, finish_reason="stop", **given))
        labels.append(TurnLabel(message=len(shown) - 1, trained=trained))
    made = labeled(trace(question("places", number), answer="1"), "")
    return made.model_copy(
        update={
            "messages": tuple(shown),
            "turns": tuple(turns),
            "labels": tuple(labels),
            "outcome": Outcome(answer=answer),
        }
    )


def test_no_trace_has_no_figures() -> None:
    found = measure([])
    assert (found.traces, found.questions, found.trained_traces, found.sampled_tokens) == (0, 0, 0, 0)
    assert {found.trained_share, found.distinct_texts, found.distinct_bigrams, found.sampled_nats} == {None}


def test_by_hand() -> None:
    found = measure(
        [
            spoken(1, "a b a b", answer="The town"),
            spoken(1, "a b a b", answer="town.", trained=False),
            spoken(2, "b a", "c", answer=None),
            spoken(3, "word", answer="x"),
        ]
    )
    assert (found.traces, found.questions) == (4, 3)
    assert (found.trained_traces, found.trained_share) == (3, 3 / 4)
    assert found.distinct_texts == 3 / 4
    # Pairs: ab ba ab, twice, and ba; two of them distinct. Turns are not run together.
    assert found.distinct_bigrams == 2 / 7
    assert found.distinct_answers == (1 + 1 + 1) / 3
    assert found.sampled_nats == pytest.approx(0.2)
    assert found.sampled_tokens == 15


def test_prefilled_and_unknown_tokens_are_not_counted() -> None:
    found = measure(
        [
            spoken(1, "a", logprobs=(0.0, 0.0, -1.5), prefilled=2),
            spoken(1, "b", logprobs=(-0.5, -1.0, 0.0)),
            spoken(1, "c", token_ids=(), logprobs=(), retokenized=True),
            spoken(1, "d", logprobs=(-9.0, -9.0, -9.0), retokenized=True),
        ]
    )
    assert found.sampled_tokens == 4
    assert found.sampled_nats == pytest.approx((1.5 + 0.5 + 1.0 + 0.0) / 4)


def test_first_actions_are_told_apart_by_tool_and_arguments_not_by_their_order() -> None:
    one = labeled(trace(question("places", 1), answer="1", tool="calculator"), "", "")
    call = one.calls[0]

    def calling(**arguments: str) -> LabeledTrace:
        changed = call.model_copy(update={"call": ToolCall(name="calculator", arguments={**arguments})})
        return one.model_copy(update={"calls": (changed, call)})

    unparsed = one.model_copy(update={"calls": (call.model_copy(update={"call": None, "text": "calc("}),)})
    direct = labeled(trace(question("places", 1), answer="1"), "")
    assert first_action(unparsed) == "calc("
    assert first_action(direct) == ""
    assert first_action(calling(a="1", b="2")) == first_action(calling(b="2", a="1"))
    traces = [calling(a="1", b="2"), calling(b="2", a="1"), calling(a="2"), unparsed, direct]
    assert measure(traces).distinct_first_actions == 4
    without_tools = [*traces, direct.model_copy(update={"prompt": "cot"})]
    assert measure(without_tools).distinct_first_actions == 4
    assert measure([direct.model_copy(update={"prompt": "plain"})]).distinct_first_actions is None


def test_sampled_nats_are_that_of_a_known_distribution() -> None:
    # Tokens drawn from (1/2, 1/4, 1/4) as often as they should be: 1.5 bits.
    drawn = (math.log(1 / 2), math.log(1 / 2), math.log(1 / 4), math.log(1 / 4))
    found = measure([spoken(1, "a", token_ids=(1, 1, 2, 3), logprobs=drawn)])
    assert found.sampled_nats == pytest.approx(1.5 * math.log(2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.text("ab \n", max_size=7), min_size=1, max_size=3)),
        max_size=9,
    )
)
def test_against_brute_force(made: list[tuple[int, list[str]]]) -> None:
    found = measure(spoken(number, *texts) for number, texts in made)
    pairs = []
    for _, texts in made:
        for text in texts:
            words = text.split()
            pairs += [(words[i], words[i + 1]) for i in range(len(words) - 1)]
    assert found.distinct_bigrams == (len(set(pairs)) / len(pairs) if pairs else None)
    whole = ["\0".join(texts) for _, texts in made]
    assert found.distinct_texts == (len(set(whole)) / len(whole) if whole else None)
    assert found.questions == len({number for number, _ in made})


def test_traces_are_read_once_as_a_stream() -> None:
    passed = []

    def stream() -> Any:
        for number in range(3):
            passed.append(number)
            yield spoken(number, "a b")

    assert measure(stream()).traces == 3
    assert passed == [0, 1, 2]


def test_only_what_the_policy_itself_sampled_counts() -> None:
    own = [spoken(1, "a b").model_copy(update={"adapter": "a" * 64}), spoken(2, "a b c", trained=False)]
    own[1] = own[1].model_copy(update={"adapter": "a" * 64})
    others = [
        spoken(3, "of a user").model_copy(update={"model": ""}),
        spoken(4, "of a teacher").model_copy(update={"model": "hf://a/teacher", "adapter": "a" * 64}),
        spoken(5, "of the base model"),
        spoken(6, "of another adapter").model_copy(update={"adapter": "b" * 64}),
    ]
    mixed = [others[0], own[0], *others[1:3], own[1], others[3]]
    found = measure_practice(mixed, "demo://test", "a" * 64)
    assert found == measure_practice(own, "demo://test", "a" * 64)
    assert (found.traces, found.questions, found.trained_traces) == (2, 2, 1)
