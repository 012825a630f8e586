"""What the local run reads out of kfp.local's log."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.progress import Progress
from pipelines.local.log_lines import RaisedError, StageProgress, TaskEvent, plain, read_line
from pipelines.local.terminal import stage_of, sum_of_shards


@given(
    stage=st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
    done=st.integers(1, 10**6),
    more=st.integers(0, 10**6),
    part=st.sampled_from(["", "1/2", "12/1024"]),
)
def test_progress_lines_are_read_back(stage: str, done: int, more: int, part: str) -> None:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda line, **_: lines.append(line))
        Progress(stage, done + more, part=part, every=0).advance(done, loss=0.25)
    (line,) = lines
    read = read_line(f"    {line}")
    assert isinstance(read, StageProgress)
    assert (read.stage, read.done, read.total, read.rest) == (stage, done, done + more, "loss 0.25")
    assert read.part == part


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "06:38:20.667 - INFO - Executing task \x1b[96m'evaluation-2'\x1b[0m\n",
            TaskEvent("begin", "evaluation-2"),
        ),
        (
            "06:38:21.240 - INFO - Task \x1b[96m'sft'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m",
            TaskEvent("success", "sft"),
        ),
        (
            "06:38:21.240 - ERROR - Task \x1b[96m'sft'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m",
            TaskEvent("failure", "sft"),
        ),
        (
            "    components.contracts.errors.InputError: q.jsonl:3: answers: expected a list",
            RaisedError("InputError", "q.jsonl:3: answers: expected a list"),
        ),
        ("    ValueError: no", RaisedError("ValueError", "no")),
        ("    torch.OutOfMemoryError: CUDA", RaisedError("OutOfMemoryError", "CUDA")),
        ("    KeyboardInterrupt", RaisedError("KeyboardInterrupt", "")),
        ("06:38:21.240 - INFO - Task 'sft' outputs:", None),
        ("    the model said: ValueError", None),
        ("", None),
    ],
)
def test_lines(line: str, expected: object) -> None:
    assert read_line(plain(line)) == expected


def test_only_input_errors_are_shown_bare() -> None:
    assert str(RaisedError("InputError", "q.jsonl:3: bad")) == "q.jsonl:3: bad"
    assert str(RaisedError("KeyError", "'x'")) == "KeyError: 'x'"
    assert str(RaisedError("MemoryError", "")) == "MemoryError"


def test_task_names_lead_to_stages() -> None:
    assert stage_of("evaluation-2") == "evaluation"
    assert stage_of("trace-generation") == "trace_generation"


def test_shards_are_shown_as_one_stage() -> None:
    first = StageProgress("trace_generation", 10, 100, "00:50", "correct 3", "1/2")
    second = StageProgress("trace_generation", 1, 90, "--:--", "correct 1", "2/2")
    assert sum_of_shards({"1/2": first}) == StageProgress("trace_generation", 10, 200, "00:50", "")
    both = {"1/2": first, "2/2": second}
    assert sum_of_shards(both) == StageProgress("trace_generation", 11, 190, "00:50", "")
    ended = replace(first, done=100, eta="00:00")
    assert sum_of_shards({"1/2": ended, "2/2": second}).eta == "--:--"
    assert sum_of_shards({"1/2": ended, "2/2": replace(second, done=90, eta="00:00")}).eta == "00:00"
