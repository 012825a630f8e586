"""What to say when a side of the split came out empty."""

from components.contracts.errors import InputError
from components.ingest.collect import Collection
from components.ingest.quarantine import Quarantine
from components.ingest.settings import IngestSettings


def refuse_empty(
    collection: Collection, quarantine: Quarantine, settings: IngestSettings, *, validation: bool
) -> None:
    """Refuse a collection that could not be trained on or judged by.

    Raises:
        InputError: a side that the run needs has no question; says why and what to change.
    """
    if not (collection.train or collection.held_out or collection.validation or collection.search):
        if quarantine.first is None:
            raise InputError("questions: no rows in " + ", ".join(one.name for one in collection.sources))
        raise InputError(
            f"{quarantine.first.message()} (all {quarantine.count} rows were set aside; this is the first)"
        )
    if not collection.train:
        if settings.train_on_long_tail == "never" and any(
            one.format.long_tail for one in collection.held_out
        ):
            raise InputError(
                "questions: nothing to train on: this preset, as the paper, only evaluates on PopQA and NQ; "
                "add a source for training (such as GSM8K), or set ingest.train_on_long_tail=alone"
            )
        if collection.validation:
            raise InputError(
                f"questions: nothing to train on: {len(collection.validation)} questions went to validation and "
                "no other is left; add rows or lower ingest_settings.validation_share"
            )
        if collection.search:
            raise InputError(
                f"questions: nothing to train on: {len(collection.search)} questions went to search and no other "
                "is left; add rows or lower ingest_settings.search_share"
            )
        if collection.counts["contaminated"]:
            raise InputError(
                "questions: nothing to train on: every training question overlaps a held-out one or a benchmark's; "
                "change the sources or lower the bar with ingest_settings.contamination_words"
            )
        if settings.held_out_share < 1:
            raise InputError(
                f"questions: no training row came out; add rows or lower held_out_share{_aside(quarantine)}"
            )
    elif not collection.held_out and (settings.held_out_share > 0 or settings.held_out):
        raise InputError(
            f"questions: none of {len(collection.train)} questions was held out; add rows, raise "
            f"ingest_settings.held_out_share, or name files in ingest_settings.held_out{_aside(quarantine)}"
        )
    elif validation and not collection.validation:
        raise InputError(
            f"questions: none of {len(collection.train)} training questions was set aside for validation; add "
            f"rows or raise ingest_settings.validation_share{_aside(quarantine)}"
        )


def _aside(quarantine: Quarantine) -> str:
    """What to know about the rows that could have been on the empty side."""
    if quarantine.first is None:
        return ""
    return f" ({quarantine.count} rows were set aside, the first: {quarantine.first.message()})"
