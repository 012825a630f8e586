"""The FastAPI application: the registry over HTTP."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import from_json, to_json
from starlette.routing import Route

from components.contracts.tool_errors import ToolError
from tools_service.execution import Call, Executor
from tools_service.faults import FaultInjector, FaultPlan
from tools_service.limits import BearerAuth, BodyLimit, RateLimit
from tools_service.mcp_endpoint import make_mcp_app, make_session_manager
from tools_service.metrics import Metrics
from tools_service.observer import Observer, ServiceState
from tools_service.registry import Registry
from tools_service.settings import ToolsSettings


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ToolArguments(_Body):
    """Body of POST /tools/{name}."""

    arguments: dict[str, Any] = {}


class ErrorReply(_Body):
    """Why a call failed; `code` is one of the closed taxonomy."""

    code: ToolError
    message: str


class CallReply(_Body):
    """What a call gave. An error's content is text for the model, too."""

    content: str
    error: ErrorReply | None
    seconds: float = Field(ge=0)
    call_id: str


class BatchReply(_Body):
    """Replies in the order of the calls."""

    replies: list[CallReply]


class ToolList(_Body):
    """The tools in the OpenAI form, why others are not there, and which data tools reply from."""

    tools: list[dict[str, JsonValue]]
    unavailable: dict[str, str]
    content: dict[str, str]


class Problem(_Body):
    """Why a request was not taken."""

    detail: str


class Health(_Body):
    """State of the service."""

    status: str


class _JsonRequest(Request):
    """Parses bodies with pydantic's parser: bounded depth, no NaN, no lone surrogates."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


class _JsonRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle


def make_app(settings: ToolsSettings, registry: Registry, state: ServiceState | None = None) -> FastAPI:
    """The application. `state` is shared with the server, which sets it when it begins to shut down.

    Raises:
        InputError: a fault plan that can't be read.
    """
    state = state or ServiceState()
    metrics = Metrics()
    faults = FaultInjector(FaultPlan.parse(settings.faults), settings.faults_log) if settings.faults else None
    executor = Executor(
        registry, call_seconds=settings.call_seconds, threads=settings.threads, metrics=metrics, faults=faults
    )
    sessions = make_session_manager(executor, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with sessions.run():
            yield
        executor.close()

    app = FastAPI(
        title="Whetstone tools service",
        version="0.1.0",
        docs_url=None,  # the documentation pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses={status: {"model": Problem} for status in (400, 401, 413, 422, 429, 503)},
    )
    app.router.route_class = _JsonRoute
    _add_tool_routes(app, registry, executor, settings)
    _add_operation_routes(app, metrics, state, faults)
    app.router.routes.append(Route("/mcp", endpoint=make_mcp_app(sessions)))
    app.add_exception_handler(RequestValidationError, _explain_validation)
    if settings.requests_per_second:
        app.add_middleware(RateLimit, requests_per_second=settings.requests_per_second)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    if token := settings.token.get_secret_value():
        app.add_middleware(BearerAuth, token=token)
    app.add_middleware(Observer, metrics=metrics, state=state)
    return app


def _add_tool_routes(app: FastAPI, registry: Registry, executor: Executor, settings: ToolsSettings) -> None:
    offered = to_json(
        {"tools": registry.schemas(), "unavailable": registry.unavailable, "content": registry.content}
    )
    batch_body = Annotated[list[Call], Field(max_length=settings.max_batch)]

    class Batch(_Body):
        """Body of POST /batch."""

        calls: batch_body  # type: ignore[valid-type]

    @app.get("/tools", response_model=ToolList)
    async def list_tools() -> Response:
        """The tools that can be called."""
        return _json(offered)

    @app.post("/tools/{name}", response_model=CallReply)
    async def call_tool(name: Annotated[str, Path(max_length=200)], body: ToolArguments) -> Response:
        """Calls one tool. A failed call is a 200 whose `error` says why."""
        (reply,) = await executor.run([Call(name=name, arguments=body.arguments)])
        return _json(to_json(reply))

    @app.post("/batch", response_model=BatchReply)
    async def call_batch(body: Batch) -> Response:
        """Calls many tools at once; the replies come in the order of the calls."""
        return _json(to_json({"replies": await executor.run(body.calls)}))


def _add_operation_routes(
    app: FastAPI, metrics: Metrics, state: ServiceState, faults: FaultInjector | None
) -> None:
    @app.get("/healthz", response_model=Health)
    async def is_alive() -> Response:
        """Whether the process works."""
        return _json(b'{"status":"ok"}')

    @app.get("/readyz", response_model=Health)
    async def is_ready() -> Response:
        """Whether new requests are welcome; 503 as soon as the service begins to shut down."""
        if state.draining:
            return JSONResponse({"detail": "shutting down"}, 503)
        return _json(b'{"status":"ready"}')

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def show_metrics() -> Response:
        """Prometheus metrics."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    if faults is not None:

        @app.get("/faults", response_model=None)
        async def show_truth() -> Response:
            """What really happened to each call (only while faults are injected)."""
            return _json(to_json({"rows": list(faults.rows)}))


async def _explain_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    context = first.get("ctx", {}).get("error", "")
    return JSONResponse({"detail": f"{where}: {first['msg']}{f': {context}' if context else ''}"}, 422)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
