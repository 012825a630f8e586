"""What a training stage does when the run does not use it, or has nothing to learn from: its adapter goes on."""

from typing import Any, Literal, Protocol

from components.contracts.pages import write_page
from components.contracts.policy_card import CARD_FILE, check_base_model, read_card
from components.policy.distributed import is_first_process
from components.policy.training_report import render_training_page
from components.storage import hand_on, open_input, write_output

OFF = "this run does not use the stage"
UNTRAINED = "untrained"  # a detail of an adapter that nothing was trained into


class AdapterSettings(Protocol):
    """What the settings of a training stage say about a new adapter."""

    @property
    def stage(self) -> str:
        """The stage's name."""

    @property
    def dtype(self) -> Literal["auto", "bfloat16", "float32"]:
        """Of the base weights."""

    @property
    def lora_rank(self) -> int:
        """Of a new adapter, like the next two."""

    @property
    def lora_alpha(self) -> int:
        """The update is scaled by lora_alpha / lora_rank."""

    @property
    def lora_targets(self) -> tuple[str, ...]:
        """Names of the linear layers."""

    @property
    def seed(self) -> int:
        """Of the adapter's first weights."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """All settings by name."""


def hand_adapter_on(
    title: str,
    settings: AdapterSettings,
    base_model: str,
    artifact_store: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
    *,
    call_format: str = "",
    why: str = OFF,
) -> None:
    """Give `initial` out as `adapter`, its digest unchanged; without one, an untrained LoRA adapter.

    That one has the settings' rank, alpha and targets and B = 0: with it the policy is the base model itself.
    title: of the report. adapter, metrics, report, initial: KFP artifacts. call_format: of the traces or pairs,
    for the untrained adapter's card; empty where there are none, which then agrees with any. why: it is handed on.

    Raises:
        InputError: `initial` is no adapter/1, or one of another base model; the model can't be loaded or has no such
            targets.
    """
    if not is_first_process():
        return
    if initial is not None:
        came_in = open_input(initial.path, "adapter/1", artifact_store, only=(CARD_FILE,)).folder
        if (came_in / CARD_FILE).is_file():  # one that was made elsewhere has no card
            check_base_model(read_card(came_in), base_model)
        hand_on(initial.path, adapter.path, "adapter/1")
        lead = f"Handed on: {why}; the adapter that came in goes out unchanged."
    else:
        _write_untrained(settings, base_model, artifact_store, adapter.path, call_format)
        lead = (
            f"Handed on: {why}, and no adapter came in; an untrained one goes out, with which the policy is the "
            "base model itself."
        )
    figures = {"handed_on": 1.0, "untrained_adapter": float(initial is None), "moved": 0.0}
    if why != OFF:
        figures["trained"] = 0.0
    write_page(report.path, render_training_page(title, figures, settings.model_dump(), lead=lead))
    for name, value in figures.items():
        metrics.log_metric(name, value)


def _write_untrained(
    settings: AdapterSettings, base_model: str, artifact_store: str, path: str, call_format: str
) -> None:
    from components.policy.card import make_card, write_card
    from components.policy.load import load_policy
    from components.policy.new_adapter import add_new_adapter
    from components.policy.save import save_weights
    from components.policy.settings import ModelSettings

    policy = load_policy(base_model, settings=ModelSettings(dtype=settings.dtype), call_format=call_format)
    policy.model = add_new_adapter(
        policy.model,
        rank=settings.lora_rank,
        alpha=settings.lora_alpha,
        dropout=getattr(settings, "lora_dropout", 0.0),
        targets=settings.lora_targets,
        seed=settings.seed,
        parameter=f"{settings.stage}_settings",
    )
    with write_output(path, "adapter/1", artifact_store) as writer:
        save_weights(policy.model, policy.tokenizer, writer.folder, base_model)
        card = make_card(policy.chat, base_model, settings=settings.model_dump(mode="json"), lineage={})
        write_card(card, writer.folder)
        (writer.folder / "training_log.jsonl").touch()
        writer.details.update({"moved": 0.0, UNTRAINED: True})
