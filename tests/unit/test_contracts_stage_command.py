"""The stages' command lines, derived from their faces: options, places, errors, and Ctrl-C in the middle."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.contracts.errors import InputError
from components.contracts.stage_command import StageCommand, exit_code
from components.contracts.stage_parameters import argument_helps, parameters_of
from components.preferences.__main__ import main as preferences
from tests.judged_traces import write_labeled

STAGES = sorted(path.parent.name for path in Path("components").glob("*/component.py"))
HELP = """\
usage: python -m components.preferences --labeled PATH --output DIR [options]

Pair traces of the same question: right with a tool over wrong without one.

options:
  -h, --help            show this help message and exit
  --settings JSON       Canonical JSON of components.preferences.settings.
  --artifact-store TEXT
                        s3:// prefix or folder for artifacts' payloads; empty leaves them to KFP.
  --kind TEXT           response, conversation or masked_conversation; empty leaves it to the
                        settings.
  --method TEXT         The run's ways of training; without dpo in it no pair is made. Empty:
                        pairs are made.

inputs:
  --labeled PATH        Artifact labeled_traces/1.

outputs:
  --pairs PATH          Artifact preference_pairs/1. By default DIR/pairs.
  --metrics PATH        Counts of pairs, and of what became of traces and questions. By default
                        DIR/metrics.json.
  --report PATH         Counts by reason and a few pairs side by side. By default DIR/report.html.
  --output DIR          Folder for pairs/, metrics.json, report.html.
"""


class Broken(RuntimeError):
    """What a stage may end in."""


def practise(
    shards: Input[list[Dataset]],
    policy: Input[Model],
    base_model: str,
    settings: str,
    store: str,
    count: int,
    better: Output[Model],
    metrics: Output[Metrics],
    matrix: Output[ClassificationMetrics],
    report: Output[HTML],
    so_far: Input[Model] = None,
    better_so_far: Input[Model] = None,
    shards_1: Input[Dataset] = None,
    shard_1: Input[Dataset] = None,
    quiet: bool = False,
    overrides: str = "{}",
) -> str:
    """Practise 100 % of a day.

    Not shown.

    Args:
        shards: What to practise on.
        policy: Who practises,
            and how well.
        base_model: Where its base lies.
        settings: Settings.
        store: Where payloads go; empty keeps them here.
        count: 50 % of what is counted.

    Returns:
        count: not an argument.
    """
    if settings == "broken":
        raise Broken("a number was not finite")
    if settings == "wrong":
        raise InputError("settings: wrong")
    given = dict(locals())
    metrics.log_metric("steps", 2_000.0)
    matrix.log_confusion_matrix(["a"], [[1]])
    Path(report.path).parent.mkdir(parents=True, exist_ok=True)
    seen = {
        name: [one.path for one in value] if isinstance(value, list) else getattr(value, "path", value)
        for name, value in given.items()
    }
    Path(report.path).write_text(json.dumps(seen))
    return "done"


NEEDED = ["--policy", "p", "--base-model", "b"]
command = StageCommand(practise, failures=(Broken,), shows="report", earlier={"so_far": "report"})


def seen(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the face was called with, as it was shown."""
    *_, shown, last = capsys.readouterr().out.splitlines()
    assert last == "done"
    found: dict[str, Any] = json.loads(shown)
    return found


def test_the_help_of_a_stage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        preferences(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_tells_each_of_its_options(stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    main: Callable[[Sequence[str]], int] = importlib.import_module(f"components.{stage}.__main__").main
    face = getattr(importlib.import_module(f"components.{stage}.component"), stage).python_func
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    parameters = parameters_of(face)
    assert all(one.help and f"{one.option} " in shown for one in parameters)
    assert "--output DIR" in shown


def test_the_command_lines_of_all_stages_need_what_they_needed_before() -> None:
    needed = {}
    for stage in STAGES:
        face = getattr(importlib.import_module(f"components.{stage}.component"), stage).python_func
        needed[stage] = [one.name for one in parameters_of(face) if one.required]
    assert needed == {
        "ablation": [],
        "dpo": ["pairs", "base_model"],
        "error_labeling": [],
        "evaluation": ["question_set", "base_model"],
        "ingest": ["questions"],
        "mcts": ["question_set", "base_model"],
        "ppo": ["labeled", "base_model"],
        "preferences": ["labeled"],
        "preflight": ["questions", "base_model", "tools_url"],
        "promotion": ["before", "after", "adapter", "labeled"],
        "publication": ["adapter", "comparison"],
        "regression": ["base_model"],
        "rounds": ["evaluation", "adapter", "labeled", "base"],
        "run_report": ["status", "pipeline", "questions", "base_model"],
        "sft": ["labeled", "base_model"],
        "trace_generation": ["question_set", "base_model"],
    }


def test_help_texts_are_those_of_the_arguments() -> None:
    helps = argument_helps(practise.__doc__ or "")
    assert helps["policy"] == "Who practises, and how well."
    assert helps["count"] == "50 % of what is counted."
    assert argument_helps("Does nothing.") == {}


def test_values_and_inputs_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--shards", "1", "2", "--shards", "3", "--count", "4", "--quiet", "--overrides", '{"a": 1}']
    assert command([*NEEDED, *options, "--output", str(tmp_path)]) == 0
    found = seen(capsys)
    assert found["shards"] == ["1", "2", "3"]
    assert (found["policy"], found["base_model"], found["count"], found["quiet"]) == ("p", "b", 4, True)
    assert (found["overrides"], found["settings"], found["store"]) == ('{"a": 1}', "", "")
    assert command([*NEEDED, "--output", str(tmp_path)]) == 0
    found = seen(capsys)
    assert (found["shards"], found["count"], found["quiet"], found["overrides"]) == ([], 0, False, "{}")
    assert found["so_far"] is found["better_so_far"] is found["shards_1"] is None


def test_single_artifacts_in_place_of_a_list_are_kfps() -> None:
    names = [one.name for one in parameters_of(practise)]
    assert "shard_1" not in names
    assert "shards_1" in names


def test_outputs_lie_together_or_where_they_are_put(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([*NEEDED, "--output", str(tmp_path / "all")]) == 0
    assert capsys.readouterr().out.startswith("steps\t2000\n")
    assert json.loads((tmp_path / "all/metrics.json").read_text()) == {"steps": 2000.0}
    assert "confusionMatrix" in json.loads((tmp_path / "all/matrix.json").read_text())
    apart = ["--better", str(tmp_path / "b"), "--report", str(tmp_path / "r.html")]
    assert command([*NEEDED, *apart]) == 0
    assert seen(capsys)["better"] == str(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "r.html"]
    assert command([*NEEDED, *apart, "--metrics", str(tmp_path / "deep/m.json")]) == 0
    assert "steps" not in capsys.readouterr().out.splitlines()[0].split("\t")
    assert json.loads((tmp_path / "deep/m.json").read_text()) == {"steps": 2000.0}


def test_the_time_before_gives_what_is_not_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*NEEDED, "--output", str(tmp_path), "--before", "first"]
    assert command(options) == 0
    found = seen(capsys)
    assert (found["so_far"], found["better_so_far"]) == ("first/report.html", "first/better")
    assert command([*options, "--better-so-far", "other"]) == 0
    assert seen(capsys)["better_so_far"] == "other"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "o"], "the following arguments are required: --policy, --base-model"),
        ([*NEEDED, "--output", "o", "--setings", "{}"], "unrecognized arguments: --setings {}"),
        ([*NEEDED, "--output", "o", "--sett", "{}"], "unrecognized arguments: --sett {}"),
        ([*NEEDED, "--output", "o", "--count", "x"], "argument --count: invalid int value: 'x'"),
        (NEEDED, "--output is missing, better has no place"),
        ([*NEEDED, "--better", "b"], "--output is missing, report has no place"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(words)
    assert ended.value.code == 2
    expected = f"python -m components.practise: {message}; --help lists the options\n"
    assert capsys.readouterr().err == expected


def test_what_a_stage_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*NEEDED, "--output", str(tmp_path / "o"), "--settings"]
    assert command([*options, "wrong"]) == 2
    assert capsys.readouterr().err == "settings: wrong\n"
    outcome = tmp_path / "outcome.json"
    assert command([*options, "broken", "--metrics", str(outcome)]) == 2
    assert capsys.readouterr().err == "a number was not finite\n"
    assert json.loads(outcome.read_text()) == {"error": "a number was not finite", "kind": "Broken"}
    assert not (tmp_path / "o").exists()
    with pytest.raises(Broken):
        StageCommand(practise)([*options, "broken"])


def test_annotations_of_no_face_are_refused() -> None:
    def odd(share: float) -> None: ...

    with pytest.raises(TypeError, match="share: <class 'float'> is neither an artifact nor"):
        parameters_of(odd)


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_code(interrupted) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_missing_input_and_bad_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["--output", str(tmp_path / "out")]
    assert preferences(["--labeled", str(tmp_path / "none"), "--method", "dpo", *output]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(tmp_path / "none") in error
    labeled = write_labeled(tmp_path / "labeled", [])
    assert preferences(["--labeled", str(labeled.path), "--settings", "{", *output]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("preferences_settings: not JSON")
    assert not (tmp_path / "out").exists()


def test_control_c_in_the_middle_leaves_no_artifact(tmp_path: Path) -> None:
    """The stage waits for a reader of its report, when both artifacts are written but not yet committed."""
    rows = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.mkfifo(tmp_path / "report")
    out = tmp_path / "out"
    words = ["--questions", str(tmp_path / "rows.jsonl"), "--output", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "components.ingest", *words, "--report", str(tmp_path / "report")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    written = out / "trajectories/traces.jsonl"
    deadline = time.monotonic() + 120
    while not written.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (out / "question_set/train.jsonl").exists()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "interrupted\n"
    assert [path for path in out.rglob("*") if path.is_file()] == []
