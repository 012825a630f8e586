"""Gold against itself, through ingest, every call format, its parser and the scorer: 100 / 100 / 100.

Samples come from WHETSTONE_TEST_DATA; BFCL's from the `data` folder of the bfcl-eval wheel
(`tests.bfcl_questions.bfcl_data`).
"""

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from kfp import dsl

from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem, Question, ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.contracts.tool_schemas import parse_tools
from components.ingest.run import run
from components.policy.engine import Conversation
from components.rollout.settings import RolloutSettings
from components.rollout.single_turn import run_single_turns
from components.scoring.call_rates import call_rates
from components.scoring.tool_use import judge_trace
from tests.bfcl_questions import bfcl_data
from tests.scripted_engine import ScriptedEngine

DATA = Path(os.environ.get("WHETSTONE_TEST_DATA", "/nowhere"))
SUITES = {
    "rotbench clean": "rotbench/First_Turn_clean.json",
    "rotbench slight": "rotbench/First_Turn_slight.json",
    "rotbench medium": "rotbench/First_Turn_medium.json",
    "toolalpaca": "toolalpaca/eval_real.json",
    "toolalpaca flat": "toolalpaca/hammer_toolalpaca.json",
    "api_bank 1": "api_bank/level-1-api.json",
    "api_bank 2": "api_bank/level-2-api.json",
}
SIZES = {"rotbench clean": 105, "rotbench slight": 210, "rotbench medium": 210, "bfcl": 240}


@cache
def held_out(suite: str) -> tuple[Question, ...]:
    """What ingest makes of a suite when all of it is held out; the test is skipped where it is absent."""
    if suite == "bfcl":
        sources = [
            bfcl_data() / "unused_datasets" / "question" / f"BFCL_v4_exec_{kind}.json"
            for kind in ("simple", "multiple", "parallel", "parallel_multiple")
        ]
    else:
        sources = [DATA / SUITES[suite]]
    if not all(source.exists() for source in sources):
        pytest.skip(
            f"{'WHETSTONE_BFCL_DATA' if suite == 'bfcl' else 'WHETSTONE_TEST_DATA'} has no {sources[0].name}"
        )
    with TemporaryDirectory() as folder:
        out = Path(folder)
        run(
            ",".join(map(str, sources)),
            json.dumps({"held_out_share": 1.0}),
            "",
            dsl.Dataset(uri=str(out / "questions")),
            dsl.Dataset(uri=str(out / "trajectories")),
            dsl.Metrics(uri="metrics"),
            dsl.Markdown(uri=str(out / "report.md")),
        )
        return tuple(read_records(out / "questions" / "held_out.jsonl", Question))


def replay(
    questions: Sequence[Question], call_format: str, *, official: bool = False, last: bool = False
) -> list[EvaluationItem]:
    """The items of a policy that says each question's first (or last) accepted turn."""
    form = get_call_format(call_format)
    turns = iter([(one.golds[-1 if last else 0], parse_tools(one.offered)) for one in questions])

    def say(_: Conversation) -> str:
        golds, tools = next(turns)
        return form.render(golds, tools=tools)

    engine = ScriptedEngine(say, call_format=call_format)
    traces = run_single_turns(questions, engine, RolloutSettings(temperature=0))
    return [judge_trace(trace, suite="held_out", official=official) for trace in traces]


@pytest.mark.parametrize("call_format", CALL_FORMATS)
@pytest.mark.parametrize("suite", [*SUITES, "bfcl"])
def test_gold_scores_a_hundred(suite: str, call_format: str) -> None:
    questions = held_out(suite)
    assert len(questions) == SIZES.get(suite, len(questions)) > 90
    for last in (False, True):
        items = replay(questions, call_format, last=last)
        wrong = [
            (item.id, item.category, item.gold, item.predicted) for item in items if not item.content_filled
        ]
        assert wrong == []
        found = call_rates(items)
        assert (found["calls_ts"], found["calls_pi"], found["calls_cf"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("suite", "expected"),
    [("rotbench clean", "92.38"), ("rotbench slight", "92.38"), ("rotbench medium", "92.38")],
)
def test_the_official_scorer_fails_golds_without_arguments(suite: str, expected: str) -> None:
    found = call_rates(replay(held_out(suite), "hermes", official=True))
    assert [f"{100 * (found[metric] or 0):.2f}" for metric in ("calls_ts", "calls_pi", "calls_cf")] == [
        expected
    ] * 3


def test_another_call_is_wrong_in_all_three() -> None:
    questions = [
        question.model_copy(update={"golds": ((ToolCall(name="no_such", arguments={}),),)})
        for question in held_out("rotbench clean")
    ]
    engine = ScriptedEngine(
        lambda _: '{"name": "finish", "parameters": {"answer": "x"}}', call_format="llama3_json"
    )
    items = [
        judge_trace(trace, suite="s") for trace in run_single_turns(questions, engine, RolloutSettings())
    ]
    assert {item.category for item in items} == {"wrong tool"}
