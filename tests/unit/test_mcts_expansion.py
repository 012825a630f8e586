"""Expansion against the plain way: one token at a time, everything read again each time."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch

from components.contracts.records import Message, Question, ToolCall
from components.mcts.expansion import Expander, Failure, Leaf, Step, turn_seed
from components.mcts.self_evaluation import SelfEvaluation
from components.mcts.settings import MCTSSettings
from components.mcts.steps import cut_turn
from components.policy.engine import Conversation
from components.policy.load import Policy, load_policy
from components.policy.noise_sampling import choose_by_noise
from components.policy.settings import EngineSettings, ModelSettings
from components.policy.step_generation import StepGenerator
from components.rollout.prompts import build_messages
from tests.test_model import build_test_model, service_tools, word_problems
from tests.tiny_model import build_tiny_model

FLOAT32 = ModelSettings(dtype="float32", device="cpu", threads=1)
TOOLS = json.dumps(service_tools())


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """The model that calls the calculator, in the `paper` format."""
    return load_policy(str(build_test_model()), settings=FLOAT32, call_format="paper")


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """A model that says anything, broken letters included."""
    folder = build_tiny_model(tmp_path_factory.mktemp("tiny"), hidden=32)
    return load_policy(str(folder), settings=FLOAT32, call_format="hermes")


def make_settings(**changed: Any) -> MCTSSettings:
    values = {"step": "argument", "max_new_tokens": 40, "max_step_tokens": 30, "top_p": 1.0, **changed}
    return MCTSSettings(engine=EngineSettings(batch_size=values.pop("batch_size", 64)), **values)


def make_leaves(policy: Policy, count: int, *, room: int = 3, width: int = 3) -> list[Leaf]:
    """Roots of different questions, whose prompts differ in length."""
    leaves = []
    for number, question in enumerate(word_problems(count, seed=5)):
        tools = service_tools(translator=number % 2 == 1)
        messages = build_messages(question, tools, "single_step", "paper", False)
        expression = question.text.split(" ")[0]
        known = question.model_copy(
            update={
                "offered": TOOLS,
                "golds": ((ToolCall(name="calculator", arguments={"expression": expression}),),),
            }
        )
        leaves.append(Leaf(known, Conversation(messages), (), 100 + number, width, room))
    return leaves


def prompt_of(policy: Policy, leaf: Leaf) -> list[int]:
    return policy.chat.encode(leaf.prompt.messages, generation_prompt=True).ids


@torch.inference_mode()
def one_by_one(policy: Policy, leaf: Leaf, settings: MCTSSettings, number: int) -> list[int]:
    """The whole turn behind the leaf's path, sampled with a full forward pass a token."""
    from components.contracts.tool_calls import get_call_format

    prompt, turn = prompt_of(policy, leaf), list(leaf.path)
    while True:
        logits = policy.model(input_ids=torch.tensor([prompt + turn])).logits[:, -1]
        place = len(turn) - len(leaf.path)
        chosen, _ = choose_by_noise(
            logits,
            [turn_seed(leaf.seed, number)],
            place,
            temperature=settings.temperature,
            top_p=settings.top_p,
        )
        turn.append(int(chosen))
        stopped = turn[-1] in policy.chat.stop_ids
        whole = get_call_format(policy.chat.call_format).stop_after(policy.chat.decode(turn))
        if stopped or whole or len(turn) >= settings.max_new_tokens:
            return turn


def reference(policy: Policy, leaf: Leaf, settings: MCTSSettings) -> list[tuple[list[int], list[int]]]:
    """Distinct (step, roll-out) of the leaf, the long way."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number in range(leaf.width):
        turn = one_by_one(policy, leaf, settings, number)
        begin = len(leaf.path)
        # Where a step ends shows in the token behind it, so the limit allows for one more.
        seen = turn[: begin + settings.max_step_tokens + 1]
        pieces = cut_turn(seen, policy.chat, settings.step, tools=json.loads(leaf.question.offered))
        later = [end for end in accumulate(map(len, pieces)) if end > begin]
        end = len(turn) if leaf.room == 1 else later[0]
        if end == len(seen) and end < len(turn) and leaf.room > 1:
            end = begin + settings.max_step_tokens
            turn = turn[:end]
        found.setdefault(tuple(turn[len(leaf.path) : end]), turn[end:])
    return [(list(step), rest) for step, rest in found.items()]


def steps_of(answer: list[Step] | Failure) -> list[Step]:
    assert not isinstance(answer, Failure)
    return answer


def ids_of(answer: list[Step] | Failure) -> list[tuple[list[int], list[int]]]:
    return [(list(step.token_ids), list(step.rollout_ids)) for step in steps_of(answer)]


@torch.inference_mode()
def check_logprobs(policy: Policy, leaf: Leaf, step: Step) -> None:
    before = prompt_of(policy, leaf) + list(leaf.path)
    ids = torch.tensor([before + list(step.token_ids)])
    logprobs = policy.model(input_ids=ids).logits[0].float().log_softmax(-1)
    expected = logprobs[len(before) - 1 : -1].gather(-1, ids[0, len(before) :, None])[:, 0]
    assert torch.allclose(torch.tensor(step.logprobs), expected, atol=1e-4)


def children(leaves: Sequence[Leaf], answers: Sequence[list[Step] | Failure]) -> list[Leaf]:
    """The steps that can be gone on from, as leaves."""
    return [
        replace(leaf, path=leaf.path + step.token_ids, seed=leaf.seed * 31 + place, room=leaf.room - 1)
        for leaf, answer in zip(leaves, answers, strict=True)
        for place, step in enumerate(steps_of(answer))
        if not step.terminal and not step.truncated
    ]


@pytest.mark.parametrize("kind", ["call", "argument"])
def test_two_levels_are_what_one_token_at_a_time_gives(policy: Policy, kind: str) -> None:
    settings = make_settings(step=kind, temperature=1.5)
    expander = Expander(policy, settings)
    leaves = make_leaves(policy, 3)
    for level in range(2):
        # A `paper` turn ends with its first call.
        assert leaves or (level, kind) == (1, "call")
        answers = expander.expand(leaves)
        assert [ids_of(answer) for answer in answers] == [
            reference(policy, leaf, settings) for leaf in leaves
        ]
        for leaf, answer in zip(leaves, answers, strict=True):
            for step in steps_of(answer):
                check_logprobs(policy, leaf, step)
        leaves = children(leaves, answers)[:6]


def test_of_a_model_that_says_anything_too(wild: Policy) -> None:
    settings = make_settings(step="call", max_new_tokens=60, max_step_tokens=20, temperature=1.3)
    leaves = make_leaves(wild, 4, width=4)
    answers = Expander(wild, settings).expand(leaves)
    assert [ids_of(answer) for answer in answers] == [reference(wild, leaf, settings) for leaf in leaves]
    assert any(step.truncated for answer in answers for step in steps_of(answer))


def test_neighbours_batches_and_what_was_kept_change_nothing(policy: Policy) -> None:
    settings = make_settings(temperature=1.2)
    roots = make_leaves(policy, 3)
    expander = Expander(policy, settings)
    leaves = roots + children(roots, expander.expand(roots))
    together = expander.expand(leaves)
    alone = [Expander(policy, settings).expand([leaf])[0] for leaf in leaves]
    for one, other in zip(together, alone, strict=True):
        assert ids_of(one) == ids_of(other)
        for left, right in zip(steps_of(one), steps_of(other), strict=True):
            assert left.logprobs == pytest.approx(right.logprobs, abs=1e-4)
            assert left.self_evaluation == pytest.approx(right.self_evaluation, abs=1e-4)
    small = Expander(policy, make_settings(temperature=1.2, batch_size=2), kept_tokens=50)
    assert [ids_of(answer) for answer in small.expand(leaves)] == [ids_of(answer) for answer in together]


def test_prompts_are_read_once_and_turns_go_on_from_what_was_kept(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    expander = Expander(policy, make_settings(temperature=1.2, self_evaluation=False))
    roots = make_leaves(policy, 2)
    leaves = children(roots, expander.expand(roots))
    read: list[int] = []
    forward = policy.model.forward

    def counted(*args: Any, **named: Any) -> Any:
        read.append(named["input_ids"].shape[1])
        return forward(*args, **named)

    monkeypatch.setattr(policy.model, "forward", counted)
    expander.expand(leaves)
    assert set(read) == {1}


@torch.inference_mode()
def test_self_evaluation_is_a_plain_forward_pass(policy: Policy) -> None:
    expander = Expander(policy, make_settings(temperature=1.2))
    leaves = make_leaves(policy, 2)
    judge = expander._judge
    for leaf, answer in zip(leaves, expander.expand(leaves), strict=True):
        for step in steps_of(answer):
            text = policy.chat.decode(step.token_ids)
            ((shared, rest),) = judge.prompts(leaf.question, json.loads(leaf.question.offered), [text])
            assert shared
            gold = "calculator[" + str(leaf.question.golds[0][0].arguments["expression"]) + "]"
            asked = policy.chat.decode([*shared, *rest])
            assert gold in asked
            assert asked.index(gold) < asked.rindex(text.strip())
            logits = policy.model(input_ids=torch.tensor([[*shared, *rest]])).logits[0, -1]
            expected = float(logits.softmax(-1)[judge.answer_id])
            assert step.self_evaluation == pytest.approx(expected, abs=1e-5)
    assert policy.chat.decode([*judge.given, judge.answer_id]).startswith("(B")


def test_a_leaf_that_needs_no_judgement_gets_the_same_steps_without(policy: Policy) -> None:
    leaves = make_leaves(policy, 2)
    spared = [replace(leaves[0], judged=False), leaves[1]]
    judged, with_one_spared = (Expander(policy, make_settings()).expand(one) for one in (leaves, spared))
    first = [replace(step, self_evaluation=None) for step in steps_of(judged[0])]
    assert steps_of(with_one_spared[0]) == first
    for step, expected in zip(steps_of(with_one_spared[1]), steps_of(judged[1]), strict=True):
        # The judgement's own batch is smaller, so its last bits may differ.
        assert step.self_evaluation == pytest.approx(expected.self_evaluation, abs=1e-6)
        assert replace(step, self_evaluation=expected.self_evaluation) == expected


def test_the_last_step_runs_to_the_end_of_the_turn(policy: Policy) -> None:
    for answer in Expander(policy, make_settings()).expand(make_leaves(policy, 2, room=1)):
        for step in steps_of(answer):
            assert step.rollout_ids == ()
            assert step.terminal == step.rollout_complete


def test_a_greedy_leaf_has_one_step(policy: Policy) -> None:
    settings = make_settings().model_copy(update={"temperature": 0.0})
    for answer in Expander(policy, settings).expand(make_leaves(policy, 2)):
        assert len(steps_of(answer)) == 1


def test_what_cannot_be_expanded_says_why(policy: Policy) -> None:
    leaf = make_leaves(policy, 1)[0]
    long = Conversation((Message(role="user", content="word " * 3000),))
    given = replace(leaf.prompt, prefill="Action:")
    expander = Expander(policy, make_settings(max_new_tokens=10))
    answers = expander.expand(
        [
            replace(leaf, path=(7,) * 10),
            replace(leaf, prompt=long),
            replace(leaf, room=0),
            replace(leaf, path=(7, policy.chat.stop_ids[0])),
            replace(leaf, prompt=given),
            leaf,
        ]
    )
    reasons = [answer.reason for answer in answers if isinstance(answer, Failure)]
    assert reasons == [
        "the turn is at its token limit",
        "the model's context is full",
        "no step is left",
        "the turn is over",
        "a turn that begins with given text is not searched",
    ]
    assert steps_of(answers[-1])


def test_a_turn_ends_where_the_context_does(wild: Policy) -> None:
    leaf = make_leaves(wild, 1, width=2)[0]
    room = wild.model.config.max_position_embeddings - len(prompt_of(wild, leaf))
    path = tuple(wild.tokenizer.encode("a" * (room - 5), add_special_tokens=False))[: room - 5]
    leaf = replace(leaf, path=path, room=1)
    settings = make_settings(max_new_tokens=2000, self_evaluation=False)
    for step in steps_of(Expander(wild, settings).expand([leaf])[0]):
        assert len(step.token_ids) <= 5
        assert step.terminal or (len(step.token_ids) == 5 and step.truncated)


def test_out_of_memory_halves_the_batch(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(temperature=1.2)
    leaves = make_leaves(policy, 3)
    expected = Expander(policy, settings).expand(leaves)
    sample, sizes = StepGenerator.sample, []

    def scarce(self: StepGenerator, rows: Sequence[Any], **named: Any) -> None:
        sizes.append(len(rows))
        if len(rows) > 3:
            rows[0].take(7, 0.0)
            raise torch.OutOfMemoryError
        sample(self, rows, **named)

    monkeypatch.setattr(StepGenerator, "sample", scarce)
    found = Expander(policy, settings).expand(leaves)
    assert [ids_of(answer) for answer in found] == [ids_of(answer) for answer in expected]
    assert sizes[:3] == [9, 4, 2]
    monkeypatch.setattr(StepGenerator, "sample", _always_full)
    assert set(Expander(policy, settings).expand(leaves)) == {Failure("out of memory")}


def _always_full(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError


def test_models_with_a_window_read_everything_again(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    build_tiny_model(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    torch.manual_seed(1)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=20,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    policy = load_policy(str(tmp_path), settings=FLOAT32)
    settings = make_settings(temperature=1.3, self_evaluation=False)
    leaves = make_leaves(policy, 3, width=2)
    answers = Expander(policy, settings).expand(leaves)
    assert [ids_of(answer) for answer in answers] == [reference(policy, leaf, settings) for leaf in leaves]


def test_a_question_without_an_answer_is_judged_without_example(policy: Policy) -> None:
    leaf = replace(make_leaves(policy, 1)[0], question=Question(id="q", text="What?"))
    (answer,) = Expander(policy, make_settings()).expand([leaf])
    assert all(0 <= (step.self_evaluation or 0) <= 1 for step in steps_of(answer))


def test_a_question_that_no_call_answers_is_judged_beside_its_answer(policy: Policy) -> None:
    question = Question(id="q", text="Who?", golds=((),), answers=("Nobody",))
    ((shared, rest),) = SelfEvaluation(policy.chat).prompts(question, (), ["Me"])
    assert "right:\nNobody\n" in policy.chat.decode([*shared, *rest])
