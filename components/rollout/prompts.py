"""From a question to the messages of a conversation, in the paper's four variants.

The wording is ours and short, so that a model of 135M parameters can follow it. Tools are shown by
the chat template where it can; otherwise by the call format's own description in the system message.
"""

from collections.abc import Sequence

from components.contracts.errors import InputError
from components.contracts.records import Message, PromptVariant, Question
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_schemas import ToolSchema, find_tool, parse_tools, tool_name

TOOL_VARIANTS: tuple[PromptVariant, ...] = ("single_step", "multi_step")

_SYSTEM: dict[PromptVariant, str] = {
    "plain": "Answer the question. Give only the answer, in a few words.",
    "cot": "Think step by step. Then give the result in a last line that begins with 'Answer:'.",
    "single_step": (
        "Answer the question. You may call a tool once. "
        "When the tool has replied, or when you know the answer, give only the answer, in a few words."
    ),
    "multi_step": (
        "Answer the question. You may call tools, as often as you need. "
        "When you know the answer, give only the answer, in a few words."
    ),
}


def offers_tools(variant: PromptVariant) -> bool:
    """Whether the variant lets the model call tools at all."""
    return variant in TOOL_VARIANTS


def select_tools(
    question: Question, available: Sequence[ToolSchema], unavailable: dict[str, str] | None = None
) -> tuple[ToolSchema, ...]:
    """The tools to offer for `question`: its own, or those it names, in its order, or all of them.

    Raises:
        InputError: the question names a tool that the service does not have.
    """
    if question.offered:
        return parse_tools(question.offered)
    if not question.tools:
        return tuple(available)
    chosen = []
    for name in question.tools:
        tool = find_tool(available, name)
        if tool is None:
            reason = (unavailable or {}).get(name)
            because = f" ({reason})" if reason else ""
            known = ", ".join(map(tool_name, available)) or "none"
            raise InputError(
                f"question {question.id!r}: tools: {name!r} is not offered by the tools service{because}; "
                f"there are: {known}"
            )
        chosen.append(tool)
    return tuple(chosen)


def template_tools(
    tools: Sequence[ToolSchema], call_format: str, native_tools: bool
) -> tuple[ToolSchema, ...]:
    """The tools to hand to the chat template: none where the system message describes them."""
    return tuple(tools) if native_tools and call_format != "paper" else ()


def build_messages(
    question: Question,
    tools: Sequence[ToolSchema],
    variant: PromptVariant,
    call_format: str,
    native_tools: bool,
) -> tuple[Message, ...]:
    """The messages that ask `question`: system, its history, and its text as the user's.

    A history that ends with a tool's reply holds the text already.

    tools: what is offered; ignored by the variants without tools.
    native_tools: the chat template renders `tools=` itself (`Chat.native_tools`).
    """
    history = question.history
    own = history[0].content if history and history[0].role == "system" else ""
    system = own or _SYSTEM[variant]
    if offers_tools(variant) and tools and not template_tools(tools, call_format, native_tools):
        described = get_call_format(call_format).describe(tools, multi_step=variant == "multi_step")
        lead = own or ("" if call_format == "paper" else "Answer the question.")
        system = f"{lead}\n\n{described}" if lead else described
    answered = bool(history) and history[-1].role == "tool"
    asked = () if answered else (Message(role="user", content=question.text),)
    return (Message(role="system", content=system), *(history[1:] if own else history), *asked)
