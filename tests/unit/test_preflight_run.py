"""The stage as a whole: all checks run, the report holds them all, the first failure is the error."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.contracts.errors import InputError
from components.preflight.__main__ import main
from components.preflight.run import run
from tests.object_store import ObjectStore, free_ports
from tests.preflight_samples import TOKEN, model_folder
from tests.tools_process import tools_service


def test_nothing_stands_in_the_way(
    s3: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHETSTONE_TOOLS_TOKEN", TOKEN)
    (tmp_path / "q.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    root = f"s3://{s3.bucket}/{tmp_path.name}"
    settings = {"secrets": ["AWS_ACCESS_KEY_ID"], "min_free_gb": 0}
    stages = {"ingest": json.dumps({"held_out": str(tmp_path / "q.jsonl")}), "sft": '{"preset": "demo"}'}
    with tools_service(tmp_path, environment={"WHETSTONE_TOOLS_TOKEN": TOKEN}) as service:
        run(
            f"{tmp_path / 'q.jsonl'}, demo://",
            str(model_folder(tmp_path / "model")),
            service.url,
            f"{root}/artifacts",
            f"{root}/checkpoints",
            "",
            json.dumps(settings),
            stage_settings=json.dumps(stages),
            report=SimpleNamespace(path=str(tmp_path / "deep/report.md")),
        )
    report = (tmp_path / "deep/report.md").read_text()
    assert "Nothing stands in the way" in report
    assert report.count("| ok |") == 13
    assert report.count("| skipped |") == 2  # nothing is published, nobody asks for a GPU
    for secret in (TOKEN, s3.secret_key):
        assert secret not in report
        assert secret not in capsys.readouterr().out


def test_all_checks_run_and_the_first_failure_is_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"http://127.0.0.1:{free_ports(1)[0]}"
    environment = {"AWS_ENDPOINT_URL": closed, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = {
        "questions": "absent.jsonl",
        "base_model": "absent",
        "tools_url": closed,
        "publish_to": "s3://b/p",
    }
    given |= {"artifact_store": "s3://b/a", "checkpoint_root": "s3://b/c"}
    stages = json.dumps({"ingest": '{"sheed": 1}', "sft": "{}"})
    report = SimpleNamespace(path=str(tmp_path / "report.md"))
    start = time.monotonic()
    with pytest.raises(
        InputError, match=r"^ingest_settings: unknown key 'sheed'.* \(6 more checks failed"
    ) as caught:
        run(**given, settings="", stage_settings=stages, report=report)
    assert time.monotonic() - start < 12
    assert "\n" not in str(caught.value)
    text = Path(report.path).read_text()
    assert "7 of 12 checks failed." in text
    assert "hush-hush" not in text
    skip = ["settings", "questions", "base_model", "artifact_store", "checkpoint_root", "publish_to", "disk"]
    different = json.dumps({"trace_generation": '{"variant": "cot"}', "evaluation": "{}"})
    with pytest.raises(InputError, match=r"^evaluation_settings: variant: 'multi_step', but trace_gen"):
        run(**given, settings=json.dumps({"deadline": 2}), stage_settings=different, report=report)
    with pytest.raises(InputError, match=r"^tools_url: nothing answers .* is it started\?$"):
        run(**given, settings=json.dumps({"skip": skip}), stage_settings=stages, report=report)


def test_a_mistake_in_the_settings_of_ppo_or_of_the_table_shows_at_once(tmp_path: Path) -> None:
    skip = ["questions", "base_model", "tools_url", "disk", "gpu"]
    for stages, said in (
        ({"ppo": '{"rollout_per_prompt": 2}'}, r"^ppo_settings: unknown key .* 'rollouts_per_prompt'\?"),
        ({"ablation": '{"rows": ["none"], "reference": "MAE"}'}, "^ablation_settings: .*none of the rows"),
        (
            {"ingest": '{"call_format": "paper"}', "ppo": "{}", "evaluation": "{}"},
            "^ingest_settings: call_format: 'paper', but evaluation_settings has engine.call_format 'hermes'",
        ),
    ):
        with pytest.raises(InputError, match=said):
            run(
                *("demo://calls", "absent", "", "", "", ""),
                json.dumps({"skip": skip}),
                stage_settings=json.dumps(stages),
                report=SimpleNamespace(path=str(tmp_path / "report.md")),
            )


def test_torch_and_transformers_are_not_needed() -> None:
    heavy = "{'torch', 'transformers', 'boto3'}"
    code = f"import sys, components.preflight.run; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--questions", "demo://", "--base-model", "absent", "--tools-url", "http://127.0.0.1:9"]
    settings = json.dumps({"skip": ["tools_url", "disk"]})
    assert main([*arguments, "--settings", settings, "--report", str(tmp_path / "r.md")]) == 2
    assert capsys.readouterr().err == (
        "base_model: no folder 'absent'; expected a folder or hf://, s3://, demo://\n"
    )
