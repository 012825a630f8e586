"""Sampling responses from the actor as it is in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.policy.engine import Sampling
from components.policy.load import Policy
from components.policy.transformers_engine import TransformersEngine
from components.ppo.rewards import Reward, categorize, require_finite
from components.ppo.samples import PromptSample
from components.ppo.settings import PPOSettings


@dataclass(frozen=True)
class Rollout:
    """One response: its ids (a stop token included, if it stopped), and their log-probabilities.

    logprobs: in nats, of the actor that sampled, so the old ones of PPO's ratio. text: what
    `Chat.decode` makes of `response`, which is what the reward judges. category: see `CATEGORIES`.
    """

    sample: PromptSample
    response: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    score: float = 0.0
    category: str = ""


def sampling_of(settings: PPOSettings) -> Sampling:
    """Temperature 1 over all tokens: only then are the log-probabilities those of what sampled."""
    temperature = 0.0 if settings.sampling == "greedy" else 1.0
    return Sampling(temperature=temperature, top_p=1.0, max_new_tokens=settings.max_new_tokens)


def rollout_seed(seed: int, step: int, sample: str, copy: int) -> int:
    """A number of 63 bits: a rollout's chance depends on nothing that ran before it."""
    digest = hashlib.sha256(f"{seed}/{step}/{sample}/{copy}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def sample_rollouts(
    policy: Policy, asked: Sequence[tuple[PromptSample, int]], settings: PPOSettings, step: int
) -> list[Rollout]:
    """A response to each (sample, seed), not judged yet. Prompts that siblings share are read once.

    policy: its model is the actor. step: from 1, named in errors.
    """
    # Made anew each time: prefixes kept from before an update would be another policy's.
    engine = TransformersEngine(policy, batch_size=max(len(asked), 1), prefix_cache=1)
    turns = engine.complete(
        [sample.conversation for sample, _ in asked], sampling_of(settings), seeds=[seed for _, seed in asked]
    )
    found = []
    for (sample, _), turn in zip(asked, turns, strict=True):
        text = policy.chat.decode(turn.token_ids)
        found.append(Rollout(sample, turn.token_ids, turn.logprobs, text))
        for logprob in turn.logprobs:
            require_finite(logprob, sample, step, "a sampled log-probability")
    return found


def judge_rollouts(rollouts: Sequence[Rollout], reward: Reward, call_format: str, step: int) -> list[Rollout]:
    """The rollouts with their scores and categories.

    Raises:
        NonFiniteError: a reward is NaN or infinite; names step and sample.
    """
    judged = []
    for rollout in rollouts:
        score = require_finite(reward(rollout.text, rollout.sample), rollout.sample, step)
        category = categorize(rollout.text, rollout.sample, score, call_format)
        judged.append(replace(rollout, score=score, category=category))
    return judged
