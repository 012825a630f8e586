"""`whetstone submit --dry-run`: the pods and the command, without an API; and what a submission is told at all."""

import json
import shlex

import pytest
from kfp.cli.utils.parsing import parse_parameter_value
from typer.testing import CliRunner

from components.dpo.settings import DPOSettings
from pipelines.arguments import declared_parameters, parse_arguments, settings_class
from pipelines.catalog import PIPELINES
from pipelines.cli import app
from pipelines.compile import compiled_path
from pipelines.spec.pods import resolved_pods
from pipelines.submit.dry_run import kfp_argument
from pipelines.submit.parameters import shortest_settings, told_parameters


def dry_run(*words: str) -> str:
    # Nobody listens at this address, and nothing asks there.
    result = CliRunner().invoke(app, ["submit", *words, "--dry-run", "--host", "http://127.0.0.1:9"])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pod_is_shown_in_80_columns(pipeline: str) -> None:
    shown = dry_run(pipeline, "questions=s3://b/q.jsonl")
    pods, _, command = shown.partition("The same by kfp")
    package = compiled_path(pipeline).read_text(encoding="ascii")
    for pod in resolved_pods(package, {"questions": "s3://b/q.jsonl"}):
        assert f"{pod.display_name} ({pod.name})" in " ".join(pods.split())
        assert f" {pod.image}\n" in pods
    assert max(len(line) for line in pods.splitlines()) <= 80
    assert not [line for line in pods.splitlines() if line != line.rstrip()]
    assert "{{$" not in pods
    assert f"--package-file pipelines/compiled/{pipeline}.yaml" in command


def test_what_was_asked_for_is_in_the_pods_that_it_is_for() -> None:
    shown = dry_run(
        "self_training",
        "questions=s3://b/q.jsonl",
        "sft_image=registry/mine:2",
        "sft_accelerators=4",
        "accelerator_type=amd.com/gpu",
        'node_selector={"pool":"gpu"}',
        'tolerations=[{"key":"gpu","operator":"Exists"}]',
        "store_secret=our-store",
    )
    pods, _, _ = shown.partition("The same by kfp")
    common, *blocks = pods.split("\n\n")
    assert "pool=gpu" in common
    assert "key: gpu, operator: Exists" in common
    assert "our-store (may be absent): AWS_ACCESS_KEY_ID" in common
    assert "whetstone-store" not in pods
    (sft,) = [block for block in blocks if "registry/mine:2" in block]
    assert sft.startswith("SFT (")
    assert "4 x amd.com/gpu" in sft
    (generation,) = [block for block in blocks if block.startswith("Trace generation (")]
    assert "one pod for every item of <exit-handler-1/ingest.Output>" in generation
    assert pods.count("4 x amd.com/gpu") == 1
    (preflight,) = [block for block in blocks if block.startswith("Preflight (")]
    assert "never taken from it" in preflight
    assert "taken from it if nothing changed" in common


def test_rounds_are_compiled_before_kfp_takes_them() -> None:
    shown = dry_run("self_training", "questions=q", "rounds=2")
    commands = shown.splitlines()
    assert "whetstone compile self_training_rounds --rounds 2 --out self_training_rounds.yaml" in commands
    assert "  --package-file self_training_rounds.yaml \\" in commands


TEXTS = (
    "1",
    "1.5",
    "true",
    "null",
    "[]",
    '{"epochs":2}',
    '"quoted"',
    "plain text",
    "",
    "it's",
    "s3://b/q",
    "NaN",
)


@pytest.mark.parametrize("value", [*TEXTS, {}, {"pool": "gpu"}, [{"key": "a"}], ["x"]])
def test_kfp_reads_what_was_meant(value: object) -> None:
    (word,) = shlex.split(shlex.quote(f"name={kfp_argument(value)}"))  # type: ignore[arg-type]
    read = parse_parameter_value(word.partition("=")[2])
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("words", [(), ("preset=demo",), ("sft.epochs=7", "evaluation.engine.kind=openai")])
def test_what_is_told_means_what_was_asked(pipeline: str, words: tuple[str, ...]) -> None:
    arguments = parse_arguments(pipeline, ["questions=q", *words])
    told = told_parameters(arguments)
    declared = declared_parameters(pipeline)
    for name, value in arguments.parameters.items():
        sent = told.get(name, declared[name].get("defaultValue"))
        if name.endswith("_settings"):
            cls = settings_class(name.removesuffix("_settings"))
            assert cls.parse(str(sent)).canonical() == value
        else:
            assert sent == value
    if not words:
        assert told == {"questions": "q"}


def test_settings_are_told_by_what_differs() -> None:
    def short(text: str, default: str = "{}", *presets: str) -> str:
        return shortest_settings(DPOSettings, DPOSettings.parse(text).canonical(), default, presets)

    assert short("{}") == "{}"
    assert short("{}", '{"preset":"itool"}') != '{"preset":"itool"}'
    assert short('{"preset":"itool"}', '{"preset":"itool"}') == '{"preset":"itool"}'
    assert json.loads(short('{"preset":"itool","epochs":9}', '{"preset":"itool"}')) == {
        "preset": "itool",
        "epochs": 9,
    }
    assert short('{"preset":"demo"}', "{}", "demo") == '{"preset":"demo"}'
    assert short('{"preset":"demo"}', "{}", "no-such") != '{"preset":"no-such"}'
