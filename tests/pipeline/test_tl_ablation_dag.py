"""The ablation as committed, through kfp.local: four arms side by side, eight rows and the base model's.

The model is tiny and learns next to nothing here: what is tested is that every arm gets its own settings
and that each number stands in the right row.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.ablation.settings import AblationSettings
from components.contracts.artifacts import Artifact
from components.storage import open_input
from tests.test_model import build_test_model

SMALL = (
    "preset=demo",
    "base_model=model",
    "artifact_store=store",
    "ingest.max_train=12",
    "ingest.max_held_out=1",
    "sft.epochs=1",
    "sft.lora_rank=2",
    "sft.max_tokens=2048",
    "sft.dtype=float32",
    "ppo.dtype=float32",
    "ppo.max_samples=2",
    "ppo.rollouts_per_prompt=2",
    "ppo.batch_size=4",
    "ppo.max_new_tokens=64",
    "ppo.max_prompt_tokens=2048",
    "evaluation.max_new_tokens=4",
    "ablation.samples=200",
)
ROWS = AblationSettings().rows


@dataclass(frozen=True)
class Finished:
    """A run that is over: what it printed, its folder, and the artifacts of its pipeline by schema."""

    output: str
    folder: Path
    store: Path

    def artifacts(self, pattern: str, schema: str) -> list[Artifact]:
        """Those under the folder of kfp.local's outputs that match the pattern."""
        found = sorted((self.folder / "pipeline").glob(f"*/{pattern}"))
        return [open_input(folder, schema, str(self.store)) for folder in found]

    @property
    def summary(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))
        return content


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("tl_ablation")
    build_test_model(folder / "model")
    (folder / "store").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "run", "tl_ablation", *SMALL],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "140"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return Finished(done.stdout, folder / "runs" / "latest", folder / "store")


def test_the_table_has_every_row_with_what_was_measured(finished: Finished) -> None:
    rows = finished.summary["rows"]
    assert [row["title"] for row in rows] == ["base model", *ROWS]
    for row in rows:
        overall = row["groups"]["overall"]
        assert 0 <= overall["calls_ts"]["value"] <= 1
        assert (overall["calls_cf"]["difference"] is None) == (row["title"] == "none")
        if row["title"] != "base model":
            assert row["moved"]["sft"] > 0
        assert (row["moved"]["ppo"] is not None) == ("IRM" in row["title"] or row["title"] == "All")
    assert finished.summary["questions"]["overall"] == 2  # one a kind
    assert finished.summary["seconds"] > 0


def test_every_arm_was_trained_under_its_own_settings(finished: Finished) -> None:
    labeled = {one.digest: one for one in finished.artifacts("*/error-labeling/labeled", "labeled_traces/1")}
    tuned = {one.digest: one for one in finished.artifacts("*/sft/adapter", "adapter/1")}
    improved = {one.digest: one for one in finished.artifacts("*/ppo/adapter", "adapter/1")}
    evaluations = finished.artifacts("*/evaluation-*/evaluation", "evaluation/1")
    # two arms that mask alike have the same labels
    assert (len(labeled), len(tuned), len(improved), len(evaluations)) == (2, 4, 4, 8)
    for evaluation in evaluations:
        title = str(evaluation.manifest.details["title"])
        adapter = evaluation.manifest.lineage["adapter"]
        if title == "All" or "IRM" in title:
            adapter = improved[adapter].manifest.lineage["initial"]
        settings: Any = labeled[tuned[adapter].manifest.lineage["labeled"]].manifest.details["settings"]
        card = json.loads(tuned[adapter].path("policy.json").read_text(encoding="utf-8"))
        assert settings["mask_errors"] == (title == "All" or "MAE" in title), title
        assert (card["settings"]["key_tokens"] != "none") == (title == "All" or "PKT" in title), title
        assert card["settings"]["epochs"] == 1  # what the run says holds in every arm
    assert {str(one.manifest.details["title"]) for one in evaluations} == set(ROWS)


def test_masking_left_out_what_a_faulty_share_of_the_trajectories_did(finished: Finished) -> None:
    trained: dict[bool, set[int]] = {True: set(), False: set()}
    for one in finished.artifacts("*/error-labeling/labeled", "labeled_traces/1"):
        settings: Any = one.manifest.details["settings"]
        labels = [
            label
            for line in one.path("traces.jsonl").read_text(encoding="utf-8").splitlines()
            for label in json.loads(line)["labels"]
        ]
        assert any(label["error"] for label in labels)  # known faults are known in every arm
        trained[settings["mask_errors"]].add(sum(label["trained"] for label in labels))
    assert len(trained[True]) == len(trained[False]) == 1
    assert max(trained[True]) < min(trained[False])


def test_arms_work_side_by_side_and_are_shown_by_stage(finished: Finished) -> None:
    log = (finished.folder / "log.txt").read_text(encoding="utf-8")
    for thread in "01":
        assert re.search(rf"^\|{thread}\| .*Executing task 'ppo'", log, re.MULTILINE)
    for stage in ("Error labeling", "SFT", "Evaluation after SFT", "PPO", "Evaluation after PPO", "Table"):
        assert re.search(rf"^{stage}: done in [\d.]+ s$", finished.output, re.MULTILINE), stage
    assert "trying again" not in finished.output
    assert "SFT moved" in finished.output
    assert "MAE & PKT" in finished.output
    assert finished.output.rstrip().endswith("report.html")


def test_the_report_is_one_page(finished: Finished) -> None:
    report = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "PKT &amp; IRM" in report
    assert not re.search(r"""(?:src|href)=["']?https?://""", report)
