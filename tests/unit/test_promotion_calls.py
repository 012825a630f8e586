"""Promotion of a policy that was judged by gold calls alone: groups may be missing, TS, PI and CF are shown."""

import json
from pathlib import Path
from typing import Any

from components.contracts.records import (
    AssistantTurn,
    ExecutedCall,
    Message,
    Outcome,
    Question,
    ToolCall,
    ToolReply,
    Trace,
)
from components.evaluation.summary import summarize
from components.promotion.comparison import compare, summary_of
from components.promotion.gate import decide
from components.promotion.leaderboard import Leaderboard
from components.promotion.model_card import render_model_card
from components.promotion.report import Facts, render_report
from components.promotion.run import scalar_metrics
from components.promotion.settings import PromotionSettings
from components.promotion.suites import compare_suites
from components.promotion.viewer import build_viewer
from components.scoring.call_rates import CALL_METRICS
from components.scoring.tool_use import METRICS
from tests.evaluation_samples import judged

GOLD = ToolCall(name="weather", arguments={"city": "Oslo"})
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = json.dumps(
    [{"type": "function", "function": {"name": "weather", "description": "", "parameters": SCHEMA}}]
)
SETTINGS = PromotionSettings.parse('{"preset": "demo_calls", "samples": 200}')
FACTS = Facts("demo://test", "0" * 64, {}, {}, "pythonic", "hash", 0.95, 200, 19)


def trace(number: int, city: str | None) -> Trace:
    """One turn that asks for a city's weather, or that answers."""
    text = f'[weather(city="{city}")]' if city else "It rains."
    made = ToolCall(name="weather", arguments={"city": city})
    reply = ToolReply(content="")
    return Trace(
        id=f"q{number}#0",
        question=Question(
            id=f"q{number}", text="Weather in Oslo?", kind="demo_calls", offered=TOOLS, golds=((GOLD,),)
        ),
        tools=TOOLS,
        messages=(Message(role="user", content="Weather in Oslo?"), Message(role="assistant", content=text)),
        turns=(AssistantTurn(message=1, token_ids=(1,), logprobs=(0.0,), finish_reason="stop"),),
        calls=(ExecutedCall(message=1, text=text, call=made, reply=reply),) if city else (),
        outcome=Outcome(answer=None if city else text),
        model="demo://test",
        call_format="pythonic",
    )


def test_a_comparison_of_gold_questions_alone(tmp_path: Path) -> None:
    sides = [
        [judged(trace(number, city)) for number, city in enumerate(cities)]
        for cities in ([None, "Rome", "Oslo", None] * 5, ["Oslo", "Oslo", "Oslo", "Rome"] * 5)
    ]
    pairs = [(before[1], after[1]) for before, after in zip(*sides, strict=True)]
    traces = [{one.question.id: one for one, _ in side} for side in sides]
    compared = compare(pairs, traces[0], traces[1], SETTINGS)
    assert set(compared.groups) == {"overall", "needs_tool", "demo_calls"}
    assert compared.tools == {}
    group = compared.groups["needs_tool"]
    assert [group.rate("before", metric) for metric in CALL_METRICS] == [0.5, 0.5, 0.25, 0, 0.5]
    assert [group.rate("after", metric) for metric in CALL_METRICS] == [1, 1, 0.75, 0, 0]
    assert group.rate("after", "exact_match") is None
    decision = decide(compared, SETTINGS)
    assert decision.promoted
    assert [check.name for check in decision.checks] == ["better", "tool_use_kept", "no_runaway"]
    summary: Any = summary_of(compared)
    assert set(summary["overall"]) == {*METRICS, *CALL_METRICS}
    assert summary["overall"]["calls_cf"]["difference"]["mean"] == 0.5
    assert scalar_metrics(compared, decision)["calls_ts_after"] == 1
    own: Any = summarize([after for _, after in pairs], {}, no_tool_kinds=())
    assert own["calls"]["overall"]["cf"] == summary["overall"]["calls_cf"]["after"]
    viewer = build_viewer(pairs, traces[0], traces[1], [], SETTINGS)
    nothing: dict[str, dict[str, int]] = {"before": {}, "after": {}}
    board = Leaderboard(
        questions=20, has_own=True, standings=[], suites=[], faults=nothing, errors=nothing, noise={}
    )
    page = render_report(compared, decision, board, viewer, [], FACTS)
    assert "Content filling (CF)" in page
    assert 'weather(city=\\"Oslo\\")' in page
    suites = compare_suites(pairs, "held_out", SETTINGS)
    assert "Tool selection (TS)" in render_model_card(compared, decision, FACTS, [], suites)


def test_groups_without_golds_have_no_such_rows() -> None:
    from tests.evaluation_samples import question
    from tests.evaluation_samples import trace as answered

    one, item = judged(answered(question("arithmetic", 3), answer="3"))
    other, gold_item = judged(trace(1, "Oslo"))
    both = {one.question.id: one, other.question.id: other}
    compared = compare([(item, item), (gold_item, gold_item)], both, both, SETTINGS)
    summary: Any = summary_of(compared)
    assert set(summary["arithmetic"]) == set(METRICS)
    assert summary["overall"]["calls_cf"]["before"] == 1
    assert set(compared.tools) == {"calculator", "wikipedia_search"}
