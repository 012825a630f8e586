"""A stage's settings: one line of canonical JSON in, a typed and checked object out."""

import difflib
import json
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from components.contracts.errors import InputError


class StageSettings(BaseModel):
    """Base of every `components.<stage>.settings` model.

    A settings string is a JSON object whose keys override a preset:
    `{"preset": "demo", "epochs": 2}`. Without a preset the class's defaults hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: ClassVar[str]
    presets: ClassVar[Mapping[str, Mapping[str, JsonValue]]] = {}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a settings string; an empty string gives the defaults.

        Raises:
            InputError: not a JSON object, an unknown key or preset (the nearest name is offered),
                or a value out of range (the key is named).
        """
        parameter = f"{cls.stage}_settings"
        try:
            given = json.loads(text) if text.strip() else {}
        except json.JSONDecodeError as error:
            raise InputError(f"{parameter}: not JSON at column {error.colno}: {error.msg}") from error
        if not isinstance(given, dict):
            raise InputError(f"{parameter}: expected a JSON object, got {type(given).__name__}")
        preset = given.pop("preset", None)
        if preset is not None and preset not in cls.presets:
            raise InputError(
                f"{parameter}: unknown preset {preset!r}{_nearest(str(preset), cls.presets)}; known: {', '.join(cls.presets)}"
            )
        for key in given:
            if key not in cls.model_fields:
                raise InputError(f"{parameter}: unknown key {key!r}{_nearest(key, cls.model_fields)}")
        merged = {**(cls.presets[preset] if preset else {}), **given}
        try:
            return cls.model_validate(merged)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{parameter}: {where}: {first['msg']}, got {first['input']!r}") from error

    def canonical(self) -> str:
        """The settings as canonical JSON: sorted keys, no spaces; equal settings, equal string."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _nearest(word: str, known: Mapping[str, object]) -> str:
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
