"""How sure a policy is of the gold responses: exp of their tokens' mean negative log-likelihood (iTool, equation 4).

A response's tokens are those that supervised fine-tuning trains on: the first accepted turn, its calls written in the
policy's call format, and the stop token behind it. So a policy that would go on behind the last call is unsure too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from components.contracts.progress import Progress
from components.contracts.records import Message, Question
from components.contracts.tool_calls import get_call_format
from components.mcts.states import Asked
from components.policy.architecture import context_length
from components.policy.chat import Chat
from components.policy.load import Policy
from components.policy.training_schedule import split_micro_batches
from components.policy.tree_logprobs import sequence_logprobs


@dataclass(frozen=True)
class GoldResponse:
    """The ids of a conversation that ends with the gold response, which begins at `start`."""

    ids: tuple[int, ...]
    start: int


def measure_perplexities(asked: Sequence[Asked], policy: Policy, batch_size: int) -> list[float | None]:
    """Of the gold response of each question, in their order, at least 1.

    batch_size: conversations a forward pass, those of like length together; halved when memory runs out. None: there
    is no text to be unsure of (the gold is to call nothing, and no answer is given), or the conversation is longer
    than the model's context, or needs more memory by itself than there is.
    """
    responses = [gold_response(one, policy.chat) for one in asked]
    context = context_length(policy.model)
    fitting = [
        number
        for number, (question, one) in enumerate(zip(asked, responses, strict=True))
        if has_response(question.question) and len(one.ids) <= context
    ]
    found: list[float | None] = [None] * len(asked)
    progress = Progress("mcts", len(asked), part="perplexity")
    progress.advance(len(asked) - len(fitting))
    waiting = split_micro_batches([len(responses[number].ids) for number in fitting], batch_size)[::-1]
    while waiting:
        batch = waiting.pop()
        numbers = [fitting[place] for place in batch]
        try:
            means = mean_nll(policy.model, [responses[number] for number in numbers])
        except torch.OutOfMemoryError:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(batch) > 1:
                # What is left is shorter, but as many rows of it may be too much as well.
                size = math.ceil(len(batch) / 2)
                left = [place for one in [batch, *waiting[::-1]] for place in one]
                waiting = [tuple(left[at : at + size]) for at in range(0, len(left), size)][::-1]
                continue
            means = [math.inf]
        for number, mean in zip(numbers, means, strict=True):
            found[number] = math.exp(mean) if mean < 700 else None
        progress.advance(len(batch))
    missing = found.count(None)
    if missing:
        print(
            f"[mcts] {missing} of {len(found)} gold responses were not measured: too long, or empty",
            flush=True,
        )
    return found


@torch.no_grad()
def mean_nll(model: torch.nn.Module, responses: Sequence[GoldResponse]) -> list[float]:
    """The mean negative log-likelihood of each response's tokens, in nats; one forward pass of all."""
    weights = [[0.0] * one.start + [1.0] * (len(one.ids) - one.start) for one in responses]
    rows = [(number,) for number in range(len(responses))]
    total = sequence_logprobs(model, [one.ids for one in responses], weights, rows)
    return [-value / (len(one.ids) - one.start) for value, one in zip(total.tolist(), responses, strict=True)]


def gold_response(asked: Asked, chat: Chat) -> GoldResponse:
    """The conversation with the gold response behind it, encoded as training encodes it."""
    conversation = asked.begin().conversation
    messages = (*conversation.messages, Message(role="assistant", content=gold_text(asked)))
    encoding = chat.encode(messages, conversation.tools)
    span = next(span for span in reversed(encoding.spans) if span.message == len(messages) - 1)
    return GoldResponse(tuple(encoding.ids[: span.end]), span.start)


def has_response(question: Question) -> bool:
    """Whether a gold says something: a call, or an answer. To call nothing is no text to be unsure of."""
    return any(question.golds) or any(question.answers)


def gold_text(asked: Asked) -> str:
    """The first accepted turn in the call format; of a question that is judged by answers, the first of these."""
    form, question = get_call_format(asked.language.call_format), asked.question
    if any(question.golds):
        return form.render(next(filter(None, question.golds)), tools=asked.tools)
    return form.render_answer(next(iter(question.answers), ""))
