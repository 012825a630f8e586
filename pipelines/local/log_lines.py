"""What kfp.local's log lines say: which task began or ended, how far a stage is, and why it failed."""

import re
from dataclasses import dataclass
from typing import Literal

_LOOP = re.compile(r"^\|(?P<thread>\d+)\| ")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_TASK = re.compile(r"INFO - Executing task '(?P<task>[^']+)'")
_END = re.compile(r"(?:INFO|ERROR) - Task '(?P<task>[^']+)' finished with status (?P<status>[A-Z]+)")
_PROGRESS = re.compile(
    r"^\s*\[(?P<stage>\w+)(?: (?P<part>\d+/\d+))?\] (?P<done>\d+)/(?P<total>\d+) \d+% "
    r"eta (?P<eta>\d+:\d\d|--:--)(?P<rest>.*)$"
)
_EXCEPTION = re.compile(
    r"^\s*(?P<type>(?:[a-z_]\w*\.)+[A-Z]\w*|[A-Z]\w*(?:Error|Exception|Exit|Interrupt))(?:: (?P<message>.*))?$"
)
INPUT_ERROR = "InputError"


@dataclass(frozen=True)
class TaskEvent:
    """A task of the DAG (KFP's name, such as `evaluation-2`) began, succeeded or failed; one that fails may begin again."""

    kind: Literal["begin", "success", "failure"]
    task: str


@dataclass(frozen=True)
class StageProgress:
    """One line of `components.contracts.progress`; `rest` holds the numbers behind the ETA.

    part: such as "1/2", of a stage that works in shards; else empty.
    """

    stage: str
    done: int
    total: int
    eta: str
    rest: str
    part: str = ""


@dataclass(frozen=True)
class RaisedError:
    """The last line of a traceback; `is_input_error` when a user can mend it."""

    type: str
    message: str

    @property
    def is_input_error(self) -> bool:
        """True for components.contracts.errors.InputError, which trying again can't help."""
        return self.type == INPUT_ERROR

    @property
    def is_pipelines(self) -> bool:
        """True for what kfp.local itself raises in the end; the reason came before."""
        return "Inner task failed" in self.message

    def __str__(self) -> str:
        return self.message if self.is_input_error else f"{self.type}: {self.message}".rstrip(": ")


def plain(line: str) -> str:
    """The line without colours and line end."""
    return _COLOR.sub("", line).rstrip()


def split_thread(line: str) -> tuple[str, str]:
    """The number of the loop's thread that wrote a (plain) line, and the line; empty outside a loop.

    See `pipelines.local.loop_output`. A thread works on one task at a time.
    """
    match = _LOOP.match(line)
    return (match["thread"], line[match.end() :]) if match else ("", line)


def read_line(line: str) -> TaskEvent | StageProgress | RaisedError | None:
    """What a line (already `plain`) says, None for the many that say nothing of interest."""
    if match := _PROGRESS.match(line):
        done, total = int(match["done"]), int(match["total"])
        rest = match["rest"].strip()
        return StageProgress(match["stage"], done, total, match["eta"], rest, match["part"] or "")
    if match := _TASK.search(line):
        return TaskEvent("begin", match["task"])
    if match := _END.search(line):
        return TaskEvent("success" if match["status"] == "SUCCESS" else "failure", match["task"])
    if match := _EXCEPTION.match(line):
        return RaisedError(match["type"].rpartition(".")[2], match["message"] or "")
    return None
