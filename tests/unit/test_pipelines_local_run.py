"""What a local run makes of the pipeline's log."""

import io
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.compile import compiled_path, package_path
from pipelines.local.dag import last_task
from pipelines.local.follow import follow as follow_log
from pipelines.local.log_lines import StageProgress, split_thread
from pipelines.local.loop_output import WholeLines
from pipelines.local.processes import StopRequest, running
from pipelines.local.run import _copy_store as copy_store
from pipelines.local.spec import read_spec, task_names
from pipelines.local.terminal import StageDisplay

BEGIN = "06:38:20.667 - INFO - Executing task 'ingest'"
FAILURE = "06:38:21.240 - ERROR - Task 'ingest' finished with status FAILURE"
RETRY = "06:38:21.2 - INFO - Task ingest failed (attempt 1/4). Retrying in 1.0s..."
INNER = "    components.contracts.errors.InputError: s3://b/k: refused"
OUTER = "    components.contracts.errors.InputError: questions: s3://b/k: refused"
CHAIN = "    The above exception was the direct cause of the following exception:"


def follow(folder: Path, *lines: str, then: str = "", shown: io.StringIO | None = None) -> str:
    """What comes of a pipeline that says `lines`, and then does something."""
    script = f"import sys, time\nprint({chr(10).join(lines)!r}, flush=True)\n{then}"
    display = StageDisplay(Console(file=shown or io.StringIO()), {})
    command = [sys.executable, "-c", script]
    with display, running(command, environment=os.environ, log=None) as process:
        return follow_log(process, folder / "log.txt", display, StopRequest(), {"ingest": 1})


def test_of_chained_exceptions_the_last_is_told_and_nothing_is_tried_again(tmp_path: Path) -> None:
    told = follow(tmp_path, BEGIN, "    KeyError: 'x'", INNER, CHAIN, OUTER, FAILURE, then="time.sleep(600)")
    assert told == "ingest: questions: s3://b/k: refused"


def test_an_input_error_outlives_what_comes_after_it(tmp_path: Path) -> None:
    raised = "    RuntimeError: Inner task failed: ingest"
    assert follow(tmp_path, BEGIN, OUTER, "    ValueError: x", raised, then="sys.exit(1)") == (
        "ingest: questions: s3://b/k: refused"
    )


def test_another_failure_that_goes_well_when_tried_again_is_none(tmp_path: Path) -> None:
    lines = (BEGIN, "    ConnectionError: gone", FAILURE, RETRY)
    assert follow(tmp_path, *lines) == ""
    assert follow(tmp_path, *lines, then="sys.exit(1)") == "ingest: ConnectionError: gone"


def test_after_its_last_try_a_task_ends_the_run(tmp_path: Path) -> None:
    lines = (BEGIN, "    ConnectionError: gone", FAILURE, RETRY)
    told = follow(tmp_path, *lines, *lines[:3], then="time.sleep(600)")
    assert told == "ingest: ConnectionError: gone"
    success = "06:38:21.240 - INFO - Task 'ingest' finished with status SUCCESS"
    assert follow(tmp_path, *lines, BEGIN, success, *lines) == ""  # another iteration of a loop


def test_in_a_loop_whatever_is_raised_belongs_to_the_task_of_its_thread(tmp_path: Path) -> None:
    lines = (
        "|0| - INFO - Executing task 'sft'",
        "|1| - INFO - Executing task 'evaluation-2'",
        "|0|     [sft] 1/4 25% eta 00:10",
        "|1|     KeyError: 'x'",
        "|0| - INFO - Executing task 'ppo'",
        "|1| - ERROR - Task 'evaluation-2' finished with status FAILURE",
    )
    assert follow(tmp_path, *lines, then="time.sleep(600)") == "evaluation: KeyError: 'x'"


def test_in_a_loop_each_arm_tells_why_it_is_tried_again(tmp_path: Path) -> None:
    lines = (
        "|0| - INFO - Executing task 'ingest'",
        "|1| - INFO - Executing task 'ingest'",
        "|0|     ConnectionError: gone",
        "|0| - ERROR - Task 'ingest' finished with status FAILURE",
        "|1|     TimeoutError: late",
        "|1| - ERROR - Task 'ingest' finished with status FAILURE",
        "|0| - INFO - Executing task 'ingest'",
    )
    shown = io.StringIO()
    follow(tmp_path, *lines, shown=shown)
    assert "ingest: ConnectionError: gone; trying again" in shown.getvalue()
    assert "late; trying again" not in shown.getvalue()


def test_in_a_loop_a_mistake_of_the_users_ends_the_run_though_another_arm_goes_on(tmp_path: Path) -> None:
    lines = (
        "|0| - INFO - Executing task 'ppo'",
        "|1| - INFO - Executing task 'sft'",
        f"|0| {INNER}",
        "|1|     [sft] 1/4 25% eta 00:10",
        f"|0| {CHAIN}",
        f"|0| {OUTER}",
        "|0| - ERROR - Task 'ppo' finished with status FAILURE",
    )
    told = follow(tmp_path, *lines, then="time.sleep(600)")
    assert told == "ppo: questions: s3://b/k: refused"


def test_lines_of_loop_threads_stay_whole_and_tell_their_thread() -> None:
    target = io.StringIO()
    lines = WholeLines(target)
    for piece in ("    ", "    ", "from the main thread\n"):  # kfp.local's indents are left out
        lines.write(piece)
    half_way, written = threading.Event(), threading.Event()

    def first() -> None:
        lines.write("    one ")
        half_way.set()
        assert written.wait(10)
        lines.write("line\n\n")

    def second() -> None:
        assert half_way.wait(10)
        lines.write("another\nand more\nand no end")
        written.set()

    with ThreadPoolExecutor(2) as pool:
        for future in (pool.submit(first), pool.submit(second)):
            future.result()
    assert target.getvalue() == ("from the main thread\n|1| another\n|1| and more\n|0|     one line\n|0| \n")
    assert [split_thread(line) for line in ("|1| another", "|| no", "plain")] == [
        ("1", "another"),
        ("", "|| no"),
        ("", "plain"),
    ]


def test_a_row_of_a_loop_adds_up_the_arms_at_work() -> None:
    console = Console(file=io.StringIO(), width=120)
    with StageDisplay(console, {"sft": "SFT"}) as display:
        for thread in ("0", "1"):
            display.begin("sft")
            step = StageProgress("sft", 1 + int(thread), 4, "00:10", "loss 1")
            display.advance("sft", step, thread)
        display.end("sft", succeeded=True, thread="0")
        display.advance("sft", StageProgress("sft", 3, 4, "00:10", "loss 1"), "1")
        display.advance("sft", StageProgress("ppo", 3, 4, "00:10", ""), "1")
        display.end("sft", succeeded=True, thread="1")
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue().splitlines()
    assert said[:4] == [
        "SFT ...",
        "[sft] 1/4 eta 00:10 loss 1",
        "[sft] 3/8 eta 00:10",
        "[sft] 3/4 eta 00:10 loss 1",
    ]
    assert len(said) == 5
    assert said[4].startswith("SFT: done in")


def test_of_several_tasks_of_a_stage_the_last_ones_output_is_shown(tmp_path: Path) -> None:
    for name in ("rounds", "rounds-2", "rounds-10", "rounds-extra"):
        (tmp_path / "run" / name).mkdir(parents=True)
    assert last_task(tmp_path, "rounds").name == "rounds-10"
    with pytest.raises(LookupError, match="no task 'promotion'"):
        last_task(tmp_path, "promotion")


def test_a_store_that_is_gone_or_can_not_be_copied_is_told_in_a_line(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with pytest.raises(InputError, match=r"old/store: no such folder, .* expected no --from"):
        copy_store(old, new, StopRequest())
    (old / "store").mkdir(parents=True)
    (old / "store/dangling").symlink_to("nowhere")  # copying what it points at fails, as on a full disk
    with pytest.raises(InputError, match=r"old/store: can't be copied into .*new"):
        copy_store(old, new, StopRequest())
    (old / "store/dangling").unlink()
    (old / "store/volume").write_text("objects", encoding="utf-8")
    copy_store(old, tmp_path / "newer", StopRequest())
    assert (tmp_path / "newer/store/volume").read_text(encoding="utf-8") == "objects"


def test_the_package_of_a_run_is_the_committed_file_or_one_made_for_its_rounds(tmp_path: Path) -> None:
    assert package_path("self_training", 0, tmp_path) == compiled_path("self_training")
    assert package_path("self_training_rounds", 3, tmp_path) == compiled_path("self_training_rounds")
    assert list(tmp_path.iterdir()) == []
    made = package_path("self_training_rounds", 1, tmp_path)
    assert made.parent == tmp_path
    names = set(task_names(read_spec(made)).values())
    assert "Round 1: Judgement" in names
    assert "Round 2: Judgement" not in names
