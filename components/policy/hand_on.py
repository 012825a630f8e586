"""What a training stage does when the run does not use it: the adapter that came in goes out again."""

from typing import Any

from components.contracts.pages import write_page
from components.policy.distributed import is_first_process
from components.policy.training_report import render_training_page
from components.policy.training_settings import TrainingSettings
from components.storage import hand_on, write_output


def hand_adapter_on(
    title: str,
    settings: TrainingSettings,
    base_model: str,
    artifact_store: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
    *,
    call_format: str = "",
) -> None:
    """Give `initial` out as `adapter`, its digest unchanged; without one, an untrained LoRA adapter.

    That one has the settings' rank, alpha and targets and B = 0: with it the policy is the base model itself.
    title: of the report. adapter, metrics, report, initial: KFP artifacts. call_format: of the traces or pairs,
    for the untrained adapter's card; empty where there are none, which then agrees with any.

    Raises:
        InputError: `initial` is no adapter/1; the model can't be loaded or has no such targets.
    """
    if not is_first_process():
        return
    if initial is not None:
        hand_on(initial.path, adapter.path, "adapter/1")
        lead = "Handed on: this run does not use the stage; the adapter that came in goes out unchanged."
    else:
        _write_untrained(settings, base_model, artifact_store, adapter.path, call_format)
        lead = (
            "Handed on: this run does not use the stage, and no adapter came in; an untrained one goes out, with "
            "which the policy is the base model itself."
        )
    figures = {"handed_on": 1.0, "untrained_adapter": float(initial is None), "moved": 0.0}
    write_page(report.path, render_training_page(title, figures, settings.model_dump(), lead=lead))
    for name, value in figures.items():
        metrics.log_metric(name, value)


def _write_untrained(
    settings: TrainingSettings, base_model: str, artifact_store: str, path: str, call_format: str
) -> None:
    from components.policy.card import make_card, write_card
    from components.policy.load import load_policy
    from components.policy.save import save_weights
    from components.policy.settings import ModelSettings
    from components.policy.trainable import add_untrained_adapter

    policy = load_policy(base_model, settings=ModelSettings(dtype=settings.dtype), call_format=call_format)
    add_untrained_adapter(policy, settings)
    with write_output(path, "adapter/1", artifact_store) as writer:
        save_weights(policy.model, policy.tokenizer, writer.folder, base_model)
        card = make_card(policy.chat, base_model, settings=settings.model_dump(mode="json"), lineage={})
        write_card(card, writer.folder)
        (writer.folder / "training_log.jsonl").touch()
        writer.details["moved"] = 0.0
