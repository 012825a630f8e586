"""The stage on artifact folders: what it writes, what it resumes, and what it refuses."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.data_share import in_share
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import PreferencePair, Question, ToolCall
from components.contracts.search_records import BufferEntry, SearchTree
from components.dpo.pairs import prepare_pairs
from components.mcts.__main__ import main
from components.mcts.questions import read_pool
from components.mcts.run import run
from components.mcts.settings import MCTSSettings
from components.policy.load import open_chat
from components.storage import open_input
from tests.gold_questions import OFFERED
from tests.test_model import build_test_model, service_tools, word_problems
from tests.toy_search import ToyExpander, gold_questions, run_stage

ROOT = Path(__file__).parents[2]


def opened(folder: Path) -> tuple[Artifact, list[SearchTree], list[PreferencePair]]:
    trees = open_artifact(folder / "trees", "trees/1")
    pairs = open_artifact(folder / "pairs", "preference_pairs/1")
    return (
        trees,
        list(read_records(trees.path("trees.jsonl"), SearchTree)),
        list(read_records(pairs.path("pairs.jsonl"), PreferencePair)),
    )


def artifact_bytes(folder: Path) -> dict[str, bytes]:
    found = [*(folder / "trees").iterdir(), *(folder / "pairs").iterdir(), folder / "report.html"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_trees_pairs_and_everything_counted(tmp_path: Path) -> None:
    metrics = run_stage(tmp_path, "", ToyExpander(), width=6).metadata
    artifact, trees, pairs = opened(tmp_path)
    assert [tree.question.id for tree in trees] == [f"q{number}" for number in range(12)]
    assert len(trees) == metrics["trees"] == 12
    assert len(pairs) == metrics["pairs"] == artifact.manifest.counts["pairs"] > 12
    assert metrics["simulations"] == 12 * 24
    dropped = sum(value for name, value in metrics.items() if name.startswith("dropped_"))
    assert metrics["expansions"] == metrics["pairs"] + dropped
    assert metrics["failed_expansions"] == 0
    assert metrics["mixed_trees"] <= metrics["solved_trees"] <= 12
    assert len({pair.id for pair in pairs}) == len(pairs)
    buffer = list(read_records(artifact.path("buffer.jsonl"), BufferEntry))
    assert [entry.rank for entry in buffer] == list(range(12))
    assert all(entry.taken and entry.calls for entry in buffer)
    question_set = open_artifact(tmp_path / "questions", "questions/1")
    assert artifact.manifest.lineage == {"question_set": question_set.digest}


def test_equal_runs_give_equal_bytes_however_many_trees_share_a_batch(tmp_path: Path) -> None:
    run_stage(tmp_path / "one", "", ToyExpander())
    run_stage(tmp_path / "two", str(tmp_path / "checkpoints"), ToyExpander())
    assert artifact_bytes(tmp_path / "one") == artifact_bytes(tmp_path / "two")
    run_stage(tmp_path / "three", "", ToyExpander(), concurrent=9)
    assert opened(tmp_path / "one")[1:] == opened(tmp_path / "three")[1:]


def test_a_search_that_is_killed_keeps_its_finished_trees_and_gives_the_same_bytes(tmp_path: Path) -> None:
    run_stage(tmp_path / "whole", "", ToyExpander())
    checkpoints = tmp_path / "checkpoints"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.toy_search", str(tmp_path / "killed"), str(checkpoints), "0.1"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(checkpoints.rglob("*.json"))) < 4 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = len(list(checkpoints.rglob("*.json")))
    assert 4 <= kept < 12
    assert not (tmp_path / "killed" / "trees" / "manifest.json").exists()
    again = ToyExpander()
    run_stage(tmp_path / "killed", str(checkpoints), again)
    assert artifact_bytes(tmp_path / "killed") == artifact_bytes(tmp_path / "whole")
    assert again.batches[0][1] <= 4
    full = ToyExpander()
    run_stage(tmp_path / "full", "", full)
    saved = sum(leaves for leaves, _ in full.batches) - sum(leaves for leaves, _ in again.batches)
    assert saved > 0, "finished trees are not searched again"
    assert not list(checkpoints.rglob("*.json")), "nothing is kept once the artifacts are written"


def test_a_damaged_kept_tree_is_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = tmp_path / "checkpoints"
    with monkeypatch.context() as patched:
        patched.setattr("components.mcts.run._Outputs.write", _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(tmp_path / "cut", str(checkpoints), ToyExpander())
    assert "finished trees stay in" in capsys.readouterr().out
    kept = sorted(checkpoints.rglob("*.json"))
    assert len(kept) == 12
    kept[0].write_text(kept[0].read_text()[:100])
    again = ToyExpander()
    run_stage(tmp_path / "cut", str(checkpoints), again)
    assert "is damaged" in capsys.readouterr().out
    assert {trees for _, trees in again.batches} == {1}
    run_stage(tmp_path / "whole", "", ToyExpander())
    assert artifact_bytes(tmp_path / "cut") == artifact_bytes(tmp_path / "whole")


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_payloads_go_to_the_artifact_store(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    run_stage(tmp_path, "", ToyExpander(), store=store, width=6)
    for name, schema in (("trees", "trees/1"), ("pairs", "preference_pairs/1")):
        assert [path.name for path in (tmp_path / name).iterdir()] == ["manifest.json"]
        assert open_input(str(tmp_path / name), schema, store).manifest.counts["pairs"] > 12
    assert "A pair:" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_other_settings_take_nothing_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = str(tmp_path / "checkpoints")
    with monkeypatch.context() as patched:
        patched.setattr("components.mcts.run._Outputs.write", _die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(tmp_path / "one", checkpoints, ToyExpander())
    other, same = ToyExpander(), ToyExpander()
    run_stage(tmp_path / "two", checkpoints, other, seed=3)
    assert other.batches
    run_stage(tmp_path / "three", checkpoints, same, concurrent=2, report_trees=1)
    assert not same.batches


def test_off_writes_empty_artifacts_and_opens_nothing(tmp_path: Path) -> None:
    expander = ToyExpander()
    metrics = run_stage(tmp_path, "", expander, method="sft,dpo")
    _, trees, pairs = opened(tmp_path)
    assert (trees, pairs, expander.batches) == ([], [], [])
    assert metrics.metadata["pairs"] == metrics.metadata["trees"] == 0
    assert "Off: this run does not search" in (tmp_path / "report.html").read_text()


def test_max_trees_bounds_the_trees_and_the_buffer_names_all(tmp_path: Path) -> None:
    run_stage(tmp_path, "", ToyExpander(), trees=7, max_trees=3)
    artifact, trees, _ = opened(tmp_path)
    assert [tree.question.id for tree in trees] == ["q0", "q1", "q2"]
    buffer = list(read_records(artifact.path("buffer.jsonl"), BufferEntry))
    assert [entry.taken for entry in buffer] == [True] * 3 + [False] * 4


def test_the_pool_is_what_was_set_aside_or_else_the_training_questions(tmp_path: Path) -> None:
    aside, train = gold_questions(2), gold_questions(5)
    answered = Question(id="a", text="3 + 4?", answers=("7",))
    for name, found, settings, expected in (
        ("both", aside, MCTSSettings(), 2),
        ("empty", [], MCTSSettings(), 5),
        ("executed", [], MCTSSettings(execute_tools=True), 6),
    ):
        with write_artifact(tmp_path / name, "questions/1") as writer:
            write_records(writer.folder / "train.jsonl", [*train, answered])
            write_records(writer.folder / "search.jsonl", found)
        assert len(read_pool(open_artifact(tmp_path / name, "questions/1"), settings)) == expected


def test_a_share_of_the_data_makes_the_pool(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "questions", "questions/1") as writer:
        write_records(writer.folder / "search.jsonl", gold_questions(40))
    artifact = open_artifact(tmp_path / "questions", "questions/1")
    whole = read_pool(artifact, MCTSSettings())
    half = read_pool(artifact, MCTSSettings(data_share=0.5))
    assert half == [one for one in whole if in_share(one.id, 0.5, MCTSSettings().seed)]
    assert 8 < len(half) < 32
    with pytest.raises(InputError, match="data_share: 1e-09 leaves no question to search"):
        read_pool(artifact, MCTSSettings(data_share=1e-9))


def test_a_real_model_searches_alone_and_beside_others_alike(tmp_path: Path) -> None:
    model, tools = build_test_model(), json.dumps(service_tools())
    sums = re.compile(r"(\d+)\D+(\d+)")
    questions = []
    for problem in word_problems(6, seed=5):
        first, second = sums.search(problem.text).groups()  # type: ignore[union-attr]
        sign = "-" if "left" in problem.text else "*" if "boxes" in problem.text else "+"
        gold = ToolCall(name="calculator", arguments={"expression": f"{first} {sign} {second}"})
        questions.append(problem.model_copy(update={"offered": tools, "golds": ((gold,),)}))
    settings = {
        "engine": {"call_format": "paper", "model": {"dtype": "float32", "threads": 1}},
        "variant": "single_step",
        "step": "argument",
        "max_new_tokens": 40,
        "temperature": 1.4,
        "width": 5,
        "simulations": 20,
        "alpha": 1.0,
    }
    for name, concurrent in (("alone", 1), ("together", 6)):
        folder = tmp_path / name
        with write_artifact(folder / "questions", "questions/1") as writer:
            write_records(writer.folder / "search.jsonl", questions)
        run(
            *(dsl.Dataset(uri=str(folder / "questions")), str(model), "http://127.0.0.1:9"),
            *(json.dumps(settings | {"concurrent": concurrent}), "", ""),
            *(dsl.Dataset(uri=str(folder / "pairs")), dsl.Dataset(uri=str(folder / "trees"))),
            *(dsl.Metrics(uri="metrics"), dsl.HTML(uri=str(folder / "report.html"))),
        )
    _, alone, _ = opened(tmp_path / "alone")
    _, trees, pairs = opened(tmp_path / "together")
    for one, other in zip(alone, trees, strict=True):
        assert [(node.path, node.token_ids, node.visits) for node in one.nodes] == [
            (node.path, node.token_ids, node.visits) for node in other.nodes
        ]
        assert [node.q for node in one.nodes] == pytest.approx([node.q for node in other.nodes], abs=1e-3)
    buffer = list(
        read_records(open_artifact(tmp_path / "alone/trees", "trees/1").path("buffer.jsonl"), BufferEntry)
    )
    measured = [entry.perplexity for entry in buffer if entry.perplexity is not None]
    assert len(measured) == 6
    assert measured == sorted(measured, reverse=True)
    assert [tree.question.id for tree in alone] == [entry.question_id for entry in buffer]
    assert {entry.difficulty for entry in buffer} == {"easy", "medium", "hard"}
    chat = open_chat(str(model), "paper")
    assert all(chat.decode(node.token_ids) == node.text for tree in trees for node in tree.nodes)
    right = {node.text for tree in trees for node in tree.nodes if node.outcome == 1}
    assert right, "the model knows how to call the calculator"
    assert len(pairs) >= 4
    prepared = prepare_pairs(pairs, chat, max_tokens=2048)
    assert len(prepared.pairs) == len(pairs)
    for pair, encoded in zip(pairs, prepared.pairs, strict=True):
        for (turn,), side in ((pair.chosen_turns, encoded.chosen), (pair.rejected_turns, encoded.rejected)):
            assert side.trained == len(turn.token_ids) - pair.shared, "the step alone is trained"


def test_no_question_to_search_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"no question to search; expected at least one with golds"):
        run_stage(tmp_path, "", ToyExpander(), questions=[Question(id="a", text="?", answers=("7",))])
    twice = gold_questions(1) * 2
    with pytest.raises(InputError, match="'q0' occurs twice"):
        run_stage(tmp_path / "twice", "", ToyExpander(), questions=twice)
    arguments = [
        "--question-set",
        str(tmp_path / "none"),
        "--base-model",
        "x",
        "--output",
        str(tmp_path / "o"),
    ]
    assert main(arguments) == 2
    assert "none" in capsys.readouterr().err


def test_the_page_escapes_shows_why_and_needs_no_network(tmp_path: Path) -> None:
    golds = gold_questions(1)[0].golds
    evil = Question(id="x", text="<script>alert(1)</script>", offered=OFFERED, golds=golds)
    run_stage(tmp_path, "", ToyExpander(), questions=[evil, *gold_questions(4)], width=6)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    _, trees, pairs = opened(tmp_path)
    assert page.count("A pair:") == len(pairs)
    assert page.count('<details class="node') == sum(len(tree.nodes) - 1 for tree in trees)
    for title in ("prior", "visits", "value of taking this step", "reward of this step", "self-evaluation"):
        assert f'title="{title}"' in page


def test_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"engine\.kind: the search needs transformers"):
        MCTSSettings.parse('{"engine": {"kind": "openai"}}')
    with pytest.raises(InputError, match="unknown key 'simulation'"):
        run(
            *(dsl.Dataset(uri=str(tmp_path)), "", "", '{"simulation": 3}', "", ""),
            *(dsl.Dataset(uri=str(tmp_path)), dsl.Dataset(uri=str(tmp_path))),
            *(dsl.Metrics(uri=""), dsl.HTML(uri="")),
        )
