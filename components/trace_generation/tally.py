"""Counts over the traces of a shard, for the metrics and the manifest."""

from collections import Counter
from dataclasses import dataclass, field

from components.contracts.records import Trace
from components.contracts.tool_errors import ToolError
from components.rollout.prompts import offers_tools


@dataclass
class Tally:
    """What happened, counted trace by trace. `without`: traces of a prompt that offers no tools."""

    traces: int = 0
    judged: int = 0
    correct: int = 0
    turns: int = 0
    calls: int = 0
    first_turn_calls: int = 0
    traces_with_calls: int = 0
    tokens: int = 0  # sampled, prefilled ones not counted
    cut_off: int = 0  # traces whose last turn ran into the token limit
    without: int = 0
    without_judged: int = 0
    without_correct: int = 0
    errors: Counter[ToolError] = field(default_factory=Counter)

    def add(self, trace: Trace) -> None:
        """Count one trace."""
        first = trace.turns[0].message if trace.turns else -1
        self.traces += 1
        self.judged += trace.outcome.correct is not None
        self.correct += trace.outcome.correct is True
        self.turns += len(trace.turns)
        self.calls += len(trace.calls)
        self.first_turn_calls += sum(call.message == first for call in trace.calls)
        self.traces_with_calls += bool(trace.calls)
        self.tokens += sum(len(turn.token_ids) - turn.prefilled for turn in trace.turns)
        self.cut_off += bool(trace.turns) and trace.turns[-1].finish_reason == "length"
        if not offers_tools(trace.prompt):
            self.without += 1
            self.without_judged += trace.outcome.correct is not None
            self.without_correct += trace.outcome.correct is True
        self.errors.update(call.reply.error for call in trace.calls if call.reply.error is not None)

    def counts(self) -> dict[str, int]:
        """Whole numbers, for the artifact's manifest."""
        return {
            "traces": self.traces,
            "judged": self.judged,
            "correct": self.correct,
            "turns": self.turns,
            "calls": self.calls,
            "tokens": self.tokens,
            "cut_off": self.cut_off,
            "no_tool_traces": self.without,
            "no_tool_correct": self.without_correct,
        }

    def metrics(self) -> dict[str, float]:
        """Numbers for people: counts, rates in percent, errors by category.

        invoke_rate is the paper's (calls in the first turn a sample, can pass 100);
        called_share is the share of samples with at least one call; accuracy is that of the samples which
        these are of: those that were offered tools, or all of them where none was.
        """
        offered = self.traces - self.without
        with_tools = (self.correct - self.without_correct, self.judged - self.without_judged)
        return {
            **{name: float(count) for name, count in self.counts().items()},
            "accuracy": _percent(*with_tools) if offered else _percent(self.correct, self.judged),
            "no_tool_accuracy": _percent(self.without_correct, self.without_judged),
            "invoke_rate": _percent(self.first_turn_calls, offered),
            "called_share": _percent(self.traces_with_calls, offered),
            "pass_rate": _percent(self.calls - self.errors.total(), self.calls),
            **{f"error_{error.value}": float(self.errors[error]) for error in ToolError},
        }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
