"""The regression stage: what it refuses, and a run where lm-evaluation-harness is installed."""

import importlib.util
import json
from pathlib import Path

import pytest
from kfp import dsl

import components.regression.harness
from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records
from components.contracts.records import EvaluationItem
from components.regression.__main__ import main
from components.regression.harness import check_container
from components.regression.run import run
from components.regression.settings import RegressionSettings
from components.regression.tasks import check_rows, write_definition
from tests.test_model import build_test_model

HAS_HARNESS = importlib.util.find_spec("lm_eval") is not None
ROWS = [{"question": f"What is {n} plus 1?", "answer": f"#### {n + 1}"} for n in range(7)]


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.skipif(HAS_HARNESS, reason="lm-evaluation-harness is installed")
def test_without_the_harness_the_image_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base-model", "demo://smollm2-135m-instruct", "--output", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "lm-evaluation-harness is not installed here" in line
    assert "whetstone/regression:" in line
    assert not (tmp_path / "out" / "evaluation").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            '{"tasks":["humaneval"]}',
            r"regression_settings: .*humaneval executes code .*allow_code_execution=true",
        ),
        ('{"tasks":["gsm8k"],"data":{"mmlu":"x"}}', r"data: 'mmlu' is not one of the tasks; expected gsm8k"),
        ('{"tasks":[]}', r"regression_settings: tasks: "),
        ('{"task":["mmlu"]}', r"unknown key 'task'.*'tasks'"),
    ],
)
def test_settings_are_checked(settings: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RegressionSettings.parse(settings)


def test_code_is_executed_in_a_container_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    mark = tmp_path / "mark"
    monkeypatch.setattr(components.regression.harness, "CONTAINER_MARKS", (str(mark),))
    with pytest.raises(InputError, match=r"humaneval executes code .*container of whetstone/regression"):
        check_container()
    mark.touch()
    check_container()
    mark.unlink()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    check_container()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "?"}], r"rows\.jsonl:1: answer: missing, expected a row of gsm8k"),
        (ROWS[:5], r"rows\.jsonl: 5 rows, expected at least 6 of gsm8k"),
        ([], r"rows\.jsonl: 0 rows"),
    ],
)
def test_rows_are_checked(tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_rows("gsm8k", write_rows(tmp_path / "rows.jsonl", rows))


def test_a_definition_is_the_harness_s_own_on_other_rows(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", ROWS)
    written = json.loads(write_definition("gsm8k", rows, Path("/harness"), tmp_path).read_text())
    assert written["include"] == "/harness/tasks/gsm8k/gsm8k.yaml"
    assert written["dataset_kwargs"] == {"data_files": {"test": str(rows)}}
    assert (written["dataset_path"], written["fewshot_split"]) == ("json", "test")


@pytest.mark.skipif(not HAS_HARNESS, reason="lm-evaluation-harness is not installed")
def test_a_run_writes_an_evaluation(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", ROWS)
    settings = {"tasks": ["gsm8k"], "limit": 2, "data": {"gsm8k": str(rows)}}
    output, metrics = dsl.Dataset(uri=str(tmp_path / "evaluation")), dsl.Metrics(uri="metrics")
    run(str(build_test_model()), json.dumps(settings), "", output, metrics)
    written = open_artifact(Path(output.path), "evaluation/1")
    items = list(read_records(written.path("items.jsonl"), EvaluationItem))
    assert [item.id for item in items] == ["regression:gsm8k/gsm8k-0", "regression:gsm8k/gsm8k-1"]
    assert metrics.metadata["gsm8k_questions"] == 2
    assert written.manifest.details["split"] == "regression"
