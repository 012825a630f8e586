"""Each check of preflight against the real thing: what it finds, and the one line when it fails."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.ablation.settings import AblationSettings
from components.contracts.errors import InputError
from components.evaluation.settings import EvaluationSettings
from components.ingest.settings import IngestSettings
from components.preflight import model as model_checks
from components.preflight.agreement import (
    look_at_agreement,
    look_at_kinds,
    look_at_pairs,
    look_at_table,
    look_at_trajectories,
)
from components.preflight.checks import Check, Row, Skipped, run_checks
from components.preflight.choices import look_at_choices
from components.preflight.machine import gpu_wishes, look_at_disk, look_at_gpu, look_at_secret
from components.preflight.model import look_at_model
from components.preflight.questions import look_at_questions
from components.preflight.services import look_at_engine, look_at_tools
from components.preflight.stage_settings import parse_stage, parsed_settings, settings_of_stages
from components.preflight.stores import look_at_credentials, look_at_store
from components.rounds.settings import RoundsSettings
from components.storage import open_storage
from components.trace_generation.settings import TraceGenerationSettings
from tests.object_store import ObjectStore, free_ports
from tests.preflight_samples import TOKEN, model_folder
from tests.tools_process import ToolsProcess, tools_service


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    """A tools service that wants a token."""
    with tools_service(
        tmp_path_factory.mktemp("tools"), environment={"WHETSTONE_TOOLS_TOKEN": TOKEN}
    ) as service:
        yield service


@pytest.fixture
def closed_url() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def test_every_check_answers_and_a_hanging_one_fails_at_the_deadline() -> None:
    def fails() -> str:
        raise InputError("x: wrong")

    def breaks() -> str:
        raise KeyError("y")

    def skips() -> str:
        raise Skipped("not here")

    release = threading.Event()
    looks = [lambda: "fine", fails, breaks, skips, lambda: str(release.wait(30))]
    start = time.monotonic()
    rows = run_checks([Check("n", str(number), look) for number, look in enumerate(looks)], 0.5)
    release.set()
    assert time.monotonic() - start < 5
    assert rows[:4] == [
        Row("n", "0", "ok", "fine"),
        Row("n", "1", "failed", "x: wrong"),
        Row("n", "2", "failed", "KeyError: 'y'"),
        Row("n", "3", "skipped", "not here"),
    ]
    assert rows[4].state == "failed"
    assert rows[4].detail.startswith("no answer within 0.5 s")


def test_tools_are_listed_with_the_right_token(tools: ToolsProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHETSTONE_TOOLS_TOKEN", TOKEN)
    found = look_at_tools(tools.url + "/")
    assert found.startswith("calculator")
    assert "wikipedia_search not offered: " in found


@pytest.mark.parametrize("token", ["", "another-token-of-the-tests"])
def test_a_wrong_token_is_told(tools: ToolsProcess, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("WHETSTONE_TOOLS_TOKEN", token)
    with pytest.raises(
        InputError, match=r"refused the token \(HTTP 401\); set WHETSTONE_TOOLS_TOKEN"
    ) as caught:
        look_at_tools(tools.url)
    assert TOKEN not in str(caught.value)
    assert "another" not in str(caught.value)


def test_services_that_do_not_answer_fail_soon(closed_url: str) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        start = time.monotonic()
        for url in (closed_url, f"http://127.0.0.1:{deaf.getsockname()[1]}", "not an address"):
            with pytest.raises(InputError, match=r"^tools_url: nothing answers at .*; is it started\?$"):
                look_at_tools(url)
        assert time.monotonic() - start < 10
    with pytest.raises(InputError, match="tools_url: empty"):
        look_at_tools(" ")


def test_another_service_is_no_tools_service() -> None:
    with (
        serving(Others) as url,
        pytest.raises(InputError, match=r"is no tools service \(HTTP 404 for /readyz\)$"),
    ):
        look_at_tools(url)


class Others(BaseHTTPRequestHandler):
    """A hub that knows one model, and a server of one model that wants a key, as their clients see them."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Bearer right"
        status = 404
        body: dict[str, Any] = {}
        if self.path == "/v1/models":
            status, body = (200 if allowed else 401), {"data": [{"id": "a-model"}] if allowed else []}
        if self.path.startswith("/api/models/org/"):
            files = {"whole": ["config.json", "a.safetensors"], "pickled": ["config.json", "a.bin"]}
            name = self.path.split("/")[4]
            status = 200 if name in files else 404
            body = {"sha": "abc", "siblings": [{"rfilename": file} for file in files.get(name, [])]}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on a loopback port as long as the block runs."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_model_server_lists_its_models(monkeypatch: pytest.MonkeyPatch, closed_url: str) -> None:
    with serving(Others) as url:
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        assert look_at_engine(f"{url}/v1") == "a-model"
        monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        with pytest.raises(InputError, match="refused the key"):
            look_at_engine(f"{url}/v1")
    with pytest.raises(InputError, match=r"^engine\.url: nothing answers"):
        look_at_engine(closed_url)


def test_stores_are_written_read_and_left_clean(s3: ObjectStore, tmp_path: Path) -> None:
    for uri in (f"s3://{s3.bucket}/{tmp_path.name}/runs/", str(tmp_path / "new")):
        assert look_at_store("artifact_store", uri) == "written, read back and deleted"
        assert list(open_storage(uri).list()) == []
    with pytest.raises(Skipped, match="own launcher"):
        look_at_store("artifact_store", "")
    assert look_at_credentials() == "found (env)"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "not-the-secret", "the store refuses the secret key"),
        ("AWS_ACCESS_KEY_ID", "nobody", "the store does not know this access key"),
        ("AWS_ENDPOINT_URL", "", "can't be reached; check AWS_ENDPOINT_URL"),
    ],
)
def test_stores_that_refuse_or_are_away_fail_soon(
    s3: ObjectStore, monkeypatch: pytest.MonkeyPatch, closed_url: str, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value or closed_url)
    start = time.monotonic()
    with pytest.raises(InputError, match=rf"^publish_to: s3://{s3.bucket}/x.*{message}") as caught:
        look_at_store("publish_to", f"s3://{s3.bucket}/x")
    assert time.monotonic() - start < 10
    assert "not-the-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bucket_or_folder_that_is_not_there(s3: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^checkpoint_root: s3://nowhere/x: there is no such bucket"):
        look_at_store("checkpoint_root", "s3://nowhere/x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^checkpoint_root: .*can't be written"):
        look_at_store("checkpoint_root", str(tmp_path / "file/inner"))


def test_questions_here_and_in_the_store(s3: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "plain.jsonl.gz").write_text("no gzip")
    storage = open_storage(f"s3://{s3.bucket}/{tmp_path.name}")
    storage.put_file(tmp_path / "q.jsonl", "in/q.jsonl")
    assert look_at_questions(str(tmp_path / "q.jsonl")) == "33 bytes"
    assert look_at_questions(f"{storage.uri}/in/q.jsonl") == look_at_questions(f"{storage.uri}/in/")
    assert look_at_questions("demo://") == "the built-in questions"
    assert look_at_questions("demo://calls") == "the built-in tool calls"
    for uri, message in {
        "": "questions: empty",
        str(tmp_path / "absent"): "no such file or folder",
        str(tmp_path / "empty.csv"): "empty",
        str(tmp_path / "plain.jsonl.gz"): "expected a gzip file",
        f"{storage.uri}/in/q": "no such object",
        "ftp://host/file": "unknown scheme 'ftp'",
        "demo://cals": "unknown demo, expected demo:// or demo://calls",
    }.items():
        with pytest.raises(InputError, match=message):
            look_at_questions(uri)


def test_models_in_folders_and_in_the_store(s3: ObjectStore, tmp_path: Path) -> None:
    whole = model_folder(tmp_path / "whole")
    assert look_at_model(str(whole)).startswith("config, safetensors, tokenizer")
    assert look_at_model(f"file://{whole}")
    uri = f"s3://{s3.bucket}/{tmp_path.name}"
    open_storage(uri).upload_folder(tmp_path)
    assert look_at_model(f"{uri}/whole")
    pickled = model_folder(tmp_path / "pickled", "model.safetensors")
    (pickled / "pytorch_model.bin").write_text("x")
    for bad, message in {
        str(tmp_path / "absent"): "no folder",
        str(model_folder(tmp_path / "bare", "config.json")): "has no config.json",
        str(model_folder(tmp_path / "words", "tokenizer.json")): "has no tokenizer.json",
        str(model_folder(tmp_path / "base", template="")): "has no chat template",
        str(pickled): "pickled weights",
        f"{uri}/absent": "nothing lies under",
        "demo://other": "unknown demo model 'demo://other'",
        "ftp://x/y": "unknown scheme 'ftp'",
        "hf://not a name/x/y": "expected hf://organisation/name",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            look_at_model(bad)
        assert str(caught.value).startswith("base_model: ")


def test_a_package_index_that_does_not_answer_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHETSTONE_CACHE", str(tmp_path))
    monkeypatch.setattr(model_checks, "SECONDS", 0.001)
    with pytest.raises(Skipped, match=r"package index did not answer within 0\.001 s about "):
        look_at_model("demo://smollm2-135m-instruct")


@pytest.mark.parametrize(
    ("traces", "evaluation", "message"),
    [
        (
            {"engine": {"call_format": "paper"}},
            {},
            "evaluation_settings: engine.call_format: 'hermes', but trace_generation_settings has 'paper'",
        ),
        ({"variant": "single_step"}, {}, "evaluation_settings: variant: 'multi_step', but trace_gen"),
        (
            {"engine": {"kind": "openai", "url": "http://h/v1"}},
            {"engine": {"kind": "openai", "url": "http://h/v1"}},
            "evaluation_settings: engine.kind: 'openai' can't take the adapter",
        ),
    ],
)
def test_stages_that_do_not_fit_each_other_are_refused(
    traces: dict[str, Any], evaluation: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        look_at_agreement(
            TraceGenerationSettings.parse(json.dumps(traces)),
            EvaluationSettings.parse(json.dumps(evaluation)),
        )
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        ("dop", "", "method: unknown 'dop' (did you mean 'dpo'?); known: sft, dpo"),
        ("sft,ppo", "", "method: unknown 'ppo' (did you mean 'dpo'?); known: sft, dpo"),
        ("dpo", "responses", "kind: unknown 'responses' (did you mean 'response'?); known: response, conv"),
    ],
)
def test_unknown_ways_of_training_are_refused_with_the_nearest(method: str, kind: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        look_at_choices(method, kind, ("ingest", "sft", "dpo"))
    assert str(caught.value).startswith(said)


def test_a_kind_without_dpo_is_fine_and_so_is_a_run_without_a_choice() -> None:
    assert look_at_choices("sft", "response", ("sft", "dpo")) == "sft"
    assert look_at_choices(" sft, dpo ", "", ("sft", "dpo")) == "sft, dpo"
    assert look_at_choices("", "", ("sft", "ppo", "evaluation")) == "sft, ppo"


def test_practice_that_gives_no_pairs_is_refused_where_pairs_are_made() -> None:
    one_trace = TraceGenerationSettings(num_samples=1, no_tool_samples=0)
    with pytest.raises(Skipped):
        look_at_pairs(one_trace, "sft")
    with pytest.raises(
        InputError, match=r"^trace_generation_settings: num_samples: 1, and no_tool_samples 0, but"
    ):
        look_at_pairs(one_trace, "sft,dpo")
    assert look_at_pairs(TraceGenerationSettings(no_tool_samples=1), "dpo") == "2 traces a question"
    with pytest.raises(InputError, match=r"^trace_generation_settings: variant: 'cot' offers no tools"):
        look_at_pairs(TraceGenerationSettings(variant="cot", num_samples=4), "")


def test_prompts_without_tools_are_the_same_where_they_are_practised() -> None:
    evaluation = EvaluationSettings(no_tool_variant="plain")
    look_at_agreement(TraceGenerationSettings(), evaluation)
    with pytest.raises(InputError, match=r"^evaluation_settings: no_tool_variant: 'plain', but trace_gen"):
        look_at_agreement(TraceGenerationSettings(no_tool_samples=1), evaluation)


def test_rounds_and_the_table_fit_the_run() -> None:
    assert look_at_kinds(RoundsSettings(), EvaluationSettings()) == "no tool for no_tool"
    with pytest.raises(
        InputError, match=r"^rounds_settings: no_tool_kinds: \['chat'\], but evaluation_settings"
    ):
        look_at_kinds(RoundsSettings(no_tool_kinds=("chat",)), EvaluationSettings())
    grid = AblationSettings.parse('{"preset": "self-training"}')
    assert look_at_table(grid, ("sft", "dpo")) == "10 rows, with SFT and DPO"
    with pytest.raises(InputError, match=r"^ablation_settings: trainings: 'DPO' is no stage of this run"):
        look_at_table(grid, ("sft", "ppo"))


@pytest.mark.parametrize("preset", EvaluationSettings.presets)
def test_presets_fit_each_other(preset: str) -> None:
    text = json.dumps({"preset": preset})
    look_at_agreement(TraceGenerationSettings.parse(text), EvaluationSettings.parse(text))


@pytest.mark.parametrize("preset", ["tl-training", "demo_calls"])
def test_trajectories_are_written_as_the_policy_is_judged(preset: str) -> None:
    evaluation = EvaluationSettings.parse(json.dumps({"preset": preset}))
    ingest = IngestSettings.parse(json.dumps({"preset": preset}) if preset in IngestSettings.presets else "")
    assert look_at_trajectories(ingest, evaluation).startswith("both write calls as ")
    other = IngestSettings.parse('{"call_format": "llama3_json"}')
    with pytest.raises(InputError, match=r"^ingest_settings: call_format: 'llama3_json', but evaluation_set"):
        look_at_trajectories(other, evaluation)


def test_models_on_the_hub(monkeypatch: pytest.MonkeyPatch, closed_url: str) -> None:
    from huggingface_hub import constants

    with serving(Others) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        assert look_at_model("hf://org/whole@v1") == "on the hub, revision abc"
        with pytest.raises(InputError, match=r"no \*\.safetensors"):
            look_at_model("hf://org/pickled")
        with pytest.raises(InputError, match=r"HTTP 404 for 'hf://org/absent': no such model"):
            look_at_model("hf://org/absent")
    monkeypatch.setattr(constants, "ENDPOINT", closed_url)
    with pytest.raises(Skipped, match="the hub can't be reached from here"):
        look_at_model("hf://org/whole")


def test_gpu_is_missed_only_where_it_would_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    wishes = gpu_wishes(parsed_settings({"sft": '{"method": "qlora"}', "ingest": "{}"}))
    assert wishes == ["sft.method=qlora"]
    with pytest.raises(InputError, match=r"sft\.method=qlora needs a GPU"):
        look_at_gpu(wishes)
    with pytest.raises(Skipped, match="no stage's settings ask"):
        look_at_gpu([])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(Skipped, match="pods of their own"):
        look_at_gpu(wishes)


def test_disk_and_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB free" in look_at_disk(tmp_path, 0)
    with pytest.raises(InputError, match=r"^disk: .* expected 1e\+09"):
        look_at_disk(tmp_path, 1e9)
    monkeypatch.setenv("A_SECRET", "hush")
    assert look_at_secret("A_SECRET") == "set"
    monkeypatch.setenv("A_SECRET", "")
    with pytest.raises(InputError, match="secret: A_SECRET is not set"):
        look_at_secret("A_SECRET")


def test_stage_settings_parse_or_say_why() -> None:
    assert settings_of_stages('{"sft": "{}"}') == {"sft": "{}"}
    with pytest.raises(InputError, match=r"sft_settings: unknown key 'epoch' \(did you mean 'epochs'\?\)"):
        parse_stage("sft", '{"epoch": 2}')
    with pytest.raises(Skipped, match=r"does not hold components\.welding\.settings"):
        parse_stage("welding", "{}")
    for text in ("[]", '{"sft": {}}', "{"):
        with pytest.raises(InputError, match=r"^stage_settings: "):
            settings_of_stages(text)
