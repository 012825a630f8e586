"""contamination.jsonl: what training rows share with what is judged by, and what becomes of such rows."""

from typing import Literal

from components.contracts.records import Record

OnContamination = Literal["exclude", "list", "fail"]


class ContaminationHit(Record):
    """One judged question in one training row.

    row: the training question's or trace's id. suite: the benchmark, or held_out, validation. where: part of the
    row. matched: the longest run of shared words (the first 60); words: how many it has.
    """

    row: str
    suite: str
    item: str
    where: str
    matched: str
    words: int
