"""The cache's fingerprint: as the backend computes it, and what it says about replaced images and settings."""

import json
from functools import cache

import pytest

from components.contracts.errors import InputError
from pipelines.catalog import PIPELINES
from pipelines.compile import compiled_path
from pipelines.spec.cache_key import cache_key, fingerprint, fingerprints, go_json, runs_again
from tests.dag_edges import descendants, flow

RUN = {"questions": "s3://bucket/questions.jsonl"}
SHELL = ["sh", "ec", "run"]


@cache
def package(pipeline: str) -> str:
    return compiled_path(pipeline).read_text(encoding="utf-8")


@cache
def always(pipeline: str) -> frozenset[tuple[str, ...]]:
    """What runs in every run: what the cache is switched off for, and whatever is made from that."""
    return runs_again(package(pipeline), RUN, RUN)


def stages_with(ending: str) -> list[tuple[str, str]]:
    """Each pipeline with each of its stages that has a parameter of that ending."""
    found = []
    for pipeline in PIPELINES:
        _, functions = flow(package(pipeline))
        found += [
            (pipeline, stage)
            for stage in sorted(set(functions.values()))
            if f"\n      {stage}{ending}:\n" in package(pipeline)
        ]
    return found


def expected(pipeline: str, stage: str) -> set[tuple[str, ...]]:
    """All tasks of the stage, and what gets something made from what they make."""
    graph, functions = flow(package(pipeline))
    own = {path for path, function in functions.items() if function == stage}
    return own | descendants(graph, own)


def test_the_fingerprint_is_the_one_that_the_backends_own_test_publishes() -> None:
    """kubeflow/pipelines, backend/src/v2/cacheutils/cache_test.go, the second key of TestGenerateFingerPrint."""
    key = {
        "inputArtifactNames": {"dataset": {"artifactNames": ["10"]}},
        "outputParametersSpec": {"output_parameter": "DOUBLE"},
        "containerSpec": {"image": "python:3.11", "cmdArgs": SHELL},
    }
    assert fingerprint(key) == "3d9a2a778fa3174c6cfc6e639c507c265b5f21ef6e5b1dd70b236462cc6da464"


def test_the_key_of_a_task() -> None:
    outputs = {
        "artifacts": {"page": {"artifactType": {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}}},
        "parameters": {"Output": {"parameterType": "LIST"}},
    }
    assert cache_key({"one": ["7"], "none": []}, {"shard": 2}, outputs, "image:1", SHELL) == {
        "inputArtifactNames": {"one": {"artifactNames": ["7"]}, "none": {}},
        "inputParameterValues": {"shard": 2},
        "outputArtifactsSpec": {
            "page": {"name": "page", "type": {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}},
            "executor-logs": {"name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}},
        },
        "outputParametersSpec": {"Output": "LIST"},
        "containerSpec": {"image": "image:1", "cmdArgs": SHELL},
    }
    assert set(cache_key({}, {}, {}, "image:1", SHELL)) == {"outputArtifactsSpec", "containerSpec"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (5, "5"),
        (5.0, "5"),
        (-2.5, "-2.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-9, "1.5e-9"),
        (True, "true"),
        (None, "null"),
        ({"b": [1, {}], "a": "<é&\u2028\n>"}, '{"a":"\\u003cé\\u0026\\u2028\\n\\u003e","b":[1,{}]}'),
    ],
)
def test_json_as_go_writes_it(value: object, written: str) -> None:
    """Go's rules: doubles by their shortest digits, exponents below 1e-6 and from 1e21 on, `<>&` escaped."""
    assert go_json(value) == written  # type: ignore[arg-type]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_second_run_executes_only_what_the_cache_is_switched_off_for(pipeline: str) -> None:
    graph, functions = flow(package(pipeline))
    named = {functions[path] for path in always(pipeline)}
    assert {"preflight"} <= named <= {"preflight", "publication", "run_report"}
    assert descendants(graph, set(always(pipeline))) <= always(pipeline)
    assert len(fingerprints(package(pipeline), RUN)) == len(functions)


@pytest.mark.parametrize(("pipeline", "stage"), stages_with("_image"))
def test_a_replaced_image_runs_that_stage_and_its_descendants_again(pipeline: str, stage: str) -> None:
    again = runs_again(package(pipeline), RUN, {**RUN, f"{stage}_image": "registry/other:2"})
    assert again == always(pipeline) | expected(pipeline, stage)
    if not expected(pipeline, stage) <= always(pipeline):
        assert len(again) < len(fingerprints(package(pipeline), RUN)) or stage == "ingest"


@pytest.mark.parametrize(("pipeline", "stage"), stages_with("_settings"))
def test_a_restart_with_other_settings_of_a_stage_takes_what_came_before_from_the_cache(
    pipeline: str, stage: str
) -> None:
    """Preflight looks at the settings of all stages, and runs every time; where it searches, it is given no settings of others."""
    again = runs_again(package(pipeline), RUN, {**RUN, f"{stage}_settings": json.dumps({"seed": 7})})
    functions = flow(package(pipeline))[1]
    looks = {path for path, function in functions.items() if function == "preflight"}
    assert again - looks == (always(pipeline) | expected(pipeline, stage)) - looks


def test_a_restart_from_sft_in_the_first_pipeline() -> None:
    """The same in full, for one: questions, traces, labels and the base model's evaluations stay."""
    again = runs_again(package("self_training"), RUN, {**RUN, "sft_settings": '{"epochs": 5}'})
    kept = {path[-1] for path in fingerprints(package("self_training"), RUN)} - {path[-1] for path in again}
    assert kept == {
        "ingest",
        "trace-generation",
        "error-labeling",
        "preferences",
        "evaluation",
        "evaluation-3",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"store_secret": "other"},
        {"tools_secret": "other"},
        {"model_secret": "other"},
        {"node_selector": {"pool": "large"}},
        {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
    ],
)
def test_where_pods_go_and_which_secrets_they_read_is_not_in_the_key(change: dict[str, object]) -> None:
    after = {**RUN, **change}
    assert runs_again(package("whetstone"), RUN, after) == always("whetstone")  # type: ignore[arg-type]


def test_a_number_of_accelerators_is_in_the_key() -> None:
    again = runs_again(package("whetstone"), RUN, {**RUN, "ppo_accelerators": "4"})
    assert again == always("whetstone") | expected("whetstone", "ppo")


def test_what_a_loop_goes_over_is_in_the_key_of_what_collects_it() -> None:
    """Another list of arms runs the arms and their table again, and nothing before them."""
    text, functions = package("tl_ablation"), flow(package("tl_ablation"))[1]
    other = text.replace('"title": "MAE"', '"title": "masked"')
    assert other != text
    old, new = fingerprints(text, RUN), fingerprints(other, RUN)
    stages = {functions[path] for path in old if old[path] != new[path]}
    assert stages >= {"sft", "ppo", "ablation"}
    assert not stages & {"ingest", "trace_generation"}


def test_a_parameter_that_the_pipeline_does_not_have_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"parameter sft_imge: the pipeline has none of that name.*sft_image"
    ):
        fingerprints(package("self_training"), {**RUN, "sft_imge": "x"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Fine-tune", "Tune"),
        ("""image: '{{$.inputs.parameters[''pipelinechannel--sft_image'']}}'""", "image: own/sft:1"),
    ],
)
def test_the_faces_source_and_the_image_as_compiled_are_in_the_key(old: str, new: str) -> None:
    """So that another version of a face is not answered by what an older one made."""
    text = package("self_training")
    changed = text.replace(old, new)
    assert changed != text
    before, after = fingerprints(text, RUN), fingerprints(changed, RUN)
    differing = {path for path in before if before[path] != after[path]} - always("self_training")
    assert differing == expected("self_training", "sft") - always("self_training")
