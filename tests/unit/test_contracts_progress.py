"""Progress lines: an ETA once the pace is known, also for what goes on from a checkpoint."""

import pytest

from components.contracts import progress as module
from components.contracts.progress import Progress


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_the_first_of_a_batch_gives_no_wild_eta(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("trace_generation", 4000, part="1/2")
    clock.now += 20
    progress.advance()
    assert last_line(capsys) == "[trace_generation 1/2] 1/4000 0% eta --:--"
    clock.now += 2
    progress.advance(79)
    assert last_line(capsys) == "[trace_generation 1/2] 80/4000 2% eta 17:58"


def test_slow_steps_give_an_eta_after_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("sft", 1000)
    clock.now += 30
    progress.advance()
    assert last_line(capsys).endswith("eta --:--")
    clock.now += 30
    progress.advance()
    assert last_line(capsys).endswith("2/1000 0% eta 499:00")


def test_steps_of_an_earlier_process_say_nothing_about_the_pace(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress("sft", 100, start=90)
    clock.now += 10
    progress.advance(5, loss=0.5)
    assert last_line(capsys) == "[sft] 95/100 95% eta 00:10 loss 0.5"
    clock.now += 1
    progress.advance(5)
    assert last_line(capsys) == "[sft] 100/100 100% eta 00:00"


def test_counts_within_a_step_are_shown_without_an_eta(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    Progress("ingest", 2).advance(0, questions=7)
    assert last_line(capsys) == "[ingest] 0/2 0% eta --:-- questions 7"
