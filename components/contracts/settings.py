"""A stage's settings: one line of canonical JSON in, a typed and checked object out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from components.contracts.errors import InputError
from components.contracts.nearest import nearest


class StageSettings(BaseModel):
    """Base of every `components.<stage>.settings` model.

    A settings string is a JSON object whose keys override a preset, at any depth:
    `{"preset": "demo", "epochs": 2}`. Without a preset the class's defaults hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: ClassVar[str]
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {}

    @classmethod
    def parse(cls, text: str, overrides: str = "") -> Self:
        """Read a settings string; an empty string gives the defaults.

        overrides: a second object, merged over the first: what one arm of a comparison does otherwise.

        Raises:
            InputError: not a JSON object, an unknown key or preset (the nearest name is offered),
                or a value out of range (the key is named).
        """
        parameter = f"{cls.stage}_settings"
        given = merged(_read_object(text, parameter), _read_object(overrides, f"{cls.stage}: overrides"))
        preset = given.pop("preset", None)
        if preset is not None and preset not in list(cls.presets):
            raise InputError(
                f"{parameter}: unknown preset {preset!r}{nearest(str(preset), cls.presets)}; known: {', '.join(cls.presets)}"
            )
        try:
            return cls.model_validate(merged(cls.presets[str(preset)] if preset else {}, given))
        except ValidationError as error:
            found = error.errors(include_url=False)
            unknown = (one for one in found if one["type"] == "extra_forbidden")
            raise InputError(f"{parameter}: {_described(next(unknown, found[0]), cls)}") from error

    def canonical(self) -> str:
        """The settings as canonical JSON: sorted keys, no spaces; equal settings, equal string."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _read_object(text: str, parameter: str) -> dict[str, JsonValue]:
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise InputError(f"{parameter}: not JSON at column {error.colno}: {error.msg}") from error
    except ValueError as error:
        raise InputError(f"{parameter}: a number has too many digits, expected one in range") from error
    except RecursionError as error:
        raise InputError(f"{parameter}: nested too deeply, expected a JSON object of settings") from error
    if not isinstance(given, dict):
        raise InputError(f"{parameter}: expected a JSON object, got {type(given).__name__}")
    return given


def merged(base: Mapping[str, JsonValue], over: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`base` with the values of `over`; where both hold an object, the objects are merged too."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _described(error: ErrorDetails, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *path, key = (str(part) for part in error["loc"])
        known = [
            *_fields_at(model, path),
            *(["preset"] if not path and getattr(model, "presets", None) else []),
        ]
        return f"unknown key {where!r}{nearest(key, known)}"
    reason = error["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    return f"{where}: {reason}, got {error['input']!r}" if where else reason


def _fields_at(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys of the model that lies under `path`; none where that is no model."""
    for part in path:
        field = model.model_fields.get(part)
        inner = next(_models(field.annotation), None) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as `Engine` or `Engine | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
