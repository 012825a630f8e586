"""How the classifier of feedback does where services gave codes: from the text alone, against the codes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from components.contracts.records import ExecutedCall
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import ToolSchema
from components.error_labeling.feedback.classifier import classify_feedback

NO_ERROR = "no error"
CATEGORIES: list[str] = [NO_ERROR, *(error.value for error in ToolError)]


@dataclass
class Agreement:
    """`cells[truth, label]` counts calls: the service's code, and what the text alone says.

    coded: failed calls that had a code; while there are none, nothing can be said.
    """

    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    coded: int = 0

    @property
    def calls(self) -> int:
        """Calls that were judged; 0 when no call failed with a code."""
        return self.cells.total() if self.coded else 0

    def add(self, calls: Sequence[ExecutedCall], tools: Sequence[ToolSchema], *, codes: bool) -> None:
        """Judge a trace's calls. codes: whether whoever ran them gives codes."""
        if not codes:
            return
        for call in calls:
            truth = call.reply.error
            label = classify_feedback(call.reply.content, call.call, tools)
            self.coded += truth is not None
            self.cells[truth.value if truth else NO_ERROR, label.value if label else NO_ERROR] += 1

    def rows(self) -> list[list[int]]:
        """The confusion matrix over `CATEGORIES`: rows are the codes, columns the classifier's labels."""
        return [[self.cells[truth, label] for label in CATEGORIES] for truth in CATEGORIES]

    def shares(self) -> dict[str, float]:
        """Precision and recall of telling failed calls from others; empty when no call failed with a code."""
        hit = sum(n for (truth, label), n in self.cells.items() if truth != NO_ERROR and label != NO_ERROR)
        flagged = sum(n for (_, label), n in self.cells.items() if label != NO_ERROR)
        if not self.coded:
            return {}
        return {"precision": hit / flagged if flagged else 1.0, "recall": hit / self.coded}
