"""Fault injection: each category, seeded, independent of order, with the truth kept."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError
from tests.tools_process import tools_service
from tools_service.faults import FAULT_WORDS, FaultInjector, FaultPlan

EVEN = FaultPlan(seed=7, rates=dict.fromkeys(ToolError, 0.1))


def test_every_category_is_injected_at_its_rate() -> None:
    injector = FaultInjector(EVEN)
    draws = [injector.draw("calculator", {"expression": str(number)}) for number in range(8000)]
    counts = Counter(draw[0] if draw else None for draw in draws)
    assert set(counts) == {*ToolError, None}
    assert all(650 < counts[category] < 950 for category in ToolError)
    assert 1400 < counts[None] < 1800
    assert all("{" not in draw[1].replace('{"', "") for draw in draws if draw)


def test_faults_depend_on_seed_call_and_repetition_but_not_on_order() -> None:
    calls = [("calculator", {"expression": str(number % 50)}) for number in range(200)]
    first, second = FaultInjector(EVEN), FaultInjector(EVEN)
    forwards = [first.draw(*call) for call in calls]
    assert [second.draw(*call) for call in calls] == forwards
    shuffled = FaultInjector(EVEN)
    order = sorted(range(200), key=lambda place: (place % 50, place))  # the same repetitions, other order
    by_place = {place: shuffled.draw(*calls[place]) for place in order}
    assert [by_place[place] for place in range(200)] == forwards
    other = FaultInjector(EVEN.model_copy(update={"seed": 8}))
    assert [other.draw(*call) for call in calls] != forwards
    assert len({str(forwards[place]) for place in range(0, 200, 50)}) > 1 or forwards[0] is None


def test_every_category_has_words() -> None:
    assert set(FAULT_WORDS) == set(ToolError)
    assert all(len(words) >= 3 for words in FAULT_WORDS.values())


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"rates": {}}', '{"rates": {"timeout": 2}}', '{"rates": {"timeout": -1}}', '{"seed": 1}'],
)
def test_a_bad_plan_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^faults: ") as caught:
        FaultPlan.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("typed", [True, False])
def test_the_service_keeps_the_truth_of_every_call(tmp_path: Path, typed: bool) -> None:
    plan = {"seed": 3, "rates": {"timeout": 0.2, "tool_call_failure": 0.2}, "typed": typed}
    log = tmp_path / "truth.jsonl"
    calls = [
        {"id": f"c{number}", "name": "calculator", "arguments": {"expression": f"{number}/{number % 4}"}}
        for number in range(60)
    ]
    with tools_service(tmp_path, "--faults", json.dumps(plan), "--faults-log", str(log)) as service:
        replies = httpx.post(f"{service.url}/batch", json={"calls": calls}, timeout=30).json()["replies"]
        rows = httpx.get(f"{service.url}/faults").json()["rows"]
    assert [json.loads(line) for line in log.read_text().splitlines()] == rows
    truth = {row["call_id"]: row for row in rows}
    assert len(truth) == 60
    injected = Counter(row["injected"] for row in rows)
    assert set(injected) == {"timeout", "tool_call_failure", None}
    for number, reply in enumerate(replies):
        row = truth[f"c{number}"]
        assert row["content"] == reply["content"]
        code = reply["error"]["code"] if reply["error"] else None
        if row["injected"] is None:
            assert row["error"] == code == ("tool_call_failure" if number % 4 == 0 else None)
        else:
            assert row["error"] == row["injected"]
            assert code == (row["injected"] if typed else None)


def test_without_a_plan_nothing_is_injected_and_nothing_told(tmp_path: Path) -> None:
    with tools_service(tmp_path) as service:
        assert httpx.get(f"{service.url}/faults").status_code == 404
