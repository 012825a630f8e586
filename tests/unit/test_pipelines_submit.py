"""`whetstone submit` against a server that speaks the v2beta1 API."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from components.contracts.errors import InputError
from pipelines.cli import app
from pipelines.services import free_ports
from tests.kfp_stub import KfpStub, kfp_stub


def submit(url: str, *words: str) -> Result:
    command = [
        "submit",
        "self_training",
        "--host",
        url,
        "--poll-seconds",
        "0.05",
        "questions=s3://b/q.jsonl",
        *words,
    ]
    return CliRunner().invoke(app, command)


def parameters(stub: KfpStub) -> dict[str, Any]:
    (run,) = stub.runs
    values = run["runtime_config"]["parameters"]
    assert isinstance(values, dict)
    return values


def test_submit_waits_and_succeeds() -> None:
    with kfp_stub(["PENDING", "RUNNING", "SUCCEEDED"]) as stub:
        result = submit(stub.url, "sft_accelerators=4", 'node_selector={"pool":"gpu"}', "sft.seed=7")
        given = parameters(stub)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["run", "run-1", "PENDING", "RUNNING", "SUCCEEDED"]
    assert given["sft_accelerators"] == "4"
    assert given["node_selector"] == {"pool": "gpu"}
    assert json.loads(given["sft_settings"])["seed"] == 7


def test_submit_of_a_run_that_fails_is_an_error() -> None:
    with kfp_stub(["RUNNING", "FAILED"]) as stub:
        result = submit(stub.url)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "run run-1: FAILED: task sft failed"


def test_submit_without_waiting_asks_no_more() -> None:
    with kfp_stub(["FAILED"]) as stub:
        result = submit(stub.url, "--no-wait")
    assert result.exit_code == 0, result.output
    assert result.stdout == "run run-1\n"


def test_submit_gives_up_waiting() -> None:
    with kfp_stub(["RUNNING"]) as stub:
        result = submit(stub.url, "--timeout-seconds", "0.1")
    assert "still RUNNING after 0 seconds" in str(result.exception)


def test_token_is_sent_and_never_shown() -> None:
    with kfp_stub(["SUCCEEDED"], token="let-me-in") as stub:
        assert submit(stub.url, "--token", "let-me-in").exit_code == 0
        refused = submit(stub.url, "--token", "a-wrong-one")
    assert "answered 401: check the token" in str(refused.exception)
    assert "a-wrong-one" not in str(refused.exception) + refused.output


def test_unreachable_endpoint_is_one_line() -> None:
    (port,) = free_ports(1)
    result = submit(f"http://127.0.0.1:{port}")
    assert isinstance(result.exception, InputError)
    message = str(result.exception)
    assert message.startswith(f"http://127.0.0.1:{port}: no Kubeflow Pipelines API reachable there")
    assert "\n" not in message


def test_submit_refuses_what_only_a_local_run_can_use() -> None:
    with kfp_stub([]) as stub:
        corpus = submit(stub.url, "corpus=passages.jsonl")
        command = ["submit", "self_training", "--host", stub.url, "preset=demo"]
        nothing = CliRunner().invoke(app, command)
        assert not stub.runs
    assert str(corpus.exception).startswith("corpus: only `whetstone run` takes it")
    assert str(nothing.exception) == "questions: missing; expected questions=URI"


def test_rounds_are_submitted_unrolled() -> None:
    with kfp_stub(["SUCCEEDED"]) as stub:
        result = submit(stub.url, "rounds=1", "--no-wait")
        two = submit(stub.url, "rounds=2", "method=sft,dpo", "--no-wait")
        runs = stub.runs
    assert (result.exit_code, two.exit_code) == (0, 0), (result.output, two.output)
    names = [set(run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]) for run in runs]
    assert [sorted(one for one in tasks if one.startswith("rounds")) for tasks in names] == [
        [],
        ["rounds", "rounds-2"],
    ]
    assert runs[1]["runtime_config"]["parameters"]["method"] == "sft,dpo"
