"""A small package in the layout of bfcl-eval's: one class of our own with state, and functions that misbehave."""

import json
from pathlib import Path

from components.contracts.records import Question
from components.scoring.bfcl.multi_turn_rows import multi_turn_question

ANNOUNCED = "Look again: there are new functions now."
SOURCE = """
import socket
import sys
import time


class TicketAPI:
    def __init__(self):
        self.tickets = {}
        self._touched = 0

    def _load_scenario(self, scenario, long_context=False):
        self.tickets = dict(scenario.get("tickets", {}))
        self.padding = "long" * 50 if long_context else ""

    def add_ticket(self, title, priority=1):
        print("noise on the standard output")
        if not isinstance(priority, int):
            raise ValueError("priority must be a whole number")
        self.tickets[title] = priority
        return {"title": title, "priority": priority}

    def remove_ticket(self, title):
        if title not in self.tickets:
            return {"error": f"no ticket {title}"}
        return {"removed": self.tickets.pop(title)}

    def list_tickets(self):
        self._touched += 1
        return list(self.tickets)

    def title_of(self, number):
        return sorted(self.tickets)[number]

    def forever(self):
        self.tickets["forever"] = 1
        while True:
            pass

    def work(self, seconds):
        begun = time.process_time()
        while time.process_time() < begun + seconds:
            pass
        return "worked"

    def sleep_long(self):
        time.sleep(3600)

    def nap(self, seconds):
        time.sleep(seconds)
        return "rested"

    def hog(self):
        self.tickets["hog"] = 1
        return len(bytearray(1 << 40))

    def shout(self, times):
        return "ha" * times

    def leave(self):
        sys.exit(3)

    def connect(self):
        socket.socket()

    def write_file(self, path):
        open(path, "w").write("x")

    def secret(self):
        return "not documented"

    def _private(self):
        return "not a function"
"""
FUNCTIONS: dict[str, dict[str, str]] = {
    "add_ticket": {"title": "string", "priority": "integer"},
    "remove_ticket": {"title": "string"},
    "list_tickets": {},
    "title_of": {"number": "integer"},
    "forever": {},
    "work": {"seconds": "float"},
    "sleep_long": {},
    "nap": {"seconds": "float"},
    "hog": {},
    "shout": {"times": "integer"},
    "leave": {},
    "connect": {},
    "write_file": {"path": "string"},
    "_private": {},
}


def write_package(folder: Path) -> Path:
    """Write it into `folder`; returns the `bfcl_eval` folder."""
    package = folder / "bfcl_eval"
    sources = package / "eval_checker" / "multi_turn_eval" / "func_source_code"
    documents = package / "data" / "multi_turn_func_doc"
    for one in (sources, documents, package / "constants"):
        one.mkdir(parents=True)
    (sources / "ticket_api.py").write_text(SOURCE)
    (sources / "math_api.py").write_text("import a_module_that_is_not_there\n")
    (documents / "math_api.json").write_text(
        json.dumps({"name": "add", "parameters": {"type": "dict"}}) + "\n"
    )
    lines = [
        {
            "name": name,
            "description": name,
            "parameters": {
                "type": "dict",
                "properties": {key: {"type": kind} for key, kind in parameters.items()},
                "required": [key for key in parameters if key != "priority"],
            },
        }
        for name, parameters in FUNCTIONS.items()
    ]
    (documents / "ticket_api.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    prompts = f"LIMIT = 3\nDEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC = (\n    {ANNOUNCED!r}\n)\n"
    (package / "constants" / "default_prompts.py").write_text(prompts)
    return package


def ticket_question(
    package: Path,
    said: list[str | None],
    ground_truth: list[list[str]],
    *,
    group: str = "base",
    missed: dict[str, list[str]] | None = None,
    number: int = 0,
) -> Question:
    """A question about tickets; None: the turn in which held-out functions are offered."""
    row: dict[str, object] = {
        "id": f"multi_turn_{group}_{number}",
        "question": [[] if text is None else [{"role": "user", "content": text}] for text in said],
        "initial_config": {"TicketAPI": {"tickets": {"old": 5}}},
        "involved_classes": ["TicketAPI"],
    }
    if missed:
        row["missed_function"] = missed
    return multi_turn_question(row, ground_truth, package)
