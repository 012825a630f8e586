"""`whetstone submit` against a server that speaks the v2beta1 API: what is sent, what is said, how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from typer.testing import CliRunner, Result

from components.contracts.errors import InputError
from pipelines.cli import app
from pipelines.compile import compiled_path
from pipelines.submit.connection import Patience
from pipelines.submit.submission import NotWaited, task_names
from tests.kfp_stub import KfpStub, Trouble, kfp_stub


@pytest.fixture(autouse=True)
def no_endpoint_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("KFP_", "KF_PIPELINES_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def sigint_is_heard() -> Iterator[None]:
    """A shell's background job ignores SIGINT, which children inherit and the command then leaves alone."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def submit(url: str, *words: str) -> Result:
    command = ["submit", "self_training", "--host", url, "--poll-seconds", "0.05", "questions=s3://b/q.jsonl"]
    return CliRunner().invoke(app, [*command, *words])


def parameters(stub: KfpStub) -> dict[str, Any]:
    (run,) = stub.runs
    values = run["runtime_config"]["parameters"]
    assert isinstance(values, dict)
    return values


def as_messages(documents: dict[str, Any]) -> tuple[Any, Any]:
    spec, platform = pipeline_spec_pb2.PipelineSpec(), pipeline_spec_pb2.PlatformSpec()
    json_format.ParseDict(documents["pipeline_spec"], spec)
    json_format.ParseDict(documents["platform_spec"], platform)
    return spec, platform


def test_submit_waits_and_succeeds() -> None:
    with kfp_stub(["PENDING", "RUNNING", "SUCCEEDED"]) as stub:
        result = submit(stub.url, "sft_accelerators=4", 'node_selector={"pool":"gpu"}', "sft.seed=7")
        given = parameters(stub)
        (run,) = stub.runs
        (experiment,) = stub.experiments
    assert result.exit_code == 0, result.output
    link = f"{stub.url}/#/runs/details/{run['run_id']}"
    assert result.stdout.splitlines() == [f"run {run['run_id']}", link, "PENDING", "RUNNING", "SUCCEEDED"]
    assert run["display_name"].startswith("self-training 2")
    assert (experiment["display_name"], experiment["experiment_id"]) == ("whetstone", run["experiment_id"])
    assert given == {
        "questions": "s3://b/q.jsonl",
        "sft_accelerators": "4",
        "node_selector": {"pool": "gpu"},
        "sft_settings": '{"seed":7}',
    }


def test_what_is_sent_is_the_compiled_file() -> None:
    with kfp_stub() as stub:
        assert submit(stub.url).exit_code == 0
        (run,) = stub.runs
    spec, platform = yaml.safe_load_all(compiled_path("self_training").read_text(encoding="ascii"))
    sent = as_messages(run["pipeline_spec"])
    assert sent == as_messages({"pipeline_spec": spec, "platform_spec": platform})


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_run_that_does_not_succeed_is_an_error_with_its_place(state: str) -> None:
    tasks = {"root": "FAILED", "ingest": "SUCCEEDED", "sft": "FAILED", "executor": "FAILED"}
    with kfp_stub(["RUNNING", state], tasks=tasks) as stub:
        result = submit(stub.url)
        run_id = stub.runs[0]["run_id"]
    assert isinstance(result.exception, InputError)
    link = f"{stub.url}/#/runs/details/{run_id}"
    assert str(result.exception) == f"run {run_id}: {state} in sft; its logs and report: {link}"
    assert [line for line in result.stdout.splitlines() if " " in line] == [
        f"run {run_id}",
        "ingest SUCCEEDED",
        "sft FAILED",
    ]


def test_a_driver_that_failed_names_its_task() -> None:
    with kfp_stub(["FAILED"], tasks={"trace-generation-driver": "FAILED"}) as stub:
        result = submit(stub.url)
    assert ": FAILED in trace-generation; " in str(result.exception)


def test_submit_without_waiting_asks_no_more() -> None:
    with kfp_stub(["FAILED"]) as stub:
        result = submit(stub.url, "--no-wait")
        asked = [request for request, _ in stub.requests]
    assert result.exit_code == 0, result.output
    assert not [one for one in asked if "/runs/" in one]


def test_submit_gives_up_waiting_and_says_how_to_look_at_the_run() -> None:
    with kfp_stub(["RUNNING"]) as stub:
        result = submit(stub.url, "--timeout-seconds", "0.2")
        run_id = stub.runs[0]["run_id"]
    assert isinstance(result.exception, NotWaited)
    assert result.exception.exit_code == 124
    assert str(result.exception) == (
        f"run {run_id}: still RUNNING after 0 seconds; run {run_id} goes on; look at it: "
        f"{stub.url}/#/runs/details/{run_id} or kfp --endpoint {stub.url} run get {run_id}"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_wait_leaves_the_run_going(number: signal.Signals) -> None:
    with kfp_stub(["RUNNING"]) as stub:
        words = ["submit", "self_training", "--host", stub.url, "questions=s3://b/q.jsonl"]
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pipelines", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line == "RUNNING\n":
                break
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        (run,) = stub.runs
        terminated = [request for request, _ in stub.requests if "terminate" in request]
    assert process.returncode == 128 + number
    assert said == (
        f"error: stopped waiting by {number.name}; run {run['run_id']} goes on; look at it: "
        f"{stub.url}/#/runs/details/{run['run_id']} or kfp --endpoint {stub.url} run get {run['run_id']}\n"
    )
    assert not terminated


def test_an_interrupted_submission_says_how_to_look_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not interrupted")

    monkeypatch.setattr("pipelines.submit.api.KubeflowApi.create_run", interrupted)
    with kfp_stub() as stub:
        result = submit(stub.url, "--run-name", "nightly", "--namespace", "team-a")
    assert isinstance(result.exception, NotWaited)
    assert result.exception.exit_code == 130
    assert str(result.exception) == (
        "stopped by SIGINT while submitting; look whether 'nightly' runs: "
        f"kfp --endpoint {stub.url} --namespace team-a run list"
    )


def test_a_run_that_nobody_answered_for_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.submit.connection.PATIENCE", Patience(outage=0.1, pause=0.05))
    with kfp_stub(troubles=[Trouble("POST /runs", 0, times=99)]) as stub:
        result = submit(stub.url, "--run-name", "nightly")
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"{stub.url}: the Kubeflow Pipelines API does not answer any more (ProtocolError); "
        f"look whether 'nightly' runs: kfp --endpoint {stub.url} run list"
    )


def test_token_is_sent_and_never_shown() -> None:
    with kfp_stub(token="let-me-in") as stub:
        assert submit(stub.url, "--token", "let-me-in").exit_code == 0
        refused = submit(stub.url, "--token", "a-wrong-one")
        without = submit(stub.url)
        sent = {authorization for _, authorization in stub.requests}
    assert sent == {"Bearer let-me-in", "Bearer a-wrong-one", ""}
    hint = "answered 401: check the token (--token, KFP_EXISTING_TOKEN) and --namespace; it said: Request header error"
    assert hint in str(refused.exception)
    assert hint in str(without.exception)
    assert "a-wrong-one" not in str(refused.exception) + refused.output


def test_token_file_is_read_anew_for_every_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n", encoding="utf-8")
    with kfp_stub(["RUNNING", "SUCCEEDED"], token="first") as stub:
        created = KfpStub.create_run

        def renew(self: KfpStub, request: Any) -> dict[str, Any]:
            stub.token = "second"
            file.write_text("second\n", encoding="utf-8")
            return created(self, request)

        with pytest.MonkeyPatch.context() as patched:
            routes = [
                (a, b, renew if c is created else c) for a, b, c in sys.modules["tests.kfp_stub"].ROUTES
            ]
            patched.setattr("tests.kfp_stub.ROUTES", routes)
            result = submit(stub.url, "--token-file", str(file))
        sent = [authorization for _, authorization in stub.requests]
    assert result.exit_code == 0, result.output
    assert sent[0] == "Bearer first"
    assert sent[-1] == "Bearer second"


def test_token_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with kfp_stub() as stub:
        result = submit(stub.url, "--token-file", str(tmp_path / "token"))
    assert str(result.exception) == (
        f"{tmp_path / 'token'}: no token can be read from it (FileNotFoundError); see --token-file"
    )


def test_many_users_need_a_namespace() -> None:
    with kfp_stub(multi_user=True) as stub:
        without = submit(stub.url)
        result = submit(stub.url, "--namespace", "team-a")
        (experiment,) = stub.experiments
    assert str(without.exception).endswith("name the namespace of your profile with --namespace")
    assert result.exit_code == 0, result.output
    assert experiment["namespace"] == "team-a"


def test_submit_refuses_what_it_can_before_it_asks() -> None:
    with kfp_stub() as stub:
        corpus = submit(stub.url, "corpus=passages.jsonl")
        unknown = submit(stub.url, "sft_accelerator=1")
        placed = submit(stub.url, 'tolerations=["gpu"]')
        nothing = CliRunner().invoke(app, ["submit", "self_training", "--host", stub.url, "preset=demo"])
        assert not stub.requests
    assert str(corpus.exception).startswith("corpus: only `whetstone run` takes it")
    assert str(nothing.exception) == "questions: missing; expected questions=URI"
    assert "unknown parameter 'sft_accelerator' (did you mean 'sft_accelerators'?)" in str(unknown.exception)
    assert str(placed.exception).startswith("tolerations: expected a JSON list of objects")


def test_rounds_are_submitted_unrolled() -> None:
    with kfp_stub() as stub:
        result = submit(stub.url, "rounds=1", "--no-wait")
        two = submit(stub.url, "rounds=2", "method=sft,dpo", "--no-wait")
        runs = stub.runs
    assert (result.exit_code, two.exit_code) == (0, 0), (result.output, two.output)
    names = [
        {
            task
            for part in (spec["root"], *spec["components"].values())
            for task in part.get("dag", {}).get("tasks", ())
        }
        for spec in (run["pipeline_spec"]["pipeline_spec"] for run in runs)
    ]
    assert [sorted(one for one in tasks if one.startswith("rounds")) for tasks in names] == [
        [],
        ["rounds", "rounds-2"],
    ]
    assert runs[1]["runtime_config"]["parameters"]["method"] == "sft,dpo"


def test_a_version_is_uploaded_once_and_run() -> None:
    with kfp_stub() as stub:
        first = submit(stub.url, "--version", "1.0", "sft.seed=7")
        again = submit(stub.url, "--version", "1.0")
        other = submit(stub.url, "--version", "1.0", "rounds=2")
        pipeline, in_rounds = stub.pipelines
        version, _ = stub.versions
        runs = stub.runs
    assert (first.exit_code, again.exit_code, other.exit_code) == (0, 0, 0), first.output + other.output
    assert (pipeline["display_name"], in_rounds["display_name"]) == ("self-training", "self-training-rounds")
    assert [run["pipeline_version_reference"] for run in runs[:2]] == [
        {"pipeline_id": pipeline["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]}
    ] * 2
    assert "pipeline_spec" not in runs[0]
    assert json.loads(runs[0]["runtime_config"]["parameters"]["sft_settings"]) == {"seed": 7}


def test_a_version_with_other_content_is_refused() -> None:
    with kfp_stub() as stub:
        assert submit(stub.url, "--version", "1.0").exit_code == 0
        stub.versions[0]["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["description"] = "another"
        result = submit(stub.url, "--version", "1.0")
        assert len(stub.runs) == 1
    assert str(result.exception) == (
        "--version 1.0: pipeline self-training has a version of that name with other content; choose another name"
    )


def test_while_waiting_an_outage_is_waited_out() -> None:
    lost = [Trouble("GET /runs/", 503, body="upstream connect error"), Trouble("GET /runs/", 0, times=2)]
    with kfp_stub(["RUNNING", "SUCCEEDED"], troubles=lost) as stub:
        result = submit(stub.url)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("asking again") == 1
    assert "answered 503: upstream connect error; asking again" in result.stderr


def test_while_waiting_a_long_outage_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.submit.submission.OUTAGE_SECONDS", 0.2)
    with kfp_stub(troubles=[Trouble("GET /runs/", 502, times=99)]) as stub:
        result = submit(stub.url)
        run_id = stub.runs[0]["run_id"]
    assert isinstance(result.exception, NotWaited)
    assert result.exception.exit_code == 124
    assert f"answered 502: Bad Gateway; run {run_id} goes on" in str(result.exception)


def test_while_waiting_a_token_that_ran_out_or_a_deleted_run_is_said() -> None:
    with kfp_stub(troubles=[Trouble("GET /runs/", 401)]) as stub:
        expired = submit(stub.url)
    with kfp_stub(troubles=[Trouble("GET /runs/", 404, body="Run x not found")]) as stub:
        deleted = submit(stub.url)
    assert "answered 401: check the token" in str(expired.exception)
    assert " goes on; look at it: " in str(expired.exception)
    assert str(deleted.exception).endswith("answered 404: Run x not found")


@pytest.mark.parametrize("pipeline", ["self_training", "whetstone"])
def test_tasks_are_those_that_are_containers(pipeline: str) -> None:
    names = task_names(compiled_path(pipeline))
    assert {"preflight", "ingest", "trace-generation", "sft", "promotion", "publication"} <= names
    assert not [name for name in names if name.startswith(("condition", "for-loop", "exit-handler"))]
