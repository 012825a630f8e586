"""The whole stage on rows with calls of tools: where each goes, what is counted, and what others make of it."""

import copy
import json
import os
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question, Trace
from components.contracts.tool_schemas import find_tool, parse_tools
from components.ingest.run import run
from components.ingest.split import subject_key
from tests import tool_rows as rows

DATA = Path(os.environ.get("WHETSTONE_TEST_DATA", "/absent"))
needs_data = pytest.mark.skipif(
    not (DATA / "rotbench").is_dir(), reason="WHETSTONE_TEST_DATA names no samples"
)


class Ingested:
    """What one run of the stage left behind; every row is accounted for."""

    def __init__(self, folder: Path, questions: str, **settings: Any) -> None:
        self.metrics: dict[str, float] = {}
        logged = SimpleNamespace(log_metric=self.metrics.__setitem__)
        names = ("set", "traces", "report.md")
        asked, traces, report = (SimpleNamespace(path=str(folder / name)) for name in names)
        self.shards = run(questions, json.dumps(settings), "", asked, traces, logged, report)
        self.set = open_artifact(folder / "set", "questions/1")
        given = open_artifact(folder / "traces", "traces/1")
        self.train = list(read_records(self.set.path("train.jsonl"), Question))
        self.held_out = list(read_records(self.set.path("held_out.jsonl"), Question))
        self.traces = list(read_records(given.path("traces.jsonl"), Trace))
        self.quarantine: list[Any] = [row for _, row in read_raw(self.set.path("quarantine.jsonl"))]
        self.report = (folder / "report.md").read_text()
        counts = self.counts = self.set.manifest.counts
        assert given.manifest.counts["traces"] == len(self.traces)
        assert counts["read"] == counts["kept"] + counts["quarantined"]
        assert counts["kept"] == counts["train"] + counts["held_out"] + counts["over_limit"]
        assert counts["quarantined"] == len(self.quarantine)
        for side in ("train", "held_out"):
            roles = ("questions", "golds", "trajectories")
            assert counts[side] == sum(counts[f"{side}_{role}"] for role in roles)
        assert counts["held_out"] == len(self.held_out)
        assert counts["asked"] == len(self.train)
        known = [one.question for one in self.traces] + self.train
        assert not {subject_key(one) for one in known} & {subject_key(one) for one in self.held_out}
        assert len({one.id for one in self.traces}) == len(self.traces)
        for question in self.held_out:
            check_golds(question)


def check_golds(question: Question) -> None:
    """Every gold calls offered tools."""
    tools = parse_tools(question.offered) if question.offered else ()
    assert all(find_tool(tools, call.name) for calls in question.golds for call in calls)


def write(path: Path, given: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return str(path)


def trajectory(number: int) -> dict[str, Any]:
    row = copy.deepcopy(rows.MESSAGES)
    row["messages"][0]["content"] = f"Weather in place {number}?"
    return row


def gold(number: int, **fields: Any) -> dict[str, Any]:
    return rows.XLAM | {"id": number, "query": f"News of place {number}?"} | fields


def test_trajectories_alone_train_and_judge(tmp_path: Path) -> None:
    found = Ingested(tmp_path, write(tmp_path / "t.jsonl", [trajectory(n) for n in range(50)]), shards=4)
    assert found.shards == [0]
    assert found.train == []
    assert len(found.traces) + len(found.held_out) == 50
    assert 3 < len(found.held_out) < 20
    assert all(one.golds and one.offered for one in found.held_out)
    assert found.counts["train_trajectories"] == found.metrics["train_trajectories"] == len(found.traces)
    assert f"{len(found.traces)} trajectories for training" in found.report
    assert {one.call_format for one in found.traces} == {"hermes"}


def test_golds_are_questions_and_traces(tmp_path: Path) -> None:
    path = write(tmp_path / "g.jsonl", [gold(n) for n in range(40)])
    found = Ingested(tmp_path, path, call_format="pythonic", max_train=10)
    assert len(found.train) == len(found.traces) == 10
    assert [one.question for one in found.traces] == found.train
    assert found.counts["over_limit"] > 0
    assert found.traces[0].messages[-1].content == '[get_weather(city="Oslo")]'
    assert {one.kind for one in found.held_out} == {"xlam"}
    again = Ingested(tmp_path / "b", str(tmp_path / "set/held_out.jsonl"), held_out_share=1)
    assert sorted(again.held_out, key=str) == sorted(found.held_out, key=str)


def test_all_kinds_of_rows_together_in_any_order(tmp_path: Path) -> None:
    plain = [{"question": f"Who is {n}?", "answer": str(n)} for n in range(30)]
    write(tmp_path / "plain.jsonl", plain)
    mixed = [trajectory(n) for n in range(30)]
    found = []
    for name in ("a", "b"):
        path = write(tmp_path / f"{name}.jsonl", mixed)
        found.append(Ingested(tmp_path / name, f"{tmp_path}/plain.jsonl,{path}"))
        random.Random(0).shuffle(mixed)
    first, second = found
    assert (first.train, first.held_out, first.traces) == (second.train, second.held_out, second.traces)
    assert {one.kind for one in first.train} == {"question"}
    assert first.counts["train_questions"] == len(first.train) == first.counts["sampled"]


def test_the_same_request_with_other_tools_is_another_example(tmp_path: Path) -> None:
    other = json.dumps([rows.FLAT, rows.FLAT | {"name": "get_news"}])
    given = [gold(1), gold(1), gold(1, tools=other), *(gold(n) for n in range(2, 30))]
    found = Ingested(tmp_path, write(tmp_path / "g.jsonl", given))
    assert found.counts["duplicates"] == 1
    assert found.counts["renamed_ids"] == 1
    twice = [one for one in (*found.train, *found.held_out) if one.text == "News of place 1?"]
    assert len({one.offered for one in twice}) == len({one.id for one in twice}) == 2


def test_refused_rows_are_counted_with_their_reasons(tmp_path: Path) -> None:
    bad = [
        gold(100, answers='[{"name": "other", "arguments": {}}]'),
        gold(101, tools="[]"),
        gold(102, answers='[{"name": "get_weather", "arguments": "Oslo"}]'),
    ]
    path = write(tmp_path / "g.jsonl", [*bad, *(gold(n) for n in range(30))])
    found = Ingested(tmp_path, path)
    assert [row["line"] for row in found.quarantine] == [1, 2, 3]
    assert "| golds: the gold names a tool that is not offered | 1 |" in found.report
    assert "| tools: the list is empty, expected at least one tool | 1 |" in found.report
    with pytest.raises(InputError, match=r"g\.jsonl:1: golds: the gold names .*on_bad_row is 'fail'"):
        Ingested(tmp_path / "b", path, on_bad_row="fail")


def test_a_trajectory_of_calls_that_were_not_offered_is_never_judged(tmp_path: Path) -> None:
    given = [trajectory(n) for n in range(20)]
    for row in given[:10]:
        row["messages"][1]["tool_calls"] = [{"function": {"name": "weather", "arguments": "{}"}}]
    held = write(tmp_path / "h.jsonl", given[10:] + given[:10])
    train = write(tmp_path / "t.jsonl", [trajectory(n) for n in range(20, 40)])
    found = Ingested(tmp_path, train, held_out=held)
    assert (len(found.held_out), found.counts["quarantined"]) == (10, 10)
    assert Ingested(tmp_path / "b", held, held_out_share=0).counts["train_trajectories"] == 20


def test_companion_files_complete_rows(tmp_path: Path) -> None:
    without = {key: value for key, value in rows.BFCL.items() if key != "ground_truth"}
    asked = [
        without | {"id": f"exec_simple_{n}", "question": [[{"role": "user", "content": f"In {n}?"}]]}
        for n in range(9)
    ]
    answers = [{"id": f"exec_simple_{n}", "ground_truth": [f"get_weather(city='{n}')"]} for n in range(8)]
    for folder, given in (("question", asked), ("possible_answer", answers)):
        (tmp_path / "bfcl" / folder).mkdir(parents=True)
        write(tmp_path / "bfcl" / folder / "BFCL_v4_exec_simple.json", given)
    found = Ingested(tmp_path / "a", str(tmp_path / "bfcl"), held_out_share=1)
    assert len(found.held_out) == 8
    assert found.quarantine[0]["reason"].startswith("missing, expected a file of this name")
    assert len(found.set.manifest.lineage) == 2
    seal = [{"id": str(n), "query": f"In {n}?", "calling": rows.SEAL_TOOLS["calling"]} for n in range(9)]
    (tmp_path / "seal").mkdir()
    path = write(tmp_path / "seal/dev.jsonl", seal)
    guessed = Ingested(tmp_path / "b", path, held_out_share=1)
    assert "9 rows: no tool.jsonl lay beside the file" in guessed.report
    assert parse_tools(guessed.held_out[0].offered)[0]["function"]["parameters"]["required"] == ["city"]
    tools = [
        rows.SEAL_TOOLS["tools"][0] | {"api_name": name, "field": "a/b"} for name in ("get_weather", "x", "y")
    ]
    write(tmp_path / "seal/tool.jsonl", tools)
    told = Ingested(tmp_path / "c", str(tmp_path / "seal"), held_out_share=1)
    offered = [[one["function"]["name"] for one in parse_tools(q.offered)] for q in told.held_out]
    assert all(sorted(names) == ["get_weather", "x", "y"] for names in offered)
    assert len({tuple(names) for names in offered}) > 1


def test_the_noise_level_is_in_the_files_name(tmp_path: Path) -> None:
    for name in ("First_Turn_heavy.json", "Third_Turn_union.json"):
        row = rows.ROTBENCH if name.startswith("First") else rows.ROTBENCH_THIRD
        (tmp_path / name).write_text(json.dumps([row]))
    found = Ingested(tmp_path / "a", str(tmp_path / "First_Turn_heavy.json"), held_out_share=1)
    assert found.held_out[0].kind == "rotbench_heavy"
    found = Ingested(tmp_path / "b", str(tmp_path / "Third_Turn_union.json"), held_out_share=0)
    assert found.traces[0].question.kind == "rotbench_third_union"


def test_the_built_in_calls(tmp_path: Path) -> None:
    found = Ingested(tmp_path, "demo://calls", call_format="pythonic")
    assert found.counts["quarantined"] == 0
    assert found.counts["train_trajectories"] == len(found.traces) == len(found.train) >= 200
    assert len(found.held_out) >= 100
    assert found.counts["sampled"] == 0


# (file, all rows, quarantined, held out of all with held_out_share=1 by role)
SAMPLES = [
    ("rotbench/First_Turn_clean.json", 105, 0, "golds"),
    ("rotbench/First_Turn_slight.json", 210, 0, "golds"),
    ("rotbench/First_Turn_medium.json", 210, 0, "golds"),
    ("rotbench/Third_Turn_clean.json", 70, 0, "trajectories"),
    ("tooleyes/scenario_data_zero_processed.json", 382, 0, "questions"),
    ("toolalpaca/eval_real.json", 114, 10, "golds"),
    ("toolalpaca/hammer_toolalpaca.json", 114, 6, "golds"),
    ("api_bank/level-1-api.json", 399, 10, "golds"),
    ("api_bank/level-2-api.json", 135, 30, "golds"),
    ("tool_calls/toolrl_rlla_sft_400.json", 400, 23, "golds"),
    ("tool_calls/glaive_toolcall_en_demo.json", 300, 162, "trajectories"),
    ("tool_calls/seal_tools_dev.jsonl", 700, 0, "golds"),
]


@needs_data
@pytest.mark.parametrize(("file", "read", "quarantined", "role"), SAMPLES)
def test_every_row_of_the_public_samples_is_accounted_for(
    file: str, read: int, quarantined: int, role: str, tmp_path: Path
) -> None:
    judged = Ingested(tmp_path / "a", str(DATA / file), held_out_share=1)
    reasons = Counter(row["reason"].split(" (")[0] for row in judged.quarantine)
    assert (judged.counts["read"], judged.counts["quarantined"]) == (read, quarantined), reasons
    assert judged.counts[f"held_out_{role}"] > 0.9 * judged.counts["held_out"]
    if role != "questions":
        assert all(one.golds for one in judged.held_out)
        trained = Ingested(tmp_path / "b", str(DATA / file), held_out_share=0)
        assert len(trained.traces) >= trained.counts["kept"] >= judged.counts["kept"]
