"""ToolRL's rlla mix (ToolACE, Hammer, xLAM in one form): tagged text.

    {"instruction": "... **Available Tools** ...\\n1. Name: Search Managers\\nDescription: Search by name\\n
       Parameters: {\\"name\\": {\\"type\\": \\"string\\", \\"default\\": \\"\\"}}\\n\\n**Steps for Each Turn** ...",
     "input": "**Dialogue Records History**\\n<user> Who is Alex Ferguson? </user>",
     "output": "<think> ... </think>\\n<tool_call>\\n{\\"name\\": \\"Search Managers\\", \\"parameters\\":
       {\\"name\\": \\"Alex Ferguson\\"}}\\n</tool_call>"}

An output with calls is a gold. One that only answers is the end of a trajectory, if its history has calls.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from components.contracts.tool_schemas import ToolSchema
from components.ingest.call_texts import json_calls
from components.ingest.fields import text_of
from components.ingest.formats.base import Format
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said

MARK = "**Available Tools**"
END = "**Steps for Each Turn**"
TOOL = re.compile(
    r"^\d+\. Name: (?P<name>.*?)\nDescription: (?P<about>.*?)\nParameters: (?P<parameters>\{.*?\}|None|)[ \t]*$"
    r"(?=\n\d+\. Name: |\s*\Z)",
    re.DOTALL | re.MULTILINE,
)
TAG = re.compile(r"<(user|obs|think|tool_call|response)>(.*?)</\1>", re.DOTALL)


def convert(row: Mapping[str, object]) -> Exchange:
    """The history and the output as one dialogue."""
    tools = _tools(text_of(row, ("instruction",)))
    history = _said("input", text_of(row, ("input",)))
    output = _said("output", text_of(row, ("output",)))
    if len(output) != 1 or output[0].role != "assistant":
        raise RowError("output", "expected one <tool_call> or <response>")
    return Exchange(tools, (*history, *output), only_last=bool(output[0].calls))


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has the mix's fields and its list of tools."""
    instruction = row.get("instruction")
    return isinstance(instruction, str) and MARK in instruction and {"input", "output"} <= row.keys()


def _tools(instruction: str) -> tuple[ToolSchema, ...]:
    section = instruction.partition(MARK)[2].partition(END)[0].rstrip()
    found: list[dict[str, Any]] = []
    for one in TOOL.finditer(section):
        try:
            parameters = json.loads(one["parameters"]) if one["parameters"].startswith("{") else {}
        except (ValueError, RecursionError) as error:
            raise RowError("instruction", f"parameters of a tool are not JSON ({one['name']!r})") from error
        found.append({"name": one["name"].strip(), "description": one["about"], "parameters": parameters})
    if len(found) < len(re.findall(r"^\d+\. Name: ", section, re.MULTILINE)):
        raise RowError("instruction", "a tool can't be read, expected Name, Description and Parameters")
    return offered_tools(found, "instruction")


def _said(field: str, text: str) -> list[Said]:
    """The tagged messages; think, tool_call and response in a row are one assistant's message."""
    found: list[Said] = []
    pending: dict[str, str] = {}
    for tag, content in (*((one[1], one[2]) for one in TAG.finditer(text)), ("", "")):
        content = content.strip()
        if tag in pending or (tag not in ("tool_call", "response") and pending.keys() - {"think"}):
            found.append(_assistant(field, pending))
            pending = {}
        if tag in ("think", "tool_call", "response"):
            pending[tag] = content
        elif tag:
            found.append(Said("user" if tag == "user" else "tool", content))
    return found


def _assistant(field: str, parts: Mapping[str, str]) -> Said:
    if "tool_call" not in parts:
        return Said("assistant", parts.get("response", ""))
    thought = "\n".join(text for text in (parts.get("think", ""), parts.get("response", "")) if text)
    return Said("assistant", thought, json_calls(field, parts["tool_call"]))


FORMAT = Format("toolrl", "toolrl", matches, convert)
