"""Counts over the labeled traces: the error mix, and what became of every trace and turn."""

from collections import Counter
from dataclasses import dataclass, field

from pydantic import JsonValue

from components.contracts.records import LabeledTrace
from components.contracts.tool_errors import ToolError
from components.error_labeling.agreement import CATEGORIES, Agreement
from components.error_labeling.labels import call_error, offered_tools
from components.error_labeling.selection import DUPLICATE
from components.error_labeling.settings import Feedback

ALL_RIGHT = "all right"


@dataclass
class KindCounts:
    """Traces of one kind of question."""

    traces: int = 0
    correct: int = 0
    trained: int = 0
    trained_with_calls: int = 0


@dataclass
class Summary:
    """Filled trace by trace; `report()` is what `report.json` holds.

    feedback: what tells that a call failed. traces_by_error: of the traces with a call, how many have one
    that
    failed so; `ALL_RIGHT` those without any. trace_reasons: why whole traces are not trained. turn_reasons:
    the
    same a turn, masks included. unread: calls whose reply has no code and, with feedback `typed`, is not
    read either. agreement: the classifier of feedback against the codes.
    compared: with how many judged questions the traces were. contaminated: traces that hold one, by suite.
    """

    feedback: Feedback = "typed"
    traces: int = 0
    trained_traces: int = 0
    turns: int = 0
    trained_turns: int = 0
    calls: int = 0
    unread: int = 0
    errors: Counter[ToolError] = field(default_factory=Counter)
    errors_by_tool: dict[str, Counter[str]] = field(default_factory=dict)
    traces_with_calls: int = 0
    traces_by_error: Counter[str] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)
    trace_reasons: Counter[str] = field(default_factory=Counter)
    turn_reasons: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, KindCounts] = field(default_factory=dict)
    compared: int = 0
    contaminated: dict[str, int] = field(default_factory=dict)

    def add(self, trace: LabeledTrace, reason: str, *, codes: bool = True) -> None:
        """Count one trace.

        reason: why the whole of it is not trained, or empty. codes: whether who ran its calls gives codes.
        """
        trained = [label for label in trace.labels if label.trained]
        self.traces += 1
        self.trained_traces += bool(trained)
        self.turns += len(trace.labels)
        self.trained_turns += len(trained)
        self.turn_reasons.update(label.reason for label in trace.labels if label.reason)
        if not trained:
            self.trace_reasons[reason or "every turn's call failed"] += 1
        self._add_kind(trace, bool(trained))
        self._add_calls(trace)
        if self.feedback == "typed" and not codes:
            self.unread += sum(bool(call.reply.content and not call.reply.error) for call in trace.calls)
        tools = offered_tools(trace, "classified")
        self.agreement.add(trace.calls, tools, codes=codes or any(call.reply.error for call in trace.calls))

    def _add_calls(self, trace: LabeledTrace) -> None:
        tools = offered_tools(trace, self.feedback)
        found: set[str] = set()
        for call in trace.calls:
            error = call_error(call, tools, self.feedback)
            self.calls += 1
            tool = self.errors_by_tool.setdefault(
                _tool(trace, call.call.name if call.call else ""), Counter()
            )
            tool[error.value if error else "ok"] += 1
            if error is not None:
                self.errors[error] += 1
                found.add(error.value)
        if trace.calls:
            self.traces_with_calls += 1
            self.traces_by_error.update(found or {ALL_RIGHT})

    def report(self) -> dict[str, JsonValue]:
        """JSON of all counts; every category is there, also those that never happened."""
        return {
            "traces": self.traces,
            "trained_traces": self.trained_traces,
            "duplicates": self.trace_reasons[DUPLICATE],
            "turns": self.turns,
            "trained_turns": self.trained_turns,
            "calls": self.calls,
            "errors": {error.value: self.errors[error] for error in ToolError},
            "traces_with_calls": self.traces_with_calls,
            "traces_by_error": {
                name: self.traces_by_error[name]
                for name in (ALL_RIGHT, *(error.value for error in ToolError))
            },
            "classifier": {
                "calls": self.agreement.calls,
                "categories": list[JsonValue](CATEGORIES),
                "matrix": [list[JsonValue](row) for row in self.agreement.rows()]
                if self.agreement.calls
                else [],
                **self.agreement.shares(),
            },
            "errors_by_tool": {tool: dict(found) for tool, found in sorted(self.errors_by_tool.items())},
            "trace_reasons": dict(self.trace_reasons.most_common()),
            "turn_reasons": dict(self.turn_reasons.most_common()),
            "compared_questions": self.compared,
            "contaminated": dict(self.contaminated),
            "kinds": {kind: dict(vars(counts)) for kind, counts in sorted(self.kinds.items())},
        }

    def _add_kind(self, trace: LabeledTrace, trained: bool) -> None:
        counts = self.kinds.setdefault(trace.question.kind, KindCounts())
        counts.traces += 1
        counts.correct += trace.outcome.correct is True
        counts.trained += trained
        counts.trained_with_calls += trained and bool(trace.calls)


def _tool(trace: LabeledTrace, name: str) -> str:
    """The tool's name; made-up names share one row, so that a policy can't flood the report."""
    if not name:
        return "(unreadable)"
    return name if f'"{name}"' in trace.tools else "(not offered)"
