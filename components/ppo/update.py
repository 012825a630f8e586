"""The gradient of one PPO step, micro-batch after micro-batch.

Of each micro-batch the reference is asked once, and the critic's values, which the advantages are made
of, come from the very pass that the critic is trained by: nothing has changed since the rollout. Further
PPO epochs on the same rollouts keep those values, log-probabilities and advantages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from components.policy.finite import NonFiniteError
from components.ppo.advantages import estimate_advantages, token_rewards
from components.ppo.batches import make_batch, plan_micro_batches
from components.ppo.forward import response_logprobs, response_states
from components.ppo.losses import clipped_tokens, policy_loss, value_loss
from components.ppo.roles import Roles
from components.ppo.rollouts import Rollout
from components.ppo.settings import PPOSettings


@dataclass(frozen=True)
class Experience:
    """What a step holds fixed for the rollouts of a micro-batch, (rows, tokens) each, 0 where masked.

    values: of the critic as it was at the rollout. divergence: log pi_old - log pi_ref.
    """

    mask: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    divergence: Tensor


@dataclass
class Sums:
    """Sums over one pass: the two losses (each already divided by the step's tokens) and clipped tokens."""

    policy_loss: float = 0.0
    value_loss: float = 0.0
    clipped: int = 0


@dataclass
class Update:
    """The PPO step on one batch of judged rollouts.

    tokens: of all responses of the step, over all processes. experience: filled by the first pass, by
    the micro-batch's places in `rollouts`.
    """

    roles: Roles
    settings: PPOSettings
    rollouts: Sequence[Rollout]
    tokens: int
    step: int
    experience: dict[tuple[int, ...], Experience] = field(default_factory=dict)

    def accumulate(self) -> Sums:
        """Add the gradients of both losses to the parameters of actor and critic.

        Raises:
            NonFiniteError: a loss is NaN or infinite; names step and samples.
        """
        sums = Sums()
        for places in plan_micro_batches(self.rollouts, self.settings.micro_batch):
            self._accumulate(places, sums)
        return sums

    def _accumulate(self, places: tuple[int, ...], sums: Sums) -> None:
        settings, roles = self.settings, self.roles
        batch = make_batch([self.rollouts[place] for place in places]).to(roles.policy.device)
        with roles.critic() as critic:
            values = roles.head(response_states(critic, batch)).masked_fill(~batch.mask, 0.0)
        held = self.experience.get(places)
        if held is None:
            with roles.reference() as reference, torch.no_grad():
                reference_logprobs = response_logprobs(reference, batch)
            rewards = token_rewards(
                batch.scores,
                batch.old,
                reference_logprobs,
                batch.mask,
                kl_coefficient=settings.kl_coefficient,
                clip=settings.reward_clip,
            )
            old_values = values.detach()
            advantages, returns = estimate_advantages(
                rewards, old_values, batch.mask, gamma=settings.gamma, lambda_=settings.lambda_
            )
            divergence = batch.old - reference_logprobs
            held = Experience(batch.mask, old_values, advantages, returns, divergence)
            self.experience[places] = held
        critic_loss = value_loss(
            values, held.values, held.returns, batch.mask, clip=settings.value_clip, tokens=self.tokens
        )
        self._require_finite("value loss", critic_loss, places)
        torch.autograd.backward(critic_loss)
        with roles.actor() as actor:
            logprobs = response_logprobs(actor, batch)
        actor_loss = policy_loss(
            logprobs, batch.old, held.advantages, batch.mask, clip=settings.policy_clip, tokens=self.tokens
        )
        self._require_finite("policy loss", actor_loss, places)
        torch.autograd.backward(actor_loss)
        sums.policy_loss += float(actor_loss.detach())
        sums.value_loss += float(critic_loss.detach())
        sums.clipped += int(clipped_tokens(logprobs, batch.old, batch.mask, clip=settings.policy_clip))

    def _require_finite(self, what: str, value: Tensor, places: Sequence[int]) -> None:
        number = float(value.detach())
        if not math.isfinite(number):
            names = dict.fromkeys(self.rollouts[place].sample.id for place in places)
            raise NonFiniteError(
                f"step {self.step}: {what} is {number}; stopped before the optimizer step; "
                f"samples of the micro-batch: {', '.join(names)}"
            )
