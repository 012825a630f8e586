"""A real HTTP API that is not ours, on a loopback port, with its own OpenAPI document (not a test)."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Body, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

PETS = {"rex": {"name": "rex", "age": 3}, "ann/bo": {"name": "ann/bo", "age": 1}}

HANDWRITTEN = """
openapi: 3.0.3
info: {title: Pets, version: 2020-01-01}
servers:
  - url: "{scheme}://SERVER"
    variables: {scheme: {default: http}}
paths:
  /pets/{name}:
    parameters:
      - $ref: '#/components/parameters/Name'
    get:
      operationId: find pet!
      summary: Finds a pet
      description: Finds a pet by its name. The name has to be exact.
      responses: {200: {description: the pet}}
    delete:
      operationId: removePet
      responses: {204: {description: gone}}
  /echo:
    get:
      parameters:
        - {name: colours, in: query, explode: false, schema: {type: array, items: {$ref: '#/components/schemas/Colour'}}}
        - {name: where, in: query, style: deepObject, schema: {type: object}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object}}}}
        - {name: X-Mood, in: header, schema: {type: string, nullable: true}}
        - {name: Authorization, in: header, schema: {type: string}}
      responses: {}
  /trees:
    post:
      operationId: plant
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Tree'}}}}
      responses: {}
components:
  parameters:
    Name: {name: name, in: path, required: true, description: who, schema: {type: string}}
  schemas:
    Colour: {type: string, enum: [red, no, on]}
    Tree: {type: object, properties: {left: {$ref: '#/components/schemas/Tree'}}}
"""


class NewPet(BaseModel):
    """What it takes to add a pet."""

    name: str
    age: int
    kind: Literal["dog", "cat"] = "dog"


def make_api() -> FastAPI:
    """The application; whatever it was sent last is in `state.seen`."""
    app = FastAPI(title="Foreign")

    @app.get("/pets/{name:path}", operation_id="get_pet")
    async def get_pet(name: str) -> dict[str, Any]:
        """Tells about a pet."""
        if name not in PETS:
            raise HTTPException(404, f"no pet is called {name}")
        return PETS[name]

    @app.post("/pets", operation_id="add_pet")
    async def add_pet(pet: NewPet) -> NewPet:
        """Adds a pet."""
        if pet.age < 0:
            raise HTTPException(422, "age: expected at least 0")
        return pet

    @app.put("/numbers", operation_id="put_numbers")
    async def put_numbers(numbers: Annotated[list[int], Body()]) -> int:
        """Adds numbers."""
        return sum(numbers)

    @app.get("/echo", operation_id="echo")
    async def echo(
        request: Request,
        tags: Annotated[list[str] | None, Query()] = None,
        x_mood: Annotated[str | None, Header()] = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Repeats what it was sent."""
        return {"query": request.url.query, "headers": dict(request.headers)}

    @app.get("/status/{code}", operation_id="status")
    async def status(code: int) -> Response:
        """Replies with a status."""
        return JSONResponse({"detail": f"status {code}"}, code)

    @app.get("/empty", operation_id="empty", status_code=204)
    async def empty() -> None:
        """Replies with nothing."""

    @app.get("/slow", operation_id="slow")
    async def slow() -> str:
        """Waits."""
        await asyncio.sleep(3)
        return "late"

    @app.get("/large", operation_id="large")
    async def large() -> Response:
        """Replies with a lot."""
        return Response("x" * 5_000_000, media_type="text/plain")

    @app.get("/picture", operation_id="picture")
    async def picture() -> Response:
        """Replies with a picture."""
        return Response(b"\x89PNG", media_type="image/png")

    @app.get("/broken", operation_id="broken")
    async def broken() -> Response:
        """Breaks the connection."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            raise OSError("gone")

        return StreamingResponse(pieces(), headers={"content-length": "100"})

    @app.get("/packed", operation_id="packed")
    async def packed() -> Response:
        """Replies with what nobody asked for."""
        return Response(b"\x1f\x8b", headers={"content-encoding": "gzip"})

    @app.get("/moved", operation_id="moved")
    async def moved() -> Response:
        """Is somewhere else here."""
        return RedirectResponse("/pets/rex")

    @app.get("/elsewhere", operation_id="elsewhere")
    async def elsewhere(request: Request) -> Response:
        """Is on another host."""
        return RedirectResponse(f"http://localhost:{request.url.port}/pets/rex")

    @app.get("/circle", operation_id="circle")
    async def circle() -> Response:
        """Refers to itself."""
        return RedirectResponse("/circle")

    @app.get("/document", include_in_schema=False)
    async def document(to: str) -> Response:
        return RedirectResponse(to)

    return app


@contextmanager
def serving_app(app: Any, port: int = 0) -> Iterator[str]:
    """An ASGI application's address, for as long as the block runs."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
