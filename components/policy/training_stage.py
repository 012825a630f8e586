"""A stage that trains an adapter, from artifact to artifact: all but what it learns from, and how.

open -> prepare -> train -> figures; or, where the run does not use the stage, the adapter that came in is handed
on, for which torch is not loaded. So it is where there is nothing to train on, if something was trained into it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from components.contracts.artifacts import Artifact, ArtifactWriter, open_artifact
from components.contracts.errors import NothingToLearnError
from components.contracts.jsonl import write_records
from components.contracts.methods import is_on
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.policy.distributed import (
    is_first_process,
    missing_processes,
    run_in_processes,
    take_own_device,
)
from components.policy.hand_on import OFF, UNTRAINED, hand_adapter_on
from components.policy.training_settings import TrainingSettings
from components.storage import open_input, write_output

if TYPE_CHECKING:
    from components.policy.chat import Chat
    from components.policy.checkpoints import Checkpoints
    from components.policy.training_loop import LogRow, TrainingResult

Prepared = TypeVar("Prepared")
Row = TypeVar("Row", bound="LogRow")


@dataclass(frozen=True)
class StageInputs:
    """What KFP gives such a stage. source: the artifact that it learns from; the others as its face calls them."""

    source: Any
    base_model: str
    settings: str
    artifact_store: str
    checkpoint_root: str
    adapter: Any
    metrics: Any
    report: Any
    initial: Any = None
    overrides: str = "{}"
    method: str = ""


class TrainingStage(Protocol[Prepared, Row]):
    """What is a stage's own.

    name: its package and its method. title: of its report. source: what its face calls the artifact that it learns
    from, whose schema is `schema`.
    """

    name: str
    title: str
    source: str
    schema: str

    @property
    def settings(self) -> TrainingSettings:
        """Parsed, overrides and all."""
        ...

    def call_format(self, opened: Artifact) -> str:
        """The call format of what it learns from; empty where there is nothing."""
        ...

    def open(self, opened: Artifact) -> tuple[str, Iterator[Any]]:
        """The same with the records themselves; NothingToLearnError where there is none."""
        ...

    def prepare(self, records: Iterator[Any], chat: Chat) -> Prepared:
        """Records become token ids; NothingToLearnError where none can be trained on."""
        ...

    def train(self, model: Any, prepared: Prepared, checkpoints: Checkpoints | None) -> TrainingResult[Row]:
        """Train `model` in place."""
        ...

    def figures(self, prepared: Prepared, result: TrainingResult[Row], *, seconds: float) -> dict[str, float]:
        """The metrics. seconds: those of this attempt's training."""
        ...

    def describe(self, writer: ArtifactWriter, prepared: Prepared) -> None:
        """Add the stage's own counts and details to the adapter's."""
        ...

    def page(self, log: Sequence[Row], figures: Mapping[str, float]) -> str:
        """The report."""
        ...


def run_stage(stage: TrainingStage[Prepared, Row], given: StageInputs) -> None:
    """Train, in one process an accelerator, and write `adapter/1`; or hand `given.initial` on.

    A stage with nothing to train on hands a trained adapter on; so it does with any where that was foreseen.

    Raises:
        InputError: artifacts or model can't be used.
        NothingToLearnError: nothing can be trained on, and nothing was trained into `given.initial`.
        NonFiniteError: a loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    if not is_on(stage.name, given.method):
        _hand_on(stage, given)
    elif processes := missing_processes():
        found = run_in_processes(f"components.{stage.name}", processes, _options(stage.source, given))
        _log(found, given.metrics)
    else:
        take_own_device()
        try:
            _train(stage, given)
        except NothingToLearnError as nothing:
            if not nothing.foreseen and not _was_trained(given.initial):
                raise
            if is_first_process():
                print(
                    f"[{stage.name}] NOTHING TO LEARN FROM: {nothing}; the adapter is handed on", flush=True
                )
            _hand_on(stage, given, str(nothing))


def _hand_on(stage: TrainingStage[Prepared, Row], given: StageInputs, why: str = OFF) -> None:
    opened = open_input(given.source.path, stage.schema, given.artifact_store)
    hand_adapter_on(
        stage.title,
        stage.settings,
        given.base_model,
        given.artifact_store,
        given.adapter,
        given.metrics,
        given.report,
        given.initial,
        call_format=stage.call_format(opened),
        why=why,
    )


def _was_trained(initial: Any) -> bool:
    """Whether an adapter came in that is not one with which the policy is the base model itself."""
    return initial is not None and UNTRAINED not in open_artifact(initial.path, "adapter/1").manifest.details


def _options(source: str, given: StageInputs) -> dict[str, str]:
    """Those of the stage's command line, see `contracts.stage_command`."""
    return {
        source: given.source.path,
        "base-model": given.base_model,
        "settings": given.settings,
        "artifact-store": given.artifact_store,
        "checkpoint-root": given.checkpoint_root,
        "adapter": given.adapter.path,
        "report": given.report.path,
        "initial": given.initial.path if given.initial is not None else "",
        "overrides": given.overrides,
    }


def _train(stage: TrainingStage[Prepared, Row], given: StageInputs) -> None:
    # These load torch, which a stage that is off does without.
    from components.policy.card import check_card, make_card, write_card
    from components.policy.checkpoints import open_checkpoints
    from components.policy.distance import effective_weights, moved
    from components.policy.save import save_weights
    from components.policy.trainable import load_trainable

    settings, base_model, store = stage.settings, given.base_model, given.artifact_store
    source = open_input(given.source.path, stage.schema, store)
    start = open_input(given.initial.path, "adapter/1", store) if given.initial is not None else None
    call_format, records = stage.open(source)
    policy = load_trainable(base_model, settings, call_format, start.folder if start else None)
    if start is not None:
        check_card(read_card(start.folder), policy.chat, base_model)
    prepared = stage.prepare(records, policy.chat)

    lineage = {stage.source: source.digest, **({"initial": start.digest} if start else {})}
    checkpoints = open_checkpoints(given.checkpoint_root, settings, base_model, lineage)
    before = effective_weights(policy.model) if is_first_process() else None
    began = time.monotonic()
    result = stage.train(policy.model, prepared, checkpoints)
    if before is None:
        return
    figures = stage.figures(prepared, result, seconds=time.monotonic() - began)
    figures |= {"trained": 1.0, "moved": moved(policy.model, before)}

    with write_output(given.adapter.path, "adapter/1", store) as writer:
        save_weights(policy.model, policy.tokenizer, writer.folder, base_model)
        card = make_card(policy.chat, base_model, settings=settings.model_dump(mode="json"), lineage=lineage)
        write_card(card, writer.folder)
        write_records(writer.folder / "training_log.jsonl", result.log)
        writer.counts["steps"] = result.steps
        writer.lineage.update(lineage)
        writer.details["moved"] = figures["moved"]
        stage.describe(writer, prepared)
    write_page(given.report.path, stage.page(result.log, figures))
    if checkpoints is not None:
        checkpoints.clear()
    _log(figures, given.metrics)


def _log(figures: Mapping[str, float], metrics: Any) -> None:
    for name, value in figures.items():
        metrics.log_metric(name, float(value))
