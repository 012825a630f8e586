"""One PPO step on a tiny model: its gradients against a dense reference, its roles, its rollouts."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from components.contracts.errors import InputError
from components.policy.finite import NonFiniteError
from components.policy.save import save_weights
from components.ppo.batches import make_batch, plan_micro_batches
from components.ppo.forward import response_logprobs, response_states
from components.ppo.roles import Roles, load_roles
from components.ppo.rollouts import Rollout, judge_rollouts, rollout_seed, sample_rollouts
from components.ppo.samples import PromptSample, read_samples
from components.ppo.settings import PPOSettings
from components.ppo.update import Update
from tests.two_tools import CALL_FORMAT, TOPICS, gold_trace, two_tool_model

SETTINGS = PPOSettings(
    dtype="float32",
    lora_rank=4,
    lora_targets=("q_proj", "v_proj", "down_proj"),
    max_new_tokens=14,
    micro_batch=8,
)
METHODS = ("new adapter", "initial adapter", "full")


def shake(parameters: dict[str, Any], amount: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in parameters.values():
            weight.add_(amount * torch.randn(weight.shape, generator=generator))


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that does something, and that was trained with dropout."""
    roles = load_roles(str(two_tool_model()), SETTINGS, CALL_FORMAT)
    shake(roles.actor_parameters, 0.05, seed=1)
    folder = tmp_path_factory.mktemp("initial")
    save_weights(roles.policy.model, roles.policy.tokenizer, folder, "x")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "lora_dropout": 0.5}))
    return folder


def open_roles(method: str, initial: Path) -> Roles:
    settings = SETTINGS.model_copy(update={"method": "full" if method == "full" else "lora"})
    return load_roles(
        str(two_tool_model()), settings, CALL_FORMAT, initial if method == "initial adapter" else None
    )


def prompts(roles: Roles) -> list[PromptSample]:
    chat = roles.policy.chat
    return read_samples(
        [gold_trace(chat, topic) for topic in (*TOPICS[:3], "a longer question")],
        chat,
        max_prompt_tokens=100,
        max_new_tokens=20,
    ).samples


def roll(roles: Roles) -> list[Rollout]:
    """Nine judged responses to three prompts of two lengths."""
    asked = [
        (sample, 10 * place + copy) for place, sample in enumerate(prompts(roles)[1:]) for copy in range(3)
    ]
    rollouts = sample_rollouts(roles.policy, asked, SETTINGS, 1)
    return judge_rollouts(rollouts, lambda text, _: 0.3 * len(text) - 2, CALL_FORMAT, 1)


def disturb(roles: Roles) -> None:
    """Actor, critic and head each away from where they began, so that nothing cancels."""
    size = 0.02 if "lora" in next(iter(roles.actor_parameters)) else 0.002
    shake(roles.actor_parameters, size, seed=2)
    shake(roles.critic_parameters, size, seed=3)


def update_of(roles: Roles, rollouts: list[Rollout], **changes: object) -> Update:
    tokens = sum(len(rollout.response) for rollout in rollouts)
    return Update(roles, SETTINGS.model_copy(update=changes), rollouts, tokens, 1)


def gradients(parameters: dict[str, Any]) -> dict[str, Tensor]:
    found = {name: weight.grad.clone() for name, weight in parameters.items() if weight.grad is not None}
    for weight in parameters.values():
        weight.grad = None
    return found


def dense_gradients(roles: Roles, rollouts: list[Rollout]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The same step with one row at a time, full logits and autograd over plain formulas."""
    tokens = sum(len(rollout.response) for rollout in rollouts)
    policy, value = torch.zeros(()), torch.zeros(())
    for rollout in rollouts:
        start, length = len(rollout.sample.prompt), len(rollout.response)
        ids = torch.tensor([[*rollout.sample.prompt, *rollout.response]])
        places = torch.arange(start - 1, start + length - 1)
        chosen = torch.tensor(rollout.response)[:, None]
        with roles.reference() as reference, torch.no_grad():
            ref = reference(input_ids=ids).logits[0, places].log_softmax(-1).gather(-1, chosen)[:, 0]
        with roles.critic() as critic:
            states = critic(input_ids=ids, output_hidden_states=True).hidden_states[-1]
            values = roles.head(states)[0, places]
        with roles.actor() as actor:
            new = actor(input_ids=ids).logits[0, places].log_softmax(-1).gather(-1, chosen)[:, 0]
        old = torch.tensor(rollout.logprobs)
        rewards = [-SETTINGS.kl_coefficient * float(old[t] - ref[t]) for t in range(length)]
        rewards[-1] += max(-SETTINGS.reward_clip, min(SETTINGS.reward_clip, rollout.score))
        held = [float(one) for one in values.detach()] + [0.0]
        advantage = 0.0
        for t in reversed(range(length)):
            advantage = rewards[t] + held[t + 1] - held[t] + SETTINGS.lambda_ * advantage
            ratio = (new[t] - old[t]).exp()
            gain = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
            policy = policy - gain / tokens
            value = value + 0.5 * (values[t] - advantage - held[t]).square() / tokens
    torch.autograd.backward(policy)
    actor_gradients = gradients(roles.actor_parameters)
    torch.autograd.backward(value)
    return actor_gradients, gradients(roles.critic_parameters)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_are_those_of_a_dense_reference_whatever_the_micro_batch(
    method: str, initial: Path
) -> None:
    roles = open_roles(method, initial)
    rollouts = roll(roles)
    disturb(roles)
    expected_actor, expected_critic = dense_gradients(roles, rollouts)
    assert float(sum(one.abs().sum() for one in expected_actor.values())) > 0
    losses = []
    for micro_batch in (1, 2, 4, 16):
        sums = update_of(roles, rollouts, micro_batch=micro_batch).accumulate()
        losses.append((sums.policy_loss, sums.value_loss))
        for found, expected in (
            (gradients(roles.actor_parameters), expected_actor),
            (gradients(roles.critic_parameters), expected_critic),
        ):
            assert found.keys() == expected.keys()
            scale = max(float(one.abs().max()) for one in expected.values())
            for name, gradient in expected.items():
                torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=2e-5 * scale)
    assert all(pair == pytest.approx(losses[0], rel=1e-4) for pair in losses)


@pytest.mark.parametrize("method", METHODS)
def test_old_logprobs_are_those_of_the_actor_and_the_reference_begins_equal(
    method: str, initial: Path
) -> None:
    roles = open_roles(method, initial)
    rollouts = roll(roles)
    batch = make_batch(rollouts)
    for role in (roles.actor, roles.reference, roles.critic):
        with role() as model, torch.no_grad():
            torch.testing.assert_close(response_logprobs(model, batch), batch.old, atol=2e-5, rtol=1e-4)
    for rollout in rollouts:
        assert rollout.text == roles.policy.chat.decode(rollout.response)
        assert len(rollout.response) == len(rollout.logprobs) > 0


@pytest.mark.parametrize("method", METHODS)
def test_only_its_own_weights_move_a_role(method: str, initial: Path) -> None:
    roles = open_roles(method, initial)
    batch = make_batch(roll(roles))

    def said() -> dict[str, Tensor]:
        found = {}
        with torch.no_grad():
            for name, role in (
                ("actor", roles.actor),
                ("reference", roles.reference),
                ("critic", roles.critic),
            ):
                with role() as model:
                    found[name] = response_states(model, batch)[batch.mask]
        return found

    begin = said()
    shake(roles.actor_parameters, 0.05, seed=5)
    middle = said()
    assert not torch.equal(begin["actor"], middle["actor"])
    assert torch.equal(begin["reference"], middle["reference"])
    assert torch.equal(begin["critic"], middle["critic"])
    shake(roles.critic_parameters, 0.05, seed=6)
    end = said()
    assert not torch.equal(middle["critic"], end["critic"])
    assert torch.equal(begin["reference"], end["reference"])
    assert torch.equal(middle["actor"], end["actor"])
    assert all(
        weight.requires_grad
        for weight in (*roles.actor_parameters.values(), *roles.critic_parameters.values())
    )


def test_what_is_saved_is_the_actor_alone(initial: Path, tmp_path: Path) -> None:
    roles = open_roles("initial adapter", initial)
    shake(roles.critic_parameters, 0.05, seed=6)
    save_weights(roles.policy.model, roles.policy.tokenizer, tmp_path, "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (initial, tmp_path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_rollouts_depend_on_their_seeds_alone(initial: Path) -> None:
    roles = open_roles("initial adapter", initial)
    first, second, *_ = prompts(roles)
    settings = SETTINGS
    together = sample_rollouts(roles.policy, [(first, 1), (second, 2), (first, 3)], settings, 1)
    alone = sample_rollouts(roles.policy, [(first, 3)], settings, 1)
    assert alone[0].response == together[2].response
    greedy = settings.model_copy(update={"sampling": "greedy"})
    same = sample_rollouts(roles.policy, [(first, 1), (first, 2)], greedy, 1)
    assert same[0].response == same[1].response
    seeds = {rollout_seed(19, step, name, copy) for step in range(3) for name in "ab" for copy in range(2)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_equal_prompts_stay_together_in_micro_batches(initial: Path) -> None:
    roles = open_roles("initial adapter", initial)
    rollouts = roll(roles)
    order = [2, 7, 0, 4, 8, 1, 6, 3, 5]
    groups = plan_micro_batches([rollouts[place] for place in order], 3)
    assert sorted(place for group in groups for place in group) == list(range(9))
    assert all(len({rollouts[order[place]].sample.id for place in group}) == 1 for group in groups)
    assert len(make_batch([rollouts[0], rollouts[1], rollouts[3]]).prompts) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_not_finite_names_its_sample(initial: Path, value: float) -> None:
    roles = open_roles("initial adapter", initial)
    rollouts = sample_rollouts(roles.policy, [(sample, 1) for sample in prompts(roles)], SETTINGS, 7)
    wrong = rollouts[2].sample
    with pytest.raises(
        NonFiniteError, match=rf"^step 7: the reward of sample {wrong.id} is -?(nan|inf); stopped"
    ):
        judge_rollouts(rollouts, lambda _, sample: value if sample is wrong else 1.0, CALL_FORMAT, 7)


def test_a_loss_that_is_not_finite_names_step_and_samples(initial: Path) -> None:
    roles = open_roles("initial adapter", initial)
    rollouts = roll(roles)
    with torch.no_grad():
        roles.head.linear.bias.fill_(math.nan)
    with pytest.raises(
        NonFiniteError, match=r"^step 1: value loss is nan; .*samples of the micro-batch: trace-"
    ):
        update_of(roles, rollouts).accumulate()


def test_targets_that_the_model_lacks_are_refused() -> None:
    settings = SETTINGS.model_copy(update={"lora_targets": ("c_attn",)})
    with pytest.raises(InputError, match=r"ppo_settings: lora_targets: .*c_attn"):
        load_roles(str(two_tool_model()), settings, CALL_FORMAT)
