"""API-Bank's questions judged by their calls, and beside that in the classes of a checkout: the whole stage."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from components.contracts.artifacts import write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem, Question, ToolCall
from components.scoring.api_bank.reference import reference_of
from pipelines.evaluate.tables import print_evaluation
from tests.api_bank_checkout import note_call, write_checkout
from tests.gold_questions import NOWHERE, OSLO, ScriptedPolicy, evaluate, gold, make_tool
from tests.scripted_engine import last_text
from tests.tiny_model import build_tiny_model

OFFERED = json.dumps(
    [make_tool(name, "token", "text", "stars") for name in ("AddNote", "CountStars", "Ask")]
    + [make_tool("ToolSearcher", "token", "text")]
)


def question(identifier: str, accepted: ToolCall, *earlier: ToolCall, level: int = 1) -> Question:
    return Question(
        id=identifier,
        text=f"Ask {identifier}",
        kind=f"api_bank_{level}",
        suite=f"api_bank:{level}",
        offered=OFFERED,
        golds=((accepted,),),
        reference=reference_of(earlier),
    )


COUNT = note_call("CountStars", stars="1")
QUESTIONS = [
    question("same", COUNT),
    question("other value", COUNT),
    question("other token", COUNT),
    question("after another", note_call("CountStars", "tea", stars="1"), note_call("AddNote", "tea")),
    question("silent", COUNT),
    question("search", note_call("ToolSearcher"), level=2),
    gold("user's own", OSLO, kind="own"),
]
SAID = {
    "same": '[CountStars(token="t-ann", text="milk", stars="1")]',
    "other value": '[CountStars(token="t-ann", text="milk", stars="2")]',
    "other token": '[CountStars(token="t-bo", text="milk", stars="1")]',
    "after another": '[CountStars(token="t-ann", text="tea", stars="2")]',
    "silent": "Shall I?",
    "search": '[ToolSearcher(token="t-ann", text="milk")]',
    "user's own": '[weather(city="Oslo")]',
}
# By its calls, and by execution: the class does not mind whose token it is.
VERDICTS = {
    "same": (True, True),
    "other value": (False, False),
    "other token": (False, True),
    "after another": (False, False),
    "silent": (False, False),
    "search": (True, None),
    "user's own": (True, None),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = ScriptedPolicy(lambda conversation: SAID[last_text(conversation).removeprefix("Ask ")])
    monkeypatch.setattr("components.evaluation.run._open_engine", policy)


def test_calls_are_executed_where_a_checkout_is_named(model: Path, tmp_path: Path) -> None:
    checkout = str(write_checkout(tmp_path))
    output = tmp_path / "evaluation"
    opened, summary, metrics = evaluate(QUESTIONS, model, NOWHERE, output, api_bank_checkout=checkout)
    items = {item.id: item for item in read_records(opened.path("items.jsonl"), EvaluationItem)}
    assert {name: (item.correct, item.executed_correct) for name, item in items.items()} == VERDICTS
    notes = {name: item.execution_note for name, item in items.items()}
    assert [name for name, note in notes.items() if not note] == ["same", "other token", "user's own"]
    assert notes["silent"] == "0 calls, expected one"
    assert notes["search"].startswith("ToolSearcher: ModuleNotFoundError")
    suites = summary["suites"]
    assert suites["api_bank:1"]["executed"] == {"questions": 5, "correct": 2, "not_executable": 0}
    assert suites["api_bank:1"]["accuracy"] == 1 / 5  # the main verdict is by the calls
    assert suites["api_bank:2"]["executed"] == {"questions": 0, "correct": 0, "not_executable": 1}
    assert "executed" not in suites["held_out"]
    assert metrics["suite_api_bank_1_executed_correct"] == 2
    assert metrics["suite_api_bank_2_executed_not_executable"] == 1
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "api_bank:1, calls executed by the benchmark's classes: 2 of 5 right; not executable: 0" in page


def test_without_a_checkout_nothing_is_executed(model: Path, tmp_path: Path) -> None:
    opened, summary, _ = evaluate(QUESTIONS, model, NOWHERE, tmp_path)
    items = list(read_records(opened.path("items.jsonl"), EvaluationItem))
    assert {(item.executed_correct, item.execution_note) for item in items} == {(None, "")}
    assert "executed" not in summary["suites"]["api_bank:1"]


def test_a_folder_that_is_no_checkout_is_refused(model: Path, tmp_path: Path) -> None:
    for place, reason in ((tmp_path, r"has no apis/api\.py"), (tmp_path / "absent", "no such file")):
        with pytest.raises(
            InputError, match=rf"^evaluation_settings\.api_bank_checkout: {tmp_path}.*{reason}"
        ):
            evaluate(
                QUESTIONS[:1], model, NOWHERE, tmp_path / f"of {place.name}", api_bank_checkout=str(place)
            )
    evaluate(QUESTIONS[-1:], model, NOWHERE, tmp_path / "none", api_bank_checkout="not asked for")


def test_the_command_prints_it(tmp_path: Path) -> None:
    suite = {
        "questions": 3,
        "accuracy": 1 / 3,
        "interval": {"low": 0, "high": 1},
        "parse_failures": 0,
        "seconds": 1,
        "executed": {"questions": 2, "correct": 1, "not_executable": 1},
    }
    with write_artifact(tmp_path / "evaluation" / "evaluation", "evaluation/1") as writer:
        (writer.folder / "summary.json").write_text(
            json.dumps({"suites": {"api_bank:1": suite}}), encoding="utf-8"
        )
    with (tmp_path / "said.txt").open("w", encoding="utf-8") as file:
        print_evaluation(Console(file=file, width=120), tmp_path)
    said = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert "api_bank:1, calls executed: 1 of 2 right; not executable: 1" in said
