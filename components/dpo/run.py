"""Preference tuning: preference pairs in, adapter out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.contracts.artifacts import Artifact, ArtifactWriter
from components.contracts.errors import NothingToLearnError
from components.contracts.jsonl import read_records
from components.contracts.records import PreferencePair
from components.dpo.report import TITLE, render_report
from components.dpo.settings import DPOSettings
from components.policy.training_stage import StageInputs, run_stage
from components.rollout.shown import call_format_of

if TYPE_CHECKING:  # these load torch, which a stage that is off does without
    from components.dpo.pairs import PreparedPairs
    from components.dpo.training import PairLogRow
    from components.policy.chat import Chat
    from components.policy.checkpoints import Checkpoints
    from components.policy.training_loop import TrainingResult


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
    handed on (see `contracts.methods`). So it is where no pair can be trained on, if something was trained into
    it, and in any case where a search came to none.

    Raises:
        InputError: settings, artifacts or model can't be used.
        NothingToLearnError: no pair can be trained on.
        NonFiniteError: a loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    places = (base_model, settings, artifact_store, checkpoint_root, adapter, metrics, report, initial)
    given = StageInputs(pairs, *places, overrides=overrides, method=method)
    run_stage(PreferenceTuning(DPOSettings.parse(settings, overrides)), given)


class PreferenceTuning:
    """What is dpo's own in `run_stage`."""

    name, title, source, schema = "dpo", TITLE, "pairs", "preference_pairs/1"

    def __init__(self, settings: DPOSettings) -> None:
        self.settings = settings

    def call_format(self, opened: Artifact) -> str:
        """Of the first pair."""
        return call_format_of(opened, "pairs.jsonl", PreferencePair)

    def open(self, opened: Artifact) -> tuple[str, Iterator[PreferencePair]]:
        """The call format of the first pair, and all pairs."""
        path = opened.path("pairs.jsonl")
        records = read_records(path, PreferencePair)
        first = next(records, None)
        if first is None:
            raise _no_pair(opened)
        return first.call_format, itertools.chain([first], records)

    def prepare(self, records: Iterator[PreferencePair], chat: Chat) -> PreparedPairs:
        """See `prepare_pairs`."""
        from components.dpo.pairs import prepare_pairs

        return prepare_pairs(records, chat, max_tokens=self.settings.max_tokens)

    def train(
        self, model: Any, prepared: PreparedPairs, checkpoints: Checkpoints | None
    ) -> TrainingResult[PairLogRow]:
        """Against the reference, which is frozen first."""
        from components.dpo.training import train

        return train(model, prepared.pairs, self.settings, checkpoints)

    def figures(
        self, prepared: PreparedPairs, result: TrainingResult[PairLogRow], *, seconds: float
    ) -> dict[str, float]:
        """See `summarize`."""
        from components.dpo.summary import summarize

        return summarize(prepared, result, self.settings, seconds=seconds)

    def describe(self, writer: ArtifactWriter, prepared: PreparedPairs) -> None:
        """How many pairs of which kinds, and why others were dropped."""
        writer.counts["pairs"] = len(prepared.pairs)
        writer.details.update(dropped=dict(prepared.dropped), kinds=dict(prepared.kinds))

    def page(self, log: Sequence[PairLogRow], figures: Mapping[str, float]) -> str:
        """See `render_report`."""
        return render_report(log, figures, self.settings.model_dump())


def _no_pair(opened: Artifact) -> NothingToLearnError:
    """Why there is none, as far as what made the pairs says so."""
    details = opened.manifest.details
    if details.get("kind") == "step":
        return NothingToLearnError("the search, if it was on, came to no pair", foreseen=True)
    why = (
        details.get("no_pair") or f"pairs: {opened.path('pairs.jsonl')} holds no pairs; expected at least one"
    )
    return NothingToLearnError(str(why))
