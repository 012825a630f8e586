"""Where the stateful API classes of BFCL's multi-turn groups stand in the unpacked bfcl-eval package.

<package>/eval_checker/multi_turn_eval/func_source_code/<module>.py     the class
<package>/data/multi_turn_func_doc/<module>.json                        its functions, a JSON object a line
"""

import json
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError

CLASS_MODULES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
STATELESS = ("MathAPI",)  # no scenario is loaded
SOURCES = ("eval_checker", "multi_turn_eval", "func_source_code")


def class_source(package: Path, class_name: str) -> Path:
    """The Python file of a class."""
    return package.joinpath(*SOURCES, f"{CLASS_MODULES[class_name]}.py")


def documented_functions(package: Path, class_name: str) -> tuple[dict[str, JsonValue], ...]:
    """The functions of a class as the benchmark offers them, with its own names of types.

    package: the unpacked `bfcl_eval` folder.

    Raises:
        InputError: the file is not there, or a line is no function with a name.
    """
    path = package / "data" / "multi_turn_func_doc" / f"{CLASS_MODULES[class_name]}.json"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; expected the unpacked bfcl-eval package with the functions of {class_name}"
        ) from None
    functions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            function = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InputError(f"{path}:{number}: expected a function with a name")
        functions.append(function)
    return tuple(functions)
