"""The run's report: states, what a cluster tells and what a local run, advice, credentials, and KFP's own executor."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus

from components.contracts.errors import InputError
from components.run_report.__main__ import main
from components.run_report.outcome import read_outcome
from components.run_report.run import run
from components.run_report.secrets import HIDDEN, without_secrets

GIVEN = {
    "questions": "s3://data/questions.jsonl",
    "base_model": "hf://org/model",
    "tools_url": "http://tools:8080",
    "artifact_store": "s3://whetstone/artifacts",
    "checkpoint_root": "s3://whetstone/checkpoints",
    "method": "sft,dpo",
    "kind": "",
    "publish_to": "",
}


def cluster(state: str) -> PipelineTaskFinalStatus:
    """As the driver of backend 2.17 makes it: an error without code and message, all stages as one task."""
    return PipelineTaskFinalStatus(
        state=state,
        pipeline_job_resource_name="self-training-x7k2p",
        pipeline_task_name="exit-handler-1",
        error_code=None,
        error_message=None,
    )


def local(state: str = "FAILED", task: str = "sft", message: str = "out of memory") -> str:
    return json.dumps(
        {
            "state": state,
            "pipeline_task_name": task,
            "pipeline_job_resource_name": "local-run",
            "error": {"message": message},
        }
    )


def page(folder: Path, status: Any, **changed: str) -> str:
    report = dsl.HTML(uri=str(folder / "report.html"))
    run(status, "Self-training", report=report, **(GIVEN | changed))
    return Path(report.path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("SUCCEEDED", "succeeded"),
        ("COMPLETE", "succeeded"),
        ("FAILED", "failed"),
        ("CANCELED", "canceled"),
        ("RUNNING", "unknown"),
        ("LAST_KNOWN_STATE_UNSPECIFIED", "unknown"),
    ],
)
def test_states_of_kfp_local_and_of_a_cluster(said: str, state: str) -> None:
    assert read_outcome(cluster(said)).state == state
    assert read_outcome(local(said)).state == state


def test_a_cluster_names_no_stage_and_a_local_run_does() -> None:
    there = read_outcome(cluster("FAILED"))
    assert (there.task, there.message, there.workflow) == ("", "", "self-training-x7k2p")
    here = read_outcome(local())
    assert (here.task, here.message, here.workflow) == ("sft", "out of memory", "")


def test_what_kfp_local_says_of_all_stages_together_is_no_message() -> None:
    of_group = PipelineTaskFinalStatus(
        "FAILED", "local-pipeline-exit-handler-1", "exit-handler-1", 1, "Task exit-handler-1 failed."
    )
    outcome = read_outcome(of_group)
    assert (outcome.state, outcome.task, outcome.message, outcome.workflow) == ("failed", "", "", "")


def test_a_failed_local_run_is_told_by_stage_and_message_and_how_to_go_on(tmp_path: Path) -> None:
    text = page(tmp_path, local(message="<b>no room</b>"))
    assert "Self-training: the run failed in sft" in text
    assert "&lt;b&gt;no room&lt;/b&gt;" in text
    assert "--from sft" in text
    assert "goes on from its last checkpoint under <code>s3://whetstone/checkpoints</code>" in text
    assert "kubectl" not in text
    assert "s3://data/questions.jsonl" in text
    assert "publish_to" not in text  # empty


def test_a_failed_run_on_a_cluster_is_told_where_to_look_and_that_the_cache_helps(tmp_path: Path) -> None:
    text = page(tmp_path, cluster("FAILED"), checkpoint_root="")
    assert "workflows.argoproj.io/workflow=self-training-x7k2p,app.kubernetes.io/part-of=whetstone" in text
    assert "come from the cache" in text
    assert "No <code>checkpoint_root</code> was given" in text
    assert "--from" not in text


def test_nothing_is_to_be_done_after_a_success(tmp_path: Path) -> None:
    text = page(tmp_path, cluster("COMPLETE"))
    assert "the run succeeded" in text
    assert "kubectl" not in text
    assert "http://" not in text.replace(GIVEN["tools_url"], "")  # nothing is loaded


def test_a_state_that_is_not_settled_is_no_failure(tmp_path: Path) -> None:
    text = page(tmp_path, cluster("RUNNING"))
    assert "how it ended is not known" in text
    assert "the run failed" not in text
    assert "had not settled" in text


def test_credentials_are_nowhere_on_the_page(tmp_path: Path) -> None:
    signed = "https://host/q.jsonl?X-Amz-Credential=AKIA123&X-Amz-Signature=5ec3e7&X-Amz-Expires=60"
    text = page(
        tmp_path,
        local(message="401 from https://me:hunter2@host/v1, Authorization: Bearer abc.def-ghi123"),
        questions=signed,
        tools_url="http://user:pa55@tools:8080",
    )
    for secret in ("AKIA123", "5ec3e7", "hunter2", "pa55", "abc.def-ghi123"):
        assert secret not in text
    assert "X-Amz-Expires=60" in text
    assert f"http://{HIDDEN}@tools:8080" in text


@given(
    st.text(
        alphabet=st.characters(codec="ascii", exclude_characters="/?#@\"' \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f"),
        min_size=8,
    )
)
def test_no_password_of_an_address_is_shown(password: str) -> None:
    marked = f"q{password}q"
    assert marked not in without_secrets(f"s3 at https://user:{marked}@host/path is gone")


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/a/b", "hf://org/model@main", "http://host:8080/path?page=2", "token-exact", "loss: 1@2"],
)
def test_what_holds_no_credential_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("status", ["", "{", "[]", '{"error": "gone"}'])
def test_a_status_that_is_none_is_refused(status: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^status: "):
        page(tmp_path, status)


def test_from_a_shell(tmp_path: Path) -> None:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in GIVEN.items() if value]
    arguments = ["--status", local(), "--pipeline", "Self-training", *words, "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert "the run failed in sft" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_kfps_executor_hands_the_drivers_status_in(tmp_path: Path) -> None:
    status = {
        "state": "FAILED",
        "pipelineTaskName": "exit-handler-1",
        "pipelineJobResourceName": "self-training-x7k2p",
        "error": {},
    }
    executor_input = {
        "inputs": {"parameterValues": {**GIVEN, "status": status, "pipeline": "Self-training"}},
        "outputs": {
            "artifacts": {
                "report": {
                    "artifacts": [
                        {
                            "name": "report",
                            "type": {"schemaTitle": "system.HTML"},
                            "uri": str(tmp_path / "report"),
                        }
                    ]
                }
            },
            "outputFile": str(tmp_path / "executor_output.json"),
        },
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kfp.dsl.executor_main"),
            *("--component_module_path", "components/run_report/component.py"),
            *("--executor_input", json.dumps(executor_input), "--function_to_execute", "run_report"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report").read_text(encoding="utf-8")
    assert "workflow=self-training-x7k2p" in text
