"""PPO on the two-tool model: it learns, it stays near its reference, and it stops where it must."""

import math
from typing import Any

import pytest
import torch

from components.policy.distance import effective_weights, moved
from components.policy.finite import NonFiniteError
from components.ppo.batches import make_batch
from components.ppo.forward import response_logprobs
from components.ppo.rewards import Reward, tool_reward
from components.ppo.roles import Roles, load_roles
from components.ppo.rollouts import Rollout
from components.ppo.samples import PromptSample, read_samples
from components.ppo.schedule import plan_steps, rate_at, share_of
from components.ppo.settings import PPOSettings
from components.ppo.training import Training, TrainingResult
from tests.two_tools import CALL_FORMAT, RIGHT, TOPICS, WRONG, gold_trace, two_tool_model

LEARNING = PPOSettings(
    dtype="float32",
    lora_rank=4,
    lora_alpha=16,
    actor_learning_rate=1e-2,
    critic_learning_rate=1e-2,
    scheduler="linear",
    epochs=10,
    batch_size=32,
    micro_batch=32,
    rollouts_per_prompt=4,
    max_new_tokens=16,
    kl_coefficient=0.02,
)
SHORT = LEARNING.model_copy(update={"epochs": 3, "batch_size": 16, "rollouts_per_prompt": 2})


def prepare(settings: PPOSettings) -> tuple[Roles, list[PromptSample]]:
    roles = load_roles(str(two_tool_model()), settings, CALL_FORMAT)
    chat = roles.policy.chat
    traces = [gold_trace(chat, topic) for topic in TOPICS]
    return roles, read_samples(traces, chat, max_prompt_tokens=100, max_new_tokens=16).samples


def train(settings: PPOSettings, reward: Reward | None = None) -> tuple[Roles, TrainingResult, float]:
    roles, samples = prepare(settings)
    before = effective_weights(roles.policy.model)
    result = Training(roles, samples, settings, reward or tool_reward(CALL_FORMAT)).run()
    return roles, result, moved(roles.policy.model, before)


def probability(roles: Roles, samples: list[PromptSample], call: str) -> float:
    """Of saying exactly `call`, mean over the prompts."""
    chat = roles.policy.chat
    ids = (*chat.tokenizer.encode(call, add_special_tokens=False), chat.stop_ids[0])
    batch = make_batch([Rollout(sample, ids, (0.0,) * len(ids), call) for sample in samples])
    with roles.actor() as actor, torch.no_grad():
        return float(response_logprobs(actor, batch).sum(-1).exp().mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_learns_which_of_two_tools_is_right(seed: int) -> None:
    settings = LEARNING.model_copy(update={"seed": seed})
    roles, samples = prepare(settings)
    assert abs(probability(roles, samples, RIGHT) - probability(roles, samples, WRONG)) < 0.2
    log = Training(roles, samples, settings, tool_reward(CALL_FORMAT)).run().log
    right, wrong = (probability(roles, samples, call) for call in (RIGHT, WRONG))
    assert right > 0.65
    assert wrong < 0.15
    assert sum(row.reward for row in log[-2:]) > sum(row.reward for row in log[:1]) + 0.5
    assert log[-1].categories["correct"] > 1.3 * log[0].categories["correct"]


def test_the_greater_the_coefficient_the_nearer_it_stays() -> None:
    free, held, bound = (
        train(SHORT.model_copy(update={"kl_coefficient": beta, "reward_clip": 1.0}))
        for beta in (0.0, 2.0, 100.0)
    )

    def farthest(result: TrainingResult) -> float:
        return max(abs(row.kl) for row in result.log)

    assert abs(free[1].log[0].kl) < 1e-4
    assert all(math.isfinite(row.kl) for _, result, _ in (free, held, bound) for row in result.log)
    assert farthest(free[1]) > farthest(held[1])
    assert farthest(bound[1]) < 0.2


def test_nothing_to_gain_nothing_moves() -> None:
    """No reward and a reference that it equals: neither actor nor critic gets a gradient worth a name."""
    _, result, distance = train(SHORT.model_copy(update={"kl_coefficient": 0.0}), lambda *_: 0.0)
    assert distance == 0.0
    assert all(row.loss == row.value_loss == row.gradient_norm == 0.0 for row in result.log)
    _, _, distance = train(SHORT)
    assert distance > 0.0


def test_a_reward_that_is_not_finite_stops_before_the_step() -> None:
    """Poisoned in the second step: the first one is taken, the second is not."""
    roles, samples = prepare(SHORT)
    wrong = samples[5].id
    asked = 0
    states: list[Any] = []

    def reward(text: str, sample: PromptSample) -> float:
        nonlocal asked
        asked += 1
        if asked == 17:
            states.append({name: weight.clone() for name, weight in roles.actor_parameters.items()})
        return math.nan if asked > 16 and sample.id == wrong else float(text == RIGHT)

    training = Training(roles, samples, SHORT, reward)
    with pytest.raises(
        NonFiniteError, match=rf"^step 2: the reward of sample {wrong} is nan; stopped before"
    ):
        training.run()
    assert len(training.log) == 1
    assert all(torch.equal(weight, states[0][name]) for name, weight in roles.actor_parameters.items())


@pytest.mark.parametrize(("method", "dtype"), [("lora", "float32"), ("full", "bfloat16")])
def test_more_ppo_epochs_use_the_same_rollouts(method: str, dtype: str) -> None:
    short = SHORT.model_copy(update={"method": method, "dtype": dtype})
    roles, samples = prepare(short)
    asked: list[str] = []

    def reward(text: str, sample: PromptSample) -> float:
        asked.append(sample.id)
        return float(text == RIGHT)

    settings = short.model_copy(update={"ppo_epochs": 3, "epochs": 1, "scheduler": "constant"})
    (row,) = Training(roles, samples, settings, reward).run().log
    assert len(asked) == row.rollouts == 16
    assert row.clipped > 0  # the later epochs leave the policy that sampled


def test_the_same_seed_gives_the_same_policy() -> None:
    def trained(seed: int) -> torch.Tensor:
        roles, _, _ = train(SHORT.model_copy(update={"seed": seed, "epochs": 1}))
        return torch.cat([weight.detach().flatten() for weight in roles.actor_parameters.values()])

    assert torch.equal(trained(4), trained(4))
    assert not torch.equal(trained(4), trained(5))


def test_schedule() -> None:
    settings = PPOSettings(epochs=2, batch_size=6, rollouts_per_prompt=2)
    steps = plan_steps(7, settings)
    assert [len(step) for step in steps] == [6, 6, 2, 6, 6, 2]
    for epoch in (steps[:3], steps[3:]):
        assert sorted(asked for step in epoch for asked in step) == [
            (n, c) for n in range(7) for c in range(2)
        ]
    assert steps == plan_steps(7, settings) != plan_steps(7, settings.model_copy(update={"seed": 1}))
    for processes in (1, 2, 3, 5, 9):
        shares = [share_of(steps[0], process, processes) for process in range(processes)]
        assert [asked for share in shares for asked in share] == list(steps[0])
    warm = settings.model_copy(update={"warmup": 0.25, "scheduler": "linear"})
    rates = [rate_at(step, 8, warm) for step in range(8)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert rate_at(0, 8, settings) == 1.0
    assert rate_at(4, 8, settings) == pytest.approx(0.5)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_bfloat16_computes_nearly_the_same_with_float32_weights(method: str) -> None:
    settings = SHORT.model_copy(
        update={"method": method, "epochs": 1, "actor_learning_rate": 1e-4, "critic_learning_rate": 1e-4}
    )
    (exact,) = train(settings)[1].log
    roles, result, distance = train(settings.model_copy(update={"dtype": "bfloat16"}))
    (row,) = result.log
    assert all(weight.dtype == torch.float32 for weight in roles.actor_parameters.values())
    assert abs(row.kl - exact.kl) < 0.3
    assert abs(row.value_loss - exact.value_loss) < 0.4
    assert row.clipped < 0.2
    assert distance > 0
