"""The buffer: perplexities against plain forward passes, and which questions are the hardest share."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.records import AssistantTurn, LabeledTrace, Message, Outcome, Question, TurnLabel
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import parse_tools
from components.mcts import perplexity
from components.mcts.buffer import Scored, hardest, rank_pool
from components.mcts.perplexity import gold_response, gold_text, measure_perplexities
from components.mcts.settings import MCTSSettings
from components.mcts.states import Asked, Language
from components.policy.load import Policy, load_policy
from components.policy.settings import ModelSettings
from components.sft.dataset import encode_trace
from tests.gold_questions import OFFERED, call, gold
from tests.tiny_model import build_tiny_model

SETTINGS = MCTSSettings()


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = build_tiny_model(tmp_path_factory.mktemp("tiny"))
    settings = ModelSettings(dtype="float32", device="cpu", threads=1)
    return load_policy(str(folder), settings=settings, call_format="pythonic")


def asked(question: Question, call_format: str = "pythonic", tools: str = OFFERED) -> Asked:
    language = Language(lambda ids: "", (), call_format, native_tools=False)
    return Asked(question, parse_tools(tools), language, SETTINGS)


def pool(count: int) -> list[Asked]:
    draw = random.Random(3)
    cities = ["Oslo", "Buenos Aires", "Ulaanbaatar", "Rome"]
    questions = [
        gold(f"q{number:02d}", call("weather", city=draw.choice(cities) * draw.randint(1, 4)), call("now"))
        for number in range(count)
    ]
    questions[1] = Question(id="answer", text="Who are you?", answers=("A model", "Another"))
    return [asked(one) for one in questions]


@torch.no_grad()
def by_hand(policy: Policy, one: Asked) -> float:
    """One conversation by itself, all logits, in double."""
    messages = one.begin().conversation.messages
    prompt = policy.chat.encode(messages, generation_prompt=True).ids
    said = [*policy.chat.turn_encoder(messages)(gold_text(one)), policy.chat.stop_ids[0]]
    logits = policy.model(input_ids=torch.tensor([prompt + said])).logits[0].double().log_softmax(-1)
    terms = [logits[len(prompt) + place - 1, token] for place, token in enumerate(said)]
    return math.exp(-float(sum(terms)) / len(terms))


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_perplexities_are_those_of_plain_forward_passes(policy: Policy, batch_size: int) -> None:
    questions = pool(9)
    found = measure_perplexities(questions, policy, batch_size)
    assert found == pytest.approx([by_hand(policy, one) for one in questions], rel=1e-5)
    assert found == measure_perplexities(questions, policy, batch_size)
    assert all(one is not None and one >= 1 for one in found)


def test_the_response_is_what_training_would_train_on(policy: Policy) -> None:
    """The same ids as those of a trace whose turn says the same, and its trained tokens: the stop token is one."""
    one = pool(2)[0]
    response = gold_response(one, policy.chat)
    messages = (*one.begin().conversation.messages, Message(role="assistant", content=gold_text(one)))
    number = len(messages) - 1
    turn = AssistantTurn(message=number, token_ids=(), logprobs=(), finish_reason="stop", retokenized=True)
    trace = LabeledTrace(
        id="gold",
        question=one.question,
        tools=OFFERED,
        messages=messages,
        turns=(turn,),
        calls=(),
        outcome=Outcome(answer=None),
        model="",
        call_format="pythonic",
        labels=(TurnLabel(message=number, trained=True),),
    )
    example = encode_trace(trace, policy.chat)
    assert tuple(example.ids[: len(response.ids)]) == response.ids
    trained = [position for position, weight in enumerate(example.weights) if weight]
    assert trained == list(range(response.start, len(response.ids)))
    assert response.ids[-1] in policy.chat.stop_ids


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_the_first_alternative_is_written_in_the_call_format(call_format: str) -> None:
    one = asked(gold("q", call("weather", city="Oslo"), call("now")), call_format)
    parsed = get_call_format(call_format).parse(gold_text(one), one.tools)
    assert [found.call.name for found in parsed.calls] == ["weather"]
    assert parsed.calls[0].call.arguments == {"city": "Oslo"}


def test_memory_that_runs_out_halves_the_batches(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = perplexity.mean_nll

    def short_of_memory(model: Any, responses: Sequence[Any]) -> list[float]:
        sizes.append(len(responses))
        if len(responses) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(model, responses)

    questions = pool(9)
    wanted = measure_perplexities(questions, policy, 8)
    monkeypatch.setattr(perplexity, "mean_nll", short_of_memory)
    assert measure_perplexities(questions, policy, 8) == pytest.approx(wanted, rel=1e-5)
    assert sizes == [8, 4, 2, 2, 2, 2, 1]


def test_what_can_not_be_measured_is_told(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = pool(4)
    room = policy.model.config.max_position_embeddings
    questions[0] = asked(gold("long", call("weather", city="Oslo" * room)))
    questions[2] = asked(Question(id="nothing", text="Thanks!", offered=OFFERED, golds=((),)))
    found = measure_perplexities(questions, policy, 4)
    assert [one is None for one in found] == [True, False, True, False]
    assert "2 of 4 gold responses were not measured" in capsys.readouterr().out

    def never(model: Any, responses: Sequence[Any]) -> list[float]:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(perplexity, "mean_nll", never)
    assert measure_perplexities(questions, policy, 4) == [None] * 4


def test_the_hardest_share_with_ties_by_id() -> None:
    scored = [
        Scored(name, value, True) for name, value in zip("edcba", [2.0, 3.0, 2.0, 1.0, 2.0], strict=True)
    ]
    assert [one.question_id for one in hardest(scored, 0.2)] == ["d"]
    assert [one.question_id for one in hardest(scored, 0.6)] == ["d", "a", "c"]
    assert [one.question_id for one in hardest(scored, 1.0)] == ["d", "a", "c", "e", "b"]


def test_strata_give_their_share_each() -> None:
    scored = [Scored(f"call {n}", 10.0 + n, True) for n in range(10)]
    scored += [Scored(f"none {n}", 1.0 + n / 10, False) for n in range(5)]
    assert {one.calls for one in hardest(scored, 0.2)} == {True}
    names = [one.question_id for one in hardest(scored, 0.2, stratified=True)]
    assert names == ["call 9", "call 8", "none 4"]


@given(
    st.lists(st.tuples(st.none() | st.floats(1, 9), st.booleans()), max_size=60),
    st.sampled_from([0.1, 0.15, 0.2, 0.25, 0.3, 1.0]),
    st.booleans(),
)
def test_shares_are_exact_and_nothing_left_is_harder(
    rows: list[tuple[float | None, bool]], alpha: float, stratified: bool
) -> None:
    scored = [Scored(f"{number:03d}", *row) for number, row in enumerate(rows)]
    chosen = hardest(scored, alpha, stratified)
    left = [one for one in scored if one not in chosen and one.perplexity is not None]
    assert len(set(chosen)) == len(chosen)
    assert all(one.perplexity is not None for one in chosen)
    for calls in (True, False) if stratified else (None,):
        taken, rest = ([one for one in side if calls in (None, one.calls)] for side in (chosen, left))
        percent = round(100 * alpha)
        assert len(taken) == -(-percent * (len(taken) + len(rest)) // 100)
        assert all(one.perplexity >= other.perplexity for one in taken for other in rest)  # type: ignore[operator]
    assert hardest(scored[::-1], alpha, stratified) == chosen


def test_the_buffer_names_rank_difficulty_and_what_is_taken() -> None:
    few = '[{"type": "function", "function": {"name": "now", "parameters": {}}}]'
    questions = [
        asked(gold("a", call("now"))),
        asked(gold("b", call("now")), tools=few),
        asked(Question(id="c", text="Who?", answers=("me",))),
        asked(gold("d", call("weather"), call("now")).model_copy(update={"golds": ((call("now"),) * 2,)})),
    ]
    settings = MCTSSettings(alpha=0.5, max_trees=1)
    buffer = rank_pool(questions, [2.0, None, 5.0, 3.0], settings)
    told = [(one.question_id, one.rank, one.difficulty, one.taken, one.calls) for one in buffer]
    assert told == [
        ("c", 0, "", True, False),
        ("d", 1, "hard", False, True),
        ("a", 2, "medium", False, True),
        ("b", 3, "easy", False, True),
    ]
    assert buffer[-1].perplexity is None
    everything = rank_pool(questions, [2.0, None, 5.0, 3.0], MCTSSettings(alpha=0.5))
    assert [one.question_id for one in everything if one.taken] == ["c", "d"]
