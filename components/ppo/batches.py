"""Rollouts as tensors: prompts that several responses share are there once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from components.ppo.rollouts import Rollout


@dataclass(frozen=True)
class Batch:
    """One micro-batch. Each response begins where the prompt's last token is the input.

    prompts, prompt_mask, prompt_positions: (prompts, longest - 1), left-padded, without the prompts'
        last tokens. owner: (rows,), which prompt a response belongs to.
    inputs, targets, mask, positions: (rows, longest response), right-padded: inputs[r, t] is the token
        before targets[r, t], and mask is True on the response's tokens.
    old: (rows, longest response), log-probabilities at sampling, 0 where masked. scores: (rows,).
    """

    prompts: Tensor
    prompt_mask: Tensor
    prompt_positions: Tensor
    owner: Tensor
    inputs: Tensor
    targets: Tensor
    mask: Tensor
    positions: Tensor
    old: Tensor
    scores: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on `device`."""
        return Batch(**{each.name: getattr(self, each.name).to(device) for each in fields(self)})


def plan_micro_batches(rollouts: Sequence[Rollout], size: int) -> list[tuple[int, ...]]:
    """Places in `rollouts`, longest prompts first and equal prompts together, in groups of at most `size`."""

    def order(place: int) -> tuple[int, tuple[int, ...], int]:
        prompt = rollouts[place].sample.prompt
        return -len(prompt), prompt, -len(rollouts[place].response)

    ordered = sorted(range(len(rollouts)), key=order)
    return [tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)]


def make_batch(rollouts: Sequence[Rollout]) -> Batch:
    """Tensors of a group of rollouts, in their order. No response may be empty, no prompt below two tokens."""
    distinct: dict[tuple[int, ...], int] = {}
    owner = [distinct.setdefault(rollout.sample.prompt, len(distinct)) for rollout in rollouts]
    width = max(map(len, distinct)) - 1
    prompts = torch.zeros(len(distinct), width, dtype=torch.long)
    prompt_mask, prompt_positions = torch.zeros_like(prompts), torch.zeros_like(prompts)
    for row, prompt in enumerate(distinct):
        start = width - (len(prompt) - 1)
        prompts[row, start:] = torch.tensor(prompt[:-1])
        prompt_mask[row, start:] = 1
        prompt_positions[row, start:] = torch.arange(len(prompt) - 1)
    longest = max(len(rollout.response) for rollout in rollouts)
    inputs, positions = (torch.zeros(len(rollouts), longest, dtype=torch.long) for _ in range(2))
    targets = torch.zeros_like(inputs)
    old = torch.zeros(len(rollouts), longest)
    mask = torch.zeros(len(rollouts), longest, dtype=torch.bool)
    for row, rollout in enumerate(rollouts):
        prompt, response = rollout.sample.prompt, rollout.response
        inputs[row, : len(response)] = torch.tensor([prompt[-1], *response[:-1]])
        targets[row, : len(response)] = torch.tensor(response)
        old[row, : len(response)] = torch.tensor(rollout.logprobs)
        mask[row, : len(response)] = True
        positions[row] = torch.arange(len(prompt) - 1, len(prompt) - 1 + longest)
    return Batch(
        prompts=prompts,
        prompt_mask=prompt_mask,
        prompt_positions=prompt_positions,
        owner=torch.tensor(owner),
        inputs=inputs,
        targets=targets,
        mask=mask,
        positions=positions,
        old=old,
        scores=torch.tensor([rollout.score for rollout in rollouts]),
    )
