"""The real thing, small: the committed DAG through kfp.local, with SeaweedFS, tools service and a tiny model."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from components.contracts.artifacts import open_artifact, read_manifest
from components.contracts.jsonl import write_records
from tests.test_model import build_test_model, plain_questions, word_problems

MARK = "WHETSTONE_TEST_RUN"
SECRETS = ("AWS_SECRET_ACCESS_KEY", "WHETSTONE_TOOLS_TOKEN")
SMALL = (
    "trace_generation.variant=single_step",
    "trace_generation.max_new_tokens=40",
    "trace_generation.temperature=0.3",  # the model is small: what it is less sure of is often wrong
    "trace_generation.engine.call_format=paper",
    "evaluation.variant=single_step",
    "evaluation.engine.call_format=paper",
    "evaluation.max_new_tokens=40",
    "sft.epochs=1",
    "sft.lora_rank=2",
    "sft.batch_size=1",
    "sft.save_every=1",
    "ingest.shards=2",
    "ingest.held_out_share=0.5",
)
SLOW_TRACES = ("trace_generation.num_samples=30", "trace_generation.concurrent=1")
STAGES = (
    "Preflight",
    "Ingest",
    "Trace generation",
    "Error labeling",
    "Preference pairs",
    "SFT",
    "DPO",
    "Evaluation before",
    "Evaluation after",
    "Evaluation without tools",
    "Promotion",
)


@dataclass(frozen=True)
class Place:
    """A folder with a model, questions and passages, where `whetstone run` is called."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def command(self, *words: str, questions: str) -> list[str]:
        inputs = (f"questions={questions}", "corpus=corpus.jsonl", "base_model=model")
        given = {word.partition("=")[0] for word in words}
        small = [word for word in SMALL if word.partition("=")[0] not in given]
        return [sys.executable, "-m", "pipelines", "run", "self_training", *inputs, *small, *words]

    @contextmanager
    def start(
        self, *words: str, questions: str = "questions.jsonl"
    ) -> Iterator[tuple["subprocess.Popen[str]", str]]:
        """The command at work, and the mark that all its descendants carry in their environment."""
        mark = uuid.uuid4().hex
        # a shell's background job ignores SIGINT, which children inherit and the command then leaves alone
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        environment = {**os.environ, MARK: mark, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        process = subprocess.Popen(
            self.command(*words, questions=questions),
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process, mark
        finally:
            for one in [process, *marked(mark)]:  # only after a failure is there anybody left
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("self_training")
    build_test_model(folder / "model")
    write_records(folder / "questions.jsonl", [*word_problems(20, seed=7), *plain_questions(6, seed=7)])
    write_records(folder / "few.jsonl", [*word_problems(12, seed=8), *plain_questions(2, seed=8)])
    passage = {"id": "1", "title": "Averes", "text": "Averes is a town in Portugal."}
    (folder / "corpus.jsonl").write_text(json.dumps(passage) + "\n", encoding="utf-8")
    return Place(folder)


@dataclass(frozen=True)
class Finished:
    """A run that is over, its SFT killed once: what it printed, its folder, who is still there, its environment."""

    output: str
    folder: Path
    left: list[str]
    environment: dict[str, str]

    @property
    def pipeline(self) -> Path:
        (root,) = (self.folder / "pipeline").iterdir()
        return root


@pytest.fixture(scope="module")
def finished(place: Place) -> Finished:
    with place.start() as (process, mark):
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("SFT ..."):
                environment = kill_training(mark)
        assert process.wait(timeout=60) == 0, "".join(lines)
        left = descendants(mark)
    return Finished("".join(lines), place.runs / "latest", left, environment)


def kill_training(mark: str, seconds: float = 120) -> dict[str, str]:
    """SIGKILL the process of the SFT stage once a whole checkpoint is in the store; gives its environment."""
    deadline = time.monotonic() + seconds
    while not (found := stage_processes(mark, "sft")):
        assert time.monotonic() < deadline, "the SFT stage has no process"
        time.sleep(0.1)
    environment: dict[str, str] = found[0].environ()
    client: Any = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    while True:
        assert time.monotonic() < deadline, "no checkpoint in the store"
        stored = client.list_objects_v2(Bucket="whetstone", Prefix="checkpoints/").get("Contents", ())
        if any(entry["Key"].endswith("/manifest.json") for entry in stored):
            break
        time.sleep(0.05)
    for one in found:
        one.kill()
    return environment


def stage_processes(mark: str, stage: str) -> list[psutil.Process]:
    """The Python processes of a marked run that execute a stage now."""
    return [
        process
        for process in marked(mark)
        if process.cmdline()[-2:] == ["--function_to_execute", stage] and "python" in process.name()
    ]


def marked(mark: str) -> list[psutil.Process]:
    """Processes, of any parent, that were started by the marked run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                process.cmdline()
                found.append(process)
        except psutil.Error:
            continue
    return found


def descendants(mark: str) -> list[str]:
    """The command lines of the processes that were started by the marked run."""
    return [" ".join(process.cmdline()) for process in marked(mark)]


def test_every_stage_ran_once_and_nothing_is_left(finished: Finished) -> None:
    assert finished.left == []
    for stage in STAGES:
        assert len(re.findall(rf"^{stage}: done in [\d.]+ s$", finished.output, re.MULTILINE)) == 1
    assert "[trace_generation] " in finished.output
    assert list(finished.folder.glob("tmp*")) == []


def test_artifacts_lie_in_the_store_and_only_manifests_in_the_folder(finished: Finished) -> None:
    expected = {
        "ingest/question_set": "questions/1",
        "ingest/trajectories": "traces/1",
        "for-loop-2-iteration-0/trace-generation/traces": "traces/1",
        "for-loop-2-iteration-1/trace-generation/traces": "traces/1",
        "error-labeling/labeled": "labeled_traces/1",
        "preferences/pairs": "preference_pairs/1",
        "sft/adapter": "adapter/1",
        "dpo/adapter": "adapter/1",
        "evaluation/evaluation": "evaluation/1",
        "evaluation-2/evaluation": "evaluation/1",
        "evaluation-3/evaluation": "evaluation/1",
        "promotion/comparison": "comparison/1",
    }
    for path, schema in expected.items():
        manifest = read_manifest(finished.pipeline / path)
        assert manifest.schema_tag == schema
        assert manifest.payload.startswith("s3://whetstone/artifacts")
        assert [entry.name for entry in (finished.pipeline / path).iterdir()] == ["manifest.json"]


def test_the_run_folder_holds_what_people_want(finished: Finished) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text(encoding="utf-8"))
    assert {"overall", "needs_tool", "no_tool", "arithmetic", "errors_before", "errors_after"} <= set(summary)
    assert summary["seconds"] > 0
    for metric in ("accuracy", "exact_match", "invoke_rate"):
        assert set(summary["overall"][metric]) >= {"before", "after", "difference"}
        assert set(summary["overall"][metric]["difference"]) == {"mean", "low", "high"}
    assert summary["needs_tool"]["called_share"]["before"] > 0.5  # the model calls, and the service answers
    assert summary["needs_tool"]["pass_rate"]["after"] > 0.5
    assert "the run succeeded" in (finished.folder / "run_report.html").read_text(encoding="utf-8")
    report = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "<html" in report
    assert not re.search(r"""(?:src|href)=["']?https?://""", report)
    adapter = finished.folder / "adapter"
    assert (adapter / "adapter_model.safetensors").stat().st_size > 0
    assert json.loads((adapter / "policy.json").read_text(encoding="utf-8"))["template_hash"]
    assert "before  after" in finished.output
    assert finished.output.rstrip().endswith("report.html")


def test_dpo_is_off_by_itself_and_hands_the_adapter_of_sft_on(finished: Finished) -> None:
    digests = {
        stage: open_artifact(finished.pipeline / stage / "adapter", "adapter/1", verify=False).digest
        for stage in ("sft", "dpo")
    }
    assert digests["dpo"] == digests["sft"]
    after = read_manifest(finished.pipeline / "evaluation-2" / "evaluation")
    assert after.lineage["adapter"] == digests["sft"]
    assert after.details["title"] == "after sft"
    assert read_manifest(finished.pipeline / "preferences" / "pairs").counts["pairs"] == 0


def test_a_killed_training_went_on_from_its_checkpoint(finished: Finished) -> None:
    assert re.search(r"^sft: .*trying again$", finished.output, re.MULTILINE)
    said = (finished.folder / "log.txt").read_text(encoding="utf-8")
    (step,) = re.findall(r"\[sft\] goes on after step (\d+) of", said)
    ended = json.loads((finished.pipeline / "sft" / "executor_output.json").read_text(encoding="utf-8"))
    metrics = ended["artifacts"]["metrics"]["artifacts"][0]["metadata"]
    assert metrics["resumed_from_step"] == int(step) > 0
    log = read_manifest(finished.pipeline / "sft" / "adapter").counts
    assert log["steps"] == metrics["steps"] > int(step)


def test_no_secret_is_written(finished: Finished) -> None:
    secrets = {name: finished.environment[name].encode() for name in SECRETS}
    assert all(len(value) >= 16 for value in secrets.values())
    contents = {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}
    contents[Path("standard output")] = finished.output.encode()
    endpoint = finished.environment["AWS_ENDPOINT_URL"].rpartition(":")[2].encode()
    names = {path.name for path, content in contents.items() if endpoint in content}
    assert "store.log" in names  # what is no secret is found
    assert {"log.txt", "plan.json", "summary.json", "report.html", "executor_output.json"} <= {
        path.name for path in contents
    }
    for name, value in secrets.items():
        assert [str(path) for path, content in contents.items() if value in content] == [], name


@pytest.mark.parametrize(
    ("stage", "line_of_it", "processes", "number", "words"),
    [
        ("ingest", "Ingest ...", 1, signal.SIGTERM, ()),
        ("trace_generation", "[trace_generation", 2, signal.SIGINT, SLOW_TRACES),  # both shards at work
        ("sft", "[sft", 1, signal.SIGINT, ("sft.epochs=50",)),
    ],
    ids=["ingest", "trace generation", "sft"],
)
def test_stopping_midway_leaves_nothing(
    place: Place, stage: str, line_of_it: str, processes: int, number: signal.Signals, words: tuple[str, ...]
) -> None:
    runs = place.folder / f"stopped-{stage}"
    with place.start("--runs", str(runs), *words, questions="few.jsonl") as (process, mark):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(line_of_it):
                break
        deadline = time.monotonic() + 60
        while len(stage_processes(mark, stage)) < processes:
            assert time.monotonic() < deadline, f"{stage} is not at work"
            time.sleep(0.05)
        assert len(descendants(mark)) >= 4  # the command, the store, the tools service, kfp.local
        process.send_signal(number)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(timeout=60) == 128 + number, output
        assert descendants(mark) == []
    assert output.splitlines()[-1].startswith(f"error: stopped by {number.name}")
    (folder,) = runs.iterdir()  # and no `latest`
    assert not folder.is_symlink()
    assert not {"summary.json", "report.html", "adapter", "results", "tmp"} & {
        entry.name for entry in folder.iterdir()
    }


def test_a_stage_that_fails_is_named_in_one_line(place: Place) -> None:
    (place.folder / "bad.jsonl").write_text('{"text": "What is 1 plus 1?", "answers": 7\n', encoding="utf-8")
    with place.start('preflight.skip=["questions"]', questions="bad.jsonl") as (process, mark):
        output, _ = process.communicate(timeout=300)
        assert descendants(mark) == []
    assert process.returncode == 1
    error, report, log = output.splitlines()[-3:]
    assert re.match(r"error: ingest: .*bad\.jsonl", error), output
    assert Path(log.removeprefix("log: ")).is_file()
    page = Path(report.removeprefix("report: "))
    assert page.parent == Path(log.removeprefix("log: ")).parent
    text = page.read_text(encoding="utf-8")
    assert "the run failed in ingest" in text
    assert "bad.jsonl" in text
    assert "--from ingest" in text


def test_the_copied_adapter_is_the_one_that_the_manifest_names(finished: Finished) -> None:
    for entry in read_manifest(finished.pipeline / "sft" / "adapter").files:
        content = (finished.folder / "adapter" / entry.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256
