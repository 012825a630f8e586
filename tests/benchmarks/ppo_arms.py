"""Our arms of the PPO benchmark: the stage's own step, and the same step without its tricks."""

import copy
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from components.contracts.records import Message
from components.policy.engine import Conversation
from components.ppo.advantages import estimate_advantages, token_rewards
from components.ppo.losses import policy_loss, value_loss
from components.ppo.roles import Roles, load_roles
from components.ppo.rollouts import Rollout, judge_rollouts, sample_rollouts
from components.ppo.samples import PromptSample
from components.ppo.settings import PPOSettings
from components.ppo.training import Training


def measure(arm: str, job: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of each step of "ours" or "plain", and the first step's two losses."""
    torch.set_num_threads(1)
    batch = len(job["prompts"]) // job["steps"]
    settings = PPOSettings(
        dtype="float32",
        lora_rank=job["lora_rank"],
        lora_alpha=16,
        epochs=1,
        batch_size=batch,
        micro_batch=batch,
        max_new_tokens=job["response"],
    )
    roles = load_roles(job["model"], settings, "hermes")
    samples = [
        PromptSample(str(number), tuple(ids), Conversation((Message(role="user", content=text),)), (), ())
        for number, (ids, text) in enumerate(zip(job["prompts"], job["texts"], strict=True))
    ]
    training = Training(roles, samples, settings, lambda text, sample: len(text) % 3 - 1.0)
    plain = Plain(training, roles, settings)
    seconds, losses = [], []
    for number in range(job["steps"]):
        begun = time.process_time()
        if arm == "ours":
            row = training.step(number)
            losses.append((row.loss, row.value_loss))
        else:
            losses.append(plain.step(number))
        seconds.append(time.process_time() - begun)
    return {"seconds": seconds, "losses": losses[0]}


class Plain:
    """One PPO step written straight down: whole rows, logits everywhere, every quantity in its own pass."""

    def __init__(self, training: Training, roles: Roles, settings: PPOSettings) -> None:
        self.training, self.roles, self.settings = training, roles, settings
        self.reference = copy.deepcopy(roles.policy.model).requires_grad_(False)
        self.optimizers = [
            torch.optim.AdamW(parameters.values(), lr=1e-5)
            for parameters in (roles.actor_parameters, roles.critic_parameters)
        ]

    def step(self, number: int) -> tuple[float, float]:
        """Sample, judge, and take one optimizer step; returns the losses of policy and critic."""
        asked = [
            (self.training.samples[which], self.training.seed_of(number, which, copy))
            for which, copy in self.training.plan[number]
        ]
        rollouts = sample_rollouts(self.roles.policy, asked, self.settings, number + 1)
        rollouts = judge_rollouts(rollouts, self.training.reward, "hermes", number + 1)
        ids, mask, response = _rows(rollouts)
        with torch.no_grad():
            with self.roles.actor() as actor:
                old = _logprobs(actor, ids, mask)
            reference = _logprobs(self.reference, ids, mask)
            old_values = self._values(ids, mask)
        scores = torch.tensor([rollout.score for rollout in rollouts])
        kept, old, reference, old_values = (
            _of_responses(each, response) for each in (response, old, reference, old_values)
        )
        rewards = token_rewards(
            scores,
            old,
            reference,
            kept,
            kl_coefficient=self.settings.kl_coefficient,
            clip=self.settings.reward_clip,
        )
        advantages, returns = estimate_advantages(rewards, old_values, kept, gamma=1.0, lambda_=0.95)
        tokens = int(response.sum())
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        with self.roles.actor() as actor:
            new = _of_responses(_logprobs(actor, ids, mask), response)
        loss = policy_loss(new, old, advantages, kept, clip=0.2, tokens=tokens)
        torch.autograd.backward(loss)
        values = _of_responses(self._values(ids, mask), response)
        critic_loss = value_loss(values, old_values, returns, kept, clip=0.2, tokens=tokens)
        torch.autograd.backward(critic_loss)
        for optimizer in self.optimizers:
            optimizer.step()
        return float(loss.detach()), float(critic_loss.detach())

    def _values(self, ids: Tensor, mask: Tensor) -> Tensor:
        """V before each token, (rows, tokens - 1), from the hidden states of a pass that makes logits too."""
        with self.roles.critic() as critic:
            states = critic(
                input_ids=ids, attention_mask=mask, position_ids=_positions(mask), output_hidden_states=True
            ).hidden_states[-1]
        values: Tensor = self.roles.head(states)[:, :-1]
        return values


def _rows(rollouts: list[Rollout]) -> tuple[Tensor, Tensor, Tensor]:
    """Left-padded prompts with right-padded responses: ids, attention mask, and where targets are responses."""
    start = max(len(rollout.sample.prompt) for rollout in rollouts)
    width = start + max(len(rollout.response) for rollout in rollouts)
    ids, mask = torch.zeros(len(rollouts), width, dtype=torch.long), torch.zeros(len(rollouts), width).long()
    response = torch.zeros(len(rollouts), width - 1).bool()
    for row, rollout in enumerate(rollouts):
        whole = [*rollout.sample.prompt, *rollout.response]
        first = start - len(rollout.sample.prompt)
        ids[row, first : first + len(whole)] = torch.tensor(whole)
        mask[row, first : first + len(whole)] = 1
        response[row, start - 1 : start - 1 + len(rollout.response)] = True
    return ids, mask, response


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp_min(0)


def _logprobs(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """Log-probability of every next token, (rows, tokens - 1), from logits everywhere."""
    logits = model(input_ids=ids, attention_mask=mask, position_ids=_positions(mask)).logits[:, :-1]
    found: Tensor = logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    return found


def _of_responses(values: Tensor, response: Tensor) -> Tensor:
    """The columns of the responses, which all begin in the same one."""
    return values[:, int(response.any(0).nonzero()[0]) :]


def make_model(folder: Path, vocabulary: int) -> None:
    """A random Llama of 6 layers, H = 384, and a tokenizer in which every byte is a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from tests.tiny_model import TEMPLATE

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    others = [f"<{number}>" for number in range(vocabulary - len(special) - len(letters))]
    tokens = {token: number for number, token in enumerate([*special, *letters, *others])}
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    make: Any = PreTrainedTokenizerFast
    make(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    ).save_pretrained(str(folder))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        tie_word_embeddings=True,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
    )
    model: Any = LlamaForCausalLM(config)
    model.save_pretrained(str(folder))
