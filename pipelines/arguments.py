"""`key=value` words of the command line -> the parameters of a run, checked before anything starts."""

import functools
import importlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml
from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.methods import METHODS, check_kind, method_names
from components.contracts.nearest import nearest
from components.contracts.settings import StageSettings, merged
from pipelines.catalog import PIPELINES
from pipelines.cluster_values import check_cluster_value
from pipelines.compile import compile_pipeline, compiled_path

LOCAL_KEYS = ("preset", "corpus")
DEMO = "demo"  # as a preset: the pipeline's own demo, questions included
SETTINGS = "_settings"
ROUNDS = "rounds"
WITHOUT = "without"
WITH = "with"
OF_STAGE = (SETTINGS, "_image", "_accelerators")  # how the names of a stage's own parameters end


@dataclass(frozen=True)
class Arguments:
    """What a run was given: the pipeline's parameters by name, and what only the local run reads.

    pipeline: the one that runs, which rounds=K turns into another; rounds: how many it has, 0 without.
    without: the parts of the pipeline that are left out; also: those that are there on demand alone.
    preset: as it was written, so `demo` for the demo of any pipeline; empty when none was.
    """

    pipeline: str
    rounds: int
    parameters: dict[str, JsonValue]
    preset: str
    corpus: str = ""
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@functools.cache
def declared_parameters(pipeline: str) -> dict[str, dict[str, Any]]:
    """The pipeline's parameters as its compiled YAML declares them: name -> KFP's definition."""
    return _root_parameters(compiled_path(pipeline).read_text(encoding="ascii"))


def _root_parameters(package: str) -> dict[str, dict[str, Any]]:
    spec = next(iter(yaml.safe_load_all(package)))
    return cast(dict[str, dict[str, Any]], spec["root"]["inputDefinitions"]["parameters"])


def settings_class(stage: str) -> type[StageSettings]:
    """The settings model of a stage: the StageSettings of `components.<stage>.settings`."""
    module = importlib.import_module(f"components.{stage}.settings")
    for value in vars(module).values():
        is_settings = isinstance(value, type) and issubclass(value, StageSettings)
        if is_settings and getattr(value, "stage", "") == stage:
            return cast(type[StageSettings], value)
    raise LookupError(f"components.{stage}.settings has no StageSettings with stage = {stage!r}")


def parse_arguments(pipeline: str, words: Sequence[str]) -> Arguments:
    """Read `questions=FILE preset=demo sft.epochs=2 sft_settings={...}` for one pipeline.

    A stage's settings start at the preset (where the stage has it), then its dotted overrides apply. A
    whole `<stage>_settings` replaces the preset. Without a preset the pipeline's own holds, if it has one.
    `preset=demo` is the pipeline's demo, `rounds=K` the pipeline K times over, `without=PART,PART` the pipeline
    without them, `with=PART` the pipeline with what it has on demand. Settings come back as canonical JSON.

    Raises:
        InputError: a word without `=`, an unknown key (the nearest is offered), a key given twice, settings the
            stage would refuse, or a value of which a cluster could make no pod.
    """
    pairs = _split(words)
    pipeline, rounds = in_rounds(pipeline, pairs.pop(ROUNDS, None))
    without = parts_of(pipeline, pairs.pop(WITHOUT, ""))
    also = on_demand_of(pipeline, pairs.pop(WITH, ""))
    declared = parameters_of_form(pipeline, without, also)
    stages = [name.removesuffix(SETTINGS) for name in declared if name.endswith(SETTINGS)]
    whole: dict[str, str] = {}
    overrides: dict[str, dict[str, str]] = {stage: {} for stage in stages}
    for key, value in pairs.items():
        stage, _, path = key.partition(".")
        if path and stage in overrides:
            overrides[stage][path] = value
        elif key in declared or key in LOCAL_KEYS:
            whole[key] = value
        else:
            known = [*declared, *LOCAL_KEYS, ROUNDS, WITHOUT, WITH, *(f"{stage}.{path}" for stage in stages)]
            raise InputError(f"unknown parameter {key!r}{nearest(key, known)}; see `whetstone run --help`")

    preset = whole.pop("preset", "")
    corpus = whole.pop("corpus", "")
    classes = {stage: settings_class(stage) for stage in stages}
    stage_preset = _stage_preset(pipeline, preset, classes.values())
    _check_choices(whole, stages)
    parameters: dict[str, JsonValue] = {}
    for stage, cls in classes.items():
        more = PIPELINES[pipeline].demo_settings.get(stage, {}) if preset == DEMO else {}
        text = _settings_text(cls, whole.pop(stage + SETTINGS, None), stage_preset, more, overrides[stage])
        parameters[stage + SETTINGS] = cls.parse(text).canonical()
    for key, value in whole.items():
        parameters[key] = _typed(key, value, declared[key]["parameterType"])
        check_cluster_value(key, parameters[key])
    return Arguments(pipeline, rounds, parameters, preset, corpus, without, also)


def parts_of(pipeline: str, text: str) -> tuple[str, ...]:
    """The parts that a text says are left out, comma separated.

    Raises:
        InputError: the pipeline has no such part; the nearest is offered.
    """
    able = [name for name, one in PIPELINES.items() if one.parts]
    return _named_parts(
        pipeline, WITHOUT, text, PIPELINES[pipeline].parts, f"leave out; expected {' or '.join(able)}"
    )


def on_demand_of(pipeline: str, text: str) -> tuple[str, ...]:
    """The parts on demand that a text asks for, comma separated.

    Raises:
        InputError: the pipeline has no such part; the nearest is offered.
    """
    able = [name for name, one in PIPELINES.items() if one.on_demand]
    return _named_parts(
        pipeline, WITH, text, PIPELINES[pipeline].on_demand, f"add; expected {' or '.join(able)}"
    )


def _named_parts(
    pipeline: str, key: str, text: str, known: Collection[str], otherwise: str
) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names and not known:
        raise InputError(f"{key}: {pipeline} has no parts to {otherwise}")
    for name in names:
        if name not in known:
            raise InputError(
                f"{key}: {pipeline} has no part {name!r}{nearest(name, known)}; known: {', '.join(known)}"
            )
    return names


def parameters_of_form(
    pipeline: str, without: Sequence[str] = (), also: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The pipeline's parameters but those of the stages that go with the parts left out, with those on demand."""
    gone = {stage for part in without for stage in PIPELINES[pipeline].parts[part]}
    names = {f"{stage}{ending}" for stage in gone for ending in OF_STAGE}
    declared = _parameters_with(pipeline, tuple(also)) if also else declared_parameters(pipeline)
    return {name: told for name, told in declared.items() if name not in names}


@functools.cache
def _parameters_with(pipeline: str, also: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return _root_parameters(compile_pipeline(pipeline, also=also))


def in_rounds(pipeline: str, rounds: str | None) -> tuple[str, int]:
    """The pipeline that runs so many rounds, and how many; one round of self-training is self-training.

    Raises:
        InputError: it has no rounds, or the text is no number of them.
    """
    compiled_path(pipeline)
    facts = PIPELINES[pipeline]
    if rounds is None:
        return pipeline, facts.rounds
    if not facts.rounds and not facts.in_rounds:
        able = [name for name, one in PIPELINES.items() if one.in_rounds or one.rounds]
        raise InputError(f"rounds: {pipeline} has none; expected {' or '.join(able)}")
    number = _number_of_rounds(rounds, PIPELINES[facts.in_rounds or pipeline].most_rounds)
    return (pipeline, 0) if facts.in_rounds and number == 1 else (facts.in_rounds or pipeline, number)


def _number_of_rounds(text: str, most: int) -> int:
    """How many rounds a text asks for.

    Raises:
        InputError: no whole number, or one out of range.
    """
    # int() refuses thousands of digits, and the message should not repeat them.
    if len(text) > 9 or not text.isdecimal() or not 1 <= int(text) <= most:
        got = repr(text) if len(text) <= 40 else f"{text[:40]!r} and {len(text) - 40} characters more"
        raise InputError(f"rounds: expected a whole number from 1 to {most}, got {got}")
    return int(text)


def _check_choices(whole: Mapping[str, str], stages: Sequence[str]) -> None:
    """Refuse a method that the pipeline does not have, or an unknown kind of pairs."""
    known = [name for name in METHODS if name in stages]
    if "method" in whole and not method_names(whole["method"], known):
        raise InputError(f"method: empty; expected one or more of {', '.join(known)}")
    check_kind(whole.get("kind", ""))


def _stage_preset(pipeline: str, preset: str, classes: Iterable[type[StageSettings]]) -> str:
    """The preset of the stages' settings that a preset of the run stands for."""
    facts = PIPELINES[pipeline]
    known = {DEMO} | {name for cls in classes for name in cls.presets}
    if preset and preset not in known:
        names = sorted(known)
        raise InputError(
            f"preset: unknown preset {preset!r}{nearest(preset, names)}; known: {', '.join(names)}"
        )
    return facts.demo_preset if preset == DEMO else preset or facts.preset


def _split(words: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f"{word!r}: expected key=value, for example questions=questions.jsonl")
        if key in pairs:
            raise InputError(f"{key}: given twice")
        pairs[key] = value
    return pairs


def _settings_text(
    cls: type[StageSettings],
    whole: str | None,
    preset: str,
    more: Mapping[str, JsonValue],
    overrides: Mapping[str, str],
) -> str:
    """The stage's settings string before it is parsed: preset with more, or whole string, then overrides."""
    if whole is not None and not overrides:
        return whole
    if whole is not None:
        cls.parse(whole)
        settings = json.loads(whole) if whole.strip() else {}
    else:
        settings = ({"preset": preset} if preset in cls.presets else {}) | dict(more)
    for path, value in overrides.items():
        nested = _json_or_text(value)
        for part in reversed(path.split(".")):
            nested = {part: nested}
        settings = merged(settings, cast(dict[str, JsonValue], nested))
    return json.dumps(settings)


def _json_or_text(value: str) -> JsonValue:
    try:
        return cast(JsonValue, json.loads(value))
    except (ValueError, RecursionError):  # no JSON, or more digits or brackets than Python reads
        return value


def _typed(key: str, value: str, kind: str) -> JsonValue:
    """A run parameter's value in its declared type; most are strings, a few are JSON."""
    if kind == "STRING":
        return value
    expected: dict[str, type] = {"STRUCT": dict, "LIST": list}
    parsed = _json_or_text(value)
    if not isinstance(parsed, expected.get(kind, object)):
        name = {"STRUCT": "a JSON object", "LIST": "a JSON list"}[kind]
        raise InputError(f"{key}: expected {name}, got {value!r}")
    return parsed
