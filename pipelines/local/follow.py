"""Reads kfp.local's log to its end: shows how far the stages are, and tells why one failed."""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from pipelines.local.log_lines import RaisedError, StageProgress, TaskEvent, plain, read_line, split_thread
from pipelines.local.processes import StopRequest
from pipelines.local.terminal import StageDisplay, stage_of

SILENT_END = "ended without saying why (killed?)"


@dataclass
class _Worker:
    """The main thread, or one of a loop's: the task that it began last, and what was raised in it."""

    task: str = ""
    raised: RaisedError | None = None
    failed: str = ""  # how its last task failed, which is tried again

    @property
    def failure(self) -> str:
        """`stage: message`, as far as this worker knows."""
        return f"{stage_of(self.task) if self.task else 'local run'}: {self.raised or SILENT_END}"

    def heard(self, error: RaisedError) -> None:
        """Of chained exceptions the last InputError counts; else the last one."""
        is_first_reason = not (error.is_pipelines or (self.raised and self.raised.is_input_error))
        if error.is_input_error or is_first_reason:
            self.raised = error


def follow(
    process: subprocess.Popen[str],
    log: Path,
    display: StageDisplay,
    stop: StopRequest,
    retries: Mapping[str, int],
) -> str:
    """Read the pipeline's log to its end, to a mistake of the user's, or to a task's last failure.

    Each thread works on one task at a time: whatever is raised in it belongs to the task that it began
    last. A mistake of the user's is told when something other than an exception follows, so that chained
    exceptions are read to their last.

    retries: of each task; after more failures kfp.local would go on with whatever does not depend on it.

    Gives `stage: message` of the failure, empty when there was none.
    """
    workers: defaultdict[str, _Worker] = defaultdict(_Worker)
    failure, worker = "", workers[""]
    failures: Counter[tuple[str, str]] = Counter()  # of a thread's task, since it last went well
    with log.open("w", encoding="utf-8") as file:
        for line in lines_of(process, stop):
            file.write(f"{line}\n")
            thread, text = split_thread(line)
            worker, said = workers[thread], read_line(text)
            if _is_mistake(worker) and said and not isinstance(said, RaisedError):
                return worker.failure  # kfp would try again, and a user's mistake stays one
            match said:
                case TaskEvent("begin", task):
                    worker.task = task
                    if failures[thread, task]:
                        display.say(f"{worker.failed}; trying again")
                    display.begin(task)
                case TaskEvent("success", task):
                    display.end(task, succeeded=True, thread=thread)
                    worker.raised = None
                    del failures[thread, task]
                case TaskEvent("failure", task):
                    display.end(task, succeeded=False, thread=thread)
                    failure = worker.failed = worker.failure
                    failures[thread, task] += 1
                    if failures[thread, task] > retries.get(task, 0):
                        return failure
                case StageProgress() as step:
                    display.advance(worker.task, step, thread)
                case RaisedError() as error:
                    worker.heard(error)
    mistaken = next(filter(_is_mistake, workers.values()), None)
    if mistaken:
        return mistaken.failure
    if process.wait() == 0:
        return ""  # what failed was tried again and went well
    return failure or worker.failure


def _is_mistake(worker: _Worker) -> bool:
    return worker.raised is not None and worker.raised.is_input_error


def lines_of(process: subprocess.Popen[str], stop: StopRequest) -> Iterator[str]:
    """The lines of a process's output, while looking for a stop request five times a second."""
    queue: SimpleQueue[str | None] = SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            queue.put(line)
        queue.put(None)

    Thread(target=read, daemon=True).start()
    while True:
        stop.check()
        try:
            line = queue.get(timeout=0.2)
        except Empty:
            continue
        if line is None:
            return
        yield plain(line)
