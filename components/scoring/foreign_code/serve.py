"""The process: `python -I serve.py WORKER`, JSON lines on its pipes. It stands alone, nothing of the project is imported.

WORKER is a file of this project that imports nothing but the standard library and, in `prepare`, the classes:

    prepare(setup: dict) -> (answer: Callable[[dict], dict], greeting: dict)

The first line in is the setup, with "limits"; the line out the greeting. Then each line in is a list of requests and
the line out the list of `answer`'s replies, each with its "seconds", cut behind one whose "status" is "memory". What
`answer` raises is a reply with the status "raised".

Limits: processor seconds of each request, address space, no files, sockets or processes once the classes are imported
(no descriptor beyond the three pipes can be opened). What goes beyond the processor's limit ends the process by a
signal.
"""

import importlib.util
import json
import math
import resource
import sys
import time
from collections.abc import Callable
from datetime import datetime
from types import ModuleType
from typing import Any, BinaryIO


def main() -> None:
    """Serve requests until the input ends."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a class prints is no reply
    setup = json.loads(requests.readline())
    answer, greeting = _load(sys.argv[1]).prepare(setup)
    datetime.strptime("2000", "%Y")  # imports its parser, which no later call could
    _limit(setup["limits"])
    _send(replies, greeting)
    for line in requests:
        given: list[dict[str, Any]] = []
        for request in json.loads(line):
            _limit_processor(setup["limits"]["cpu_seconds"])
            begun = time.perf_counter()
            given.append(_answered(answer, request))
            given[-1]["seconds"] = time.perf_counter() - begun
            if given[-1]["status"] == "memory":
                break
        _send(replies, given)


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("worker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _limit(limits: dict[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _limit_processor(seconds: int) -> None:
    """Give the request at hand `seconds` beyond what the process has used."""
    used = math.ceil(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answered(answer: Callable[[dict[str, Any]], dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    try:
        return answer(request)
    except MemoryError:
        return {"status": "memory", "content": ""}
    except (Exception, SystemExit) as error:
        return {"status": "raised", "content": f"{type(error).__name__}: {error}"}


def _send(replies: BinaryIO, reply: object) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


if __name__ == "__main__":
    main()
