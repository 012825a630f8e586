"""Two rounds, compiled on the fly: a learning rate that wrecks the model in the first, which the second hands on."""

import re

import pytest
import yaml

from pipelines.compile import compiled_path
from tests.compiled_pipelines import stage_tasks
from tests.local_runs import LocalRun, run_self_training

WRECKS = "sft.learning_rate=3"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    folder = tmp_path_factory.mktemp("self_training_rounds")
    words = ("rounds=2", "ingest.validation_share=0.3", WRECKS, "sft.max_grad_norm=0", "rounds.samples=200")
    return run_self_training(folder, *words, problems=14, plain=4)


def test_the_rounds_were_compiled_into_the_runs_folder(finished: LocalRun) -> None:
    text = (finished.folder / "self_training_rounds.yaml").read_text(encoding="ascii")
    spec = next(iter(yaml.safe_load_all(text)))
    assert "rounds-2" in stage_tasks(spec)
    assert "rounds-3" not in stage_tasks(spec)
    assert "rounds-3:" in compiled_path("self_training_rounds").read_text(encoding="ascii")


def test_the_first_round_hurt_and_the_second_handed_its_adapter_on(finished: LocalRun) -> None:
    summary = finished.summary("rounds")
    assert summary["rounds"] == 2
    assert [one["title"] for one in summary["by_round"]] == ["base model", "round 1", "round 2"]
    assert 1 in summary["hurt"]
    assert summary["handed_on"] == [2]
    assert summary["best"] == 0
    digests = {
        path: finished.artifact(path, "adapter/1").digest
        for path in (
            *("sft/adapter", "dpo/adapter", "rounds/next_adapter"),
            *("sft-2/adapter", "dpo-2/adapter", "rounds-2/next_adapter", "rounds-2/best"),
        )
    }
    assert len(set(digests.values())) == 1, digests
    assert finished.artifact("error-labeling-2/labeled", "labeled_traces/1").manifest.counts["traces"] == 0


def test_a_round_that_trained_nothing_is_not_judged_again(finished: LocalRun) -> None:
    said = (finished.folder / "log.txt").read_text(encoding="utf-8")
    assert said.count("the earlier evaluation judged the same; it is handed on") == 1
    for number in (1, 2):
        for stage in ("Trace generation", "Error labeling", "Preference pairs", "SFT", "DPO", "Evaluation"):
            assert finished.times_done(f"Round {number}: {stage}") == 1, stage
        assert finished.times_done(f"Round {number}: Judgement") == 1


def test_rounds_are_chosen_on_validation_and_the_best_is_judged_once_on_held_out(finished: LocalRun) -> None:
    splits: dict[str, list[str]] = {"validation": [], "held_out": []}
    folders = sorted((finished.folder / "pipeline").glob("*/evaluation*/evaluation"))
    for folder in folders:
        details = finished.artifact(f"{folder.parent.name}/evaluation", "evaluation/1").manifest.details
        splits[str(details["split"])].append(str(details["title"]))
    # Round 2's evaluation is round 1's, handed on.
    assert sorted(splits["validation"]) == ["base model", "round 1", "round 1"]
    assert sorted(splits["held_out"]) == ["base model", "base model without tools", "best of 2 rounds"]
    promoted = finished.artifact("promotion/comparison", "comparison/1").manifest.lineage
    assert promoted["adapter"] == finished.artifact("rounds-2/best", "adapter/1").digest


def test_the_plot_and_the_numbers_of_the_rounds_are_shown(finished: LocalRun) -> None:
    page = (finished.folder / "rounds" / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert not re.search(r"""(?:src|href)=["']?https?://""", page)
    assert (finished.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert "Rounds, on the validation questions" in finished.output
    assert re.search(r"^plot of the rounds: \S+rounds/report.html$", finished.output, re.MULTILINE)
    assert re.search(r"^numbers of the rounds: \S+rounds/summary.json$", finished.output, re.MULTILINE)
