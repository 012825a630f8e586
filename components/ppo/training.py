"""PPO from the first step to the last: rollouts, rewards, updates, checkpoints."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from components.contracts.errors import InputError
from components.contracts.progress import Progress
from components.policy.checkpoints import Checkpoints
from components.policy.finite import NonFiniteError
from components.ppo.figures import log_row, measure
from components.ppo.rewards import Reward
from components.ppo.roles import Parameters, Roles
from components.ppo.rollouts import Rollout, judge_rollouts, rollout_seed, sample_rollouts
from components.ppo.samples import PromptSample
from components.ppo.schedule import Asked, plan_steps, rate_at, share_of
from components.ppo.settings import PPOSettings
from components.ppo.state import LogRow, load_state, save_state
from components.ppo.update import Sums, Update


@dataclass(frozen=True)
class TrainingResult:
    """What came of one run. resumed_from: step, 0 when it began at the beginning."""

    log: tuple[LogRow, ...]
    checkpoints_failed: int
    resumed_from: int


class Training:
    """One run of PPO on `samples`; `run` trains the roles' actor and critic in place.

    reward: of a response's text. checkpoints: where the run is kept; None keeps nothing.
    """

    def __init__(
        self,
        roles: Roles,
        samples: Sequence[PromptSample],
        settings: PPOSettings,
        reward: Reward,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.roles = roles
        self.samples = samples
        self.settings = settings
        self.reward = reward
        self.checkpoints = checkpoints
        self.plan = plan_steps(len(samples), settings)
        self.log: list[LogRow] = []
        self._failed = 0
        self._accelerator = Accelerator(cpu=roles.policy.device.type == "cpu")
        self._optimizers = tuple(
            torch.optim.AdamW(
                parameters.values(), lr=rate, betas=settings.adam_betas, weight_decay=settings.weight_decay
            )
            for parameters, rate in (
                (roles.actor_parameters, settings.actor_learning_rate),
                (roles.critic_parameters, settings.critic_learning_rate),
            )
        )

    def run(self) -> TrainingResult:
        """Train; goes on from the newest whole checkpoint when there is one.

        Raises:
            NonFiniteError: a reward, loss or gradient was NaN or infinite; weights are as before that step.
            InputError: out of memory.
        """
        resumed_from = self._resume()
        progress = Progress("ppo", len(self.plan), start=resumed_from)
        for number in range(resumed_from, len(self.plan)):
            row = self.step(number)
            self.log.append(row)
            if (number + 1) % self.settings.save_every == 0 and number + 1 < len(self.plan):
                self._save()
            if self._accelerator.is_main_process:
                progress.advance(reward=row.reward, kl=row.kl, loss=row.loss)
        return TrainingResult(tuple(self.log), self._failed, resumed_from)

    def step(self, number: int) -> LogRow:
        """One batch of rollouts and the optimizer steps on it; `number` counts from 0."""
        rate = rate_at(number, len(self.plan), self.settings)
        with self._autocast():
            rollouts = self._roll_out(number)
        tokens = int(self._sum_over_processes(sum(len(rollout.response) for rollout in rollouts)))
        update = Update(self.roles, self.settings, rollouts, tokens, number + 1)
        for _ in range(self.settings.ppo_epochs):
            with self._autocast():  # keeps the weights' bfloat16 copies until it ends, so never over a step
                sums = self._accumulate(update)
            norms = self._take_step(rate, update)
        mine = measure(update, sums)
        shares = gather_object([mine]) if self._accelerator.num_processes > 1 else [mine]
        learning_rate = self.settings.actor_learning_rate * rate
        return log_row(shares, update, gradient_norms=norms, learning_rate=learning_rate)

    def _roll_out(self, number: int) -> list[Rollout]:
        asked = self._share(self.plan[number])
        seeded = [(self.samples[which], self.seed_of(number, which, copy)) for which, copy in asked]
        rollouts = sample_rollouts(self.roles.policy, seeded, self.settings, number + 1)
        return judge_rollouts(rollouts, self.reward, self.roles.policy.chat.call_format, number + 1)

    def seed_of(self, number: int, which: int, copy: int) -> int:
        """The seed of one rollout: of step `number` (from 0), a sample's number, and which of its rollouts."""
        return rollout_seed(self.settings.seed, number, self.samples[which].id, copy)

    def _accumulate(self, update: Update) -> Sums:
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        try:
            return update.accumulate()
        except torch.OutOfMemoryError as error:
            longest = max(len(one.sample.prompt) + len(one.response) for one in update.rollouts)
            raise InputError(
                f"ppo_settings: micro_batch: out of memory with {self.settings.micro_batch} rollouts of up to "
                f"{longest} tokens; choose a smaller one"
            ) from error

    def _take_step(self, rate: float, update: Update) -> list[float]:
        """One step of both optimizers; returns the gradients' norms before clipping."""
        groups = (self.roles.actor_parameters, self.roles.critic_parameters)
        norms = [
            self._gradient_norm(group, update, name)
            for group, name in zip(groups, ("actor", "critic"), strict=True)
        ]
        bases = (self.settings.actor_learning_rate, self.settings.critic_learning_rate)
        for optimizer, group, norm, base in zip(self._optimizers, groups, norms, bases, strict=True):
            if self.settings.max_grad_norm:
                clip_grads_with_norm_(group.values(), self.settings.max_grad_norm, torch.tensor(norm))
            for each in optimizer.param_groups:
                each["lr"] = base * rate
            optimizer.step()
        return norms

    def _gradient_norm(self, group: Parameters, update: Update, what: str) -> float:
        """Of the gradient summed over processes: losses are already divided by all processes' tokens."""
        if self._accelerator.num_processes > 1:
            for weight in group.values():
                mine = weight.grad if weight.grad is not None else torch.zeros_like(weight)
                weight.grad = self._accelerator.reduce(mine, reduction="sum")
        norm = float(get_total_norm([weight.grad for weight in group.values() if weight.grad is not None]))
        if not math.isfinite(norm):
            names = dict.fromkeys(rollout.sample.id for rollout in update.rollouts)
            raise NonFiniteError(
                f"step {update.step}: the {what}'s gradient is {norm}; stopped before the optimizer step; "
                f"samples of the batch: {', '.join(names)}"
            )
        return norm

    def _resume(self) -> int:
        if self.checkpoints is None:
            return 0
        with tempfile.TemporaryDirectory(prefix="whetstone-ppo-") as folder:
            newest = self.checkpoints.newest(Path(folder))
            if newest is None:
                return 0
            self.log = list(load_state(newest, self.roles, self._optimizers))
        if self._accelerator.is_main_process:
            print(f"[ppo] goes on after step {len(self.log)} of {len(self.plan)}", flush=True)
        return len(self.log)

    def _save(self) -> None:
        """A store that fails costs the checkpoint, not the training."""
        if self.checkpoints is None or not self._accelerator.is_main_process:
            return
        with tempfile.TemporaryDirectory(prefix="whetstone-ppo-") as work:
            folder = Path(work) / "state"
            try:
                folder.mkdir()
                save_state(folder, self.roles, self._optimizers, self.log)
                self.checkpoints.commit(folder, len(self.log))
            except (InputError, OSError) as error:
                self._failed += 1
                print(f"[ppo] step {len(self.log)} has no checkpoint: {error}", flush=True)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.settings.method != "full" or self.settings.dtype != "bfloat16":
            return nullcontext()
        return torch.autocast(self.roles.policy.device.type, dtype=torch.bfloat16)

    def _share(self, step: Sequence[Asked]) -> tuple[Asked, ...]:
        return share_of(step, self._accelerator.process_index, self._accelerator.num_processes)

    def _sum_over_processes(self, number: float) -> float:
        mine = torch.tensor(number, dtype=torch.float64, device=self._accelerator.device)
        return float(self._accelerator.reduce(mine, reduction="sum"))
