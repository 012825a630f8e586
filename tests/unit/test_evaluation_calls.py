"""Questions with gold calls and questions whose own tools are executed: the whole stage on both."""

from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem, Message, Question, Trace
from components.contracts.tool_calls import get_call_format
from components.contracts.tool_errors import ToolError
from components.contracts.tool_schemas import parse_tools
from components.evaluation.__main__ import main
from components.evaluation.profile import CHARACTERS, name_tokens
from components.evaluation.questions import select_questions
from components.evaluation.report import noise_gap
from components.evaluation.settings import EvaluationSettings
from components.policy.engine import Completion
from components.rollout.single_turn import run_single_turns
from tests.gold_questions import (
    GOLDS,
    NOWHERE,
    OFFERED,
    OSLO,
    SAID,
    ScriptedPolicy,
    call,
    evaluate,
    gold,
    script,
)
from tests.scripted_engine import ScriptedEngine, last_text
from tests.small_tools import free_port
from tests.tiny_model import build_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    policy = ScriptedPolicy(script)
    monkeypatch.setattr("components.evaluation.run._open_engine", policy)
    return policy.engine


def test_one_turn_is_judged_and_kept(scripted: ScriptedEngine, model: Path, tmp_path: Path) -> None:
    opened, summary, metrics = evaluate(GOLDS, model, NOWHERE, tmp_path, title="MAE & PKT")
    items = {item.id: item for item in read_records(opened.path("items.jsonl"), EvaluationItem)}
    assert list(items) == [question.id for question in GOLDS]
    verdicts = {
        name: (item.tool_selected, item.parameters_identified, item.content_filled, item.category)
        for name, item in items.items()
    }
    assert verdicts == {
        "right": (True, True, True, "correct"),
        "second": (True, True, True, "correct"),
        "value": (True, True, False, "wrong content"),
        "extra": (True, False, False, "parameter hallucination"),
        "tool": (False, False, False, "wrong tool"),
        "broken": (False, False, False, "cannot be parsed"),
        "silent": (False, False, False, "no call"),
        "no such": (False, False, False, "tool hallucination"),
    }
    assert all(item.correct == item.content_filled for item in items.values())
    assert [name for name, item in items.items() if item.unparsed] == ["broken"]
    assert items["tool"].predicted == (call("weather_map", city="Oslo"),)
    assert items["second"].gold == ("now()", 'weather(city="Oslo")')
    assert items["extra"].errors == (ToolError.PARAMETER_HALLUCINATION,)
    overall = summary["calls"]["overall"]
    assert overall["questions"] == 8
    assert overall["counts"] == {"ts": 4, "pi": 3, "cf": 2, "unparsed": 1, "no_call": 1}
    assert overall["cf"] == summary["overall"]["accuracy"] == 2 / 8
    assert (summary["overall"]["pass_rate"], summary["overall"]["exact_match"]) == (None, None)
    assert sum(overall["categories"].values()) == 8
    assert (summary["executed"], summary["tools"]) == ({}, {})
    assert (metrics["calls_ts"], metrics["rotbench_clean_calls_cf"], metrics["other_calls_unparsed"]) == (
        4 / 8,
        2 / 3,
        1 / 3,
    )
    assert opened.manifest.details["title"] == "MAE & PKT"
    traces = {trace.question.id: trace for trace in read_records(opened.path("traces.jsonl"), Trace)}
    assert {trace.id: trace.outcome.correct for trace in traces.values()} == {
        item.trace_id: item.correct for item in items.values()
    }
    assert [message.role for message in traces["right"].messages] == ["system", "user", "assistant"]
    page = (tmp_path / "report.html").read_text()
    assert "MAE &amp; PKT" in page
    assert "Noise gap" in page
    assert "Where calls go wrong" in page
    assert 'weather_map(city=\\"Oslo\\")' in page


def test_the_profile_is_the_same_from_a_shell(
    scripted: ScriptedEngine, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, summary, _ = evaluate(GOLDS, model, NOWHERE, tmp_path)
    profile = summary["profile"]
    assert (profile["turns"], profile["wrong_turns"], profile["tokenizer"]) == (8, 6, str(model))
    assert (profile["tool"]["calls"], profile["parameters"]["calls"], profile["content"]["calls"]) == (
        2,
        1,
        1,
    )
    assert profile["content"]["synonyms"] == {"count": 1, "share": 1.0}
    assert main(["profile", "--evaluation", str(opened.folder), "--out", str(tmp_path / "p.html")]) == 0
    section = (
        (tmp_path / "report.html").read_text().split("<h2>Where calls go wrong</h2>")[1].split("</table>")[0]
    )
    assert section in (tmp_path / "p.html").read_text()
    assert main(["profile", "--evaluation", str(tmp_path), "--out", str(tmp_path / "p.html")]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_official_rules_are_for_rotbench_alone(
    scripted: ScriptedEngine, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "right", "[now()]")
    asked = [gold("right", call("now")), gold("value", call("weather", city="oslo"), kind="other")]
    for scorer, expected in (("fixed", [True, True]), ("official", [False, True])):
        opened, _, _ = evaluate(asked, model, NOWHERE, tmp_path / scorer, scorer=scorer)
        items = read_records(opened.path("items.jsonl"), EvaluationItem)
        assert [item.content_filled for item in items] == expected


def test_history_and_own_tools_are_shown_in_batches() -> None:
    class Counting(ScriptedEngine):
        def complete(self, conversations: Any, sampling: Any, *, seeds: Any) -> list[Completion]:
            assert sampling.max_new_tokens == 48
            return super().complete(conversations, sampling, seeds=seeds)

    engine = Counting(script, call_format="hermes", native_tools=True)
    history = (
        Message(role="system", content="You rule."),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Ho"),
    )
    asked = [gold(name, OSLO, history=history) for name in SAID]
    settings = EvaluationSettings.parse('{"preset": "demo_calls", "concurrent": 3}')
    traces = list(run_single_turns(asked, engine, settings, adapter="digest"))
    assert [len(batch) for batch in engine.asked] == [3, 3, 2]
    first = engine.asked[0][0]
    assert first.messages == (*history, Message(role="user", content="Ask right"))
    assert first.tools == parse_tools(OFFERED)
    assert {trace.adapter for trace in traces} == {"digest"}
    assert [trace.question.id for trace in traces] == list(SAID)


@pytest.mark.parametrize("call_format", ["paper", "hermes", "pythonic", "llama3_json"])
def test_the_gold_in_any_format_is_right(
    call_format: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = get_call_format(call_format)
    tools = parse_tools(OFFERED)
    asked = [
        gold("a", OSLO),
        gold("b", call("now")),
        gold("c", call("weather", days="3", city='the "old" town')),
    ]
    answers = {question.text: forms.render(question.golds[0], tools=tools) for question in asked}
    policy = ScriptedPolicy(lambda conversation: answers[last_text(conversation)])
    policy.engine.call_format = call_format
    monkeypatch.setattr("components.evaluation.run._open_engine", policy)
    _, summary, _ = evaluate(asked, model, NOWHERE, tmp_path)
    assert summary["calls"]["overall"]["counts"] == {"ts": 3, "pi": 3, "cf": 3, "unparsed": 0, "no_call": 0}


def test_a_real_model_needs_no_tools_service(model: Path, tmp_path: Path) -> None:
    _, summary, metrics = evaluate(GOLDS[:3], model, NOWHERE, tmp_path, max_new_tokens=4)
    assert metrics["calls_ts"] == 0
    assert summary["profile"]["turns"] == 3


def test_what_can_not_be_judged_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    unknown = gold("x", call("oracle"))
    with pytest.raises(
        InputError, match=r"question 'x': golds: the tool 'oracle' is not among those offered"
    ):
        evaluate([unknown], "/no/such/model", NOWHERE, tmp_path / "a")
    with pytest.raises(InputError, match=r"'plain' offers no tools.*question 'right'"):
        evaluate(GOLDS, "/no/such/model", NOWHERE, tmp_path / "b", variant="plain")
    url = f"http://127.0.0.1:{free_port()}"
    named = GOLDS[0].model_copy(update={"offered": "", "tools": ("weather",)})
    with pytest.raises(InputError, match=url):
        evaluate([named], "/no/such/model", url, tmp_path / "c")
    with pytest.raises(InputError, match="has no gold"):
        select_questions([Question(id="q", text="?")], limit_per_kind=0, seed=0)


def test_the_noise_gap_is_against_clean() -> None:
    level = {"questions": 4, "ts": 1.0, "pi": 0.75, "cf": 0.5}
    heavy = {"questions": 8, "ts": 0.5, "pi": 0.5, "cf": 0.0}
    rows: Any = noise_gap(
        {"rotbench_heavy": dict(heavy), "rotbench_clean": dict(level), "overall": dict(level)}
    )
    assert [row["level"] for row in rows] == ["clean", "heavy"]
    assert [cell["gap"] for row in rows for cell in row["cells"]] == [None, None, None, -0.5, -0.25, -0.5]
    assert noise_gap({"rotbench_clean": dict(level)}) == []
    rows = noise_gap({"rotbench_heavy": dict(heavy), "rotbench_union": dict(heavy)})
    assert [cell["gap"] for row in rows for cell in row["cells"]] == [None] * 6


def test_names_are_split_by_the_policy_where_it_is_known(model: Path, tmp_path: Path) -> None:
    tokens, tokenizer = name_tokens(str(model))
    assert tokenizer == str(model)
    assert 0 < len(list(tokens("weather forecast"))) < len("weather forecast")
    assert name_tokens(str(tmp_path / "nothing"))[1] == CHARACTERS
    with pytest.raises(InputError):
        name_tokens(str(tmp_path / "nothing"), required=True)


def test_presets() -> None:
    paper = EvaluationSettings.parse('{"preset": "tl-training"}')
    assert (paper.temperature, paper.max_new_tokens, paper.max_steps, paper.engine.call_format) == (
        0,
        512,
        9,
        "hermes",
    )
    demo = EvaluationSettings.parse('{"preset": "demo_calls"}')
    assert (demo.max_new_tokens, demo.engine.call_format, demo.engine.batch_size, demo.scorer) == (
        48,
        "pythonic",
        64,
        "fixed",
    )
