"""The listening socket: bound with a clear error, and closed without losing who is already in its queue."""

import asyncio
import ctypes
import select
import socket
import struct
import time
from collections.abc import Sequence

from components.contracts.errors import InputError

SO_ATTACH_FILTER = 26  # Linux; the socket module does not name it
QUEUE_SECONDS = 5.0  # at most, for accepting what had connected before


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        InputError: the port is taken, or the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"can't listen on {host}:{port}: {reason}; expected a free port of this machine"
        ) from error


async def empty_queues(listeners: Sequence[socket.socket]) -> None:
    """Lets no further connection in and returns when those that are queued have been accepted.

    Closing a listening socket resets whoever connected but was not accepted yet. So the kernel is
    told first to drop what arrives: late clients try again and then find the port closed.
    """
    for listener in listeners:
        _drop_what_arrives(listener)
    deadline = time.monotonic() + QUEUE_SECONDS
    while select.select(listeners, [], [], 0)[0] and time.monotonic() < deadline:
        await asyncio.sleep(0.005)


def _drop_what_arrives(listener: socket.socket) -> None:
    """A packet filter of one instruction, "keep 0 bytes"; where there are none the window stays open."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    except OSError:
        return
