"""An evaluation that was killed takes over what was finished, and comes to the same items."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem, Question, Trace
from components.evaluation.resume import FinishedTraces, open_finished, storing_engine, without
from components.policy.engine import Conversation, MeasuresPrompts, Sampling
from components.storage import open_storage
from tests.evaluation_samples import make_questions, untrained
from tests.gold_questions import OSLO, gold
from tests.scripted_engine import ScriptedEngine, SmallContext
from tests.teacher_server import teacher_server, tool_call
from tests.unit.test_evaluation_suites import questions_of

TRACES = [untrained(asked) for asked in make_questions(4)]
DECIDES = {"question_set": "q" * 64, "details": "{}"}
PATIENCE = 240  # seconds, on a busy machine


def store(folder: Path) -> FinishedTraces:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return FinishedTraces(open_storage(str(folder / "kept")), scratch, seconds_between=0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("chunk-*"))


def test_chunks_are_appended_and_taken_over(tmp_path: Path) -> None:
    first = store(tmp_path)
    assert list(first.take_over()) == []
    for number, _ in enumerate(first.keep(TRACES[:5])):
        if number in (1, 4):
            first.store()
    first.store()
    assert names(tmp_path) == ["chunk-00000000.jsonl", "chunk-00000001.jsonl"]
    second = store(tmp_path)
    assert list(second.take_over()) == TRACES[:5]
    assert second.seconds == first.seconds
    list(second.keep([TRACES[0], TRACES[6]]))
    second.store()
    assert len(names(tmp_path)) == 3
    third = store(tmp_path)
    assert list(third.take_over()) == [*TRACES[:5], TRACES[6]]
    third.clear()
    assert names(tmp_path) == []


def test_a_damaged_chunk_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = store(tmp_path)
    for _ in first.keep(TRACES[:3]):
        first.store()
    damaged = tmp_path / "kept" / "chunk-00000001.jsonl"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    second = store(tmp_path)
    assert list(second.take_over()) == [TRACES[0], TRACES[2]]
    assert "kept traces are damaged" in capsys.readouterr().out
    list(second.keep(TRACES[3:4]))
    second.store()
    assert "chunk-00000003.jsonl" in names(tmp_path)


def test_what_decides_a_trace_decides_where_it_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_later() -> None:
        with open_finished(str(tmp_path), DECIDES) as finished:
            list(finished.keep(TRACES[:2]))
            raise InputError("later")

    with pytest.raises(InputError, match="later"):
        fail_later()
    assert "[evaluation] finished traces stay in" in capsys.readouterr().out
    with open_finished(str(tmp_path), DECIDES | {"details": "other"}) as finished:
        assert list(finished.take_over()) == []
    with open_finished(str(tmp_path), DECIDES) as finished:
        assert list(finished.take_over()) == TRACES[:2]
        finished.clear()
    assert names(tmp_path) == []


def test_traces_are_stored_before_the_model_is_asked_for_more(tmp_path: Path) -> None:
    finished = store(tmp_path)
    engine = storing_engine(ScriptedEngine(lambda _: "Answer: 1", call_format="paper"), finished)
    assert not isinstance(engine, MeasuresPrompts)
    list(finished.keep(TRACES[:2]))
    assert names(tmp_path) == []
    [said] = engine.complete([Conversation(TRACES[0].messages[:2])], Sampling(), seeds=[1])
    assert said.text == "Answer: 1"
    assert len(names(tmp_path)) == 1
    measured = storing_engine(SmallContext(lambda _: "", call_format="paper"), finished)
    assert isinstance(measured, MeasuresPrompts)
    assert measured.context == 2000


@pytest.mark.parametrize("kept", [True, False])
def test_traces_that_were_sampled_together_took_equally_long(tmp_path: Path, kept: bool) -> None:
    finished = store(tmp_path) if kept else FinishedTraces(None, tmp_path)
    engine = storing_engine(ScriptedEngine(lambda _: "Answer: 1", call_format="paper"), finished)

    def sampled() -> Iterator[Trace]:
        for first, seconds in ((0, 0.4), (3, 0.0), (4, 0.1)):  # nothing ends with the second
            engine.complete([Conversation(TRACES[0].messages[:2])], Sampling(), seeds=[1])
            time.sleep(seconds)
            yield from TRACES[first : first + 3] if seconds else ()

    began = time.monotonic()
    assert list(finished.keep(sampled())) == [*TRACES[:3], *TRACES[4:7]]
    passed = time.monotonic() - began
    long, short = ([finished.seconds[one.question.id] for one in TRACES[at : at + 3]] for at in (0, 4))
    assert min(long) == max(long) >= 0.4 / 3 > min(short) == max(short) >= 0.1 / 3
    assert sum(finished.seconds.values()) == pytest.approx(passed, abs=0.05)


def test_finished_questions_are_not_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    asked = make_questions(4)
    assert without(asked, TRACES[:5]) == asked[5:]
    assert "5 of 12 traces are finished already" in capsys.readouterr().out


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    asked = [gold(f"q{number}", OSLO, kind="own") for number in range(80)]
    questions = questions_of(tmp_path / "questions", asked, [])
    heard: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.15)
        number = int(json.dumps(body["messages"]).rpartition("Ask q")[2].partition('"')[0])
        city = "Oslo" if number % 3 else "Bergen"
        return {"tool_calls": [tool_call("weather", {"city": city})]}

    with teacher_server(answer, heard) as url:
        killed = start(questions.folder, url, tmp_path / "out", tmp_path / "checkpoints")
        until(lambda: names(tmp_path / "checkpoints"), killed)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert not (tmp_path / "out" / "evaluation" / "manifest.json").exists()
        kept = sum(len(path.read_text().splitlines()) for path in (tmp_path / "checkpoints").rglob("chunk-*"))
        assert 0 < kept < len(asked)
        heard.clear()
        assert finish(start(questions.folder, url, tmp_path / "out", tmp_path / "checkpoints")) == 0
        assert len(heard) == len(asked) - kept
        assert names(tmp_path / "checkpoints") == []
        assert finish(start(questions.folder, url, tmp_path / "whole", tmp_path / "other")) == 0
    resumed, whole = (read_items(tmp_path / name) for name in ("out", "whole"))
    assert resumed == whole
    assert sum(item.correct for item in whole) == sum(number % 3 > 0 for number in range(80))


def start(questions: Path, url: str, output: Path, checkpoints: Path) -> "subprocess.Popen[bytes]":
    """The stage on the questions, two requests at a time."""
    engine = {"kind": "openai", "url": url, "server_tools": True, "concurrency": 2}
    words = ["--question-set", str(questions), "--base-model", url, "--tools-url", ""]
    words += ["--settings", json.dumps({"engine": engine, "concurrent": 2}), "--artifact-store", ""]
    words += ["--checkpoint-root", str(checkpoints), "--output", str(output)]
    return subprocess.Popen(
        [sys.executable, "-m", "components.evaluation", *words], stdout=subprocess.DEVNULL
    )


def until(reached: Any, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def finish(process: "subprocess.Popen[bytes]") -> int:
    return process.wait(PATIENCE)


def read_items(output: Path) -> list[EvaluationItem]:
    """All but the time that they took."""
    opened = open_artifact(output / "evaluation", "evaluation/1")
    items = read_records(opened.path("items.jsonl"), EvaluationItem)
    return [item.model_copy(update={"seconds": 0.0}) for item in items]


def test_questions_of_another_set_are_passed_over() -> None:
    assert without([Question(id="new", text="?")], TRACES[:1]) == [Question(id="new", text="?")]
