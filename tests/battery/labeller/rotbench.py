"""Real replies to real calls: RoTBench's Third_Turn, whose failing calls came back with words and no codes.

The truth was established by hand, reply by reply, and is kept as digests, so that no data lies here. Failed: an exception's
text, an error key, a refusal. Not failed: empty results ("No advice slips found" under a notice), whatever was asked for.
"""

import hashlib
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from components.contracts.records import ToolCall
from components.contracts.tool_schemas import ToolSchema
from components.error_labeling.feedback.classifier import classify_feedback
from components.error_labeling.feedback.legacy import legacy_is_error
from tests.battery.labeller.scores import Detected

FILE = Path("rotbench") / "Third_Turn_clean.json"
_CALL = re.compile(r"Action:\s*(?P<name>.*?)\s*\nAction Input:\s*(?P<arguments>.*)", re.DOTALL)


def digest(reply: str) -> str:
    """What stands for a reply here."""
    return hashlib.sha256(reply.encode()).hexdigest()[:10]


def score(data: Path) -> tuple[Detected, Detected, Counter[str], list[str]]:
    """(truth, label) counts of ours and of the legacy rule's, our categories, and the replies on which we disagree.

    data: the folder of the samples.

    Raises:
        FileNotFoundError: the file is not there.
    """
    rows = json.loads((data / FILE).read_text(encoding="utf-8"))
    ours: Detected = Counter()
    legacy: Detected = Counter()
    categories: Counter[str] = Counter()
    disagreed: list[str] = []
    for row in rows:
        tools = _tools(row["conversations"][0]["value"])
        turns = row["conversations"]
        for before, turn in pairwise(turns):
            if turn["from"] != "function":
                continue
            reply = str(turn["value"])
            failed = digest(reply) in FAILED
            label = classify_feedback(reply, _call(str(before["value"])), tools)
            ours[failed, label is not None] += 1
            legacy[failed, legacy_is_error(reply)] += 1
            categories[label or "no error"] += 1
            if failed is not (label is not None):
                disagreed.append(reply)
    return ours, legacy, categories, disagreed


def _tools(system: str) -> list[ToolSchema]:
    """The tools in the system message, from RoTBench's bare list of functions."""
    listed: list[dict[str, Any]] = json.JSONDecoder().raw_decode(system, system.index("[{"))[0]
    return [{"type": "function", "function": one} for one in listed]


def _call(text: str) -> ToolCall | None:
    found = _CALL.search(text)
    if not found:
        return None
    try:
        arguments = json.loads(found["arguments"])
    except ValueError:
        return None
    return ToolCall(name=found["name"], arguments=arguments) if isinstance(arguments, dict) else None


FAILED = frozenset(
    [
        "056ff0c882",
        "06a9cf921a",
        "07642af84f",
        "1843866ce2",
        "1f52dbb6fd",
        "303fdd4ae3",
        "3c6dfe4c0d",
        "426aa0858f",
        "42cfaf5c30",
        "4522c25efc",
        "56b3b27b52",
        "60a6d28e88",
        "6a154aa192",
        "6b4a8967f2",
        "6b54cf2002",
        "6f7110f514",
        "77c7dabd74",
        "804e8f2958",
        "8bca905ce6",
        "9b7c91700b",
        "9c5e9dd0db",
        "a7ec3d18a1",
        "ab77c1f834",
        "b0e8525d49",
        "bbaa4dc479",
        "bcc8c7f97b",
        "be1f9ed3af",
        "c89e3a6e8d",
        "ceb1e5f512",
        "d1a379ceaf",
        "d30553682e",
        "d82c63a278",
        "dc047bf2b7",
        "e995d327a2",
        "e99daf37a5",
        "f5ed2a8f77",
        "faada1ab23",
    ]
)
