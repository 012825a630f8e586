"""What a submitted run is told: only what differs from the pipeline's defaults, as a person would write it.

So a run shows in the UI what was asked for, and shares its cache with one that somebody starts there with the same words.
"""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from components.contracts.settings import StageSettings, merged
from pipelines.arguments import SETTINGS, Arguments, parameters_of_form, settings_class
from pipelines.catalog import PIPELINES


def told_parameters(arguments: Arguments) -> dict[str, JsonValue]:
    """The parameters of a run without those that are at the pipeline's defaults; settings keep what differs."""
    declared = parameters_of_form(arguments.pipeline, arguments.without, arguments.also)
    presets = (arguments.preset, PIPELINES[arguments.pipeline].demo_preset)
    told: dict[str, JsonValue] = {}
    for name, value in arguments.parameters.items():
        default = declared[name].get("defaultValue")
        if name.endswith(SETTINGS) and isinstance(value, str) and isinstance(default, str):
            value = shortest_settings(settings_class(name.removesuffix(SETTINGS)), value, default, presets)
        if value != default:
            told[name] = value
    return told


def shortest_settings(cls: type[StageSettings], text: str, default: str, presets: Sequence[str] = ()) -> str:
    """The shortest text that means the same settings as `text`: the default's, or what differs from it or from a preset."""
    wanted = cls.parse(text).canonical()
    own = json.loads(default).get("preset", "")
    starts = [{"preset": name} if name else {} for name in (own, *presets) if not name or name in cls.presets]
    shortest = wanted
    for start in starts:
        base = json.dumps(start, separators=(",", ":"))
        differing = _differing(json.loads(cls.parse(base).canonical()), json.loads(wanted))
        short = json.dumps(merged(start, differing), sort_keys=True, separators=(",", ":"))
        # Settings may hold what depends on other keys, so that leaving some out would change others.
        if len(short) < len(shortest) and cls.parse(short).canonical() == wanted:
            shortest = short
    return default if cls.parse(default).canonical() == wanted else shortest


def _differing(base: Mapping[str, JsonValue], given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for key, value in given.items():
        before = base.get(key)
        if key in base and before == value and type(before) is type(value):
            continue
        both = isinstance(before, dict) and isinstance(value, dict)
        result[key] = _differing(before, value) if both else value  # type: ignore[arg-type]
    return result
