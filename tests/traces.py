"""Small hand-made traces for tests."""

import json

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    FinishReason,
    Message,
    Outcome,
    PromptVariant,
    Question,
    ToolCall,
    ToolReply,
    Trace,
)
from components.contracts.tool_errors import ToolError

CALCULATOR = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Compute.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
        },
    },
}


def make_trace(
    question: str = "q0",
    sample: int = 0,
    *,
    errors: tuple[ToolError | None, ...] = (),
    correct: bool | None = True,
    answer: str = "4",
    prefilled: int = 0,
    finish: FinishReason = "stop",
    prompt: PromptVariant = "multi_step",
    kind: str = "arithmetic",
    text: str = "",
) -> Trace:
    """A trace with one turn for each entry of `errors` (its call's error), then an answering turn.

    text: what makes the trace's messages differ from others'; by default the sample's number.
    """
    messages = [Message(role="system", content="s"), Message(role="user", content=f"What is {question}?")]
    turns: list[AssistantTurn] = []
    calls: list[ExecutedCall] = []
    unreadable = ToolError.PARSE_FAILURE

    def turn(content: str, finish_reason: FinishReason = "stop") -> None:
        first = not turns
        messages.append(Message(role="assistant", content=content))
        turns.append(
            AssistantTurn(
                message=len(messages) - 1,
                token_ids=(1, 2, 3),
                logprobs=(0.0, -0.5, -0.5),
                finish_reason=finish_reason,
                prefilled=prefilled if first else 0,
            )
        )

    for index, error in enumerate(errors):
        turn(f"call {index} {text or sample}")
        call = None if error is unreadable else ToolCall(name="calculator", arguments={"expression": "2+2"})
        reply = ToolReply(content="Error: no" if error else "4", error=error)
        calls.append(ExecutedCall(message=len(messages) - 1, text="c", call=call, reply=reply))
        messages.append(Message(role="tool", content=reply.content, name="calculator"))
    turn(f"{answer} {text or sample}", finish)
    return Trace(
        id=f"{question}#{sample}",
        question=Question(id=question, text=f"What is {question}?", answers=("4",), kind=kind),
        tools=json.dumps([CALCULATOR]),
        messages=tuple(messages),
        turns=tuple(turns),
        calls=tuple(calls),
        outcome=Outcome(answer=answer, correct=correct),
        model="test",
        call_format="hermes",
        prompt=prompt,
        sample=sample,
    )
