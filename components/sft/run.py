"""Supervised fine-tuning: labeled traces in, adapter out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.contracts.artifacts import Artifact, ArtifactWriter
from components.contracts.data_share import in_share
from components.contracts.records import LabeledTrace
from components.policy.training_stage import StageInputs, run_stage
from components.rollout.shown import call_format_of, peek_call_format
from components.sft.dataset import Prepared, prepare_examples
from components.sft.report import TITLE, render_report
from components.sft.settings import SFTSettings

if TYPE_CHECKING:  # these load torch, which a stage that is off does without
    from components.policy.chat import Chat
    from components.policy.checkpoints import Checkpoints
    from components.policy.training_loop import TrainingResult
    from components.sft.training import SupervisedLogRow


def run(
    labeled: Any,
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
    """Fine-tune the policy on the trained turns of `labeled_traces/1` and write `adapter/1`.

    labeled, adapter, metrics, report, initial: KFP artifacts. overrides: JSON object over `settings`.
    method: where sft is not in it, `initial` is handed on (see `contracts.methods`).

    Raises:
        InputError: settings, artifacts or model can't be used; no trace can be trained on.
        NonFiniteError: a loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    places = (base_model, settings, artifact_store, checkpoint_root, adapter, metrics, report, initial)
    given = StageInputs(labeled, *places, overrides=overrides, method=method)
    run_stage(SupervisedTuning(SFTSettings.parse(settings, overrides)), given)


class SupervisedTuning:
    """What is sft's own in `run_stage`."""

    name, title, source, schema = "sft", TITLE, "labeled", "labeled_traces/1"

    def __init__(self, settings: SFTSettings) -> None:
        self.settings = settings

    def call_format(self, opened: Artifact) -> str:
        """Of the first trace."""
        return call_format_of(opened, "traces.jsonl", LabeledTrace)

    def open(self, opened: Artifact) -> tuple[str, Iterator[LabeledTrace]]:
        """The call format of the first trace, and all traces."""
        return peek_call_format(opened, "a turn to train on")

    def prepare(self, records: Iterator[LabeledTrace], chat: Chat) -> Prepared:
        """See `prepare_examples`; of the questions only those in `data_share`."""
        share, seed = self.settings.data_share, self.settings.seed
        return prepare_examples(
            (trace for trace in records if in_share(trace.question.id, share, seed)),
            chat,
            max_tokens=self.settings.max_tokens,
            key_tokens=self.settings.key_tokens,
            max_key_weight=self.settings.max_key_weight,
            demands=self.settings.curriculum != "none",
        )

    def train(
        self, model: Any, prepared: Prepared, checkpoints: Checkpoints | None
    ) -> TrainingResult[SupervisedLogRow]:
        """In the order of the curriculum."""
        from components.sft.training import train

        return train(model, prepared.examples, self.settings, checkpoints)

    def figures(
        self, prepared: Prepared, result: TrainingResult[SupervisedLogRow], *, seconds: float
    ) -> dict[str, float]:
        """See `summarize`."""
        from components.sft.summary import summarize

        return summarize(prepared, result, self.settings, seconds=seconds)

    def describe(self, writer: ArtifactWriter, prepared: Prepared) -> None:
        """How many examples there were."""
        writer.counts["examples"] = len(prepared.examples)

    def page(self, log: Sequence[SupervisedLogRow], figures: Mapping[str, float]) -> str:
        """See `render_report`."""
        return render_report(log, figures, self.settings.model_dump())
