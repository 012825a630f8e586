"""Easy before medium before hard in one run, the mixed control, and what the stage tells of it."""

import json
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from kfp import dsl

from components.contracts.artifacts import open_artifact
from components.contracts.errors import InputError
from components.contracts.records import ExecutedCall, LabeledTrace, ToolReply
from components.policy.checkpoints import Checkpoints
from components.policy.load import open_chat
from components.policy.trainable import load_trainable
from components.policy.training_schedule import batch_sizes, plan_phases, plan_steps
from components.scoring.difficulty import THIRDS, Demand, divide
from components.sft.dataset import Example, prepare_examples
from components.sft.run import run
from components.sft.settings import SFTSettings
from components.sft.training import difficulty_by_step, train
from components.storage import open_storage
from tests.gold_questions import OFFERED
from tests.tiny_model import build_tiny_model, make_trace, write_labeled

SETTINGS = SFTSettings(
    dtype="float32",
    learning_rate=0.01,
    batch_size=4,
    epochs=2,
    lora_rank=4,
    curriculum="easy_to_hard",
    save_every=1,
)
COUNTS = st.lists(st.integers(0, 2), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


def make_examples(count: int = 14) -> list[Example]:
    """Two of them always begin alike; the demands come in no order."""
    return [
        Example(
            f"trace-{number}",
            array("i", [*([7 + number // 2] * 40), *range(10, 14 + number % 3)]),
            array("f", [0.0] * 40 + [1.0] * (4 + number % 3)),
            Demand(calls=number * 5 % count),
        )
        for number in range(count)
    ]


@given(COUNTS, st.integers(1, 9), st.integers(1, 3), st.integers(0, 99), st.integers(1, 3), st.booleans())
def test_each_phase_is_over_before_the_next_begins(
    phases: list[int], batch_size: int, epochs: int, seed: int, processes: int, families: bool
) -> None:
    kin = [number // 3 for number in range(len(phases))] if families else None
    chosen: dict[str, Any] = {"processes": processes, "families": kin}
    steps = plan_phases(phases, len(phases), batch_size, epochs, seed, **chosen)
    assert steps == plan_phases(phases, len(phases), batch_size, epochs, seed, **chosen)
    told = [{phases[number] for number in step} for step in steps]
    assert all(len(one) == 1 for one in told)
    assert [min(one) for one in told] == sorted(min(one) for one in told)
    assert Counter(number for step in steps for number in step) == Counter(
        dict.fromkeys(range(len(phases)), epochs)
    )
    thirds = [THIRDS[phase] for phase in phases]
    named = difficulty_by_step(thirds, batch_size, epochs, processes)
    assert named == [THIRDS[min(one)] for one in told]
    mixed = plan_phases(phases, len(phases), batch_size, epochs, seed, mixed=True, **chosen)
    assert sorted(map(len, mixed)) == sorted(map(len, steps))
    each = len(mixed) // epochs
    for epoch in range(epochs):
        seen = [number for step in mixed[epoch * each : (epoch + 1) * each] for number in step]
        assert sorted(seen) == list(range(len(phases)))
    assert mixed == plan_phases(phases, len(phases), batch_size, epochs, seed, mixed=True, **chosen)


def test_the_control_mixes_examples_and_sizes() -> None:
    phases = [number // 10 for number in range(30)]
    steps = plan_phases(phases, 30, 8, 1, seed=1)
    mixed = plan_phases(phases, 30, 8, 1, seed=1, mixed=True)
    assert list(map(len, steps)) == [8, 2, 8, 2, 8, 2]
    assert list(map(len, mixed)) != list(map(len, steps))
    assert any(len({phases[number] for number in step}) > 1 for step in mixed)
    assert plan_phases(phases, 30, 8, 1, seed=2) != steps


def test_one_phase_has_the_sizes_of_none() -> None:
    assert list(map(len, plan_phases([0] * 13, 13, 4, 2, seed=3))) == list(
        map(len, plan_steps(13, 4, 2, seed=3))
    )
    assert batch_sizes(13, 4, processes=2) == [4, 4, 5]
    assert batch_sizes(3, 4) == [3]


def test_siblings_of_one_third_stay_in_one_step() -> None:
    phases = [number // 12 for number in range(36)]
    families = [number // 4 for number in range(36)]
    for step in plan_phases(phases, 36, 4, 2, seed=5, families=families):
        assert len({families[number] for number in step}) == 1


def trained(base_model: Path, checkpoints: Checkpoints | None = None, **changed: Any) -> Any:
    settings = SETTINGS.model_copy(update=changed)
    model = load_trainable(str(base_model), settings, "hermes").model
    result = train(model, make_examples(), settings, checkpoints)
    return result, torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("curriculum", ["easy_to_hard", "mixed"])
def test_a_curriculum_resumes_bitwise_in_the_middle_of_a_third(
    base_model: Path, tmp_path: Path, curriculum: str
) -> None:
    whole, expected = trained(base_model, curriculum=curriculum)
    assert whole.steps == 2 * (2 + 2 + 1)
    checkpoints = Checkpoints(open_storage(str(tmp_path / "checkpoints")))
    trained(base_model, checkpoints, curriculum=curriculum)
    for step in checkpoints.steps()[1:]:  # as if killed before the last save
        (tmp_path / "checkpoints" / f"step-{step:08d}" / "manifest.json").unlink()
    again, found = trained(base_model, checkpoints, curriculum=curriculum)
    assert again.resumed_from == 9
    assert torch.equal(found, expected)
    assert [row.difficulty for row in again.log] == [row.difficulty for row in whole.log]


def test_rows_name_their_third_and_the_order_matters(base_model: Path) -> None:
    easy_first, weights = trained(base_model)
    examples = make_examples()
    thirds = divide([example.demand for example in examples])
    tokens = dict.fromkeys(THIRDS, 0)
    for example, third in zip(examples, thirds, strict=True):
        tokens[third] += len(example.ids)
    for third in THIRDS:
        rows = [row for row in easy_first.log if row.difficulty == third]
        assert sum(row.tokens for row in rows) == 2 * tokens[third]
    assert [row.difficulty for row in easy_first.log] == ["easy"] * 4 + ["medium"] * 4 + ["hard"] * 2
    mixed, others = trained(base_model, curriculum="mixed")
    assert {row.difficulty for row in mixed.log} == {""}
    assert mixed.steps == easy_first.steps
    assert not torch.equal(weights, others)
    rates = [[row.learning_rate for row in one.log] for one in (easy_first, mixed)]
    assert rates[0] == rates[1], "one schedule over all three thirds"


def test_two_processes_need_two_examples_a_step(base_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.policy.training_loop.process_count", lambda: 5)
    with pytest.raises(InputError, match=r"sft_settings: batch_size: .* a step of 4 can't be shared by 5"):
        trained(base_model)


def test_the_stage_tells_where_each_third_begins(base_model: Path, tmp_path: Path) -> None:
    chat = open_chat(str(base_model), "hermes")
    traces = [with_calls(make_trace(chat, number), number % 3) for number in range(12)]
    prepared = prepare_examples(traces, chat, max_tokens=8192, demands=True)
    assert [example.demand.calls for example in prepared.examples] == [number % 3 for number in range(12)]
    assert all(example.demand.tools == 3 for example in prepared.examples)
    metrics = dsl.Metrics(uri="metrics")
    settings = {**SETTINGS.model_dump(mode="json"), "epochs": 1}
    run(
        dsl.Dataset(uri=str(write_labeled(tmp_path / "labeled", traces))),
        str(base_model),
        json.dumps(settings),
        "",
        "",
        dsl.Model(uri=str(tmp_path / "adapter")),
        metrics,
        dsl.HTML(uri=str(tmp_path / "report.html")),
    )
    log = open_artifact(tmp_path / "adapter", "adapter/1").path("training_log.jsonl").read_text()
    assert [json.loads(line)["difficulty"] for line in log.splitlines()] == ["easy", "medium", "hard"]
    found = {name: value for name, value in metrics.metadata.items() if name.endswith("from_step")}
    assert {"easy_from_step": 1, "medium_from_step": 2, "hard_from_step": 3}.items() <= found.items()
    page = (tmp_path / "report.html").read_text()
    assert (
        "Curriculum: easy examples from step 1, medium examples from step 2, hard examples from step 3."
        in page
    )
    assert page.count("<polyline") == 3


def with_calls(trace: LabeledTrace, count: int) -> LabeledTrace:
    made = ExecutedCall(message=2, text="", call=None, reply=ToolReply(content=""))
    return trace.model_copy(update={"calls": (made,) * count, "tools": OFFERED})


def test_the_papers_settings() -> None:
    paper = SFTSettings.parse('{"preset": "itool"}')
    assert (paper.method, paper.curriculum) == ("lora", "easy_to_hard")
    assert (paper.learning_rate, paper.weight_decay) == (5e-5, 0.01)
    assert SFTSettings.parse('{"preset": "demo_calls"}').curriculum == "none"
