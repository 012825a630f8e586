"""What `rounds/1` holds: `rounds.jsonl`, a record a round, and `items.jsonl`, what later comparisons need."""

from typing import Literal

from pydantic import Field

from components.contracts.records import EvaluationItem, Record
from components.scoring.tool_use import Counts, counts_of

AlarmName = Literal[
    "accuracy_fall",
    "entropy_collapse",
    "diversity_collapse",
    "tool_use_collapse",
    "tool_use_runaway",
    "few_trained_traces",
]


class GroupRates(Record):
    """The rates of a group of questions, in [0, 1] but invoke_rate; null where undefined."""

    questions: int
    accuracy: float | None
    exact_match: float | None
    invoke_rate: float | None
    called_share: float | None
    pass_rate: float | None
    answerable_rate: float | None


class Difference(Record):
    """This round minus an earlier one, in shares, and the bounds of its interval."""

    mean: float
    low: float
    high: float


class Practice(Record):
    """What a round practised on, as its policy sampled it (see `components.rounds.practice`).

    trained_traces: those with a trained turn. sampled_tokens: behind `entropy`, which is in nats a token.
    """

    traces: int
    questions: int
    trained_traces: int
    trained_share: float | None = None
    distinct_texts: float | None = None
    distinct_bigrams: float | None = None
    distinct_answers: float | None = None
    distinct_first_actions: float | None = None
    entropy: float | None = None
    sampled_tokens: int = 0


class Alarm(Record):
    """A sign of collapse, in one sentence. `value` passed `threshold`; a severe one ends the rounds."""

    name: AlarmName
    severe: bool
    value: float
    threshold: float
    sentence: str


class RoundRecord(Record):
    """One round; number 0 is the base model.

    adapter: digest, empty for the base model. practised: absent for the base model and when nothing was.
    differences: against "base", "previous" and "best" (the best so far, round `compared_with`): by group
    of questions and metric; empty when handed on. best: the best policy's round so far, 0 for the base
    model. best_adapter: digest of the best adapter so far, of round `best_adapter_round`.
    """

    number: int
    title: str
    adapter: str = ""
    evaluation: str
    labeled: str = ""
    method: str = ""
    handed_on: bool = False
    groups: dict[str, GroupRates]
    practice: Practice | None = None
    compared_with: int = 0
    differences: dict[str, dict[str, dict[str, Difference | None]]] = Field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    hurt: bool = False
    verdict: str = ""
    best: int = 0
    best_adapter: str = ""
    best_adapter_round: int = 0


class RoundItem(Record):
    """What one question adds to the rates of one round (`components.scoring.tool_use.Counts`)."""

    round: int
    id: str
    kind: str
    counts: tuple[int, ...]

    @classmethod
    def of(cls, number: int, item: EvaluationItem) -> "RoundItem":
        """The judged item of round `number`."""
        return cls(round=number, id=item.id, kind=item.kind, counts=tuple(counts_of(item)))

    def read(self) -> Counts:
        """The counts by their names."""
        return Counts(*self.counts)
