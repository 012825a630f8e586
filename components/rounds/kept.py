"""What is kept of a round for later ones: its adapter, what it trained on and how it was judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.rounds.records import RoundRecord
from components.storage import hand_on


@dataclass(frozen=True)
class Kept:
    """KFP artifacts of one round: adapter/1, labeled_traces/1 and evaluation/1; None where absent."""

    adapter: Any = None
    labeled: Any = None
    evaluation: Any = None

    def check(self, record: RoundRecord, name: str) -> None:
        """Refuse artifacts that are not those of `record`. name: the adapter's input, "best_so_far" or "spare_so_far".

        Raises:
            InputError: absent, or another one; says which.
        """
        role = name.removesuffix("_so_far")
        expected = {
            name: (self.adapter, "adapter/1", record.adapter),
            f"{role}_labeled_so_far": (self.labeled, "labeled_traces/1", record.labeled),
            f"{role}_evaluation_so_far": (self.evaluation, "evaluation/1", record.evaluation),
        }
        for shown, (artifact, schema, digest) in expected.items():
            what = schema.partition("/")[0].replace("_", " ")
            wanted = f"expected {what} {digest[:12]} of round {record.number}"
            if artifact is None:
                raise InputError(f"{shown}: absent, {wanted}")
            found = open_artifact(artifact.path, schema).digest
            if found != digest:
                raise InputError(f"{shown}: {what} {found[:12]}, {wanted}, which the history calls for")

    def hand_on(self, outputs: "Kept") -> None:
        """Give all three out unchanged."""
        hand_on(self.adapter.path, outputs.adapter.path, "adapter/1")
        hand_on(self.labeled.path, outputs.labeled.path, "labeled_traces/1")
        hand_on(self.evaluation.path, outputs.evaluation.path, "evaluation/1")


def kept_of(number: int, records: Sequence[RoundRecord], now: Kept, best: Kept, spare: Kept) -> Kept:
    """The artifacts of round `number`. now: this round's. best, spare: what the round before gave out as such.

    Raises:
        InputError: those are absent or not the history's.
    """
    if number == records[-1].number:
        return now
    is_best = number == records[-2].best_adapter_round
    found, name = (best, "best_so_far") if is_best else (spare, "spare_so_far")
    found.check(records[number], name)
    return found
