"""Which tasks `--from STAGE` executes again: on folders laid out as kfp.local does, for every stage of every pipeline."""

import io
import json
from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from rich.console import Console

from components.contracts.errors import InputError
from pipelines.catalog import PIPELINES
from pipelines.compile import compiled_path, write_package
from pipelines.local.dag import Plan, TakenOver, as_run_here
from pipelines.local.earlier_run import EarlierRun, at_work
from pipelines.local.restart import NewRun, decide, taken_over
from pipelines.local.taken_over import OUTPUT, take_over
from pipelines.local.terminal import StageDisplay
from pipelines.spec.executors import executors, way_to
from tests.dag_edges import descendants, flow

RUN: dict[str, JsonValue] = {"questions": "/data/questions.jsonl", "base_model": "/data/model"}
SERVICES: dict[str, JsonValue] = {
    "artifact_store": "s3://whetstone/artifacts",
    "checkpoint_root": "s3://whetstone/checkpoints",
    "tools_url": "http://127.0.0.1:12345",
}
SHARDS = 3
TaskPath = tuple[str, ...]


@cache
def package(pipeline: str) -> str:
    return compiled_path(pipeline).read_text(encoding="ascii")


def new_run(pipeline: str = "self_training", corpus: str = "", **given: JsonValue) -> NewRun:
    return NewRun.of(pipeline, package(pipeline), {**RUN, **given}, corpus)


def folders(text: str, path: TaskPath) -> list[Path]:
    """Where kfp.local puts a task: below each iteration of the loops around it, called after its component."""
    around: list[list[str]] = []
    for name, task in zip(path, way_to(text, path), strict=True):
        items = task.get("parameterIterator", {}).get("items")
        if items:
            count = len(json.loads(items["raw"])) if "raw" in items else SHARDS
            around.append([f"{name}-iteration-{number}" for number in range(count)])
    component = task["componentRef"]["name"].removeprefix("comp-")
    return [Path(*names, component) for names in product(*around)]


def lay_out(
    folder: Path,
    *,
    pipeline: str = "self_training",
    text: str = "",
    missing: set[TaskPath] | None = None,
    only: set[TaskPath] | None = None,
    taken: Mapping[str, TakenOver] | None = None,
    corpus: str = "",
    **given: JsonValue,
) -> Path:
    """A run's folder with the outputs of `only` or of all but the `missing` tasks."""
    text = text or package(pipeline)
    folder.mkdir(parents=True)
    plan = Plan(
        pipeline=pipeline,
        package=folder / f"{pipeline}.yaml",
        parameters={**RUN, **SERVICES, **given},
        folder=folder,
        artifact_store=str(SERVICES["artifact_store"]),
        started=tuple(name for name in SERVICES if name not in given),
        corpus=corpus,
        taken_over=taken or {},
    )
    plan.package.write_text(text, encoding="ascii")
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    paths = {one.path for one in executors(text, RUN)}
    for path in (paths if only is None else only) - (missing or set()):
        for place in folders(text, path):
            task = folder / "pipeline" / f"{pipeline}-2026" / place
            task.mkdir(parents=True)
            ended = {"parameterValues": {"Output": list(range(SHARDS))}} if path[-1] == "ingest" else {}
            (task / OUTPUT).write_text(json.dumps(ended), encoding="utf-8")
    return folder


def inside(*names: str) -> set[TaskPath]:
    """Tasks of self_training by their names, or the last part of them."""
    return {one.path for one in executors(package("self_training"), RUN) if one.path[-1] in names}


def taken_names(taken: Mapping[str, TakenOver]) -> set[str]:
    return {path.rpartition("/")[2] for path in taken}


BEFORE_SFT = {"ingest", "trace-generation", "error-labeling", "preferences"}
BESIDE_SFT = {"evaluation", "evaluation-3"}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_from_every_stage_what_descends_from_it_runs_again_and_all_else_is_taken_over(
    pipeline: str, tmp_path: Path
) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run", pipeline=pipeline))
    graph, functions = flow(package(pipeline))
    never = {one.path for one in executors(package(pipeline), RUN) if not one.cached}
    assert {functions[path] for path in never} == {"preflight", "run_report", *_publishing(functions)}
    for stage in set(functions.values()) - {"preflight"}:
        own = {path for path, function in functions.items() if function == stage}
        again = own | descendants(graph, own) | never | descendants(graph, never)
        taken = decide(new_run(pipeline), stage, earlier)
        assert set(taken) == {"/".join(path) for path in set(functions) - again}, stage
        assert {one.made_by for one in taken.values()} <= {tmp_path / "run"}
    assert decide(new_run(pipeline), "preflight", earlier) == {}  # all tasks wait for it


def _publishing(functions: Mapping[TaskPath, str]) -> set[str]:
    return {"publication"} & set(functions.values())


def test_of_a_failed_run_what_is_there_is_taken_and_what_lies_beside_runs(tmp_path: Path) -> None:
    missing = inside("sft", "dpo", "evaluation", "evaluation-2", "promotion", "run-report")
    earlier = EarlierRun.read(lay_out(tmp_path / "run", missing=missing))
    assert taken_names(decide(new_run(), "sft", earlier)) == BEFORE_SFT | {"evaluation-3"}
    with pytest.raises(
        InputError, match=r"has not finished SFT, which comes before it; expected --from sft$"
    ):
        decide(new_run(), "dpo", earlier)


def test_a_loop_is_finished_when_every_iteration_is(tmp_path: Path) -> None:
    run = lay_out(tmp_path / "run")
    (last,) = run.glob(f"pipeline/*/*-iteration-{SHARDS - 1}/trace-generation/{OUTPUT}")
    last.unlink()
    with pytest.raises(InputError, match=r"has not finished Trace generation, .* --from trace_generation"):
        decide(new_run(), "sft", EarlierRun.read(run))


def test_a_changed_parameter_of_what_comes_before_is_named_with_its_reader_and_the_remedy(
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {
        "trace_generation_settings": '{"engine":{"model":{"threads":1}},"num_samples":12}'
    }
    earlier = EarlierRun.read(lay_out(tmp_path / "run", **settings))
    fewer = {"trace_generation_settings": '{"engine":{"model":{"threads":2}},"num_samples":12}'}
    with pytest.raises(InputError) as raised:
        decide(new_run(**fewer), "sft", earlier)
    assert str(raised.value) == (
        "--from sft: trace_generation.engine.model.threads is 2, but it was 1 in "
        f"{tmp_path / 'run'}, where Trace generation read it; expected the same, or --from trace_generation"
    )
    assert taken_names(decide(new_run(**fewer), "trace_generation", earlier)) == {"ingest"} | BESIDE_SFT
    with pytest.raises(
        InputError, match=r"questions is /other, but it was /data/questions.jsonl in .*Ingest"
    ):
        decide(new_run(**settings, questions="/other"), "sft", earlier)


def test_a_setting_that_holds_nothing_is_named_too(tmp_path: Path) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run", ingest_settings='{"seed":19}'))  # of an older version
    changed = new_run(ingest_settings='{"formats":{},"seed":19}')
    with pytest.raises(InputError, match=r"ingest.formats is \{\}, but it was absent in .* --from ingest$"):
        decide(changed, "sft", earlier)


def test_what_the_stage_and_those_after_it_read_may_change(tmp_path: Path) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run"))
    changed = new_run(sft_settings='{"epochs":2}', sft_image="other/sft:1", node_selector={"a": "b"})
    assert taken_names(decide(changed, "sft", earlier)) == BEFORE_SFT | BESIDE_SFT


def test_what_lies_beside_and_reads_a_changed_parameter_runs_again_with_what_is_made_of_it(
    tmp_path: Path,
) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run"))
    changed = new_run(evaluation_settings='{"limit_per_kind":4}')
    assert taken_names(decide(changed, "sft", earlier)) == BEFORE_SFT
    assert taken_names(decide(changed, "preferences", earlier)) == {
        "ingest",
        "trace-generation",
        "error-labeling",
        "sft",
    }


def test_addresses_of_services_that_the_run_started_do_not_count_but_what_is_searched_does(
    tmp_path: Path,
) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run", corpus="/data/corpus.jsonl"))
    assert decide(new_run(corpus="/data/corpus.jsonl"), "sft", earlier)
    with pytest.raises(
        InputError, match=r"tools_url is the run's own with no corpus, but .*corpus=/data/corp"
    ):
        decide(new_run(), "sft", earlier)
    with pytest.raises(InputError, match="expected no artifact_store, as it had"):
        decide(new_run(corpus="/data/corpus.jsonl", artifact_store="/store"), "sft", earlier)
    given = EarlierRun.read(lay_out(tmp_path / "given", artifact_store="/store"))
    with pytest.raises(InputError, match="expected artifact_store=/store, as it had"):
        decide(new_run(), "sft", given)
    assert decide(new_run(artifact_store="/store", checkpoint_root="/kept"), "sft", given)


def test_a_task_of_one_round_is_named_by_its_title(tmp_path: Path) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run", pipeline="self_training_rounds"))
    new = new_run("self_training_rounds")
    taken = taken_names(decide(new, "Round 2: SFT", earlier))
    assert {"sft", "dpo", "rounds", "error-labeling-2", "preferences-2"} <= taken
    assert not {"sft-2", "dpo-2", "rounds-2", "sft-3", "error-labeling-3"} & taken
    assert not {"sft", "sft-2", "sft-3"} & taken_names(decide(new, "sft", earlier))
    with pytest.raises(InputError, match=r"has no stage 'Round 2: SFTT' \(did you mean 'Round 2: SFT'\?\)"):
        decide(new, "Round 2: SFTT", earlier)


def test_a_run_of_more_rounds_takes_over_those_of_one_with_fewer(tmp_path: Path) -> None:
    name = "self_training_rounds"
    text = write_package(name, 1, tmp_path / "one.yaml").read_text(encoding="ascii")
    earlier = EarlierRun.read(lay_out(tmp_path / "run", pipeline=name, text=text))
    taken = taken_names(decide(new_run(name), "Round 2: Trace generation", earlier))
    assert taken == {"ingest", "trace-generation", "error-labeling", "preferences", "sft", "dpo"} | {
        "evaluation",  # of the base model on validation, and then of round 1; what it proves has other numbers
        "evaluation-2",
        "rounds",
    }
    with pytest.raises(InputError, match=r'has not finished Round 2: .* --from "Round 2: Trace generation"$'):
        decide(new_run(name), "Round 2: SFT", earlier)


def test_what_a_restarted_run_did_not_reach_comes_from_the_run_that_it_went_on_from(tmp_path: Path) -> None:
    first = EarlierRun.read(lay_out(tmp_path / "1"))
    again = decide(new_run(sft_settings='{"epochs":2}'), "sft", first)
    # It failed in sft, before it took the evaluations over.
    reached = inside("preflight", "ingest", "trace-generation", "error-labeling", "preferences")
    second = EarlierRun.read(lay_out(tmp_path / "2", only=reached, taken=again, sft_settings='{"epochs":2}'))
    taken = decide(new_run(sft_settings='{"epochs":3}'), "sft", second)
    assert taken_names(taken) == BEFORE_SFT | BESIDE_SFT
    copied = {path.rpartition("/")[2]: one.outputs.parent.parent.name for path, one in taken.items()}
    assert copied == dict.fromkeys(BEFORE_SFT, "2") | dict.fromkeys(BESIDE_SFT, "1")
    assert {one.made_by for one in taken.values()} == {tmp_path / "1"}


def test_nothing_is_taken_that_was_made_from_what_a_later_run_made_anew(tmp_path: Path) -> None:
    first = EarlierRun.read(lay_out(tmp_path / "1"))
    again = decide(new_run(), "ingest", first)
    assert again == {}
    again = decide(new_run(), "trace_generation", first)
    reached = inside("preflight", "ingest", "trace-generation")
    second = EarlierRun.read(lay_out(tmp_path / "2", only=reached, taken=again))
    # The labels of the first run are of its own traces.
    with pytest.raises(InputError, match="has not finished Error labeling"):
        decide(new_run(), "sft", second)
    assert taken_names(decide(new_run(), "error_labeling", second)) == {
        "ingest",
        "trace-generation",
        *BESIDE_SFT,
    }


def test_the_newest_run_that_has_what_is_needed_is_chosen_and_none_at_work(tmp_path: Path) -> None:
    lay_out(tmp_path / "2026-01-01_00-00-00")
    lay_out(tmp_path / "2026-01-02_00-00-00")
    lay_out(tmp_path / "2026-01-03_00-00-00", only=inside("ingest"))
    lay_out(tmp_path / "2026-01-04_00-00-00", pipeline="tl_training")
    (tmp_path / "2026-01-05_00-00-00").mkdir()
    (tmp_path / "latest").symlink_to("2026-01-01_00-00-00")
    found, _ = taken_over(new_run(), "sft", tmp_path, None)
    assert found.folder.name == "2026-01-02_00-00-00"
    with at_work(tmp_path / "2026-01-02_00-00-00"):
        found, _ = taken_over(new_run(), "sft", tmp_path, None)
        assert found.folder.name == "2026-01-01_00-00-00"
        with pytest.raises(InputError, match="2026-01-02_00-00-00: this run goes on"):
            taken_over(new_run(), "sft", tmp_path, tmp_path / "2026-01-02_00-00-00")
    found, _ = taken_over(new_run(), "sft", tmp_path, tmp_path / "latest")
    assert found.folder.name == "2026-01-01_00-00-00"
    with pytest.raises(InputError, match=r"2026-01-03_00-00-00 has not finished Trace generation"):
        taken_over(new_run(base_model="/other"), "sft", tmp_path, None)


def test_a_folder_that_is_none_of_such_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no plan.json; expected the folder of a run"):
        taken_over(new_run(), "sft", tmp_path, tmp_path)
    with pytest.raises(InputError, match="has no run of self_training that is over; expected --of FOLDER"):
        taken_over(new_run(), "sft", tmp_path, None)
    (tmp_path / "plan.json").write_text('{"pipeline": 1}', encoding="utf-8")
    with pytest.raises(InputError, match=r"plan.json: can't be read"):
        EarlierRun.read(tmp_path)
    run = lay_out(tmp_path / "run", pipeline="tl_training")
    with pytest.raises(InputError, match="is a run of tl_training, expected one of self_training"):
        taken_over(new_run(), "sft", tmp_path, run)


def test_what_is_taken_over_gets_an_executor_of_its_own(tmp_path: Path) -> None:
    earlier = EarlierRun.read(lay_out(tmp_path / "run"))
    taken = decide(new_run(), "sft", earlier)
    made = executors(as_run_here(package("self_training"), taken, tmp_path / "new/pipeline"), RUN)
    replaced = {one.path[-1] for one in made if "pipelines.local.taken_over" in one.container["command"]}
    assert replaced == BEFORE_SFT | BESIDE_SFT
    assert {one.path[-1] for one in made if one.stage == "evaluation"} == {"evaluation-2"}


def test_outputs_are_copied_and_artifacts_named_in_their_new_place(tmp_path: Path) -> None:
    old, new = tmp_path / "old/pipeline/x-1", tmp_path / "new/pipeline"
    task = Path("for-loop-1-iteration-0/trace-generation")
    (old / task / "traces").mkdir(parents=True)
    (old / task / "traces/manifest.json").write_text("{}")
    artifacts = {
        "traces": {"artifacts": [{"name": "traces", "uri": str(old / task / "traces"), "metadata": {}}]},
        "elsewhere": {"artifacts": [{"name": "elsewhere", "uri": "s3://bucket/key", "metadata": {"a": 1}}]},
    }
    ended = {"parameterValues": {"Output": [0, 1]}, "artifacts": artifacts}
    (old / task / OUTPUT).write_text(json.dumps(ended))
    target = new / "x-2" / task
    take_over({"outputFile": str(target / OUTPUT)}, old, new)
    assert (target / "traces/manifest.json").read_text() == "{}"
    found = json.loads((target / OUTPUT).read_text())
    assert found["parameterValues"] == {"Output": [0, 1]}
    assert found["artifacts"]["traces"]["artifacts"][0]["uri"] == str(target / "traces")
    assert found["artifacts"]["elsewhere"] == artifacts["elsewhere"]
    with pytest.raises(InputError, match="can't be taken over"):
        take_over({"outputFile": str(new / "x-2/ingest" / OUTPUT)}, old, new)


def test_the_terminal_shows_what_is_taken_over_once_and_its_failure_too() -> None:
    file = io.StringIO()
    with StageDisplay(Console(file=file, width=100), {"sft": "SFT"}, {"sft"}) as display:
        for _ in range(2):
            display.begin("sft")
            display.end("sft", succeeded=True)
        assert file.getvalue() == "SFT: taken over\n"
        display.begin("sft")
        display.end("sft", succeeded=False)
    assert file.getvalue().splitlines()[-1].startswith("SFT: failed in")
