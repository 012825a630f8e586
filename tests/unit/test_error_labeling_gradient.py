"""MAE on the gradient: masked turns are context, and their tokens push nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModelForCausalLM

from components.contracts.records import ExecutedCall, LabeledTrace, Message, ToolCall, ToolReply
from components.error_labeling.labels import label_turns
from components.error_labeling.settings import ErrorLabelingSettings
from components.policy.chat import Chat
from components.policy.load import open_chat
from components.policy.loss import supervised_cross_entropy
from components.sft.dataset import Example, encode_trace
from tests.tiny_model import build_tiny_model, make_trace

FEEDBACK = "TypeError: calculator() got an unexpected keyword argument 'expresion'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def chat(folder: Path) -> Chat:
    return open_chat(str(folder), "hermes")


@pytest.fixture
def model(folder: Path) -> Any:
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(str(folder), dtype=torch.float64)


def labeled(chat: Chat, number: int, overrides: str = "") -> LabeledTrace:
    """A trace whose first turn's call came back with words of failure, as the stage labels it."""
    trace = make_trace(chat, number)
    call = ToolCall(name="calculator", arguments={"expression": "2+2"})
    executed = ExecutedCall(message=2, text="c", call=call, reply=ToolReply(content=FEEDBACK))
    reply = Message(role="tool", content=FEEDBACK, name="calculator")
    trace = trace.model_copy(
        update={"calls": (executed,), "messages": (*trace.messages[:3], reply, trace.messages[4])}
    )
    settings = ErrorLabelingSettings.parse('{"preset": "tl-training"}', overrides)
    return trace.model_copy(update={"labels": label_turns(trace, "", settings)})


def masked_positions(trace: LabeledTrace, chat: Chat) -> list[int]:
    """The positions of the first turn's tokens, which all are trained where nothing is masked."""
    whole = trace.model_copy(
        update={"labels": tuple(one.model_copy(update={"trained": True}) for one in trace.labels)}
    )
    pairs = zip(encode_trace(whole, chat).weights, encode_trace(trace, chat).weights, strict=True)
    return [position for position, (all_of, some) in enumerate(pairs) if all_of and not some]


def tensors(example: Example) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.tensor([example.ids.tolist()])
    return ids, torch.ones_like(ids), torch.tensor([example.weights.tolist()], dtype=torch.float64)


def test_logits_that_predict_masked_tokens_have_no_gradient(chat: Chat, model: Any) -> None:
    trace = labeled(chat, 3)
    masked = masked_positions(trace, chat)
    assert len(masked) > 20
    ids, attention, weights = tensors(encode_trace(trace, chat))
    kept: list[Tensor] = []

    class Whole:
        """Makes all logits, keeps them for their gradient, and hands out those that were asked for."""

        def __call__(self, *, logits_to_keep: Tensor, **arguments: Any) -> Any:
            output = model(**arguments)
            output.logits.retain_grad()
            kept.append(output.logits)
            output.logits = output.logits[logits_to_keep]
            return output

    supervised_cross_entropy(Whole(), ids, attention, weights).backward()  # type: ignore[no-untyped-call]
    gradient = kept[0].grad
    assert gradient is not None
    predicting = [position - 1 for position in masked]
    assert torch.count_nonzero(gradient[0, predicting]) == 0
    trained = [position - 1 for position, weight in enumerate(weights[0].tolist()) if weight]
    assert bool((gradient[0, trained].abs().sum(-1) > 0).all())
    assert set(torch.nonzero(gradient[0].abs().sum(-1)).flatten().tolist()) == set(trained)


def test_the_parameters_gradient_is_that_of_the_other_terms_alone(chat: Chat, model: Any) -> None:
    trace = labeled(chat, 4)
    masked = set(masked_positions(trace, chat))
    example = encode_trace(trace, chat)
    ids, attention, weights = tensors(example)
    supervised_cross_entropy(model, ids, attention, weights).backward()  # type: ignore[no-untyped-call]
    ours = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    everything = encode_trace(labeled(chat, 4, '{"mask_errors": false}'), chat)
    assert sum(weight > 0 for weight in everything.weights) == len(masked) + sum(
        w > 0 for w in example.weights
    )
    terms = F.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
    others = [
        position for position, weight in enumerate(everything.weights) if weight and position not in masked
    ]
    terms[[position - 1 for position in others]].mean().backward()  # type: ignore[no-untyped-call]
    for name, one in model.named_parameters():  # the loss itself is in float32
        assert one.grad is not None
        torch.testing.assert_close(ours[name], one.grad, rtol=1e-3, atol=1e-7)


def test_masked_turns_stay_context(chat: Chat, model: Any) -> None:
    """Other tokens in the masked turn change what the later turn is trained on."""
    trace = labeled(chat, 5)
    masked = masked_positions(trace, chat)
    ids, attention, weights = tensors(encode_trace(trace, chat))
    before = supervised_cross_entropy(model, ids, attention, weights)
    changed = ids.clone()
    changed[0, masked[3]] = (changed[0, masked[3]] + 1) % 250
    after = supervised_cross_entropy(model, changed, attention, weights)
    assert before.item() != after.item()
