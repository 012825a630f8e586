"""The system-prompt texts that teach each format without an example call.

Short on purpose: a model of 135M parameters reads them.
"""

import json
from collections.abc import Sequence

from components.contracts.tool_schemas import (
    ToolSchema,
    required_parameters,
    tool_name,
    tool_parameters,
)


def describe_paper(tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
    """The fields and one line a tool.

    The brackets of a call are described, not shown: a small model copies whatever stands in them.
    """
    fields = ["When you know the answer, write Answer: and then a few words."]
    if multi_step:
        fields += [
            "You can use tools as often as you need.",
            "A line Thought: may come before an action, a line Rationale: before an answer.",
        ]
    return "\n".join(
        [
            "You answer questions. You can use these tools:",
            *(f"{tool_name(tool)}{_inputs(tool)}: {_about(tool)}" for tool in tools),
            "To use a tool, write Action: and then the tool and its input in square brackets.",
            *fields,
        ]
    )


def describe_json(tools: Sequence[ToolSchema], form: str, *, multi_step: bool) -> str:
    """For formats whose calls are JSON: the schemas, one a line, and the form of a call."""
    return "\n".join(
        [
            "You can use these tools:",
            *(json.dumps(tool["function"], ensure_ascii=False) for tool in tools),
            f"To call a tool, write {form}",
            _turns(multi_step),
        ]
    )


def describe_pythonic(tools: Sequence[ToolSchema], *, multi_step: bool) -> str:
    """Signatures in Python's manner, required parameters first."""
    return "\n".join(
        [
            "You can use these tools:",
            *(f"- {signature(tool)}: {_about(tool)}" for tool in tools),
            'To call tools, write only a list of calls: [tool(parameter="value")]',
            _turns(multi_step),
        ]
    )


def signature(tool: ToolSchema) -> str:
    """`name(required: type, optional: type = None)`."""
    required = required_parameters(tool)
    parameters = sorted(tool_parameters(tool).items(), key=lambda item: item[0] not in required)
    shown = (
        f"{name}: {schema.get('type', 'any')}{'' if name in required else ' = None'}"
        for name, schema in parameters
    )
    return f"{tool_name(tool)}({', '.join(shown)})"


def _turns(multi_step: bool) -> str:
    again = "You may call again after a reply." if multi_step else "Call at most once."
    return f"{again} If you need no tool, or when you know enough, write only the answer."


def _inputs(tool: ToolSchema) -> str:
    """` (name, name)` of the parameters, required ones first."""
    required = required_parameters(tool)
    names = sorted(tool_parameters(tool), key=lambda name: name not in required)
    return f" ({', '.join(names)})" if names else ""


def _about(tool: ToolSchema) -> str:
    return " ".join(str(tool["function"].get("description", "")).split()) or "no description"
