"""How an MCP server is spoken to: streamable HTTP, or a child process. Whatever it sends is bounded."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import anyio
import httpx2
import mcp_types as types
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage

OPEN_SECONDS = 30.0
MAX_MESSAGE_BYTES = (
    8 << 20
)  # of a reply, of one event in a stream of events, and of a line of a child process
END_SECONDS = 2.0  # for a child process to end by itself, and again when it is told to

Transport = Callable[[], AbstractAsyncContextManager[Any]]
Incoming = MemoryObjectSendStream[SessionMessage | Exception]
_GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError)


class MessageTooLong(Exception):
    """A server said more at once than anybody can take."""


def http_transport(url: str, token: str, seconds: float) -> Transport:
    """Streamable HTTP; the token goes only to the URL's own origin."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx2.Timeout(seconds, read=max(seconds, OPEN_SECONDS))
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout, transport=_BoundedTransport()) as http,
            streamable_http_client(url, http_client=http, max_sse_event_size=MAX_MESSAGE_BYTES) as streams,
        ):
            yield streams

    return connect


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    """Ends replies that grow too long; of a stream of events the SDK bounds each one. Compressed is refused."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            await response.aclose()
            raise httpx2.ReadError("the reply is compressed, unasked")
        kind = response.headers.get("content-type", "").lower()
        if not kind.startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_MESSAGE_BYTES:
                raise httpx2.ReadError(f"the reply is longer than {MAX_MESSAGE_BYTES} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def command_transport(words: tuple[str, ...], environment: dict[str, str]) -> Transport:
    """A child process spoken to over its standard input and output; no shell, and little of our environment.

    Not the SDK's own, which keeps a line of any length. A line that is too long ends the session.
    """

    @asynccontextmanager
    async def connect() -> AsyncIterator[Any]:
        process = await anyio.open_process(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            env=get_default_environment() | environment,
            start_new_session=True,
        )
        # No await until the task group: a cancellation in between would leave the process behind.
        assert process.stdin is not None
        assert process.stdout is not None
        incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        sent, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_read_lines, process.stdout, incoming)
                group.start_soon(_write_lines, process.stdin, outgoing, incoming)
                try:
                    yield received, sent
                finally:
                    received.close()
                    sent.close()
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, process.stdout)

    return connect


async def _read_lines(output: ByteReceiveStream, incoming: Incoming) -> None:
    """Hands messages on, one a line. Raises MessageTooLong."""
    async with incoming:
        line = bytearray()
        while True:
            try:
                piece = await output.receive()
            except _GONE:
                return
            *ends, rest = piece.split(b"\n")
            for end in ends:
                _extend(line, end)
                if not await _deliver(bytes(line), incoming):
                    return
                line.clear()
            _extend(line, rest)


def _extend(line: bytearray, piece: bytes) -> None:
    if len(line) + len(piece) > MAX_MESSAGE_BYTES:
        raise MessageTooLong(f"a line of its output is longer than {MAX_MESSAGE_BYTES} bytes")
    line += piece


async def _deliver(line: bytes, incoming: Incoming) -> bool:
    message: SessionMessage | Exception
    try:
        message = SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        message = error
    try:
        await incoming.send(message)
    except _GONE:
        return False
    return True


async def _write_lines(
    stdin: ByteSendStream, outgoing: MemoryObjectReceiveStream[SessionMessage], incoming: Incoming
) -> None:
    try:
        async with outgoing:
            async for sent in outgoing:
                text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stdin.send(text.encode("utf-8", "replace") + b"\n")
    except _GONE:
        await incoming.aclose()  # else a request would wait for a process that can't hear it


async def _end(process: Process, output: ByteReceiveStream) -> None:
    """Closes its input, and ends it with its children where it does not end by itself."""
    if process.stdin is not None:
        with suppress(*_GONE):
            await process.stdin.aclose()
    async with anyio.create_task_group() as group:
        group.start_soon(_drain, output)
        with anyio.move_on_after(END_SECONDS):
            while process.returncode is None:
                await anyio.sleep(0.01)
        if process.returncode is None:
            await terminate_posix_process_tree(process, END_SECONDS)
        group.cancel_scope.cancel()
    with suppress(*_GONE):
        await process.aclose()


async def _drain(output: ByteReceiveStream) -> None:
    """Reads what nobody wants: a process that waits to be read would not end."""
    with suppress(*_GONE):
        while True:
            await output.receive()
