"""Real artifacts on disk for the tests of evaluation and promotion. Not a test."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import JsonValue

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.jsonl import write_records
from components.contracts.records import (
    AssistantTurn,
    EvaluationItem,
    ExecutedCall,
    LabeledTrace,
    Message,
    Outcome,
    PolicyCard,
    Question,
    ToolCall,
    ToolReply,
    Trace,
    TurnLabel,
)
from components.contracts.tool_errors import ToolError
from components.scoring.tool_use import judge_trace

TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": name,
                "parameters": {
                    "type": "object",
                    "properties": {parameter: {"type": "string"}},
                    "required": [parameter],
                },
            },
        }
        for name, parameter in (("calculator", "expression"), ("wikipedia_search", "query"))
    ]
)
SYSTEM = "Answer the question. You may call tools.\n\ncalculator[expression]\nwikipedia_search[query]"


def question(kind: str, number: int) -> Question:
    """A question of one of three kinds; its answer is the number."""
    texts = {
        "arithmetic": f"A shop has {number} boxes and sells none. How many boxes are left?",
        "places": f"What is the population of town {number}?",
        "no_tool": f"Repeat this number: {number}",
    }
    return Question(
        id=f"{kind}-{number}", text=texts[kind], answers=(str(number),), answer_type="number", kind=kind
    )


def trace(
    asked: Question,
    *,
    answer: str | None = None,
    tool: str = "",
    error: ToolError | None = None,
    prefilled: int = 0,
    reply: str = "",
    text: str = "",
) -> Trace:
    """One answer, after a call of `tool` where one is named; `text` is then the calling turn."""
    messages = [Message(role="system", content=SYSTEM), Message(role="user", content=asked.text)]
    calls: list[ExecutedCall] = []
    if tool:
        written = f"{tool}[expression = {asked.answers[0]} + 0]"
        messages.append(Message(role="assistant", content=text or f"Action: {written}"))
        content = reply or ("Error: no" if error else asked.answers[0])
        call = (
            ToolCall(name=tool, arguments={"expression": "0"})
            if error is not ToolError.PARSE_FAILURE
            else None
        )
        calls.append(
            ExecutedCall(message=2, text=written, call=call, reply=ToolReply(content=content, error=error))
        )
        messages.append(Message(role="tool", content=content, name=tool))
    messages.append(Message(role="assistant", content=f"Answer: {answer}" if answer else ""))
    turns = tuple(
        AssistantTurn(
            message=index,
            token_ids=(5, 6, 7),
            logprobs=(-0.1, -0.2, -0.3),
            finish_reason="stop",
            prefilled=prefilled if index == 2 else 0,
        )
        for index, message in enumerate(messages)
        if message.role == "assistant"
    )
    return Trace(
        id=f"{asked.id}#0",
        question=asked,
        tools=TOOLS,
        messages=tuple(messages),
        turns=turns,
        calls=tuple(calls),
        outcome=Outcome(answer=answer),
        model="demo://test",
        template_hash="template",
        call_format="paper",
    )


def judged(one: Trace) -> tuple[Trace, EvaluationItem]:
    """A trace with its outcome, and its item."""
    item = judge_trace(one, suite=one.question.suite or "held_out", seconds=0.01)
    outcome = Outcome(answer=item.answer, correct=item.correct, score=float(item.correct))
    return one.model_copy(update={"outcome": outcome}), item


def write_evaluation(
    folder: Path,
    traces: Sequence[Trace],
    *,
    adapter: str = "",
    questions: str = "q" * 64,
    base_model: str = "demo://test",
    call_format: str = "paper",
    title: str = "",
    split: str = "held_out",
    without_tools: bool = False,
) -> Artifact:
    """An `evaluation/1` of these traces."""
    pairs = [judged(one) for one in traces]
    with write_artifact(folder, "evaluation/1") as writer:
        write_records(writer.folder / "traces.jsonl", [one for one, _ in pairs])
        write_records(writer.folder / "items.jsonl", [item for _, item in pairs])
        (writer.folder / "summary.json").write_text("{}")
        writer.lineage["question_set"] = questions
        writer.details["base_model"] = base_model
        writer.details["title"] = title
        writer.details["split"] = split
        writer.details["without_tools"] = without_tools
        variant = "plain" if without_tools else "single_step"
        settings: dict[str, JsonValue] = {"temperature": 0.0, "variant": variant, "split": split}
        writer.details["settings"] = settings | {"engine": {"call_format": call_format}}
        if adapter:
            writer.lineage["adapter"] = adapter
    return open_artifact(folder, "evaluation/1")


def write_adapter(folder: Path, *, steps: int = 40, method: str = "lora") -> Artifact:
    """An `adapter/1`; its weights are not looked at by promotion."""
    with write_artifact(folder, "adapter/1") as writer:
        (writer.folder / "adapter_model.safetensors").write_bytes(b"weights")
        (writer.folder / "adapter_config.json").write_text("{}")
        card = PolicyCard(
            base_model="demo://test",
            template_hash="template",
            call_format="paper",
            stop_ids=(2,),
            settings={"method": method, "learning_rate": 1e-3, "lora_targets": ["q_proj", "v_proj"]},
            lineage={"labeled": "l" * 64},
        )
        (writer.folder / "policy.json").write_text(card.model_dump_json())
        rows = [
            {
                "step": step,
                "loss": 2.5 / step**0.5 + 0.2 * (step % 3),
                "learning_rate": 1e-3,
                "tokens": 100 * step,
            }
            for step in range(1, steps + 1)
        ]
        (writer.folder / "training_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        writer.lineage["labeled"] = "l" * 64
    return open_artifact(folder, "adapter/1")


def labeled(one: Trace, *reasons: str) -> LabeledTrace:
    """A labeled trace: a reason for each masked turn, empty for a trained one."""
    done, _ = judged(one)
    labels = tuple(
        TurnLabel(message=turn.message, trained=not reason, reason=reason)
        for turn, reason in zip(done.turns, reasons, strict=True)
    )
    return LabeledTrace(**dict(done), labels=labels)


def write_labeled(folder: Path, traces: Sequence[LabeledTrace]) -> Artifact:
    """A `labeled_traces/1`."""
    with write_artifact(folder, "labeled_traces/1") as writer:
        write_records(writer.folder / "traces.jsonl", traces)
        (writer.folder / "report.json").write_text("{}")
    return open_artifact(folder, "labeled_traces/1")


def make_questions(count: int) -> list[Question]:
    """`count` questions of each kind."""
    return [
        question(kind, number)
        for kind in ("arithmetic", "places", "no_tool")
        for number in range(10, 10 + count)
    ]


def untrained(asked: Question) -> Trace:
    """What a base model does: now and then right, rarely with a call, which then fails."""
    number = int(asked.answers[0])
    if asked.kind == "no_tool":
        return trace(asked, answer=asked.answers[0] if number % 10 else "I do not know")
    if number % 7 == 0:
        return trace(asked, answer="none", tool="calculator", error=list(ToolError)[number % 6])
    return trace(asked, answer=asked.answers[0] if number % 9 == 0 else "It is 7, I think.")


def trained(asked: Question) -> Trace:
    """What a good adapter does: calls where it helps, and is mostly right."""
    number = int(asked.answers[0])
    if asked.kind == "no_tool":
        return trace(asked, answer=asked.answers[0])
    tool = "calculator" if asked.kind == "arithmetic" else "wikipedia_search"
    error = ToolError.TOOL_CALL_FAILURE if number % 11 == 0 else None
    return trace(asked, answer=asked.answers[0] if not error else "I can't tell.", tool=tool, error=error)


def write_inputs(
    folder: Path,
    *,
    count: int = 40,
    before: Callable[[Question], Trace] = untrained,
    after: Callable[[Question], Trace] = trained,
) -> dict[str, Artifact]:
    """All four inputs of promotion, under `folder`."""
    questions = make_questions(count)
    adapter = write_adapter(folder / "adapter")
    training = []
    for asked in questions[: count // 2]:
        training.append(
            labeled(trace(asked, answer=asked.answers[0], tool="calculator", prefilled=3), "", "")
        )
        training.append(
            labeled(
                trace(asked, answer=asked.answers[0], tool="calculator", error=ToolError.PARSE_FAILURE),
                "call failed: parse_failure",
                "",
            )
        )
        training.append(labeled(trace(asked, answer="7"), "answer is wrong"))
    return {
        "before": write_evaluation(folder / "before", [before(asked) for asked in questions]),
        "after": write_evaluation(
            folder / "after", [after(asked) for asked in reversed(questions)], adapter=adapter.digest
        ),
        "adapter": adapter,
        "labeled": write_labeled(folder / "labeled", training),
    }
