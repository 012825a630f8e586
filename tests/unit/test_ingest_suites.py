"""Published benchmarks as questions to judge by: every row used or set aside, whatever order the rows come in."""

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
from components.contracts.records import Question
from components.ingest.run import run
from components.ingest.suite_files import PUBLISHED
from components.ingest.suite_names import BFCL_LIVE, BFCL_NON_LIVE, FAMILIES, SUITES, expand_suites
from pipelines.arguments import parse_arguments
from tests.published_suites import bfcl_row, lines, only, publish, read

DATA = Path(os.environ.get("WHETSTONE_TEST_DATA", "/absent"))
needs_data = pytest.mark.skipif(
    not (DATA / "api_bank").is_dir(), reason="WHETSTONE_TEST_DATA names no folder of samples"
)


def test_names_stand_for_suites() -> None:
    assert expand_suites(["bfcl"]) == tuple(f"bfcl:{group}" for group in (*BFCL_NON_LIVE, *BFCL_LIVE))
    assert len(expand_suites(["bfcl"])) == 13
    assert expand_suites(["api_bank:2", "api_bank", "popqa"]) == ("api_bank:2", "api_bank:1", "popqa")
    assert [name.partition("_turn_")[2] for name in expand_suites(["bfcl:multi_turn"])] == [
        "base", "long_context", "miss_func", "miss_param",
    ]  # fmt: skip
    assert set(expand_suites(FAMILIES)) < set(SUITES)
    with pytest.raises(ValueError, match=r"unknown suite 'bfcl:mutliple'.*bfcl:multiple"):
        expand_suites(["bfcl:mutliple"])


def test_the_command_line_takes_a_list_or_commas() -> None:
    for given in ("bfcl:simple_python,bfcl:multiple", '["bfcl:simple_python", "bfcl:multiple"]'):
        words = [
            "questions=a.jsonl",
            f"ingest.suites={given}",
            "ingest.suite_data.bfcl=/data",
            "ingest.suite_limit=9",
        ]
        settings = json.loads(str(parse_arguments("self_training", words).parameters["ingest_settings"]))
        assert settings["suites"] == ["bfcl:simple_python", "bfcl:multiple"]
        assert (settings["suite_data"], settings["suite_limit"]) == ({"bfcl": "/data"}, 9)
    with pytest.raises(InputError, match=r"ingest_settings: suites: unknown suite 'tolalpaca'.*toolalpaca"):
        parse_arguments("self_training", ["questions=a", "ingest.suites=tolalpaca"])
    with pytest.raises(InputError, match=r"suite_data: unknown family 'bcfl'.*bfcl"):
        parse_arguments("self_training", ["questions=a", "ingest.suite_data.bcfl=x"])


def test_of_several_versions_the_latest_is_taken(tmp_path: Path) -> None:
    answers = [{"math.hypot": {"x": [1]}}]
    publish(tmp_path / "old", "simple", [bfcl_row("simple_0", text="Old?")], {"simple_0": answers}, version=3)
    found, _ = read(tmp_path / "q", "bfcl:simple_python", {"bfcl": str(tmp_path)})
    assert only(found).text == "Old?"
    publish(
        tmp_path, "simple_python", [bfcl_row("simple_python_0", text="New?")], {"simple_python_0": answers}
    )
    found, _ = read(tmp_path / "q2", "bfcl:simple_python", {"bfcl": str(tmp_path)})
    assert only(found).text == "New?"


def test_every_row_is_used_or_set_aside_with_its_reason(tmp_path: Path) -> None:
    rows = [
        bfcl_row("multiple_0"),
        bfcl_row("multiple_1"),
        bfcl_row("multiple_2", {"name": "x"}),
        bfcl_row("multiple_3") | {"question": [[{"role": "tool", "content": "?"}]]},
        bfcl_row("multiple_4"),
        bfcl_row("multiple_5"),
        bfcl_row(
            "multiple_6", {"name": "x", "parameters": {"type": "dict", "properties": {"a": {"type": "odd"}}}}
        ),
        bfcl_row(
            "multiple_7",
            {"name": "x", "parameters": {"type": "dict", "properties": {"a": {"type": "array"}}}},
        ),
    ]
    answers: dict[str, Any] = {
        f"multiple_{number}": [{"math.hypot": {"x": [number]}}] for number in (0, 2, 3, 4)
    }
    answers |= {f"multiple_{number}": [{"x": {"a": [1]}}] for number in (6, 7)}
    answers["multiple_5"] = [{"other": {"x": [1]}}]
    answers["multiple_4"] = [{"math.hypot": {"x": 4}}]
    place = publish(tmp_path, "multiple", rows, answers)
    with (tmp_path / "bfcl_eval/data/BFCL_v4_multiple.json").open("a") as file:
        file.write("{broken\n")
    found, bad = read(tmp_path / "q", "bfcl:multiple", {"bfcl": place})
    assert (found["bfcl:multiple"].read, found["bfcl:multiple"].set_aside) == (9, 8)
    assert [(row["line"], row["field"]) for row in bad] == [
        (2, "ground_truth"), (3, "function"), (4, "question"), (5, "ground_truth"), (6, "ground_truth"), (7, "function"), (8, "function"),
        (9, ""),
    ]  # fmt: skip
    assert bad[0]["reason"] == "missing, expected a file of this name in possible_answer"
    assert "'other'" in bad[4]["reason"]
    assert bad[5]["reason"].startswith("x: a: type 'odd', expected one of string,")
    assert bad[6]["reason"].startswith("x: a.items: type None, expected one of string,")


def test_a_limit_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = [bfcl_row(f"irrelevance_{number}", text=f"Number {number}?") for number in range(60)]
    chosen = []
    for attempt in range(2):
        random.Random(attempt).shuffle(rows)
        place = publish(tmp_path / str(attempt), "irrelevance", rows, {})
        found, _ = read(tmp_path / f"q{attempt}", "bfcl:irrelevance", {"bfcl": place}, suite_limit=20)
        chosen.append([one.id for one in found["bfcl:irrelevance"].chosen])
        assert len(found["bfcl:irrelevance"].questions) == 60
    other, _ = read(tmp_path / "q3", "bfcl:irrelevance", {"bfcl": place}, suite_limit=20, suite_seed=3)
    numbers = [int(one.rpartition("_")[2]) for one in chosen[0]]
    assert chosen[0] == chosen[1]
    assert len(numbers) == 20
    assert numbers == sorted(numbers)
    assert {one.id for one in other["bfcl:irrelevance"].chosen} != set(chosen[0])


def test_equal_rows_are_both_judged(tmp_path: Path) -> None:
    lines(tmp_path / "test.jsonl", [{"question": "2 + 2?", "answer": "#### 4"}] * 2)
    found, _ = read(tmp_path / "q", "gsm8k", {"gsm8k": str(tmp_path)})
    first, second = found["gsm8k"].questions
    assert second.id == f"{first.id}-2"
    assert (first.answers, first.answer_type, first.kind) == (("4",), "number", "gsm8k")


def rotbench_row(level: str) -> dict[str, Any]:
    tools = [{"name": "see", "description": "Sees.", "parameters": {"type": "object", "properties": {}}}]
    said = f"Answer with Action Input. Use the following tools:\n{json.dumps(tools)}\n\nLet's Begin!"
    action = "Thought: I look.\nAction: see\nAction Input: {}"
    return {
        "id": f"Turn 1: {level}?",
        "scenario": "RA",
        "conversations": [
            {"from": "system", "value": said},
            {"from": "user", "value": f"{level}?\nBegin!\n"},
            {"from": "assistant", "value": [action]},
        ],
    }


def test_rotbench_has_five_levels_by_either_name(tmp_path: Path) -> None:
    for level in ("clean", "slight", "medium"):
        (tmp_path / f"First_Turn_{level}.json").write_text(json.dumps([rotbench_row(level)]))
    for level in ("heavy", "union"):
        for turn in ("First_Turn", "Third_Turn"):
            (tmp_path / "Data" / turn).mkdir(parents=True, exist_ok=True)
            (tmp_path / "Data" / turn / f"{level}.json").write_text(
                json.dumps([rotbench_row(f"{turn} {level}")])
            )
    found, bad = read(tmp_path / "q", "rotbench", {"rotbench": str(tmp_path)})
    texts = {name: suite.questions[0].text for name, suite in found.items()}
    assert not bad
    assert list(texts) == [f"rotbench:{level}" for level in ("clean", "slight", "medium", "heavy", "union")]
    assert (texts["rotbench:clean"], texts["rotbench:union"]) == ("clean?", "First_Turn union?")
    assert found["rotbench:heavy"].questions[0].kind == "rotbench_heavy"


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "bfcl"])
def test_missing_data_is_one_line_that_says_what_to_do(tmp_path: Path, family: str) -> None:
    with pytest.raises(InputError) as told:
        read(tmp_path / "a", family, {})
    message = str(told.value)
    assert message.startswith(
        f"ingest_settings.suites: {family} has no data here; set ingest.suite_data.{family}="
    )
    assert message.endswith(PUBLISHED[family])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"suite_data\.{family}: .*empty has no file of {family}"):
        read(tmp_path / "b", family, {family: str(tmp_path / "empty")})
    with pytest.raises(
        InputError, match=rf"suite_data\.{family}: /nowhere: no such file or folder; the published"
    ):
        read(tmp_path / "c", family, {family: "/nowhere"})
    assert "\n" not in message


def test_places_that_cant_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        InputError, match=r"suite_data\.bfcl: pypi://other: expected a folder.*pypi://bfcl-eval"
    ):
        read(tmp_path / "a", "bfcl:multiple", {"bfcl": "pypi://other"})
    with pytest.raises(InputError, match=r"suite_data\.popqa: pypi://bfcl-eval: expected"):
        read(tmp_path / "b", "popqa", {"popqa": "pypi://bfcl-eval"})
    for name in ("wikipedia-dev.json", "web-dev.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(
        InputError, match=r"web-dev\.json and wikipedia-dev\.json could both be triviaqa; name the"
    ):
        read(tmp_path / "c", "triviaqa", {"triviaqa": str(tmp_path)})
    with pytest.raises(
        InputError, match=r"web-dev\.json is one file, expected a folder with the file of api_bank:1"
    ):
        read(tmp_path / "d", "api_bank:1", {"api_bank": str(tmp_path / "web-dev.json")})
    lines(tmp_path / "other.jsonl", [{"a": 1}, {"b": 2}])
    with pytest.raises(
        InputError, match=r"suites: popqa: none of 2 rows can be judged, the first: other\.jsonl:1: "
    ):
        read(tmp_path / "e", "popqa", {"popqa": str(tmp_path / "other.jsonl")})
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(
        InputError, match=r"suite_data\.bfcl: pip could not fetch bfcl-eval==2026\.3\.23: "
    ) as told:
        read(tmp_path / "f", "bfcl", {})
    assert "\n" not in str(told.value)


def ingest(
    folder: Path, questions: str, **settings: Any
) -> tuple[Path, dict[str, int], str, dict[str, float]]:
    metrics: dict[str, float] = {}
    places = (SimpleNamespace(path=str(folder / name)) for name in ("set", "traces", "report.md"))
    asked, traces, report = places
    logged = SimpleNamespace(log_metric=metrics.__setitem__)
    run(questions, json.dumps(settings), "", asked, traces, logged, report)
    artifact = open_artifact(folder / "set", "questions/1")
    return folder / "set", dict(artifact.manifest.counts), (folder / "report.md").read_text(), metrics


def test_a_run_writes_suites_beside_the_split(tmp_path: Path) -> None:
    lines(
        tmp_path / "own.jsonl",
        [{"question": f"Which is number {one}?", "answer": str(one)} for one in range(40)],
    )
    rows = [bfcl_row(f"irrelevance_{number}", text=f"Number {number}?") for number in range(5)]
    rows.append(bfcl_row("irrelevance_5") | {"question": []})
    place = publish(tmp_path / "bfcl", "irrelevance", rows, {})
    settings = {
        "suites": "bfcl:irrelevance",
        "suite_data": {"bfcl": place},
        "suite_limit": 3,
        "on_bad_row": "fail",
    }
    folder, counts, report, metrics = ingest(tmp_path / "a", str(tmp_path / "own.jsonl"), **settings)
    without, plain, _, _ = ingest(tmp_path / "b", str(tmp_path / "own.jsonl"))
    assert len(list(read_records(folder / "suites.jsonl", Question))) == 3
    for name in ("suites.jsonl", "suites_left_out.jsonl"):
        assert (without / name).read_text() == ""
    asked, left_out = (
        {one.id for one in read_records(folder / name, Question)}
        for name in ("suites.jsonl", "suites_left_out.jsonl")
    )
    assert asked | left_out == {f"bfcl:irrelevance/irrelevance_{number}" for number in range(5)}
    assert not asked & left_out
    assert plain["suites"] == 0
    for side in ("train.jsonl", "held_out.jsonl"):
        assert (folder / side).read_bytes() == (without / side).read_bytes()
    assert counts["read"] == counts["kept"] + counts["quarantined"] == 40
    told = {
        name: counts[f"suites{name}/bfcl:irrelevance"] for name in ("", "_read", "_set_aside", "_over_limit")
    }
    assert told == {"": 3, "_read": 6, "_set_aside": 1, "_over_limit": 2}
    assert metrics["suites"] == 3
    assert "| bfcl:irrelevance | 6 | 3 | 2 | 1 |" in report
    (bad,) = [row for _, row in read_raw(folder / "quarantine.jsonl")]
    assert isinstance(bad, dict)
    assert (bad["line"], bad["field"]) == (6, "messages")


def test_suites_alone_leave_the_sides_empty(tmp_path: Path) -> None:
    place = publish(tmp_path / "bfcl", "irrelevance", [bfcl_row("irrelevance_0")], {})
    folder, counts, _, _ = ingest(tmp_path / "a", "", suites=["bfcl:irrelevance"], suite_data={"bfcl": place})
    assert (counts["suites"], counts["train"], counts["held_out"], counts["shards"]) == (1, 0, 0, 1)
    for side in ("train", "search", "validation", "held_out"):
        assert (folder / f"{side}.jsonl").read_text() == ""
    with pytest.raises(InputError, match="questions: empty"):
        ingest(tmp_path / "b", "")


def test_a_training_row_that_a_suite_asks_is_left_out(tmp_path: Path) -> None:
    text = "Which of the seven bridges of Königsberg did nobody ever cross on foot in spring?"
    place = publish(tmp_path / "bfcl", "irrelevance", [bfcl_row(f"irrelevance_{one}", text=f"{text} {one}") for one in (0, 1)], {})  # fmt: skip
    rows = [{"question": f"Which is number {one}?", "answer": str(one)} for one in range(20)]
    lines(
        tmp_path / "own.jsonl",
        [*rows, {"question": f"{text} 0", "answer": "none"}, {"question": f"{text} 1", "answer": "all"}],
    )
    settings = {
        "suites": "bfcl:irrelevance",
        "suite_data": {"bfcl": place},
        "suite_limit": 1,
        "held_out_share": 0,
    }
    folder, _, _, _ = ingest(tmp_path / "a", str(tmp_path / "own.jsonl"), **settings)
    trained = [one.text for one in read_records(folder / "train.jsonl", Question)]
    assert len(trained) == 20  # also the one that the limit keeps from being judged is gone
    assert not any("Königsberg" in one for one in trained)


@needs_data
def test_the_published_samples(tmp_path: Path) -> None:
    data = {name: str(DATA / name) for name in ("api_bank", "rotbench", "toolalpaca", "tooleyes", "popqa")}
    names = "api_bank,rotbench:clean,rotbench:slight,rotbench:medium,toolalpaca,tooleyes,popqa"
    found, bad = read(tmp_path / "q", names, data)
    assert {name: (suite.read, len(suite.questions)) for name, suite in found.items()} == {
        "api_bank:1": (399, 399),
        "api_bank:2": (135, 121),  # 14 call what no earlier search has found
        "rotbench:clean": (105, 105),
        "rotbench:slight": (210, 210),
        "rotbench:medium": (210, 210),
        "toolalpaca": (114, 104),
        "tooleyes": (382, 382),
        "popqa": (500, 500),
    }
    assert Counter(one.kind for one in found["api_bank:2"].questions) == {
        "api_bank_2_retrieve": 45, "api_bank_2_call": 76,
    }  # fmt: skip
    assert Counter(row["reason"].partition(" (")[0].partition(", got")[0] for row in bad) == {
        "the gold names a tool that is not offered": 20, "unparsable call: not JSON": 4,
    }  # fmt: skip
