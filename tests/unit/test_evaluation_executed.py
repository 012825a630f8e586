"""Questions that bring tools and no gold: executed by a service that stands in for the tools, judged by VA."""

import json
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem, Question
from components.policy.engine import Conversation
from tests.gold_questions import OFFERED, ScriptedPolicy, evaluate, make_tool
from tests.scripted_engine import turn_number
from tests.tools_process import tools_service


def test_own_tools_are_executed_by_a_service_that_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = {
        "fine": ['[weather(city="Oslo"), now()]', "It rains."],
        "lost": [
            '[oracle(city="Oslo")]',
            "[weather()]",
            '[weather(city="Oslo", sky="x")]',
            "I'm sorry, I cannot help.",
        ],
        "typed": ["[weather(city=3)]", "It rains."],
    }
    asked = [Question(id=name, text=f"Ask {name}", kind="tooleyes", offered=OFFERED) for name in turns]

    def say(conversation: Conversation) -> str:
        first = next(message.content for message in conversation.messages if message.role == "user")
        return turns[first.removeprefix("Ask ")][turn_number(conversation)]

    monkeypatch.setattr("components.evaluation.run._open_engine", ScriptedPolicy(say))
    schemas = tmp_path / "tools.json"
    schemas.write_text(OFFERED)
    with tools_service(tmp_path, "--stand-ins", str(schemas)) as service:
        opened, summary, metrics = evaluate(asked, "scripted", service.url, tmp_path / "out")
        other = asked[0].model_copy(update={"offered": json.dumps([make_tool("oracle", "city")])})
        with pytest.raises(
            InputError, match=r"question 'fine': offered: 'oracle' is not at the tools service"
        ):
            evaluate([other], "/no/such/model", service.url, tmp_path / "refused")
    items = {item.id: item for item in read_records(opened.path("items.jsonl"), EvaluationItem)}
    assert {name: item.valid_answer for name, item in items.items()} == {
        "fine": True,
        "lost": False,
        "typed": True,
    }
    assert all(item.correct == item.valid_answer for item in items.values())
    group = summary["executed"]["tooleyes"]
    assert group["counts"] == {"de": 3, "ce": 1, "va": 2}
    assert (group["calls"], group["de"], group["ce"], group["va"]) == (6, 3 / 6, 1 / 6, 2 / 3)
    assert metrics["tooleyes_executed_va"] == 2 / 3
    assert "profile" not in summary
    assert "Executed calls" in (tmp_path / "out" / "report.html").read_text()
