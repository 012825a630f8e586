"""Questions for search: a share of the training subjects with gold calls, and what training loses by it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question, Trace
from components.ingest.run import run
from components.ingest.settings import IngestSettings
from components.ingest.split import subject_key

SIDES = ("train", "search", "validation", "held_out")


class Ingested:
    """What one run of the stage left behind; the sides' subjects never overlap, and every row is accounted for."""

    def __init__(self, folder: Path, questions: str, *, validation: bool = False, **settings: Any) -> None:
        self.metrics: dict[str, float] = {}
        metrics = SimpleNamespace(log_metric=self.metrics.__setitem__)
        names = ("set", "traces", "report.md")
        asked, traces, report = (SimpleNamespace(path=str(folder / name)) for name in names)
        run(questions, json.dumps(settings), "", asked, traces, metrics, report, validation)
        artifact = open_artifact(folder / "set", "questions/1")
        self.digest, self.counts = artifact.digest, artifact.manifest.counts
        self.files = {side: artifact.path(f"{side}.jsonl").read_bytes() for side in SIDES}
        self.sides = {side: list(read_records(artifact.path(f"{side}.jsonl"), Question)) for side in SIDES}
        self.traces = list(read_records(folder / "traces/traces.jsonl", Trace))
        rows: list[Any] = [row for _, row in read_raw(artifact.path("quarantine.jsonl"))]
        self.reasons = [row["reason"] for row in rows]
        self.report = (folder / "report.md").read_text()
        counts = self.counts
        assert counts["read"] == counts["kept"] + counts["quarantined"]
        assert counts["kept"] == sum(counts[side] for side in (*SIDES, "over_limit"))
        subjects = {side: {subject_key(one) for one in asked} for side, asked in self.sides.items()}
        subjects["train"] |= {subject_key(trace.question) for trace in self.traces}
        assert sum(map(len, subjects.values())) == len(set().union(*subjects.values()))


def gold_row(number: int, *, answer: str = "") -> dict[str, Any]:
    """An exchange with one call of a tool, or without any."""
    tool = {"name": "look_up", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    called = {
        "id": "a",
        "type": "function",
        "function": {"name": "look_up", "arguments": json.dumps({"n": number})},
    }
    replied = [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "a", "content": "7"},
    ]
    return {
        "messages": [
            {"role": "user", "content": f"Look up number {number}."},
            *([] if answer else replied),
            {"role": "assistant", "content": answer or "It is 7."},
        ],
        "tools": [{"type": "function", "function": tool}],
    }


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_the_share_leaves_training_as_questions_without_trajectories(tmp_path: Path) -> None:
    without = Ingested(tmp_path / "without", "demo://calls", validation=True)
    found = Ingested(tmp_path / "with", "demo://calls", validation=True, search_share=0.3)
    assert without.files["search"] == b""
    assert without.counts["search"] == without.metrics["search"] == 0
    assert "search questions" not in without.report
    assert found.files["held_out"] == without.files["held_out"]
    assert found.files["validation"] == without.files["validation"]
    aside = {one.id for one in found.sides["search"]}
    assert 0.2 < len(aside) / len(without.traces) < 0.4
    assert all(one.golds and one.offered for one in found.sides["search"])
    assert aside <= {trace.question.id for trace in without.traces}
    assert {trace.question.id for trace in found.traces} == {
        trace.question.id for trace in without.traces
    } - aside
    assert found.counts["search"] == found.metrics["search"] == len(aside)
    assert f"search {len(aside)}, validation" in found.report
    assert "## First search questions" in found.report
    again = Ingested(tmp_path / "again", "demo://calls", validation=True, search_share=0.3)
    assert again.digest == found.digest


def test_trajectories_become_questions_with_golds(tmp_path: Path) -> None:
    rows = [gold_row(number) for number in range(120)]
    path = write(tmp_path / "chat.jsonl", rows)
    found = Ingested(tmp_path / "a", path, search_share=0.25)
    assert found.sides["search"]
    for question in found.sides["search"]:
        ((call,),) = question.golds
        assert f"number {call.arguments['n']}." in question.text
    assert found.counts["search_trajectories"] == len(found.sides["search"])
    backwards = write(tmp_path / "back.jsonl", rows[::-1])
    assert Ingested(tmp_path / "b", backwards, search_share=0.25).files["search"] == found.files["search"]


def test_questions_without_golds_stay_in_training(tmp_path: Path) -> None:
    rows = [{"question": f"Who is number {n}?", "answers": [str(n)]} for n in range(60)]
    found = Ingested(tmp_path / "a", write(tmp_path / "q.jsonl", rows), search_share=0.5)
    without = Ingested(tmp_path / "b", str(tmp_path / "q.jsonl"))
    assert found.sides == without.sides
    assert "No training row with gold calls was set aside for search" in found.report


def test_rows_without_golds_of_a_searched_subject_are_set_aside(tmp_path: Path) -> None:
    rows = [{**gold_row(number), "subject": f"s{number}"} for number in range(60)]
    asked = [
        {"question": f"Who is number {number}?", "answers": ["7"], "subject": f"s{number}"}
        for number in range(60)
    ]
    paths = [write(tmp_path / "chat.jsonl", rows), write(tmp_path / "plain.jsonl", asked)]
    found = Ingested(tmp_path / "a", ",".join(paths), search_share=0.4, held_out_share=0.1)
    dropped = [reason for reason in found.reasons if reason.startswith("no gold call")]
    assert len(dropped) == len(found.sides["search"]) > 0


def test_a_limit_of_training_holds_for_search_in_its_share(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", [gold_row(number) for number in range(200)])
    found = Ingested(tmp_path / "a", path, search_share=0.25, max_train=40)
    assert (len(found.traces), len(found.sides["search"])) == (40, 10)
    assert found.counts["over_limit"] > 0


def test_all_of_training_gone_says_what_to_change(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", [gold_row(number) for number in range(6)])
    with pytest.raises(InputError, match=r"6 questions went to search and no other is left.*search_share"):
        Ingested(tmp_path / "a", path, search_share=0.9999, held_out_share=0)


def test_the_papers_share() -> None:
    assert IngestSettings.parse('{"preset": "itool"}').search_share == 0.1
    assert IngestSettings.parse("").search_share == 0
