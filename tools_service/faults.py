"""Seeded fault injection: each error of a tool's side, in a foreign service's words, with the truth kept.

It makes ground truth for whatever reads tool replies (the error labeller above all). What befalls a
call depends on the seed, the call and how often that same call came before: never on the order in
which concurrent calls arrive, so that equal runs meet equal faults and a retry may succeed.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO, TypedDict

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from components.contracts.errors import InputError
from components.contracts.tool_errors import ToolError

KEPT_ROWS = 100_000  # of the truth, in memory


class FaultPlan(BaseModel):
    """How often each category is injected.

    rates: category -> probability; together at most 1. typed: whether the reply still carries the
    category's code; without it the reply looks like a success and only its words tell, as with
    services that are not ours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    rates: dict[ToolError, float] = Field(min_length=1)
    typed: bool = True

    @model_validator(mode="after")
    def _is_distribution(self) -> "FaultPlan":
        if min(self.rates.values()) < 0 or sum(self.rates.values()) > 1 + 1e-9:
            raise ValueError("rates: expected probabilities that sum to at most 1")
        return self

    @classmethod
    def parse(cls, text: str) -> "FaultPlan":
        """Reads `{"seed": 7, "rates": {"timeout": 0.1}}`.

        Raises:
            InputError: not such JSON; the field is named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"faults: {where}: {first['msg']}; categories: {', '.join(ToolError)}") from None


class Truth(TypedDict):
    """What really happened to one call: `injected` is None for calls that were left alone."""

    number: int
    call_id: str
    name: str
    arguments: dict[str, JsonValue]
    injected: ToolError | None
    error: ToolError | None
    content: str


class FaultInjector:
    """Draws faults by a plan and records the truth of every call, in memory and in a JSONL file."""

    def __init__(self, plan: FaultPlan, log: Path | None = None) -> None:
        self.plan = plan
        self.rows: deque[Truth] = deque(maxlen=KEPT_ROWS)
        self._seen: Counter[bytes] = Counter()
        self._count = 0
        self._file: TextIO | None = None
        if log is not None:
            try:
                self._file = log.open("w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise InputError(
                    f"faults_log {log}: {error.strerror}; expected a file that can be written"
                ) from error

    def draw(self, name: str, arguments: Mapping[str, JsonValue]) -> tuple[ToolError, str] | None:
        """The category and the words of the fault that befalls this call, or None."""
        call = hashlib.sha256(json.dumps([name, arguments], sort_keys=True).encode()).digest()
        times = self._seen[call]
        self._seen[call] += 1
        random = hashlib.sha256(f"{self.plan.seed}:{times}:".encode() + call).digest()
        draw = int.from_bytes(random[:8], "big") / 2**64
        for category, rate in self.plan.rates.items():
            if draw < rate:
                words = FAULT_WORDS[category]
                parameter = next(iter(arguments), "input")
                return category, words[random[8] % len(words)].format(tool=name, parameter=parameter)
            draw -= rate
        return None

    def record(
        self,
        call_id: str,
        name: str,
        arguments: Mapping[str, JsonValue],
        injected: ToolError | None,
        error: ToolError | None,
        content: str,
    ) -> None:
        """Keeps what really happened to a call."""
        row = Truth(
            number=self._count,
            call_id=call_id,
            name=name,
            arguments=dict(arguments),
            injected=injected,
            error=error,
            content=content,
        )
        self._count += 1
        self.rows.append(row)
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")


FAULT_WORDS: dict[ToolError, tuple[str, ...]] = {
    ToolError.PARSE_FAILURE: (
        "Error: could not parse the call to {tool}: unexpected end of input",
        '{{"error": {{"type": "invalid_request", "message": "malformed function arguments"}}}}',
        "SyntaxError: invalid syntax in the arguments of {tool}",
    ),
    ToolError.TOOL_HALLUCINATION: (
        "Error: there is no tool named {tool}",
        '{{"status": 404, "message": "unknown function {tool}"}}',
        "{tool} is not a valid tool, try another one.",
    ),
    ToolError.PARAMETER_HALLUCINATION: (
        "TypeError: {tool}() got an unexpected keyword argument '{parameter}'",
        '{{"error": "unknown parameter: {parameter}"}}',
        "Error: {tool} does not accept a parameter called {parameter}",
    ),
    ToolError.MISSING_PARAMETER: (
        "TypeError: {tool}() missing 1 required positional argument: '{parameter}'",
        '{{"error": "the required parameter {parameter} was not provided"}}',
        "400 Bad Request: missing field {parameter}",
    ),
    ToolError.WRONG_TYPE_OR_VALUE: (
        "ValueError: invalid value for {parameter}",
        '{{"error": "{parameter} has the wrong type", "code": 422}}',
        "Error: the value of {parameter} is not allowed here",
    ),
    ToolError.TOOL_CALL_FAILURE: (
        "Error: {tool} could not complete the request",
        '{{"success": false, "error": "no result could be computed"}}',
        "Request failed: nothing was found for this input",
    ),
    ToolError.TOOL_INSTABILITY: (
        "HTTPSConnectionPool(host='{tool}', port=443): Max retries exceeded with url: /v1",
        "503 Service Unavailable",
        '{{"error": "rate limit exceeded, please retry later", "status": 429}}',
        "502 Bad Gateway: upstream of {tool} closed the connection",
    ),
    ToolError.TIMEOUT: (
        "Error: {tool} timed out after 10 seconds",
        "504 Gateway Timeout",
        "ReadTimeout: no reply from {tool} within the deadline",
    ),
}
