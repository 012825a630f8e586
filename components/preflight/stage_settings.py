"""Do the settings of every stage parse? What the other checks need to know comes out parsed."""

import importlib
import json
from collections.abc import Mapping
from functools import partial
from types import ModuleType

from components.contracts.errors import InputError
from components.contracts.settings import StageSettings
from components.preflight.checks import Check, Skipped


def settings_of_stages(text: str) -> dict[str, str]:
    """The parameter `stage_settings`: a JSON object from stage to settings string.

    Raises:
        InputError: it is something else.
    """
    try:
        found = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise InputError(f"stage_settings: not JSON at column {error.colno}: {error.msg}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InputError("stage_settings: expected a JSON object from stage to settings string")
    return found


def parse_stage(stage: str, text: str) -> StageSettings:
    """The parsed settings of one stage.

    Raises:
        InputError: they don't parse.
        Skipped: this image does not hold that stage's settings.
    """
    name = f"components.{stage}.settings"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and not name.startswith(error.name):
            raise
        raise Skipped(f"this image does not hold {name}; the stage itself will check") from error
    return _model_of(module, stage).parse(text)


def parsed_settings(stages: Mapping[str, str]) -> dict[str, StageSettings]:
    """The settings of all stages that parse; the others are the checks' business."""
    found = {}
    for stage, text in stages.items():
        try:
            found[stage] = parse_stage(stage, text)
        except (InputError, Skipped):
            continue
    return found


def settings_checks(stages: Mapping[str, str]) -> list[Check]:
    """One check a stage."""
    return [Check("settings", stage, partial(_look, stage, text)) for stage, text in stages.items()]


def _look(stage: str, text: str) -> str:
    parse_stage(stage, text)
    return text.strip() or "defaults"


def _model_of(module: ModuleType, stage: str) -> type[StageSettings]:
    for found in vars(module).values():
        if (
            isinstance(found, type)
            and issubclass(found, StageSettings)
            and found.__dict__.get("stage") == stage
        ):
            return found
    raise InputError(f"{stage}_settings: {module.__name__} has no settings model of the stage {stage!r}")
