"""Key tokens in training: their weights in examples, the gradient, metrics, presets and overrides."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.records import LabeledTrace, Message, ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.policy.chat import Chat
from components.policy.load import open_chat
from components.policy.loss import supervised_cross_entropy
from components.policy.trainable import load_trainable
from components.policy.training_loop import training_arguments
from components.rollout.shown import sampled_turns, shown_prompt
from components.sft.dataset import Example, encode_trace, encode_with_keys, prepare_examples
from components.sft.micro_batches import collate
from components.sft.run import run
from components.sft.settings import KeyReading, SFTSettings
from tests.chat_families import FAMILIES, family_tokenizer
from tests.tiny_model import build_tiny_model, make_trace, write_labeled

NAMES = ("calculator", "calculate", "calendar", "search")
SETTINGS = SFTSettings(dtype="float32", learning_rate=0.01, lora_rank=4, key_tokens="first_divergence")


def schema(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"expression": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


def offering(trace: LabeledTrace, *names: str) -> LabeledTrace:
    return trace.model_copy(update={"tools": json.dumps([schema(name) for name in names])})


def foreign(trace: LabeledTrace) -> LabeledTrace:
    """The same text from an engine that gave no ids."""
    turns = tuple(
        turn.model_copy(update={"retokenized": True, "token_ids": (), "logprobs": ()}) for turn in trace.turns
    )
    return trace.model_copy(update={"turns": turns, "template_hash": ""})


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def chat(base_model: Path) -> Chat:
    return open_chat(str(base_model), "hermes")


def test_weights_by_hand(chat: Chat) -> None:
    """A single tool, one call: K is the first token of its name, NK all others and the stop token."""
    trace = offering(make_trace(chat, 2), "calculator")
    plain = encode_trace(trace, chat)
    example, keys = encode_with_keys(trace, chat, "first_divergence", 9.0)
    assert example.ids == plain.ids
    (key,) = keys
    assert (
        chat.tokenizer.decode(example.ids[: key + 1]).split('"name": "')[-1]
        == "calculator"[: len(chat.tokenizer.decode(example.ids[key : key + 1]))]
    )
    turn = len(trace.turns[0].token_ids)
    assert turn > 10
    assert example.weights[key] == 9.0  # clipped: |NK| / |K| = turn - 1
    assert (
        encode_trace(trace, chat, key_tokens="first_divergence", max_key_weight=100.0).weights[key]
        == turn - 1
    )
    assert [w for i, w in enumerate(example.weights) if i != key] == [
        w for i, w in enumerate(plain.weights) if i != key
    ]


@pytest.mark.parametrize("as_foreign", [False, True])
def test_names_that_begin_alike_have_more_key_tokens(chat: Chat, as_foreign: bool) -> None:
    trace = offering(make_trace(chat, 2), *NAMES)
    if as_foreign:
        trace = foreign(trace)
    one = encode_with_keys(offering(trace, "calculator", "search"), chat, "first_divergence", 9.0)[1]
    several = encode_with_keys(trace, chat, "first_divergence", 9.0)[1]
    shared = encode_with_keys(trace, chat, "shared_prefix", 9.0)[1]
    assert len(one) == 1 < len(several)
    assert len(shared) >= 1
    assert set(several[:-1]) <= set(shared)


@pytest.mark.parametrize("reading", ["first_divergence", "shared_prefix"])
def test_masked_turns_answers_and_cut_turns(chat: Chat, reading: KeyReading) -> None:
    trace = offering(make_trace(chat, 3, trained=(False, True)), *NAMES)
    example, keys = encode_with_keys(trace, chat, reading, 9.0)
    assert keys == []
    assert set(example.weights) == {0.0, 1.0}
    # What says no call is told apart by nothing.
    untouched = offering(make_trace(chat, 3), *NAMES)
    example, keys = encode_with_keys(untouched, chat, reading, 9.0)
    plain = encode_trace(untouched, chat)
    call = [i for i, weight in enumerate(plain.weights) if weight][: len(untouched.turns[0].token_ids)]
    assert set(keys) < set(call)
    # The stop token that closes a turn which ran into the limit is not trained, so it is not in NK.
    cut = untouched.turns[0].model_copy(
        update={
            "finish_reason": "length",
            "token_ids": untouched.turns[0].token_ids[:-1],
            "logprobs": untouched.turns[0].logprobs[:-1],
        }
    )
    short = untouched.model_copy(update={"turns": (cut, untouched.turns[1])})
    whole_weight = encode_trace(untouched, chat, key_tokens=reading, max_key_weight=1e6).weights[keys[0]]
    cut_weight = encode_trace(short, chat, key_tokens=reading, max_key_weight=1e6).weights[keys[0]]
    assert (whole_weight - cut_weight) * len(keys) == pytest.approx(1.0, abs=1e-4)


def test_prepared_counts_key_tokens(chat: Chat) -> None:
    traces = [offering(make_trace(chat, number), *NAMES) for number in range(4)]
    prepared = prepare_examples(
        traces, chat, max_tokens=1000, key_tokens="first_divergence", max_key_weight=3.0
    )
    keys = [encode_with_keys(trace, chat, "first_divergence", 3.0)[1] for trace in traces]
    assert prepared.key_tokens == sum(map(len, keys)) > 4
    assert prepared.key_token_weight / prepared.key_tokens == pytest.approx(3.0)
    assert prepare_examples(traces, chat, max_tokens=1000).key_tokens == 0


def gradient(model: Any, examples: Sequence[Example], *, dense: bool) -> tuple[float, dict[str, Tensor]]:
    batch = collate(examples)
    model.zero_grad()
    if dense:
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), batch["input_ids"][:, 1:], reduction="none")
        weights = batch["weights"][:, 1:].to(losses.dtype)
        loss = (losses * weights).sum() / weights.sum()
    else:
        loss = supervised_cross_entropy(model, batch["input_ids"], batch["attention_mask"], batch["weights"])
    loss.backward()  # type: ignore[no-untyped-call]
    found = {n: p.grad.double().clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss.item(), found


@pytest.mark.parametrize("reading", ["first_divergence", "shared_prefix"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_gradient_equals_the_dense_one(
    base_model: Path, chat: Chat, method: str, reading: KeyReading
) -> None:
    traces = [
        offering(make_trace(chat, number, trained=(number % 3 > 0, True)), *NAMES) for number in range(6)
    ]
    examples = [encode_trace(trace, chat, key_tokens=reading) for trace in traces]
    assert any(weight > 1 for example in examples for weight in example.weights)
    chosen = SETTINGS.model_copy(update={"method": method})
    model = load_trainable(str(base_model), chosen, "hermes").model
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, which would leave half of the gradient zero
            torch.nn.init.normal_(parameter, std=0.1)
    value, ours = gradient(model, examples, dense=False)
    expected_value, expected = gradient(model.double(), examples, dense=True)
    assert value == pytest.approx(expected_value, abs=1e-5)
    assert ours.keys() == expected.keys()
    for name, dense in expected.items():
        torch.testing.assert_close(ours[name], dense, atol=1e-5, rtol=0, msg=name)
    _, unweighted = gradient(model, [encode_trace(trace, chat) for trace in traces], dense=True)
    assert any((unweighted[name] - expected[name]).abs().max() > 1e-3 for name in expected)


STEMS = ("get", "get_weather", "search", "search.web", "ns:tool", "my tool", "Straße", "天气")
tool_sets = st.lists(
    st.builds(
        lambda stem, end: (stem + end).strip(), st.sampled_from(STEMS), st.text("_.:a1é天", max_size=3)
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(FAMILIES),
    st.sampled_from(CALL_FORMATS),
    tool_sets,
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.sampled_from(["first_divergence", "shared_prefix"]),
    st.floats(1.0, 12.0),
)
def test_weights_of_foreign_traces(
    family: str, call_format: str, names: list[str], trained: list[bool], reading: KeyReading, most: float
) -> None:
    """Any tokenizer, also where it can't write a name: nothing but trained turns, at 1 to the most."""
    chat = Chat(family_tokenizer(family), call_format)
    style = get_call_format(call_format)
    tools = [schema(name) for name in names]
    calls = [ToolCall(name=name, arguments={"expression": "1 + 2"}) for name in (names * 3)[:3]]
    said = [
        style.render(calls[:1], tools=tools),
        style.render(calls[1:], tools=tools),
        style.render_answer("3"),
    ]
    replies = [Message(role="tool", content="3", name=names[0])] * 2
    # Only the shape of the tiny model's trace is used.
    shape = make_trace(chat, 1)
    messages = (*shape.messages[:2], *interleaved(said, replies))
    turns = tuple(shape.turns[0].model_copy(update={"message": message}) for message in (2, 4, 6))
    labels = tuple(
        shape.labels[0].model_copy(update={"message": message, "trained": keep})
        for message, keep in zip((2, 4, 6), trained, strict=True)
    )
    trace = foreign(
        shape.model_copy(
            update={"messages": messages, "turns": turns, "labels": labels, "call_format": call_format}
        )
    )
    trace = offering(trace, *names)
    shown, offered = shown_prompt(trace, chat)
    for message, ids in sampled_turns(trace, shown, offered, chat).items():
        assert chat.turn_encoder(shown[:message], offered)(shown[message].content) == ids
    plain = encode_trace(trace, chat)
    example, keys = encode_with_keys(trace, chat, reading, most)
    assert example.ids == plain.ids
    for position, (weight, before) in enumerate(zip(example.weights, plain.weights, strict=True)):
        if position in keys:
            assert before == 1.0
            assert 1.0 <= weight <= most * (1 + 1e-6)
        else:
            assert weight == before
    writable = all(chat.decode(chat.turn_encoder(messages[:2])(text)) == text for text in said)
    if not any(trained[:2]):
        assert not keys
    elif writable:
        assert len(keys) >= trained[0] + 2 * trained[1]


def interleaved(said: Sequence[str], replies: Sequence[Message]) -> list[Message]:
    turns = [Message(role="assistant", content=text) for text in said]
    return [turns[0], replies[0], turns[1], replies[1], turns[2]]


class KfpArtifact:
    """The part of a KFP artifact that the stage uses."""

    def __init__(self, path: Path | str = "") -> None:
        self.path = str(path)
        self.metrics: dict[str, float] = {}

    def log_metric(self, metric: str, value: float) -> None:
        self.metrics[metric] = value


def test_the_stage_weighs_key_tokens_and_says_so(base_model: Path, chat: Chat, tmp_path: Path) -> None:
    traces = [offering(make_trace(chat, number), *NAMES) for number in range(6)]
    labeled = write_labeled(tmp_path / "labeled", traces)
    given_settings = {"dtype": "float32", "learning_rate": 0.02, "batch_size": 4, "epochs": 2, "lora_rank": 4}
    outcome = {}
    for name, overrides in (
        ("plain", "{}"),
        ("keys", '{"key_tokens": "first_divergence", "max_key_weight": 5}'),
        ("still", '{"learning_rate": 1e-30}'),
    ):
        metrics = KfpArtifact()
        run(
            KfpArtifact(labeled),
            str(base_model),
            json.dumps(given_settings),
            "",
            "",
            KfpArtifact(tmp_path / name),
            metrics,
            KfpArtifact(tmp_path / f"{name}.html"),
            overrides=overrides,
        )
        outcome[name] = metrics.metrics
    keys = prepare_examples(traces, chat, max_tokens=1000, key_tokens="first_divergence").key_tokens
    assert outcome["plain"]["key_tokens"] == outcome["plain"]["key_token_weight"] == 0
    assert outcome["keys"]["key_tokens"] == 2 * keys > 0
    assert outcome["keys"]["key_token_weight"] == pytest.approx(5.0)
    assert outcome["keys"]["loss_last"] != outcome["plain"]["loss_last"]
    page = (tmp_path / "keys.html").read_text()
    assert "<th>key_token_weight</th><td>5.0</td>" in page
    assert "<th>key_tokens</th><td>first_divergence</td>" in page
    artifact = open_artifact(tmp_path / "keys", "adapter/1")
    assert artifact.manifest.details["moved"] == outcome["keys"]["moved"] > 0
    assert outcome["still"]["moved"] < 1e-20
    card = json.loads(artifact.path("policy.json").read_text())
    assert (card["settings"]["key_tokens"], card["settings"]["max_key_weight"]) == ("first_divergence", 5.0)


def test_presets_and_what_the_trainer_is_told(tmp_path: Path) -> None:
    paper = SFTSettings.parse('{"preset": "tl-training"}')
    assert (paper.method, paper.learning_rate, paper.scheduler, paper.warmup) == (
        "full",
        1e-6,
        "cosine",
        0.01,
    )
    assert (paper.weight_decay, paper.beta2, paper.batch_size, paper.epochs) == (0.01, 0.95, 4, 1)
    assert (paper.max_tokens, paper.dtype) == (8192, "bfloat16")
    assert (paper.key_tokens, paper.max_key_weight) == ("first_divergence", 9.0)
    told = training_arguments(paper, tmp_path, device=torch.device("cpu"), saves=False)
    assert (told.adam_beta1, told.adam_beta2) == (0.9, 0.95)
    assert SFTSettings.parse("").key_tokens == "none"
    arm = SFTSettings.parse('{"preset": "demo_calls"}', '{"key_tokens": "none"}')
    assert (arm.key_tokens, arm.epochs) == ("none", 1)
    with pytest.raises(InputError, match=r"sft_settings: max_key_weight: .* got 0\.5"):
        SFTSettings.parse('{"max_key_weight": 0.5}')
