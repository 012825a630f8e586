"""Hand-made labeled traces for the tests of preference pairs."""

import json
from pathlib import Path

from kfp import dsl

from components.contracts.artifacts import write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import LabeledTrace, PromptVariant, Trace, TurnLabel
from components.contracts.tool_errors import ToolError
from tests.traces import make_trace

OK = None
FAILED = ToolError.TOOL_CALL_FAILURE


def labeled(trace: Trace) -> LabeledTrace:
    """The trace with the labels that error labeling gives a trace by its codes; nothing is trained."""
    errors = {call.message: call.reply.error for call in trace.calls}
    labels = tuple(
        TurnLabel(message=turn.message, trained=False, error=errors.get(turn.message), reason="not asked")
        for turn in trace.turns
    )
    return LabeledTrace(**dict(trace), labels=labels)


def right_with(question: str = "q0", sample: int = 0, text: str = "") -> LabeledTrace:
    return labeled(make_trace(question, sample, errors=(OK,), text=text))


def right_without(question: str = "q0", sample: int = 0, text: str = "") -> LabeledTrace:
    return labeled(make_trace(question, sample, text=text))


def wrong_with(question: str = "q0", sample: int = 0, text: str = "") -> LabeledTrace:
    return labeled(make_trace(question, sample, errors=(FAILED,), correct=False, answer="5", text=text))


def wrong_without(
    question: str = "q0", sample: int = 0, text: str = "", prompt: PromptVariant = "multi_step"
) -> LabeledTrace:
    found = labeled(make_trace(question, sample, correct=False, answer="5", text=text, prompt=prompt))
    return found if prompt == "multi_step" else found.model_copy(update={"tools": json.dumps([])})


def write_labeled(folder: Path, traces: list[LabeledTrace]) -> dsl.Dataset:
    """The traces as an artifact labeled_traces/1."""
    with write_artifact(folder, "labeled_traces/1") as writer:
        writer.counts["traces"] = write_records(writer.folder / "traces.jsonl", traces)
    return dsl.Dataset(uri=str(folder))
