"""The report of a failed local run: what the compiled pipeline hands its exit task, and a page that can't be written."""

import os
from pathlib import Path

import pytest

from pipelines.catalog import PIPELINES
from pipelines.local.failure_report import PAGE, write_failure_report
from pipelines.local.processes import StopRequest
from tests.compiled_pipelines import spec_of

PARAMETERS = {
    "questions": "--questions.jsonl",
    "base_model": "demo://model",
    "artifact_store": "s3://own/artifacts",
}


def write(folder: Path, pipeline: str, failure: str) -> Path | None:
    return write_failure_report(
        spec_of(pipeline),
        PARAMETERS,
        failure,
        folder=folder,
        log=folder.parent / "log.txt",
        environment=os.environ,
        stop=StopRequest(),
    )


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_page_has_the_failure_what_was_given_and_what_was_not(tmp_path: Path, pipeline: str) -> None:
    page = write(tmp_path, pipeline, "trace_generation: RuntimeError: out: of memory")
    assert page == tmp_path / PAGE, (tmp_path.parent / "log.txt").read_text()
    text = page.read_text(encoding="utf-8")
    assert "the run failed in trace_generation" in text
    assert "RuntimeError: out: of memory" in text
    assert "--questions.jsonl" in text
    assert "http://whetstone-tools:8080" in text  # the pipeline's default
    assert "No <code>checkpoint_root</code> was given" in text


def test_a_run_that_died_without_a_stage_is_told_too(tmp_path: Path) -> None:
    assert write(tmp_path, "self_training", "local run: ended without saying why (killed?)")
    text = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "ended without saying why (killed?)" in text
    assert "--from STAGE" in text


def test_where_no_page_can_be_written_there_is_none_and_the_log_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file", encoding="utf-8")
    assert write(tmp_path / "runs", "self_training", "sft: no room") is None
    assert PAGE in (tmp_path / "log.txt").read_text(encoding="utf-8")
