"""What `rounds/1` holds: `rounds.jsonl`, a record a round, and `items.jsonl`, what later comparisons need."""

from typing import Literal

from pydantic import Field

from components.contracts.records import Difficulty, EvaluationItem, Record
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

    round: whose policy it is about: of practice the one before the round that found it (0: the base model).
    """

    name: AlarmName
    round: int
    severe: bool
    value: float
    threshold: float
    sentence: str


class RoundRecord(Record):
    """One round; number 0 is the base model.

    adapter: digest, empty for the base model. practised: absent for the base model and when nothing was.
    differences: against "base", "previous" and "best" (the best so far, round `compared_with`): by group
    of questions and metric; empty when handed on. alarms: those that this round found. hurt: a severe one is
    about this round's policy. ended: a severe one sounded, so that later rounds train nothing. barred: rounds
    that can't be the best, as far as is known by now. best: the best policy's round so far, 0 for the base
    model. best_adapter: digest of the best adapter so far, of round `best_adapter_round`. spare_adapter: of
    the best round with another adapter than this one's, `spare_round`; empty and 0 where there is none.
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
    ended: bool = False
    barred: tuple[int, ...] = ()
    verdict: str = ""
    best: int = 0
    best_adapter: str = ""
    best_adapter_round: int = 0
    spare_adapter: str = ""
    spare_round: int = 0


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
