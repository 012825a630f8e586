"""A training stage that is off: what it hands on, what it refuses, and that it does so without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.policy_card import CARD_FILE
from components.contracts.records import PolicyCard
from components.dpo.run import run as run_dpo
from components.sft.run import run as run_sft
from components.storage import write_output
from tests.unit.test_sft_run import KfpArtifact

BASE = "hf://somebody/base"
STAGES = {
    "sft": (run_sft, "labeled_traces/1", "traces.jsonl"),
    "dpo": (run_dpo, "preference_pairs/1", "pairs.jsonl"),
}


def write_adapter(folder: Path, base_model: str = BASE, *, store: str = "", card: bool = True) -> Path:
    """One whose weights nobody opens."""
    with write_output(folder, "adapter/1", store) as writer:
        (writer.folder / "adapter_model.safetensors").write_bytes(b"weights")
        if card:
            text = PolicyCard(
                base_model=base_model,
                template_hash="t",
                call_format="hermes",
                stop_ids=(2,),
                settings={},
                lineage={},
            ).model_dump_json()
            (writer.folder / CARD_FILE).write_text(text)
    return folder


def hand_on(stage: str, folder: Path, initial: Path) -> dict[str, float]:
    """Run a stage that the run does not use."""
    run, schema, file = STAGES[stage]
    with write_artifact(folder / "empty", schema) as writer:
        (writer.folder / file).touch()
    metrics = KfpArtifact("")
    run(
        KfpArtifact(str(folder / "empty")),
        BASE,
        "",
        "",
        "",
        KfpArtifact(str(folder / "out")),
        metrics,
        KfpArtifact(str(folder / "out.html")),
        KfpArtifact(str(initial)),
        "{}",
        "none",
    )
    return metrics.metrics


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("stored", [False, True])
def test_an_adapter_of_another_base_model_is_not_handed_on(stage: str, stored: bool, tmp_path: Path) -> None:
    store = str(tmp_path / "store") if stored else ""
    other = write_adapter(tmp_path / "other", "hf://somebody/else", store=store)
    with pytest.raises(
        InputError,
        match=r"^adapter: it was trained with base model 'hf://somebody/else', but this run uses 'hf://",
    ):
        hand_on(stage, tmp_path, other)
    assert not (tmp_path / "out").exists()
    own = write_adapter(tmp_path / "own", store=store)
    assert hand_on(stage, tmp_path, own)["handed_on"] == 1.0
    assert open_artifact(tmp_path / "out", "adapter/1").digest == open_artifact(own, "adapter/1").digest


def test_an_adapter_without_a_card_is_taken_as_it_is(tmp_path: Path) -> None:
    assert hand_on("dpo", tmp_path, write_adapter(tmp_path / "plain", card=False))["handed_on"] == 1.0


@pytest.mark.parametrize("stage", STAGES)
def test_off_is_done_without_torch(stage: str, tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapter")
    code = f"""
import sys
from dataclasses import dataclass
from components.{stage}.run import run

@dataclass
class Artifact:
    path: str
    def log_metric(self, name, value):
        print(name, value)

folder = {str(tmp_path)!r}
places = [Artifact(folder + "/" + name) for name in ("empty", "out", "metrics", "out.html", "adapter")]
source, out, metrics, report, initial = places
run(source, {BASE!r}, "", "", "", out, metrics, report, initial, "{{}}", "none")
print(sorted({{"torch", "transformers", "peft", "accelerate"}} & set(sys.modules)))
"""
    _, schema, file = STAGES[stage]
    with write_artifact(tmp_path / "empty", schema) as writer:
        (writer.folder / file).touch()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["handed_on 1.0", "untrained_adapter 0.0", "moved 0.0", "[]"]
    assert (tmp_path / "out/manifest.json").is_file()
