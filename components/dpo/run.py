"""Preference tuning: preference pairs in, adapter out."""

from typing import Any

from components.contracts.methods import is_on
from components.contracts.records import PreferencePair
from components.dpo.report import TITLE
from components.dpo.settings import DPOSettings
from components.policy.hand_on import hand_adapter_on
from components.rollout.shown import call_format_of
from components.storage import open_input


def run(
    pairs: Any,
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
    overrides: str = "{}",
    method: str = "",
) -> None:
    """Tune the policy on the pairs of `preference_pairs/1` and write `adapter/1`.

    pairs, adapter, metrics, report, initial: KFP artifacts. The reference is the policy that came in: `initial`,
    or the base model. overrides: JSON object over `settings`. method: where dpo is not in it, `initial` is
    handed on (see `contracts.methods`).

    Raises:
        InputError: settings, artifacts or model can't be used; no pair can be trained on.
        NonFiniteError: a loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    parsed = DPOSettings.parse(settings, overrides)
    if not is_on("dpo", method):
        given = open_input(pairs.path, "preference_pairs/1", artifact_store)
        form = call_format_of(given, "pairs.jsonl", PreferencePair)
        hand_adapter_on(
            TITLE,
            parsed,
            base_model,
            artifact_store,
            adapter,
            metrics,
            report,
            initial,
            call_format=form,
        )
        return
    from components.dpo.tuning import tune  # loads torch, which a stage that is off does without

    outputs = (adapter, metrics, report)
    tune(parsed, pairs, base_model, settings, artifact_store, checkpoint_root, *outputs, initial, overrides)
