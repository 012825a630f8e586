"""iTool and the whole composition through kfp.local, on the tiny model: real trees, real pairs, adapters handed on."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.contracts.artifacts import Artifact
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import EvaluationItem
from components.contracts.search_records import SearchTree
from components.storage import open_input
from tests.local_runs import LocalRun, gold_problems, run_pipeline
from tests.test_model import build_test_model

SMALL = (
    "questions=questions.jsonl",
    "corpus=corpus.jsonl",
    "base_model=model",
    "artifact_store=store",
    "rounds=1",
    "ingest.held_out_share=0.2",
    "ingest.validation_share=0.2",
    "ingest.search_share=0.5",
    "ingest.call_format=paper",
    "ingest.contamination_words=0",
    "trace_generation.variant=single_step",
    "trace_generation.engine.call_format=paper",
    "sft.epochs=1",
    "sft.lora_rank=2",
    "mcts.variant=single_step",
    "mcts.engine.call_format=paper",
    "mcts.step=argument",
    "mcts.max_new_tokens=40",
    "mcts.temperature=1.4",
    "mcts.width=5",
    "mcts.simulations=8",
    "mcts.alpha=1.0",
    "mcts.max_trees=3",
    "dpo.epochs=1",
    "evaluation.variant=single_step",
    "evaluation.max_new_tokens=40",
    "evaluation.engine.call_format=paper",
    "rounds.samples=200",
    "promotion.samples=200",
)


def finished(folder: Path, pipeline: str, *words: str) -> LocalRun:
    build_test_model(folder / "model")
    (folder / "store").mkdir()
    write_records(folder / "questions.jsonl", gold_problems(32, seed=5))
    return run_pipeline(folder, pipeline, *SMALL, *words)


@pytest.fixture(scope="module")
def itool(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    return finished(tmp_path_factory.mktemp("itool"), "itool", "without=control", "ablation.samples=200")


@pytest.fixture(scope="module")
def whetstone(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    return finished(tmp_path_factory.mktemp("whetstone"), "whetstone", "method=sft")


def read(run: LocalRun, path: str, schema: str) -> Artifact:
    """An artifact by `task/output`, with its payload."""
    (folder,) = (run.folder / "pipeline").glob(f"*/{path}")
    return open_input(folder, schema, str(run.folder.resolve().parents[1] / "store"))


def evaluations(run: LocalRun) -> list[Artifact]:
    folders = sorted((run.folder / "pipeline").glob("*/evaluation*/evaluation"))
    return [read(run, f"{folder.parent.name}/evaluation", "evaluation/1") for folder in folders]


def test_the_policy_that_searched_is_tuned_on_its_own_steps(itool: LocalRun) -> None:
    warm = read(itool, "sft/adapter", "adapter/1")
    trees = read(itool, "mcts/trees", "trees/1")
    pairs = read(itool, "mcts/pairs", "preference_pairs/1")
    tuned = read(itool, "dpo/adapter", "adapter/1")
    assert trees.manifest.counts["trees"] == 3
    assert pairs.manifest.counts["pairs"] >= 1
    assert trees.manifest.lineage["adapter"] == pairs.manifest.lineage["adapter"] == warm.digest
    assert tuned.manifest.lineage == {"pairs": pairs.digest, "initial": warm.digest}
    moved: Any = tuned.manifest.details["moved"]
    assert moved > 0
    assert tuned.digest != warm.digest


def test_the_best_by_validation_is_promoted(itool: LocalRun) -> None:
    best = read(itool, "rounds-2/best", "adapter/1").digest
    comparison = read(itool, "promotion/comparison", "comparison/1")
    assert comparison.manifest.lineage["adapter"] == best
    chosen = itool.summary("rounds")
    assert [one["title"] for one in chosen["by_round"]] == ["base model", "warm-up", "iteration 1"]
    assert chosen["best_adapter"] == best


def test_what_is_searched_trained_chosen_by_and_judged_on_never_mixes(itool: LocalRun) -> None:
    sides: dict[str, set[str]] = {"validation": set(), "held_out": set()}
    for one in evaluations(itool):
        items = read_records(one.path("items.jsonl"), EvaluationItem)
        sides[str(one.manifest.details["split"])] |= {item.id for item in items}
    trees = read_records(itool.folder / "trees" / "trees.jsonl", SearchTree)
    searched = {tree.question.id for tree in trees}
    labeled = read(itool, "error-labeling/labeled", "labeled_traces/1")
    lines = labeled.path("traces.jsonl").read_text(encoding="utf-8").splitlines()
    trained = {json.loads(line)["question"]["id"] for line in lines}
    groups = [*sides.values(), searched, trained]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_the_table_the_trees_and_the_curve_are_shown(itool: LocalRun) -> None:
    table = itool.summary("table")
    assert [row["title"] for row in table["rows"]] == ["base model", "warm-up", "iteration 1"]
    assert {"difficulty_easy", "difficulty_medium", "difficulty_hard"} <= set(table["questions"])
    moved = {row["title"]: row["moved"] for row in table["rows"]}
    assert moved["warm-up"]["sft"] == moved["iteration 1"]["sft"] > 0
    assert moved["iteration 1"]["dpo"] > 0
    for page in ("report.html", "table/report.html", "rounds/report.html", "trees/report.html"):
        assert "<html" in (itool.folder / page).read_text(encoding="utf-8")
    assert (itool.folder / "trees" / "buffer.jsonl").is_file()
    assert "CF by difficulty, in percent" in itool.output
    assert "Mixed SFT" not in itool.output


def test_stages_that_are_off_hand_the_adapter_on_untouched(whetstone: LocalRun) -> None:
    paths = ("sft/adapter", "ppo/adapter", "dpo/adapter", "rounds/next_adapter", "rounds-2/best")
    digests = {path: read(whetstone, path, "adapter/1").digest for path in paths}
    assert len(set(digests.values())) == 1, digests
    assert read(whetstone, "mcts/trees", "trees/1").manifest.counts["trees"] == 0
    assert read(whetstone, "mcts/pairs", "preference_pairs/1").manifest.counts["pairs"] == 0
    done = [str(one.manifest.details["title"]) for one in evaluations(whetstone)]
    assert sorted(done) == ["base model"] * 2 + ["before search"] * 4  # two of these were handed on
    said = (whetstone.folder / "log.txt").read_text(encoding="utf-8")
    assert said.count("the earlier evaluation judged the same; it is handed on") == 2
    promoted = read(whetstone, "promotion/comparison", "comparison/1").manifest.lineage["adapter"]
    assert promoted == digests["sft/adapter"]
    assert (whetstone.folder / "adapter" / "adapter_model.safetensors").is_file()
