"""`key=value` words: what a run is given, and one clear line for what it is not."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from components.contracts.errors import InputError
from components.sft.settings import SFTSettings
from pipelines.arguments import SETTINGS, declared_parameters, parse_arguments, settings_class
from pipelines.catalog import PIPELINES
from pipelines.cli import app
from pipelines.local.run import _local_parameters


def settings_of(stage: str, *words: str) -> dict[str, Any]:
    text = parse_arguments("self_training", words).parameters[f"{stage}_settings"]
    assert isinstance(text, str)
    settings = json.loads(text)
    assert text == json.dumps(settings, sort_keys=True, separators=(",", ":"))
    assert isinstance(settings, dict)
    return settings


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("preset", ["", "self-training", "tl-training", "demo"])
def test_settings_that_are_sent_are_what_the_stage_reads(pipeline: str, preset: str) -> None:
    words = [f"preset={preset}"] if preset else []
    sent = parse_arguments(pipeline, words).parameters
    facts = PIPELINES[pipeline]
    meant = facts.demo_preset if preset == "demo" else preset or facts.preset
    stages = [
        name.removesuffix(SETTINGS) for name in declared_parameters(pipeline) if name.endswith(SETTINGS)
    ]
    for stage in stages:
        cls = settings_class(stage)
        chosen = json.dumps({"preset": meant}) if meant in cls.presets else ""
        more = facts.demo_settings.get(stage, {}) if preset == "demo" else {}
        assert cls.parse(str(sent[stage + SETTINGS])) == cls.parse(chosen, json.dumps(more))


def test_the_demo_of_tl_training_is_its_own() -> None:
    demo = parse_arguments("tl_ablation", ["preset=demo"]).parameters
    assert json.loads(str(demo["sft_settings"])) == SFTSettings.parse('{"preset":"demo_calls"}').model_dump(
        mode="json"
    )
    changed = parse_arguments("tl_training", ["preset=demo", "ppo.rollouts_per_prompt=2"]).parameters
    assert json.loads(str(changed["ppo_settings"])) == {
        **json.loads(str(demo["ppo_settings"])),
        "rollouts_per_prompt": 2,
    }


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_demo_brings_its_questions(pipeline: str) -> None:
    parameters, corpus = _local_parameters(parse_arguments(pipeline, ["preset=demo"]))
    assert parameters["questions"] == PIPELINES[pipeline].demo_questions
    assert corpus == ("demo://" if pipeline.startswith("self_training") else "")


def test_overrides_start_at_the_preset() -> None:
    demo = settings_of("sft", "preset=demo")
    changed = settings_of("sft", "preset=demo", "sft.epochs=7", "sft.scheduler=cosine")
    assert changed == {**demo, "epochs": 7, "scheduler": "cosine"}


def test_nested_overrides_keep_what_the_preset_says_beside_them() -> None:
    changed = settings_of("evaluation", "preset=demo", "evaluation.engine.url=http://h:1/v1")
    preset = settings_of("evaluation", "preset=demo")
    assert changed["engine"] == {**preset["engine"], "url": "http://h:1/v1"}


def test_a_nested_object_in_whole_settings_keeps_what_their_preset_says_beside_it() -> None:
    preset = settings_of("evaluation", "preset=demo")["engine"]
    for words in (
        ['evaluation_settings={"preset":"demo","engine":{"batch_size":8}}'],
        ["preset=demo", 'evaluation.engine={"batch_size":8}'],
        ['evaluation_settings={"preset":"demo","engine":{"batch_size":7}}', "evaluation.engine.batch_size=8"],
    ):
        assert settings_of("evaluation", *words)["engine"] == {**preset, "batch_size": 8}


def test_whole_settings_replace_the_preset() -> None:
    plain = settings_of("sft")
    assert settings_of("sft", "preset=demo", 'sft_settings={"epochs":2}') == {**plain, "epochs": 2}
    assert settings_of("sft", 'sft_settings={"epochs":2}', "sft.seed=5") == {**plain, "epochs": 2, "seed": 5}


def test_values_keep_equal_signs_and_text() -> None:
    given = parse_arguments("self_training", ["questions=a=b.jsonl", "corpus=c.jsonl", "sft_accelerators=2"])
    assert given.parameters["questions"] == "a=b.jsonl"
    assert given.parameters["sft_accelerators"] == "2"
    assert given.corpus == "c.jsonl"


@pytest.mark.parametrize(
    "word",
    [
        "sft_image=own",
        "sft_image=whetstone/trace_generation:0.1.0",
        "sft_image=Registry.example:5000/team/own--sft:Latest",
        f"sft_image=localhost:5000/own@sha256:{'0a' * 32}",
        f"sft_image=ghcr.example/team/own:1.2_3-x@sha256:{'0a' * 32}",
        "sft_accelerators=16",
        "accelerator_type=nvidia.com/mig-1g.5gb",
        "registry_secret=team.pull-1",
        'node_selector={"pool":"gpu"}',
        'tolerations=[{"operator":"Exists"}]',
    ],
)
def test_what_a_cluster_takes_passes(word: str) -> None:
    name, _, value = word.partition("=")
    given = parse_arguments("self_training", [word]).parameters[name]
    assert given == (value if isinstance(given, str) else json.loads(value))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["questions"], "'questions': expected key=value"),
        (["=x"], "'=x': expected key=value"),
        (["questons=x"], "unknown parameter 'questons' (did you mean 'questions'?)"),
        (["sft_setings={}"], "unknown parameter 'sft_setings' (did you mean 'sft_settings'?)"),
        (["stf.epochs=2"], "unknown parameter 'stf.epochs'"),
        (["sft.epoch=2"], "sft_settings: unknown key 'epoch' (did you mean 'epochs'?)"),
        (["sft.epochs=many"], "sft_settings: epochs:"),
        (["sft.epochs=0"], "sft_settings: epochs:"),
        (["sft.epochs.x=0"], "sft_settings: epochs:"),
        (["preset=demo", "sft.dtype.x=0"], "sft_settings: dtype:"),
        (
            ["evaluation.engine.model.thread=1"],
            "evaluation_settings: unknown key 'engine.model.thread' (did you mean 'threads'?)",
        ),
        (
            ["evaluation.engine.call_format=papr"],
            "evaluation_settings: engine.call_format: unknown call format 'papr' (did you mean 'paper'?)",
        ),
        (["sft_settings={"], "sft_settings: not JSON at column 2"),
        (["sft_settings=[]"], "sft_settings: expected a JSON object, got list"),
        (["preset=dem"], "preset: unknown preset 'dem' (did you mean 'demo'?)"),
        (["questions=a", "questions=b"], "questions: given twice"),
        (["tolerations={}"], "tolerations: expected a JSON list"),
        (["node_selector=gpu"], "node_selector: expected a JSON object"),
        (['node_selector={"rank":1}'], "node_selector: expected a JSON object of texts"),
        (['tolerations=["gpu"]'], "tolerations: expected a JSON list of objects"),
        (["sft_accelerators=many"], "sft_accelerators: expected a whole number, got 'many'"),
        (["sft_accelerators=-1"], "sft_accelerators: expected a whole number"),
        (["sft_accelerators="], "sft_accelerators: expected a whole number"),
        (["accelerator_type=gpu"], "accelerator_type: expected a resource name such as nvidia.com/gpu"),
        (["sft_image="], "sft_image: expected an image such as registry.example/team/own-sft:1"),
        (["sft_image=registry.example/Team/own:1"], "sft_image: expected an image"),
        (["sft_image=own sft"], "sft_image: expected an image"),
        (["sft_image=own:a:b/c"], "sft_image: expected an image"),
        (["store_secret="], "store_secret: expected the name of a Kubernetes Secret, got ''"),
        (["model_secret=My_Secret"], "model_secret: expected the name of a Kubernetes Secret"),
        (["method=dop"], "method: unknown 'dop' (did you mean 'dpo'?); known: sft, dpo"),
        (["method=sft,ppo"], "method: unknown 'ppo' (did you mean 'dpo'?); known: sft, dpo"),
        (["method="], "method: empty; expected one or more of sft, dpo"),
        (
            ["kind=mask_conversation"],
            "kind: unknown 'mask_conversation' (did you mean 'masked_conversation'?)",
        ),
        (["rounds=0"], "rounds: expected a whole number from 1 to 32, got '0'"),
        (["rounds=many"], "rounds: expected a whole number from 1 to 32, got 'many'"),
        (["rouns=2"], "unknown parameter 'rouns' (did you mean 'rounds'?)"),
        (["rounds=2", "rounds.margn=0"], "rounds_settings: unknown key 'margn' (did you mean 'margin'?)"),
    ],
)
def test_bad_words_get_one_line(words: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_arguments("self_training", words)
    message = str(caught.value)
    assert message.startswith(said)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preset=demo", "questions=nowhere.jsonl"], "nowhere.jsonl: no such file or folder"),
        (["questions="], "questions: missing"),
        (["questions=s3://bucket/q.jsonl"], "questions: an s3:// URI needs artifact_store="),
        (["questions=demo://", "corpus=s3://b/c.jsonl"], "corpus: an s3:// URI needs artifact_store="),
        (["questions=demo://", "base_model=s3://b/m"], "base_model: an s3:// URI needs artifact_store="),
        (["questions=demo://", "ingest.held_out=s3://b/h.jsonl"], "ingest.held_out: an s3:// URI needs"),
        (["questions=demo://", "publish_to=s3://b/p"], "publish_to: an s3:// URI needs artifact_store="),
    ],
)
def test_bad_places_are_refused_before_anything_starts(words: list[str], said: str, tmp_path: Any) -> None:
    result = CliRunner().invoke(app, ["run", "self_training", "--runs", str(tmp_path / "runs"), *words])
    assert isinstance(result.exception, InputError)
    assert said in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_rounds_turn_self_training_into_its_rounds() -> None:
    for words, pipeline, rounds in (
        (["self_training"], "self_training", 0),
        (["self_training", "rounds=1"], "self_training", 0),
        (["self_training", "rounds=3"], "self_training_rounds", 3),
        (["self_training", "rounds=5", "method=sft,dpo", "kind=response"], "self_training_rounds", 5),
        (["self_training_rounds"], "self_training_rounds", 3),
        (["self_training_rounds", "rounds=1"], "self_training_rounds", 1),
    ):
        given = parse_arguments(words[0], words[1:])
        assert (given.pipeline, given.rounds) == (pipeline, rounds)
        assert set(given.parameters) <= set(declared_parameters(pipeline))
    assert given.parameters.get("method") is None
    with pytest.raises(
        InputError,
        match=r"^rounds: tl_training has none; expected self_training or .* or itool or whetstone$",
    ):
        parse_arguments("tl_training", ["rounds=2"])


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rounds", "9" * 5000, f"rounds: expected a .*to 32, got '{'9' * 40}' and 4960 characters more$"),
        ("sft.epochs", "9" * 5000, "sft_settings: epochs: "),
        ("sft.epochs", "[" * 100_000, "sft_settings: epochs: "),
        ("sft_settings", '{"epochs": ' + "9" * 5000 + "}", "sft_settings: a number has too many digits"),
    ],
    ids=["rounds", "digits", "brackets", "whole"],
)
def test_words_beyond_what_python_reads_get_one_line(key: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        parse_arguments("self_training", [f"{key}={value}"])


def test_the_demo_of_the_grid_practises_without_tools_too() -> None:
    def samples(*words: str) -> int:
        sent = parse_arguments("self_training_grid", words).parameters["trace_generation_settings"]
        return int(json.loads(str(sent))["no_tool_samples"])

    assert samples("preset=demo") == 3
    assert samples("preset=demo", "trace_generation.no_tool_samples=2") == 2
    assert samples() >= 1  # the paper's preset has them by itself
    assert settings_of("trace_generation", "preset=demo")["no_tool_samples"] == 0


def test_help_tells_of_method_kind_and_rounds() -> None:
    said = " ".join(CliRunner().invoke(app, ["run", "--help"]).output.split())
    for word in ("method=", "kind=", "rounds=", "masked_conversation"):
        assert word in said


def test_compiling_another_number_of_rounds_for_a_cluster(tmp_path: Any) -> None:
    out = tmp_path / "five.yaml"
    command = ["compile", "self_training", "--rounds", "2", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception
    assert out.read_text(encoding="ascii").count("name: 'Round 2: DPO'") == 1
    for words, said in (
        (["self_training_rounds", "--rounds", "5"], "--rounds: expected --out FILE too"),
        (["--out", str(out)], "--out: expected the name of one pipeline"),
        (
            ["self_trainin", "--out", str(out)],
            "unknown pipeline 'self_trainin' (did you mean 'self_training'?)",
        ),
        (["tl_ablation", "--rounds", "2", "--out", str(out)], "rounds: tl_ablation has none"),
        (["tl_ablation", "--out", str(tmp_path / "no" / "x.yaml")], "No such file or directory"),
    ):
        refused = CliRunner().invoke(app, ["compile", *words])
        assert isinstance(refused.exception, InputError), words
        assert said in str(refused.exception)


def test_what_is_left_out_takes_its_parameters_along() -> None:
    given = parse_arguments("whetstone", ["without=ppo", "rounds=2", "preset=demo"])
    assert (given.without, given.rounds) == (("ppo",), 2)
    assert not [name for name in given.parameters if name.startswith("ppo")]
    assert "mcts_settings" in given.parameters
    given = parse_arguments("whetstone", ["without=ppo", "with=regression", 'regression.tasks=["gsm8k"]'])
    assert (given.without, given.also) == (("ppo",), ("regression",))
    assert json.loads(str(given.parameters["regression_settings"]))["tasks"] == ["gsm8k"]
    given = parse_arguments("whetstone", ["without=dpo,ppo"])
    assert not {"ppo_settings", "mcts_settings", "dpo_settings", "rounds_settings"} & set(given.parameters)
    for pipeline, words, said in (
        ("whetstone", ["without=ppo", "ppo.epochs=1"], "unknown parameter 'ppo.epochs'"),
        ("whetstone", ["without=ppo", "method=sft,ppo"], "method: unknown 'ppo'"),
        ("whetstone", ["without=popo"], "without: whetstone has no part 'popo' (did you mean 'ppo'?)"),
        (
            "self_training",
            ["without=dpo"],
            "without: self_training has no parts to leave out; expected itool or",
        ),
        ("itool", ["without=sft"], "without: itool has no part 'sft'"),
        ("itool", ["with=regresion"], "with: itool has no part 'regresion' (did you mean 'regression'?)"),
        ("itool", ["regression.limit=5"], "unknown parameter 'regression.limit'"),
        ("self_training_grid", ["with=regression"], "with: self_training_grid has no parts to add; expected"),
        ("itool", ["rounds=7"], "rounds: expected a whole number from 1 to 6, got '7'"),
    ):
        with pytest.raises(InputError) as caught:
            parse_arguments(pipeline, words)
        assert str(caught.value).startswith(said)


def test_compiling_without_a_part_needs_a_file(tmp_path: Any) -> None:
    out = tmp_path / "without.yaml"
    command = ["compile", "whetstone", "--without", "ppo", "--rounds", "2", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception
    text = out.read_text(encoding="ascii")
    assert "Iteration 2: DPO" in text
    assert "name: PPO" not in text
    refused = CliRunner().invoke(app, ["compile", "whetstone", "--without", "ppo"])
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception).startswith("--without: expected --out FILE too")


def test_the_papers_ablations_are_words_of_a_run() -> None:
    def settings(stage: str, *words: str) -> dict[str, Any]:
        parameters = parse_arguments("itool", ["preset=demo", *words]).parameters
        found: dict[str, Any] = json.loads(str(parameters[f"{stage}_settings"]))
        return found

    assert settings("sft")["curriculum"] == "easy_to_hard"
    assert settings("sft", "sft.curriculum=mixed")["curriculum"] == "mixed"
    assert settings("mcts", "mcts.alpha=0.3")["alpha"] == 0.3
    assert settings("dpo", "dpo.loss=ipo")["loss"] == "ipo"
    assert settings("ablation")["reference"] == "warm-up"
    for method in ("sft", "mcts,dpo", "sft,mcts,dpo"):
        assert parse_arguments("itool", [f"method={method}"]).parameters["method"] == method
