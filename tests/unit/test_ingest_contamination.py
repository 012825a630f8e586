"""Ingest compares questions and trajectories with held-out questions and the suites' items."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contracts.contamination import ContaminationHit
from components.contracts.errors import InputError
from components.contracts.jsonl import read_raw, read_records
from components.contracts.records import Question, ToolCall
from components.ingest.collect import Collector
from components.ingest.contamination import HELD_OUT, Contamination
from components.ingest.convert import Located
from components.ingest.formats.plain import FORMAT
from components.ingest.quarantine import Quarantine
from components.ingest.run import run
from components.ingest.settings import IngestSettings
from tests.traces import make_trace

LONG = "a farmer has twelve cows and buys nine more from his old neighbour who lives far away"
SUITE = (
    Question(id="s1", text=LONG, suite="bfcl:multiple"),
    Question(id="s2", text="When was the old harbour built?", suite="popqa", subject="Question 1?"),
)


def located(question: Question, **values: Any) -> Located:
    return Located(question, "f", 1, FORMAT, **values)


def checked(one: Located, *judged: Question, **settings: Any) -> tuple[str, list[ContaminationHit]]:
    contamination = Contamination(IngestSettings.model_validate(settings))
    ((_, reason),) = contamination.reasons([one], {HELD_OUT: judged})
    return reason, contamination.hits


def question(text: str, **values: Any) -> Question:
    return Question(id="q", text=text, **values)


def test_by_text_subject_and_run_of_words() -> None:
    judged = [Question(id="1", text=LONG), Question(id="2", text="Who wrote it?", subject="Some Book"),
              Question(id="3", text="What is 2 + 2?")]  # fmt: skip
    words = LONG.split()

    def reason(text: str, subject: str = "") -> str:
        return checked(located(question(text, subject=subject)), *judged)[0]

    assert reason("what is 2 + 2") == "holds the text of a held-out question (3)"
    assert reason("What is 2 - 2?") == ""
    assert reason("When did it appear?", "some  book") == "same subject as a held-out question (2)"
    assert (
        reason("Yesterday " + ", ".join(words[2:15]) + "!")
        == "13 words in a row shared with a held-out question (1)"
    )
    assert reason("Yesterday " + " ".join(words[2:14]) + " today") == ""


@pytest.mark.parametrize("place", range(5))
def test_all_that_a_trajectory_says_counts(place: int) -> None:
    trace = make_trace(errors=(None,))
    messages = list(trace.messages)
    messages[place] = messages[place].model_copy(update={"content": f"Here: {LONG}"})
    trace = trace.model_copy(update={"messages": tuple(messages)})
    one = located(question("What is q0?"), trace=trace)
    reason, hits = checked(one, *SUITE)
    assert reason == "13 words in a row shared with an item of bfcl:multiple (s1)"
    assert [(hit.row, hit.suite, hit.item) for hit in hits] == [("q", "bfcl:multiple", "s1")]


def test_gold_calls_count() -> None:
    call = ToolCall(name="send", arguments={"text": LONG})
    assert checked(located(question("Send it.", golds=((call,),))), *SUITE)[1][0].where == "golds"


def test_a_suite_s_subject_is_no_subject_of_the_split() -> None:
    assert checked(located(question("What?", subject="Question 1?")), *SUITE) == ("", [])


def test_overlaps_can_be_listed_or_end_the_run_and_subjects_are_never_shared() -> None:
    one = located(question(f"Well, {LONG}"))
    reason, hits = checked(one, *SUITE, on_contamination="list")
    assert (reason, hits[0].item) == ("", "s1")
    same = Question(id="h", text=LONG, subject="x")
    assert "same subject" in checked(located(question(LONG, subject="X")), same, on_contamination="list")[0]
    with pytest.raises(
        InputError, match=r"^q: user: holds 17 words of s1 of bfcl:multiple.*on_contamination"
    ):
        checked(one, *SUITE, on_contamination="fail")


def test_suites_are_compared_before_anything_is_split_off_for_search(tmp_path: Path) -> None:
    rows = [{"question": f"Question {n}?", "answers": ["x"]} for n in range(20)]
    rows += [{"question": f"Tell me: {LONG} {n}", "answers": ["x"]} for n in range(5)]
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = IngestSettings(held_out_share=0)
    quarantine = Quarantine(tmp_path / "quarantine.jsonl")
    collector = Collector(settings, quarantine, tmp_path, suites=SUITE)
    collection = collector.collect(str(path))
    assert (len(collection.train), collection.counts["contaminated"]) == (20, 5)
    assert {hit.item for hit in collector.contamination.hits} == {"s1"}


def test_the_stage_lists_counts_and_reports_overlaps(tmp_path: Path) -> None:
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held.jsonl"
    train.write_text(
        "".join(json.dumps({"question": q, "answer": "x"}) + "\n" for q in ("What?", f"Oh: {LONG}"))
    )
    held_out.write_text(json.dumps({"question": f"{LONG}!", "answer": "x", "id": "h"}) + "\n")
    metrics: dict[str, float] = {}
    places = [SimpleNamespace(path=str(tmp_path / name)) for name in ("set", "traces")]
    logged = SimpleNamespace(log_metric=metrics.__setitem__)
    report = SimpleNamespace(path=str(tmp_path / "report.md"))
    run(str(train), json.dumps({"held_out": str(held_out)}), "", *places, logged, report)
    (hit,) = read_records(tmp_path / "set/contamination.jsonl", ContaminationHit)
    assert (hit.suite, hit.item, hit.where, hit.matched) == ("held_out", "h", "user", LONG)
    assert metrics["contaminated"] == metrics["contaminated_held_out"] == 1
    assert "| held_out | 1 |" in (tmp_path / "report.md").read_text()
    ((_, row),) = read_raw(tmp_path / "set/quarantine.jsonl")
    assert isinstance(row, dict)
    assert row["reason"] == "13 words in a row shared with a held-out question (h)"


@pytest.mark.skipif(
    not os.environ.get("WHETSTONE_TEST_DATA"), reason="WHETSTONE_TEST_DATA: a folder of published rows"
)
def test_of_published_rows_verbatim_requests_only_are_found(tmp_path: Path) -> None:
    """API-Bank's first level against 400 rows of ToolRL (none) and glaive's (one, word by word)."""
    data = Path(os.environ["WHETSTONE_TEST_DATA"])
    found = []
    for name in ("toolrl_rlla_sft_400.json", "glaive_toolcall_en_demo.json"):
        folder = tmp_path / name
        places = [SimpleNamespace(path=str(folder / place)) for place in ("set", "traces", "report.md")]
        settings = {"held_out": str(data / "api_bank" / "level-1-api.json")}
        metrics = SimpleNamespace(log_metric=lambda *_: None)
        run(str(data / "tool_calls" / name), json.dumps(settings), "", *places[:2], metrics, places[2])
        found.append(
            [hit.matched for hit in read_records(folder / "set/contamination.jsonl", ContaminationHit)]
        )
    assert found == [[], ["can you play shape of you by ed sheeran"]]
