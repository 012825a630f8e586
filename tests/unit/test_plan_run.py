"""Whole plans: how they scale, what they leave out, and how near they come to runs that were timed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.contracts.errors import InputError
from pipelines.cli import app
from pipelines.compile import compiled_path
from pipelines.plan.limits import limits, quantity
from pipelines.plan.measured import Measured, read_measured
from pipelines.plan.planned import Plan, PlannedTask, make_plan
from pipelines.plan.report import render
from pipelines.plan.request import read_request
from pipelines.plan.tasks import read_tasks

LLAMA = ("base=llama-3.1-8b", "accelerator=h100")
ON_CPU = ("base=smollm2-135m", "accelerator=cpu", "preset=demo")


def plan_of(*words: str) -> Plan:
    return make_plan(read_request(words))


def task_of(plan: Plan, title: str) -> PlannedTask:
    return next(one for one in plan.tasks if one.task.title == title)


# Seconds that the terminal showed, on two quiet cores, models' loading included.
DEMO = {
    "Trace generation": 230.9,
    "SFT": 113.7,
    "Evaluation before": 25.6,
    "Evaluation after": 62.2,
    "Evaluation without tools": 27.3,
}
CALLS = {
    "SFT": 91.2,
    "PPO": 73.9,
    "Iteration 1: Search": 50.5,
    "Iteration 1: DPO": 25.1,
    "Evaluation before, on validation": 12.3,
    "Iteration 1: Evaluation": 14.1,
    "Evaluation before": 28.9,
    "Evaluation before search": 30.3,
}
# What that second run's metrics said (`run=`), and `shared`, which they do not say: tools differ from question to question.
OF_CALLS = ("prompt=197", "turns=2.18", "turn=14.2", "shared=0.1")


@pytest.mark.parametrize(
    ("words", "measured"),
    [
        (
            ("questions=392", "held_out=400"),
            DEMO,
        ),  # the share of `cpu` that training uses is fitted to its SFT
        (
            (
                "pipeline=whetstone",
                "questions=0",
                "trajectories=240",
                "held_out=120",
                *(f"measured.{one}" for one in OF_CALLS),
            ),
            CALLS,
        ),
    ],
    ids=["self_training", "whetstone"],
)
def test_every_task_of_the_demos_is_predicted_within_a_factor_of_two(
    words: Sequence[str], measured: dict[str, float]
) -> None:
    plan = plan_of(*ON_CPU, *words)
    # The shards share the two cores: the seconds of one device are those that pass.
    predicted = {title: task_of(plan, title).cost.seconds for title in measured}
    for title, seconds in measured.items():
        assert 0.5 < (predicted[title] + plan.request.device.start_seconds) / seconds < 2, title


def test_the_tokens_of_the_demo_are_those_of_its_metrics() -> None:
    plan = plan_of(*ON_CPU, "questions=392", "held_out=400")
    assert task_of(plan, "SFT").cost.tokens == pytest.approx(109_716, rel=0.02)
    assert task_of(plan, "Trace generation").cost.calls == pytest.approx(2356, rel=0.02)
    assert task_of(plan, "Trace generation").cost.stored == pytest.approx(5_595_264 + 5_639_792, rel=0.02)
    adapter = plan.request.shape.adapter_parameters(16, ("q_proj", "v_proj")) * 4
    assert adapter == pytest.approx(3_702_168, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(st.integers(200, 50_000), st.integers(2, 20))
@pytest.mark.parametrize("pipeline", ["self_training", "whetstone"])
def test_work_grows_with_the_questions(pipeline: str, questions: int, times: int) -> None:
    words = (*LLAMA, f"pipeline={pipeline}", "trace_generation.engine.batch_size=4", "method=sft,dpo")
    one, more = (plan_of(*words, f"questions={count}") for count in (questions, questions * times))
    for task, larger in zip(one.tasks, more.tasks, strict=True):
        for name in ("flops", "calls", "tokens", "fetched"):
            assert getattr(larger.cost, name) == pytest.approx(times * getattr(task.cost, name), rel=1e-6)
        assert larger.cost.memory == task.cost.memory
        assert larger.cost.seconds == pytest.approx(times * task.cost.seconds, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 200))
def test_shards_divide_the_time_and_not_the_work(shards: int) -> None:
    words = (*LLAMA, "questions=20000")
    one, many = plan_of(*words), plan_of(*words, f"ingest.shards={shards}")
    whole, parts = (task_of(plan, "Trace generation") for plan in (one, many))
    device, cost = one.request.device, parts.cost
    start = device.start_seconds + cost.base / device.load
    assert parts.pods == shards
    assert cost == whole.cost
    assert parts.wall - start == pytest.approx((whole.wall - start) / shards)
    # What every shard adds is its pod's start and its own copy of the model.
    assert many.held - one.held == pytest.approx((shards - 1) * start)
    assert many.most_devices >= shards


def test_accelerators_in_a_pod_share_training_and_not_sampling() -> None:
    one = plan_of(*LLAMA, "questions=20000")
    more = plan_of(*LLAMA, "questions=20000", "sft_accelerators=8", "trace_generation_accelerators=8")
    device = one.request.device
    trained = [task_of(plan, "SFT") for plan in (one, more)]
    start = device.start_seconds + trained[0].cost.base / device.load
    # Fewer examples of a step are encoded together, so that a little more is to do; a tenth of the speed is lost.
    assert 4 < (trained[0].wall - start) / (trained[1].wall - start) < 8 * 0.9 + 1e-9
    assert trained[1].held > trained[0].held
    sampled = [task_of(plan, "Trace generation") for plan in (one, more)]
    assert sampled[1].wall == sampled[0].wall
    assert sampled[1].held == 8 * sampled[0].held
    assert trained[1].cost.memory == trained[0].cost.memory  # every one holds the whole model


def test_a_task_begins_when_those_before_it_have_ended() -> None:
    plan = plan_of(*LLAMA, "questions=1000", "pipeline=whetstone")
    by_key = {one.task.key: one for one in plan.tasks}
    for one in plan.tasks:
        assert one.begin == max((by_key[key].end for key in one.task.after), default=0.0)
    assert plan.wall == max(one.end for one in plan.tasks)
    assert task_of(plan, "Evaluation before").begin < task_of(plan, "PPO").begin


def test_a_small_cluster_takes_longer_for_the_same_work() -> None:
    words = (*LLAMA, "questions=20000", "ingest.shards=16")
    free, small = plan_of(*words), plan_of(*words, "accelerators=4")
    assert free.most_devices > 4 >= small.most_devices
    assert small.wall > free.wall
    assert small.held == free.held
    assert task_of(small, "Trace generation").passed == pytest.approx(
        4 * task_of(free, "Trace generation").wall, rel=0.5
    )


def test_what_the_method_leaves_out_hands_on() -> None:
    plan = plan_of(*LLAMA, "questions=1000", "method=sft")
    off = task_of(plan, "DPO")
    assert (off.cost.flops, off.cost.base, off.devices) == (0, 0, 1)
    assert off.wall == plan.request.device.start_seconds
    assert task_of(plan_of(*LLAMA, "questions=1000", "method=dpo"), "DPO").cost.flops > 0


def test_more_rounds_are_as_many_times_the_training() -> None:
    def trained(rounds: int) -> float:
        plan = plan_of(*LLAMA, "questions=1000", "pipeline=self_training_rounds", f"rounds={rounds}")
        return sum(one.cost.flops for one in plan.tasks if one.task.stage == "sft")

    assert trained(4) == pytest.approx(2 * trained(2))


def test_every_stage_of_every_plannable_pipeline_is_there_once_a_task() -> None:
    for pipeline in ("self_training", "self_training_rounds", "tl_training", "itool", "whetstone"):
        tasks = read_tasks(compiled_path(pipeline).read_text())
        keys = [task.key for task in tasks]
        assert len(set(keys)) == len(keys)
        for place, task in enumerate(tasks):
            assert set(task.after) <= set(keys[:place])
            assert task.sharded == (task.stage == "trace_generation")
    split = [task.given.get("split") for task in tasks if task.stage == "evaluation"]
    assert split.count("validation") == 3


@pytest.mark.parametrize("pipeline", ["tl_ablation", "self_training_grid", "itool_ablation"])
def test_arms_that_train_different_things_are_not_planned(pipeline: str) -> None:
    with pytest.raises(InputError, match="has arms that train different things; plan one that has none"):
        plan_of(*LLAMA, "questions=10", f"pipeline={pipeline}")


def test_full_training_of_8b_does_not_fit_80_gb() -> None:
    found = limits(plan_of(*LLAMA, "questions=1000", "sft.method=full"))
    first = next(one for one in found if (one.stage, one.what) == ("sft", "accelerator memory"))
    assert first.share > 1
    assert "qlora" in first.remedy
    fits = limits(plan_of("base=llama-3.1-8b", "accelerator=h200", "questions=1000", "sft.method=lora"))
    assert next(one for one in fits if one.what == "accelerator memory").share < 1


def test_a_host_without_room_for_the_weights_is_named() -> None:
    found = limits(plan_of("base=llama-3.1-70b", "accelerator=h200", "questions=1000"))
    assert {one.stage for one in found if one.what == "main memory" and one.share > 1} >= {
        "sft",
        "evaluation",
    }


@pytest.mark.parametrize(
    ("text", "size"), [("16Gi", 16 * 2**30), ("500Mi", 500 * 2**20), ("1.5G", 1.5e9), ("7", 7)]
)
def test_kubernetes_quantities(text: str, size: float) -> None:
    assert quantity(text) == size


def test_no_kubernetes_quantity() -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        quantity("16 GiB")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("questions=10",), "base: missing"),
        (("base=llama-3.1-8b",), "questions: missing"),
        ((*LLAMA, "questions=ten"), "questions: expected a number, got 'ten'"),
        ((*LLAMA, "questions=-1"), "questions: expected a number from 0 to 1e15, got '-1'"),
        ((*LLAMA, "questions=nan"), "questions: expected a number from 0 to 1e15, got 'nan'"),
        ((*LLAMA, "questions=1", "questions=2"), "questions: given twice"),
        ((*LLAMA[:1], "questions=1", "accelerator=h10"), "accelerator: unknown 'h10' .did you mean 'h100'"),
        ((*LLAMA, "questions=1", "measured.turm=3"), "measured.turm: unknown .did you mean 'turn'"),
        (
            (*LLAMA, "questions=1", "measured.shared=2"),
            "measured.shared: expected a number that can be, got 2",
        ),
        ((*LLAMA, "questions=1", "sft.epoch=3"), "unknown key 'epoch' .did you mean 'epochs'"),
        (
            (*LLAMA, "questions=1", "sft_accelerators=many"),
            "sft_accelerators: expected a whole number, got 'many'",
        ),
        ((*LLAMA, "questions=1", "pipeline=self_trainin"), "unknown pipeline 'self_trainin' .did you mean"),
        (
            (*LLAMA, "questions=1", "accelerators=none"),
            "accelerators: expected a whole number above 0, got 'none'",
        ),
        ((*LLAMA, "questions=1", "accelerators=2", "sft_accelerators=4"), "sft asks for 4 a pod"),
        ((*LLAMA, "questions=1", "run=nowhere"), "run: nowhere: no plan.json"),
    ],
)
def test_a_word_that_cannot_be_is_named(words: Sequence[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        plan_of(*words)


def write_run(folder: Path) -> Path:
    """A local run's folder with the metrics and manifests of a few tasks, as kfp.local leaves them."""
    (folder / "pipeline").mkdir(parents=True)
    plan = {"parameters": {"sft_settings": json.dumps({"epochs": 2})}}
    (folder / "plan.json").write_text(json.dumps(plan))
    metrics = {
        "ingest": {"train": 50},
        "for-loop-1-iteration-0/trace-generation": {"traces": 60, "turns": 90, "calls": 30, "tokens": 900},
        "for-loop-1-iteration-1/trace-generation": {"traces": 40, "turns": 70, "calls": 20, "tokens": 700},
        "error-labeling": {"traces": 100, "turns": 160, "trained_traces": 25},
        "preferences": {"pairs": 75},
        "sft": {"examples": 25, "tokens": 2 * 25 * 160, "supervised_tokens": 2 * 25 * 20},
        "sft-2": {"examples": 25, "tokens": 2 * 25 * 160, "supervised_tokens": 2 * 25 * 20},
        "mcts": {"trees": 10, "simulations": 640, "expansions": 64, "pairs": 20},
    }
    for task, numbers in metrics.items():
        path = folder / "pipeline" / "run-1" / "exit-handler-1" / task / "executor_output.json"
        path.parent.mkdir(parents=True)
        artifact = {"metadata": {**numbers, "note": "text"}}
        path.write_text(json.dumps({"artifacts": {"metrics": {"artifacts": [artifact]}}}))
    manifest = {
        "schema_tag": "traces/1",
        "files": [{"path": "traces.jsonl", "size": 24_000}],
        "counts": {"traces": 60},
    }
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_run_tells_its_numbers(tmp_path: Path) -> None:
    found = read_measured(write_run(tmp_path))
    assert found == pytest.approx(
        {
            "turns": 1.6,
            "calls": 0.5,
            "turn": 10.0,
            "examples": 0.5,
            "pairs": 1.5,
            # 160 tokens of an example, 20 of them trained, and half a reply.
            "prompt": 140 - 0.5 * Measured.reply,
            "expanded": 0.1,
            "step_pairs": 2.0,
            "trace_bytes": 400.0,
        }
    )


def test_given_numbers_go_before_those_of_the_run(tmp_path: Path) -> None:
    words = (*LLAMA, "questions=1", f"run={write_run(tmp_path)}", "measured.turn=33")
    request = read_request(words)
    assert (request.measured.turn, request.measured.turns, request.measured.reply) == (
        33,
        1.6,
        Measured.reply,
    )
    text = render(make_plan(request))
    assert "turn given;" in " ".join(text.split())


def test_longer_turns_make_larger_traces_unless_those_are_known() -> None:
    def of(*numbers: str) -> Measured:
        return read_request((*LLAMA, "questions=1", *(f"measured.{one}" for one in numbers))).measured

    assert of() == Measured()
    # 100 tokens a turn in place of 12.3, each with text, id and log-probability, and replies of 150 in place of 24.
    more = 1.67 * (100 - 12.3) * 29 + 0.67 * (150 - 24) * 4
    longer = of("turn=100", "reply=150")
    assert longer.trace_bytes == pytest.approx(Measured.trace_bytes + more)
    assert longer.pair_bytes == pytest.approx(Measured.pair_bytes + 2 * more)
    assert of("turn=100", "trace_bytes=5").trace_bytes == 5


def test_a_broken_output_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    broken = next(run.rglob("executor_output.json"))
    broken.write_text("{")
    with pytest.raises(InputError, match=r"executor_output\.json: can't be read"):
        read_measured(run)


@pytest.mark.parametrize(
    "words",
    [
        (*LLAMA, "questions=10000", "preset=self-training", "method=sft,dpo", "ingest.shards=4"),
        (*LLAMA, "questions=123456789012", "ingest.max_train=null"),
        ("base=llama-3.1-70b", "questions=1000", "sft.method=full", "pipeline=self_training_rounds"),
        ("base=qwen2.5-7b", "accelerator=l40s", "questions=500", "pipeline=whetstone"),
        (*ON_CPU, "questions=0"),
    ],
)
def test_the_text_fits_eighty_columns(words: Sequence[str]) -> None:
    result = CliRunner().invoke(app, ["plan", *words])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    on_gpu = "accelerator=cpu" not in words
    assert ("nothing here was measured on a GPU" in result.output) == on_gpu
    assert "What breaks first" in result.output


def test_all_that_does_not_fit_is_shown() -> None:
    plan = plan_of("base=llama-3.1-70b", "questions=1000", "accelerator=l40s", "method=sft,dpo")
    over = [one for one in limits(plan) if one.share > 1]
    assert len(over) > 5
    assert render(plan).count("DOES NOT FIT") == len(over)
