"""What the stage says of a training in numbers."""

from components.dpo.pairs import EQUAL, TOO_LONG, UNTRAINED, PreparedPairs
from components.dpo.settings import DPOSettings
from components.dpo.training import PairLogRow
from components.policy.training_loop import TrainingResult

DROPPED = {"too_long": TOO_LONG, "equal": EQUAL, "untrained": UNTRAINED}  # metric: reason


def summarize(
    prepared: PreparedPairs, result: TrainingResult[PairLogRow], settings: DPOSettings, *, seconds: float
) -> dict[str, float]:
    """The stage's metrics. Tokens are those of all epochs; seconds those of this attempt."""
    first, last = result.log[0], result.log[-1]
    return {
        "loss_first": first.loss,
        "loss_last": last.loss,
        "reward_margin_last": last.reward_margin,
        "reward_accuracy_first": first.reward_accuracy,
        "reward_accuracy_last": last.reward_accuracy,
        "chosen_logprob_first": first.chosen_logprob,
        "chosen_logprob_last": last.chosen_logprob,
        "rejected_logprob_first": first.rejected_logprob,
        "rejected_logprob_last": last.rejected_logprob,
        "steps": result.steps,
        "pairs": len(prepared.pairs),
        "pairs_read": prepared.read,
        **{f"dropped_{name}": prepared.dropped[reason] for name, reason in DROPPED.items()},
        "tokens": prepared.tokens * settings.epochs,
        "trained_tokens": prepared.trained_tokens * settings.epochs,
        "micro_batch": result.micro_batch,
        "resumed_from_step": result.resumed_from,
        "checkpoints_failed": result.checkpoints_failed,
        "seconds": round(seconds, 3),
    }
