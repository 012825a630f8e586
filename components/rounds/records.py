"""What `rounds/1` holds: `rounds.jsonl`, a record a round, and `items.jsonl`, what later comparisons need."""

from typing import Literal

from pydantic import Field

from components.contracts.records import Difficulty, EvaluationItem, Record
from components.scoring.groups import OVERALL
from components.scoring.tool_use import Counts, counts_of

AlarmName = Literal[
    "accuracy_fall",
    "sampled_nats_collapse",
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
    """What the policy that a round began with sampled in it (see `components.rounds.practice`).

    trained_traces: those with a trained turn. sampled_nats: mean -log p of the sampled tokens, of which there
    are `sampled_tokens`.
    """

    traces: int
    questions: int
    trained_traces: int
    trained_share: float | None = None
    distinct_texts: float | None = None
    distinct_bigrams: float | None = None
    distinct_answers: float | None = None
    distinct_first_actions: float | None = None
    sampled_nats: float | None = None
    sampled_tokens: int = 0


class Alarm(Record):
    """A sign of collapse, in one sentence. `value` passed `threshold`; a severe one ends the rounds.

    round: whose policy it is about: of practice the one that the round which found it began with (0: the base model).
    """

    name: AlarmName
    round: int
    severe: bool
    value: float
    threshold: float
    sentence: str


class RoundRecord(Record):
    """One round; number 0 is the base model.

    adapter: digest, empty for the base model. handed_on: nothing was trained in it. sampler: the round whose
    policy it began with, which sampled `practice`; that is absent for the base model and when nothing was sampled.
    differences: against "base", "previous" and "best" (the best so far, round `compared_with`): by group
    of questions and metric; empty when handed on. alarms: those that this round found. hurt: a severe one is
    about this round's policy. ended: why later rounds train nothing, as a part of a sentence; empty while they do.
    best: the best policy's round so far, 0 for the base model. best_adapter: digest of the best adapter so far, of
    round `best_adapter_round`.
    """

    number: int
    title: str
    adapter: str = ""
    evaluation: str
    labeled: str = ""
    method: str = ""
    handed_on: bool = False
    groups: dict[str, GroupRates]
    sampler: int = 0
    practice: Practice | None = None
    compared_with: int = 0
    differences: dict[str, dict[str, dict[str, Difference | None]]] = Field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    hurt: bool = False
    ended: str = ""
    verdict: str = ""
    best: int = 0
    best_adapter: str = ""
    best_adapter_round: int = 0

    @property
    def accuracy(self) -> float:
        """The share of right answers over all questions."""
        value = self.groups[OVERALL].accuracy
        assert value is not None, "every question is judged"
        return value

    @property
    def next_begins_with(self) -> int:
        """The round whose adapter is handed to the one after this."""
        return self.best_adapter_round if self.ended else self.number


class RoundItem(Record):
    """What one question adds to the rates of one round (`components.scoring.tool_use.Counts`)."""

    round: int
    id: str
    kind: str
    counts: tuple[int, ...]
    difficulty: Difficulty = ""

    @classmethod
    def of(cls, number: int, item: EvaluationItem) -> "RoundItem":
        """The judged item of round `number`."""
        counts = tuple(counts_of(item))
        return cls(round=number, id=item.id, kind=item.kind, counts=counts, difficulty=item.difficulty)

    def read(self) -> Counts:
        """The counts by their names."""
        return Counts(*self.counts)
