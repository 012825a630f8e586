"""ToolAlpaca (eval_real, eval_simulated): one row an API, with its instructions and their golden calls.

    {"Name": "Nager.Date", "Function_Description": {"VersionGetVersion": "Get the version\\nParameters: {}\\n
       Output: Success.", "CountryInfo": "Country info\\nParameters: {\\"code\\": \\"Required. string. Two
       letters.\\"}\\nOutput: ...", "components": "..."},
     "Instructions": ["Which version is it?"],
     "Golden_Answers": [[{"Action": "VersionGetVersion", "Action_Input": "{}"}]]}

Each instruction is one row in the counts. The calls of a golden answer are taken as parallel.
"""

import json
import re
from collections.abc import Iterator, Mapping

from components.contracts.tool_schemas import TYPE_NAMES
from components.ingest.call_texts import make_call
from components.ingest.fields import text_of
from components.ingest.formats.base import Format, RawRow
from components.ingest.formats.tool_lists import offered_tools
from components.ingest.rows import Exchange, RowError, Said

PARAMETERS = re.compile(r"^Parameters: (\{.*\})\s*$", re.MULTILINE)
PARAMETER = re.compile(r"(?P<required>Required\. )?(?:(?P<type>[A-Za-z]+)\.\s?)?(?P<about>.*)", re.DOTALL)


def parts(row: RawRow) -> Iterator[RawRow]:
    """One row for each instruction; an instruction without a golden answer has an empty one."""
    asked, golden = row.get("Instructions"), row.get("Golden_Answers")
    if not isinstance(asked, list) or not isinstance(golden, list):
        yield row
        return
    for number in range(max(len(asked), len(golden))):
        yield {
            "Name": row.get("Name"),
            "Function_Description": row.get("Function_Description"),
            "Instruction": asked[number] if number < len(asked) else None,
            "Golden_Answer": golden[number] if number < len(golden) else None,
        }


def convert(row: Mapping[str, object]) -> Exchange:
    """One instruction with its golden calls."""
    text = text_of(row, ("Instruction",))
    golden = row.get("Golden_Answer")
    if not isinstance(golden, list) or not all(isinstance(one, Mapping) for one in golden):
        raise RowError("Golden_Answers", "expected a list of actions")
    calls = tuple(make_call("Golden_Answers", one.get("Action"), one.get("Action_Input")) for one in golden)
    described = row.get("Function_Description")
    if not isinstance(described, Mapping):
        raise RowError("Function_Description", "expected an object of descriptions by function")
    tools = [_tool(str(name), str(about)) for name, about in described.items() if name != "components"]
    return Exchange(
        offered_tools(tools, "Function_Description"),
        (Said("user", text), Said("assistant", "", calls)),
        only_last=True,
    )


def matches(row: Mapping[str, object]) -> bool:
    """Whether the row has the set's fields (whole, or one of its parts)."""
    return "Function_Description" in row and ("Golden_Answers" in row or "Golden_Answer" in row)


def _tool(name: str, about: str) -> dict[str, object]:
    found = PARAMETERS.search(about)
    try:
        given = json.loads(found[1]) if found else {}
    except (ValueError, RecursionError) as error:
        raise RowError("Function_Description", f"parameters are not JSON ({name})") from error
    described = about[: found.start()].strip() if found else about.strip()
    return {
        "name": name,
        "description": described,
        "parameters": {key: _parameter(str(text)) for key, text in given.items()},
    }


def _parameter(text: str) -> dict[str, object]:
    """`Required. string. What it is.`; other words before the first stop belong to the description."""
    found = PARAMETER.match(text)
    if found is None or (found["type"] or "").lower() not in TYPE_NAMES:
        required = text.startswith("Required. ")
        return {"description": text.removeprefix("Required. "), "required": required}
    about = found["about"].strip()
    return {"type": found["type"], "description": about, "required": bool(found["required"])}


FORMAT = Format("toolalpaca", "toolalpaca", matches, convert, parts=parts)
