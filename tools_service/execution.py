"""Executes calls: checks the arguments, keeps the time limit, turns every failure into a typed reply."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict

from components.contracts.tool_errors import ToolError
from tools_service.failures import ToolFailure
from tools_service.faults import FaultInjector
from tools_service.metrics import Metrics
from tools_service.registry import Registry, Tool

log = logging.getLogger("tools_service")

SLICE_SECONDS = 0.005  # quick calls of a batch run this long before other requests get a turn


class Call(BaseModel):
    """One call as it arrives. Its id comes back as `call_id`; `arguments` are JSON values."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    name: str
    arguments: dict[str, Any] = {}  # parsed JSON: nothing is left to check until the tool is known


class ReplyError(TypedDict):
    """Why a call failed."""

    code: ToolError
    message: str


class Reply(TypedDict):
    """What comes back for one call, on the wire. `content` is always text that the model can read."""

    call_id: str
    content: str
    error: ReplyError | None
    seconds: float


class Executor:
    """Runs calls against a registry. Belongs to one event loop."""

    def __init__(
        self,
        registry: Registry,
        *,
        call_seconds: float = 10.0,
        threads: int = 4,
        metrics: Metrics | None = None,
        faults: FaultInjector | None = None,
    ) -> None:
        self.registry = registry
        self.faults = faults
        self._call_seconds = call_seconds
        self._metrics = metrics or Metrics()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tool")

    def close(self) -> None:
        """Lets go of the worker threads without waiting for tools that hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, calls: Sequence[Call]) -> list[Reply]:
        """The calls' replies in their order. Tools that are not quick run concurrently."""
        replies: list[Reply | None] = [None] * len(calls)
        slow: list[int] = []
        turn = perf_counter()
        for place, call in enumerate(calls):
            tool = self.registry.tools.get(call.name)
            if self.faults is None and (tool is None or tool.quick):
                replies[place] = self._run_quick(call)
                if perf_counter() - turn > SLICE_SECONDS:
                    await asyncio.sleep(0)
                    turn = perf_counter()
            else:
                slow.append(place)
        if slow:
            for place, reply in zip(
                slow, await asyncio.gather(*(self._run(calls[place]) for place in slow)), strict=True
            ):
                replies[place] = reply
        done = [reply for reply in replies if reply is not None]
        self._count(calls, done)
        return done

    def _run_quick(self, call: Call) -> Reply:
        start = perf_counter()
        try:
            tool = self.registry.find(call.name).taking(call.arguments)
            content = tool.function(**tool.check(call.arguments))
        except ToolFailure as failure:
            return _failed(call, failure, perf_counter() - start)
        except Exception:
            return _failed(call, _crashed(call), perf_counter() - start)
        return {"call_id": call.id, "content": content, "error": None, "seconds": perf_counter() - start}

    async def _run(self, call: Call) -> Reply:
        start = perf_counter()
        fault = self.faults.draw(call.name, call.arguments) if self.faults else None
        if self.faults is not None and fault is not None:
            category, words = fault
            error = ReplyError(code=category, message=words) if self.faults.plan.typed else None
            reply = Reply(call_id=call.id, content=words, error=error, seconds=perf_counter() - start)
        else:
            try:
                tool = self.registry.find(call.name).taking(call.arguments)
                content = await self._wait(tool, tool.check(call.arguments))
                reply = Reply(call_id=call.id, content=content, error=None, seconds=perf_counter() - start)
            except ToolFailure as failure:
                reply = _failed(call, failure, perf_counter() - start)
            except Exception:
                reply = _failed(call, _crashed(call), perf_counter() - start)
        if self.faults is not None:
            injected = fault[0] if fault else None
            code = injected or (reply["error"]["code"] if reply["error"] else None)
            self.faults.record(call.id, call.name, call.arguments, injected, code, reply["content"])
        return reply

    async def _wait(self, tool: Tool, arguments: dict[str, Any]) -> str:
        try:
            async with asyncio.timeout(self._call_seconds):
                if tool.is_coroutine:
                    return _as_text(await tool.function(**arguments))
                loop = asyncio.get_running_loop()
                return _as_text(
                    await loop.run_in_executor(self._threads, partial(tool.function, **arguments))
                )
        except TimeoutError:
            raise ToolFailure(
                ToolError.TIMEOUT, f"{tool.name} gave no answer within {self._call_seconds:g} seconds"
            ) from None

    def _count(self, calls: Sequence[Call], replies: Sequence[Reply]) -> None:
        seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for call, reply in zip(calls, replies, strict=True):
            error = reply["error"]
            seconds[call.name, "ok" if error is None else error["code"]].append(reply["seconds"])
        for (name, outcome), taken in seconds.items():
            known = name if name in self.registry.tools else "unknown"
            self._metrics.count_calls(known, str(outcome), len(taken), sum(taken))


def _failed(call: Call, failure: ToolFailure, seconds: float) -> Reply:
    return {
        "call_id": call.id,
        "content": _as_text(failure.content),
        "error": {"code": failure.code, "message": _as_text(failure.message)},
        "seconds": seconds,
    }


def _as_text(content: object) -> str:
    """Valid Unicode, whatever a tool gave: half a surrogate pair can't be sent."""
    text = str(content)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _crashed(call: Call) -> ToolFailure:
    log.exception("tool crashed", extra={"tool": call.name})
    return ToolFailure(ToolError.TOOL_INSTABILITY, f"{call.name} is not working at the moment")
