"""What ingest made, looked at before any training: is there a question that the search can judge by?"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.contracts.artifacts import write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import write_records
from components.contracts.records import Question
from components.preflight.run import run
from tests.toy_search import gold_questions

ANSWERED = [Question(id="a", text="3 + 4?", answers=("7",))]


def look(folder: Path, *, method: str = "sft,mcts,dpo", mcts: str = "{}", **sides: list[Question]) -> str:
    """The report of preflight behind ingest."""
    with write_artifact(folder / "set", "questions/1") as writer:
        for side in ("train", "search", "held_out"):
            write_records(writer.folder / f"{side}.jsonl", sides.get(side, ()))
    nowhere = "http://127.0.0.1:9"  # nothing but the questions is looked at
    run(
        *("no-such-file.jsonl", "no-such-model", nowhere, "", "", "", ""),
        stage_settings=json.dumps({"mcts": mcts}),
        report=SimpleNamespace(path=str(folder / "report.md")),
        method=method,
        question_set=SimpleNamespace(path=str(folder / "set")),
    )
    return (folder / "report.md").read_text()


def test_questions_without_golds_are_refused_in_one_line(tmp_path: Path) -> None:
    wanted = "^questions: none to train on or to search has gold calls, .* or a method without mcts$"
    with pytest.raises(InputError, match=wanted):
        look(tmp_path, train=ANSWERED, held_out=gold_questions(3))  # those held out are never searched
    assert "none to train on or to search has gold calls" in (tmp_path / "report.md").read_text()
    with pytest.raises(InputError, match="has gold calls or answers"):
        look(tmp_path / "both", mcts='{"execute_tools": true}', train=[Question(id="b", text="Why?")])


def test_golds_will_do_and_so_do_answers_where_calls_are_executed(tmp_path: Path) -> None:
    assert "search.jsonl has" in look(tmp_path / "search", train=ANSWERED, search=gold_questions(1))
    assert "train.jsonl has" in look(tmp_path / "train", train=[*ANSWERED, *gold_questions(1)])
    assert "train.jsonl has" in look(tmp_path / "run", mcts='{"execute_tools": true}', train=ANSWERED)
    assert "does not search" in look(tmp_path / "off", method="sft", train=ANSWERED)
