"""What a local run makes of the pipeline's log."""

import io
import os
import sys
from pathlib import Path

from rich.console import Console

from pipelines.local_run import _follow
from pipelines.processes import StopRequest, running
from pipelines.terminal import StageDisplay

BEGIN = "06:38:20.667 - INFO - Executing task 'ingest'"
FAILURE = "06:38:21.240 - ERROR - Task 'ingest' finished with status FAILURE"
RETRY = "06:38:21.2 - INFO - Task ingest failed (attempt 1/4). Retrying in 1.0s..."
INNER = "    components.contracts.errors.InputError: s3://b/k: refused"
OUTER = "    components.contracts.errors.InputError: questions: s3://b/k: refused"
CHAIN = "    The above exception was the direct cause of the following exception:"


def follow(folder: Path, *lines: str, then: str = "") -> str:
    """What comes of a pipeline that says `lines`, and then does something."""
    script = f"import sys, time\nprint({chr(10).join(lines)!r}, flush=True)\n{then}"
    display = StageDisplay(Console(file=io.StringIO()), {})
    command = [sys.executable, "-c", script]
    with display, running(command, environment=os.environ, log=None) as process:
        return _follow(process, folder / "log.txt", display, StopRequest())


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
