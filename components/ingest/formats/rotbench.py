"""RoTBench: First_Turn (golds with alternatives) and Third_Turn (real failing calls with feedback).

    {"id": "Turn 1: Can you suggest something to do indoors?", "scenario": "RA", "conversations": [
       {"from": "system", "value": "... following tools:\\n[{\\"name\\": \\"get_activity\\", ...}]\\n\\nLet's Begin!"},
       {"from": "user", "value": "Can you suggest something to do indoors?\\nBegin!\\n"},
       {"from": "assistant", "value": ["Thought:\\nAction: get_activity\\nAction Input: {\\"type\\": \\"indoor\\"}"]}]}

The last assistant value lists the accepted next calls. The noise level is in the file's name; its kind is
rotbench_<level>, and rotbench_third_<level> for Third_Turn.
"""

import re
from collections.abc import Mapping

from components.ingest.call_texts import action_turn
from components.ingest.formats.base import Format
from components.ingest.formats.react import tools_of_system, turns_of, user_message
from components.ingest.rows import Exchange, RowError, Said

LEVEL = re.compile(r"(first|third)_turn_?(clean|slight|medium|heavy|union)", re.IGNORECASE)


def convert(row: Mapping[str, object]) -> Exchange:
    """A gold when the row's only assistant turn is the last one, else a trajectory."""
    turns = turns_of(row)
    tools = tools_of_system(turns)
    said: list[Said] = []
    for number, (speaker, value) in enumerate(turns[1:], 1):
        field = f"conversations[{number}].value"
        match speaker:
            case "user" | "human":
                said.append(user_message(field, value))
            case "function" | "observation" | "tool":
                said.append(Said("tool", str(value)))
            case "assistant" | "gpt":
                said.append(_assistant(field, value))
            case _:
                raise RowError(f"conversations[{number}].from", f"expected a known speaker, got {speaker!r}")
    made = sum(one.role == "assistant" for one in said)
    return Exchange(tools, tuple(said), only_last=made == 1 and said[-1].role == "assistant")


def matches(row: Mapping[str, object]) -> bool:
    """Whether tools are in the system text and an assistant has acted."""
    return any(speaker in ("assistant", "gpt") for speaker, _ in turns_of(row))


def kind_of(file: str) -> str:
    """The noise level in the file's name."""
    found = LEVEL.search(file)
    if found is None:
        return ""
    third = "third_" if found[1].lower() == "third" else ""
    return f"rotbench_{third}{found[2].lower()}"


def _assistant(field: str, value: object) -> Said:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise RowError(field, "expected the text of an action, or a list of accepted ones")
    first, *others = [action_turn(field, str(text)) for text in texts]
    return Said("assistant", first.text, first.calls, tuple(one.calls for one in others))


FORMAT = Format("rotbench", "rotbench", matches, convert, kind_of=kind_of)
