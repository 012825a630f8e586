"""Settings of the service: environment variables WHETSTONE_TOOLS_*, overridden by the command line."""

import ipaddress
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from components.contracts.errors import InputError

PREFIX = "WHETSTONE_TOOLS_"
DEFAULT_PORT = 8080
SHORTEST_TOKEN = 16
KNOWN_TOKENS = frozenset({"changeme", "change-me", "default", "development", "password", "secret", "token"})


class ToolsSettings(BaseSettings):
    """Everything that can be set. Seconds are wall-clock; sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    token: SecretStr = SecretStr("")  # bearer token; required unless it is development on loopback

    corpus: str = ""  # .jsonl or .jsonl.gz for wikipedia_search: a file or s3://
    index: str = ""  # instead of a corpus: a published index, a folder or s3://
    retriever: Literal["bm25", "dense"] = "bm25"
    encoder: str = ""  # the dense retriever's sentence-embedding model: a folder, hf:// or s3://
    passages: int = Field(1, ge=1, le=100)  # how many passages a search replies with
    translator: str = ""  # seq2seq model: a folder, hf:// or s3://
    translator_source: str = "spa"  # language codes as the model or apertium writes them
    translator_target: str = "eng"
    tools: tuple[str, ...] = ()  # more tools: package.module:function
    openapi: tuple[str, ...] = ()  # OpenAPI documents: see tools_service.remote_sources for how to write one
    mcp: tuple[str, ...] = ()  # MCP servers, by streamable HTTP
    mcp_commands: tuple[str, ...] = ()  # MCP servers that are started here and spoken to over stdio
    stand_ins: Path | None = None  # tools of which only schemas are there: see tools_service.stand_ins

    max_body_bytes: int = Field(1 << 20, ge=1)
    max_batch: int = Field(1024, ge=1)
    max_connections: int = Field(2048, ge=1)
    call_seconds: float = Field(10.0, gt=0)  # one call of a tool
    receive_seconds: float = Field(8.0, gt=0)  # one request, from its first byte to its last
    idle_seconds: int = Field(5, ge=1)  # a connection without a request
    requests_per_second: float = Field(0.0, ge=0)  # of one client address; 0 sets no limit
    threads: int = Field(4, ge=1, le=64)  # for tools that are not quick
    drain_seconds: float = Field(1.0, ge=0)  # from "not ready" to the listener's closing
    shutdown_seconds: float = Field(30.0, gt=0)  # for requests in progress after that

    faults: str = ""  # JSON of tools_service.faults.FaultPlan; empty injects nothing
    faults_log: Path | None = None  # JSONL file that records the truth of each call

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings from the environment and from what was given (None: not given).

        Raises:
            InputError: a value out of range; outside development no token or a well-known one.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except SettingsError as error:  # a list in the environment that is not JSON
            raise InputError(f"{PREFIX}*: {error}; expected JSON") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            name = f"{PREFIX}{where.upper()}: " if where else ""
            raise InputError(name + str(first["msg"]).removeprefix("Value error, ")) from None

    @field_validator("port", mode="before")
    @classmethod
    def _is_no_service_link(cls, value: object) -> object:
        """Kubernetes sets WHETSTONE_TOOLS_PORT=tcp://... itself where a Service is named whetstone-tools."""
        return DEFAULT_PORT if isinstance(value, str) and value.startswith("tcp://") else value

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        token = self.token.get_secret_value()
        if self.environment == "development" and is_loopback(self.host) and not token:
            return self
        where = (
            "in production" if self.environment == "production" else f"on {self.host}, which is not loopback,"
        )
        if not token:
            raise ValueError(
                f"{PREFIX}TOKEN: {where} a bearer token is required; expected {SHORTEST_TOKEN}+ characters"
            )
        if self.environment == "production" and (
            token.lower() in KNOWN_TOKENS or len(token) < SHORTEST_TOKEN
        ):
            raise ValueError(
                f"{PREFIX}TOKEN: too short or well-known; expected {SHORTEST_TOKEN}+ random characters"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
