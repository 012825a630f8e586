"""Counts over the pairs, for the metrics, the manifest and the report."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from components.contracts.records import PairKind, PreferencePair
from components.preferences.candidates import Role
from components.preferences.plan import EQUAL_TEXT, OTHER_ORIGIN, Plan

SHOWN = 8  # pairs on the page


@dataclass
class Summary:
    """What the plan says, and the tokens of the pairs' assistant turns, added pair by pair.

    shown: the first pair of every so many, so that both contrasts and many questions are seen.
    """

    kind: PairKind
    plan: Plan = field(default_factory=Plan)
    pairs: int = 0
    chosen_tokens: int = 0
    rejected_tokens: int = 0
    shown: list[PreferencePair] = field(default_factory=list)

    def add(self, pair: PreferencePair) -> None:
        """Count one pair; a few, evenly spread, are kept for the page."""
        if self.pairs % max(1, -(-len(self.plan.pairs) // SHOWN)) == 0:
            self.shown.append(pair)
        self.pairs += 1
        self.chosen_tokens += sum(len(turn.token_ids) for turn in pair.chosen_turns)
        self.rejected_tokens += sum(len(turn.token_ids) for turn in pair.rejected_turns)

    def counts(self) -> dict[str, int]:
        """Whole numbers, for the manifest. pairs = pairs_with_tool + pairs_without_tool, by the chosen side."""
        with_tool = sum(pair.chosen.role is Role.RIGHT_WITH for pair in self.plan.pairs)
        return {
            "pairs": self.pairs,
            "pairs_with_tool": with_tool,
            "pairs_without_tool": len(self.plan.pairs) - with_tool,
            "questions": self.plan.questions_read,
            "questions_with_pairs": self.plan.questions_used,
            "traces": self.plan.traces_read,
            "traces_used": self.plan.traces_used,
            "dropped_equal_text": self.plan.dropped[EQUAL_TEXT],
            "dropped_other_origin": self.plan.dropped[OTHER_ORIGIN],
        }

    def metrics(self) -> dict[str, float]:
        """The counts, and the mean length of each side in tokens of its assistant turns."""
        return {**{name: float(count) for name, count in self.counts().items()}, **self._mean_tokens()}

    def report(self) -> dict[str, JsonValue]:
        """JSON of all counts by reason."""
        return {
            "kind": self.kind,
            **self.counts(),
            **self._mean_tokens(),
            "trace_reasons": dict(self.plan.traces.most_common()),
            "question_reasons": dict(self.plan.questions.most_common()),
            "pair_reasons": dict(self.plan.dropped.most_common()),
        }

    def _mean_tokens(self) -> dict[str, float]:
        return {
            "chosen_tokens": self.chosen_tokens / max(1, self.pairs),
            "rejected_tokens": self.rejected_tokens / max(1, self.pairs),
        }
