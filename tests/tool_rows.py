"""One real-looking row of every format that holds calls of tools, for ingest's tests.

All ask the same thing of the same tool, so that one table tells what must come out of each.
"""

import json
from typing import Any

from components.ingest.exchanges import Sample, build_sample
from components.ingest.formats import detect_format
from components.ingest.rows import Exchange

CITY = {"type": "string", "description": "Which city"}
SCHEMA = {"type": "object", "properties": {"city": CITY}, "required": ["city"]}
BARE = {"name": "get_weather", "description": "The weather", "parameters": SCHEMA}
FLAT = {"name": "get_weather", "description": "The weather", "parameters": {"city": CITY | {"type": "str"}}}
TOOL = {"type": "function", "function": BARE}
ASKED = "Weather in Oslo?"
ARGUMENTS = {"city": "Oslo"}
ANSWER = "It is 4 degrees."
REPLY = '{"celsius": 4}'

REACT = (
    "You are an expert in using tools.\nDesired format:\nThought: <The thought>\nAction: <The tool>\n"
    "Action Input: <The parameters>\n\nTask description: ... Specifically, you have access of the following "
    f"tools:\n{json.dumps([BARE])}\n\nLet's Begin!"
)
ACTION = f"Thought: look\nAction: get_weather\nAction Input: {json.dumps(ARGUMENTS)}"


def said(**fields: Any) -> list[dict[str, Any]]:
    return [{"from": speaker, "value": value} for speaker, value in fields.items()]


OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)},
}
MESSAGES: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": REPLY},
        {"role": "assistant", "content": ANSWER},
    ],
    "tools": [TOOL],
}
SHAREGPT: dict[str, Any] = {
    "conversations": [
        {"from": "human", "value": ASKED},
        {"from": "function_call", "value": json.dumps({"name": "get_weather", "arguments": ARGUMENTS})},
        {"from": "observation", "value": REPLY},
        {"from": "gpt", "value": ANSWER},
    ],
    "tools": json.dumps([BARE]),
}
TOOLACE: dict[str, Any] = {
    "system": f"Here is a list of functions in JSON format that you can invoke:\n{json.dumps([BARE])}\nUse them.",
    "conversations": said(user=ASKED, assistant="[get_weather(city='Oslo')]", tool=REPLY, gpt=ANSWER),
}
GLAIVE: dict[str, Any] = {
    "system": f"SYSTEM: You are helpful. Use the functions if required -\n{json.dumps(BARE)}",
    "chat": (
        f"USER: {ASKED}\n\n\nASSISTANT: <functioncall> "
        '{"name": "get_weather", "arguments": \'{"city": "Oslo"}\'} <|endoftext|>\n\n\n'
        f"FUNCTION RESPONSE: {REPLY}\n\n\nASSISTANT: {ANSWER} <|endoftext|>"
    ),
}
ROTBENCH_THIRD: dict[str, Any] = {
    "id": f"Turn 3: {ASKED}",
    "scenario": "RA",
    "conversations": [
        {"from": "system", "value": REACT},
        {"from": "user", "value": f"{ASKED}\nBegin!\n"},
        {"from": "assistant", "value": ACTION.replace('"city"', '"town"')},
        {"from": "function", "value": "get_weather() got an unexpected keyword argument 'town'"},
        {"from": "assistant", "value": [ACTION, ACTION.replace("Oslo", "oslo")]},
    ],
}
ROTBENCH: dict[str, Any] = {
    "id": f"Turn 1: {ASKED}",
    "scenario": "RA",
    "conversations": [
        {"from": "system", "value": REACT},
        {"from": "user", "value": f"{ASKED}\nBegin!\n"},
        {"from": "assistant", "value": [ACTION, ACTION.replace("Oslo", "oslo")]},
    ],
}
TOOLEYES: dict[str, Any] = {
    "id": f"Turn 1: {ASKED}",
    "conversations": said(system=REACT, user=ASKED),
    "path": "x",
}
TOOLRL: dict[str, Any] = {
    "instruction": (
        "You are helpful.\n\n**Available Tools**\nIn your response, you can use the following tools:\n"
        f"1. Name: get_weather\nDescription: The weather\nParameters: {json.dumps(FLAT['parameters'])}\n\n"
        "**Steps for Each Turn**\n1. **Think:** ..."
    ),
    "input": f"**Dialogue Records History**\n<user> {ASKED} </user>",
    "output": (
        "<think> look </think>\n<tool_call>\n"
        f"{json.dumps({'name': 'get_weather', 'parameters': ARGUMENTS})}\n</tool_call>"
    ),
}
API_BANK: dict[str, Any] = {
    "file": "x-level-1-1.jsonl",
    "id": 0,
    "instruction": "\nGenerate an API request ...\n\nAPI descriptions:\n"
    + json.dumps(
        {"name": "get_weather", "description": "The weather", "input_parameters": FLAT["parameters"]}
    ),
    "input": f"User: {ASKED}\nAI: look\nGenerate API Request:\n",
    "expected_output": "API-Request: [get_weather(city='Oslo')]",
}
SEAL_TOOLS: dict[str, Any] = {
    "id": "dev-easy-0",
    "query": ASKED,
    "calling": [{"api": "get_weather", "parameters": ARGUMENTS, "responses": ["API_call_0"]}],
    "tools": [
        {"api_name": "get_weather", "api_description": "The weather", "parameters": FLAT["parameters"]}
    ],
}
TOOLALPACA: dict[str, Any] = {
    "Name": "Weather",
    "Function_Description": {
        "get_weather": 'The weather\nParameters: {"city": "Required. string. Which city"}\nOutput: OK.',
        "components": "",
    },
    "Instructions": [ASKED],
    "Golden_Answers": [[{"Action": "get_weather", "Action_Input": json.dumps(ARGUMENTS)}]],
}
XLAM: dict[str, Any] = {
    "id": 0,
    "query": ASKED,
    "tools": json.dumps([FLAT]),
    "answers": json.dumps([{"name": "get_weather", "arguments": ARGUMENTS}]),
}
BFCL: dict[str, Any] = {
    "id": "exec_simple_0",
    "question": [[{"role": "user", "content": ASKED}]],
    "function": [BARE | {"parameters": SCHEMA | {"type": "dict"}}],
    "ground_truth": ["get_weather(city='Oslo')"],
}
GOLDS: dict[str, Any] = {
    "id": "exec_simple_0",
    "text": ASKED,
    "kind": "calls",
    "offered": json.dumps([TOOL]),
    "golds": [[{"name": "get_weather", "arguments": ARGUMENTS}]],
}

TRAJECTORIES: dict[str, dict[str, Any]] = {
    "messages": MESSAGES,
    "sharegpt": SHAREGPT,
    "toolace": TOOLACE,
    "glaive": GLAIVE,
}
GOLD_ROWS: dict[str, dict[str, Any]] = {
    "rotbench": ROTBENCH,
    "toolrl": TOOLRL,
    "api_bank": API_BANK,
    "seal_tools": SEAL_TOOLS,
    "toolalpaca": TOOLALPACA,
    "xlam": XLAM,
    "bfcl": BFCL,
    "golds": GOLDS,
}
ALL_ROWS = TRAJECTORIES | GOLD_ROWS | {"tooleyes": TOOLEYES}


def sample_of(row: dict[str, Any], call_format: str = "hermes") -> tuple[str, Sample]:
    """The format found for a row, and what ingest makes of it."""
    known = detect_format([row], "file.json")
    (part,) = known.parts(row)
    found = known.convert(part)
    assert isinstance(found, Exchange)
    return known.name, build_sample(found, found.kind or known.kind, call_format)
