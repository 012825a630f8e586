"""What preference tuning trains on: the mean over a step's pairs of one of `losses`, and its figures."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from components.dpo.losses import ipo_loss, orpo_loss, sigmoid_loss, simpo_loss
from components.dpo.micro_batches import plan_micro_batches, sides_of
from components.dpo.pairs import TokenPair
from components.dpo.settings import DPOSettings
from components.policy.step_trainer import Batch, Loss, MicroBatch
from components.policy.tree_logprobs import sequence_logprobs

NEEDS_REFERENCE = ("dpo", "ipo")


class PreferenceObjective:
    """See `step_trainer.Objective`; a pair counts 1, whatever its length.

    reference: (pairs, 2) float32, the frozen reference's log-probabilities of each pair's chosen and rejected side in
    nats, by `TokenPair.number`; filled before training, and not looked at by losses without a reference.
    """

    stage = DPOSettings.stage

    def __init__(self, settings: DPOSettings, count: int) -> None:
        self.settings = settings
        self.reference = torch.zeros(count, 2)

    def name(self, example: TokenPair) -> str:
        """The pair's id."""
        return example.id

    def tokens(self, example: TokenPair) -> int:
        """Of both sides."""
        return len(example.chosen.ids) + len(example.rejected.ids)

    def longest(self, example: TokenPair) -> int:
        """Of the longer side."""
        return max(len(example.chosen.ids), len(example.rejected.ids))

    def weight(self, example: TokenPair) -> float:
        """Each pair counts the same."""
        return 1.0

    def plan(
        self, examples: Sequence[TokenPair], micro_batch: int, hidden_size: int | None
    ) -> list[MicroBatch[TokenPair]]:
        """See `plan_micro_batches`."""
        return plan_micro_batches(examples, micro_batch, hidden_size=hidden_size)

    def logprobs(self, model: Any, batch: Batch) -> Tensor:
        """(pairs, 2) log-probabilities of the trained tokens of chosen and rejected: sums, in nats."""
        sides = sides_of(batch["pairs"])
        found = sequence_logprobs(
            model, [side.ids for side in sides], [side.weights for side in sides], batch["rows"]
        )
        return found.view(-1, 2)

    def loss(self, model: Any, batch: Batch) -> Loss:
        """Of a micro-batch; figures: reward margin and accuracy, mean log-probabilities a token."""
        pairs: Sequence[TokenPair] = batch["pairs"]
        logprobs = self.logprobs(model, batch)
        counts = torch.tensor([[pair.chosen.trained, pair.rejected.trained] for pair in pairs])
        counts = counts.to(logprobs)
        reference = self.reference[[pair.number for pair in pairs]].to(logprobs)
        losses = preference_losses(logprobs, reference, counts, self.settings)
        with torch.no_grad():
            means = logprobs / counts
            margins = reward_margins(logprobs, reference, counts, self.settings)
            # A tie, such as each pair before the first step, is as good as a coin.
            right = (margins > 0).float() + 0.5 * (margins == 0).float()
        return Loss(
            losses.mean(),
            float(len(pairs)),
            {
                "reward_margin": margins.sum(),
                "reward_accuracy": right.sum(),
                "chosen_logprob": means[:, 0].sum(),
                "rejected_logprob": means[:, 1].sum(),
            },
        )


def preference_losses(logprobs: Tensor, reference: Tensor, counts: Tensor, settings: DPOSettings) -> Tensor:
    """(pairs,) the chosen loss of each pair, plus nll_weight times its chosen side's mean negative log-likelihood.

    logprobs, reference, counts: (pairs, 2): sums of log-probabilities, and numbers of trained tokens. The added
    likelihood is that of Pang et al. 2024 (Eq. 1), each pair's divided by its own length.
    """
    chosen, rejected = logprobs.unbind(1)
    mean_chosen, mean_rejected = (logprobs / counts).unbind(1)
    beta = settings.beta
    match settings.loss:
        case "dpo":
            losses = sigmoid_loss(chosen, rejected, *reference.unbind(1), beta=beta)
        case "ipo":
            losses = ipo_loss(mean_chosen, mean_rejected, *(reference / counts).unbind(1), beta=beta)
        case "simpo":
            losses = simpo_loss(mean_chosen, mean_rejected, beta=beta, gamma=settings.gamma)
        case "orpo":
            losses = orpo_loss(mean_chosen, mean_rejected, beta=beta)
    return losses - settings.nll_weight * mean_chosen if settings.nll_weight else losses


def reward_margins(logprobs: Tensor, reference: Tensor, counts: Tensor, settings: DPOSettings) -> Tensor:
    """(pairs,) implicit reward of chosen minus rejected: beta times the log-probability over the reference's.

    Means a token for all losses but dpo; without the reference's for those that have none.
    """
    rewards = logprobs - reference if settings.loss in NEEDS_REFERENCE else logprobs
    rewards = rewards if settings.loss == "dpo" else rewards / counts
    return settings.beta * (rewards[:, 0] - rewards[:, 1])
