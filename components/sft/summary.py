"""What the stage says of a training in numbers."""

from components.policy.training_loop import TrainingResult
from components.sft.dataset import Prepared
from components.sft.settings import SFTSettings
from components.sft.training import SupervisedLogRow


def summarize(
    prepared: Prepared, result: TrainingResult[SupervisedLogRow], settings: SFTSettings, *, seconds: float
) -> dict[str, float]:
    """The stage's metrics. Tokens are those of all epochs; seconds those of this attempt.

    key_token_weight: mean over the key tokens, 0 where there are none. easy_from_step and its like: where a
    curriculum's thirds begin.
    """
    begin = {f"{row.difficulty}_from_step": row.step for row in reversed(result.log) if row.difficulty}
    return {
        **begin,
        "loss_first": result.log[0].loss,
        "loss_last": result.log[-1].loss,
        "steps": result.steps,
        "examples": len(prepared.examples),
        "traces": prepared.read,
        "untrained": prepared.untrained,
        "dropped_too_long": prepared.too_long,
        "tokens": prepared.tokens * settings.epochs,
        "supervised_tokens": prepared.supervised_tokens * settings.epochs,
        "key_tokens": prepared.key_tokens * settings.epochs,
        "key_token_weight": prepared.key_token_weight / max(1, prepared.key_tokens),
        "micro_batch": result.micro_batch,
        "resumed_from_step": result.resumed_from,
        "checkpoints_failed": result.checkpoints_failed,
        "seconds": round(seconds, 3),
    }
