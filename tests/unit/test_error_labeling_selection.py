"""Which traces are trained on, and the one reason of each that is not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import Trace
from components.contracts.tool_errors import ToolError
from components.error_labeling import selection
from components.error_labeling.selection import candidate, select
from components.error_labeling.settings import ErrorLabelingSettings
from components.scoring.answers import contains_answer
from tests.traces import make_trace

OK = None
FAILED = ToolError.TOOL_CALL_FAILURE


def reasons(traces: list[Trace], **settings: object) -> dict[str, str]:
    return select(map(candidate, traces), ErrorLabelingSettings.model_validate(settings))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("tools", {"called#0": "", "failed#0": selection.NO_CALL, "direct#0": selection.NO_CALL, "plain#0": selection.NO_CALL}),
        ("mixture", {"called#0": "", "failed#0": "", "direct#0": "", "plain#0": selection.NO_TOOL_PROMPT}),
        ("no_tool", {"called#0": selection.TOOL_PROMPT, "failed#0": selection.TOOL_PROMPT, "direct#0": selection.TOOL_PROMPT, "plain#0": ""}),
    ],
)  # fmt: skip
def test_recipes(recipe: str, expected: dict[str, str]) -> None:
    traces = [
        make_trace("called", errors=(OK,)),
        make_trace("failed", errors=(FAILED,)),
        make_trace("direct"),
        make_trace("plain", prompt="plain"),
    ]
    assert reasons(traces, recipe=recipe) == expected


def test_without_a_prompt_without_tools_no_tool_is_what_has_no_call() -> None:
    traces = [
        make_trace("called", errors=(OK,)),
        make_trace("failed", errors=(FAILED,)),
        make_trace("direct"),
    ]
    assert reasons(traces, recipe="no_tool") == {
        "called#0": selection.CALLED,
        "failed#0": selection.CALLED,
        "direct#0": "",
    }


@pytest.mark.parametrize("without_right", [True, False])
def test_answers_without_tools_do_not_decide_about_those_with(without_right: bool) -> None:
    """Neither what counts as known, nor the fewest calls, nor the limit a question."""
    traces = [
        make_trace(sample=0, correct=False),
        make_trace(sample=1, errors=(OK,)),
        *(make_trace(sample=sample, prompt="cot", correct=without_right) for sample in (2, 3, 4)),
    ]
    settings = {"prefer_fewest_calls": True, "min_direct_share": 0.5, "max_traces_per_question": 1}
    for recipe in ("mixture", "tools"):
        found = reasons(traces, recipe=recipe, **settings)
        assert {name for name, reason in found.items() if not reason} == {"q0#1"}
    known = [make_trace(sample=0), make_trace(sample=1, errors=(OK,)), *traces[2:]]
    assert reasons(known, **settings)["q0#0"] == ""
    found = reasons(known, recipe="no_tool", min_direct_share=0.5)
    assert {name for name, reason in found.items() if not reason} == (
        {"q0#2", "q0#3", "q0#4"} if without_right else set()
    )


def test_wrong_unjudged_and_cut_off_traces_are_not_trained() -> None:
    traces = [
        make_trace("wrong", correct=False),
        make_trace("unknown", correct=None),
        make_trace("cut", finish="length"),
    ]
    assert reasons(traces) == {
        "wrong#0": selection.WRONG,
        "unknown#0": selection.NOT_JUDGED,
        "cut#0": selection.CUT_OFF,
    }
    assert reasons(traces, only_correct=False) == {"wrong#0": "", "unknown#0": "", "cut#0": selection.CUT_OFF}


def test_what_is_known_is_trained_without_a_call() -> None:
    traces = [make_trace(sample=0, errors=(OK,)), make_trace(sample=1), make_trace(sample=2, errors=(OK, OK))]
    found = reasons(traces, prefer_fewest_calls=True)
    assert found == {"q0#0": selection.MORE_CALLS, "q0#1": "", "q0#2": selection.MORE_CALLS}


def test_a_call_that_did_not_bring_the_answer_is_not_trained_where_it_must() -> None:
    helped = make_trace("helped", errors=(OK,))
    reply = helped.calls[0].reply
    assert contains_answer(reply.content, helped.question)
    wrong = helped.calls[0].model_copy(update={"reply": reply.model_copy(update={"content": "nothing here"})})
    idle = helped.model_copy(
        update={"id": "idle#0", "calls": (wrong,), "question": make_trace("idle").question}
    )
    failed = make_trace("failed", errors=(ToolError.TOOL_CALL_FAILURE,))
    direct = make_trace("direct")
    found = reasons([helped, idle, failed, direct], require_answerable=True)
    unhelpful = selection.NOT_ANSWERED
    assert found == {"helped#0": "", "idle#0": unhelpful, "failed#0": unhelpful, "direct#0": ""}


def test_a_lucky_guess_is_not_knowledge() -> None:
    traces = [
        make_trace(sample=0, correct=False),
        make_trace(sample=1),
        make_trace(sample=2, errors=(OK,)),
        make_trace(sample=3, errors=(OK,), prefilled=2),
    ]
    settings = {"prefer_fewest_calls": True, "min_direct_share": 0.6}
    assert reasons(traces, **settings) == {
        "q0#0": selection.WRONG,
        "q0#1": selection.GUESSED,
        "q0#2": "",
        "q0#3": "",
    }
    settings["min_direct_share"] = 0.5
    assert reasons(traces, **settings)["q0#1"] == ""


def test_an_answer_whose_beginning_was_given_counts_as_direct() -> None:
    """Only a call tells a direct answer from another; unjudged answers do not count."""
    traces = [
        make_trace(sample=0, prefilled=2, correct=False),
        make_trace(sample=1),
        make_trace(sample=2, errors=(FAILED,), correct=False),
        make_trace(sample=3, correct=None),
    ]
    assert reasons(traces, min_direct_share=0.6)["q0#1"] == selection.GUESSED
    assert reasons(traces, min_direct_share=0.5)["q0#1"] == ""


def test_duplicates_are_trained_once() -> None:
    traces = [make_trace(sample=sample, text="same") for sample in (2, 0, 1)]
    assert reasons(traces) == {"q0#0": "", "q0#1": selection.DUPLICATE, "q0#2": selection.DUPLICATE}


def test_a_wrong_twin_does_not_hide_a_right_one() -> None:
    cut = make_trace(sample=0, text="same", finish="length")
    assert reasons([cut, make_trace(sample=1, text="same")]) == {"q0#0": selection.CUT_OFF, "q0#1": ""}


def test_limit_a_question() -> None:
    traces = [make_trace(sample=sample, correct=sample != 0) for sample in range(5)]
    found = reasons(traces, max_traces_per_question=2)
    assert [found[f"q0#{sample}"] for sample in range(5)] == [
        selection.WRONG, "", "", selection.OVER_LIMIT, selection.OVER_LIMIT
    ]  # fmt: skip


@st.composite
def trace_sets(draw: st.DrawFn) -> list[Trace]:
    found = []
    for question in range(draw(st.integers(1, 4))):
        for sample in range(draw(st.integers(1, 5))):
            found.append(
                make_trace(
                    f"q{question}",
                    sample,
                    errors=tuple(draw(st.lists(st.sampled_from([OK, FAILED]), max_size=2))),
                    correct=draw(st.sampled_from([True, False, None])),
                    prefilled=draw(st.integers(0, 1)),
                    finish=draw(st.sampled_from(["stop", "length"])),
                    text=draw(st.sampled_from(["", "same"])),
                )
            )
    return found


settings_strategy = st.fixed_dictionaries(
    {
        "recipe": st.sampled_from(["tools", "mixture", "no_tool"]),
        "prefer_fewest_calls": st.booleans(),
        "min_direct_share": st.sampled_from([0.0, 0.5, 1.0]),
        "max_traces_per_question": st.sampled_from([None, 1, 2]),
    }
)


@given(traces=trace_sets(), settings=settings_strategy, seed=st.integers(0, 1000))
def test_selection_keeps_its_promises_in_any_order(
    traces: list[Trace], settings: dict[str, object], seed: int
) -> None:
    found = reasons(traces, **settings)
    shuffled = list(traces)
    random.Random(seed).shuffle(shuffled)
    assert reasons(shuffled, **settings) == found

    assert set(found) == {trace.id for trace in traces}
    kept = [trace for trace in traces if not found[trace.id]]
    assert all(trace.outcome.correct and trace.turns[-1].finish_reason != "length" for trace in kept)
    assert len({candidate(trace).text for trace in kept}) == len(kept)
    for question in {trace.question.id for trace in kept}:
        calls = [len(trace.calls) for trace in kept if trace.question.id == question]
        assert not settings["prefer_fewest_calls"] or len(set(calls)) == 1
        limit = settings["max_traces_per_question"]
        assert limit is None or len(calls) <= limit  # type: ignore[operator]
