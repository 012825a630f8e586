"""A run on the terminal: one line a stage with bar, count, ETA and seconds; plain lines when it is no terminal."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.spinner import Spinner
from rich.table import Column
from rich.text import Text

from pipelines.local.log_lines import StageProgress


@dataclass
class _Row:
    """A task of the DAG that has begun; `active` counts its iterations at work.

    seconds: how long any was at work, up to `since`, when the first of those at work now began.
    parts: the last progress of each shard, or of each thread of a loop that is still at work.
    """

    name: str
    seconds: float = 0.0
    since: float = 0.0
    active: int = 0
    failed: bool = False
    identifier: TaskID | None = None
    parts: dict[str, StageProgress] = field(default_factory=dict)


class _MarkColumn(ProgressColumn):
    """A spinner while a stage works, then a check mark or a cross."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        fancy = console.encoding.lower().startswith("utf")
        self._marks = {"done": ("✓" if fancy else "+", "green"), "failed": ("✗" if fancy else "x", "red")}
        self._spinner = Spinner("dots" if fancy else "line")

    def render(self, task: Task) -> Text:
        mark, style = self._marks.get(task.fields["state"], ("", ""))
        if mark:
            return Text(mark, style=style)
        frame = self._spinner.render(task.get_time())
        return frame if isinstance(frame, Text) else Text(str(frame))


class StageDisplay:
    """Shows the stages of one run. Use as a context manager; the last state stays on the screen."""

    def __init__(
        self, console: Console, names: Mapping[str, str], taken_over: Collection[str] = frozenset()
    ) -> None:
        """names: KFP's task name -> display name, for every task of the pipeline. taken_over: those of another run."""
        self._console = console
        self._names = names
        self._taken_over = taken_over
        self._rows: dict[str, _Row] = {}
        self._live = console.is_terminal
        self._progress = Progress(
            _MarkColumn(console),
            TextColumn("{task.description}", table_column=Column(min_width=17)),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[count]}", justify="right", table_column=Column(min_width=9)),
            TextColumn("{task.fields[detail]}", style="dim", table_column=Column(min_width=20, no_wrap=True)),
            console=console,
            disable=not self._live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for row in self._rows.values():
                if row.active:
                    self._update(row, state="failed")
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line of its own above the stages."""
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, task: str) -> None:
        """A task, or one more iteration of it, begins."""
        if task not in self._rows:
            row = self._rows[task] = _Row(self._names.get(task, task))
            row.identifier = self._progress.add_task(
                row.name, total=None, state="working", count="", detail=""
            )
            if not self._live:
                self.say(f"{row.name}: taken over" if task in self._taken_over else f"{row.name} ...")
        row = self._rows[task]
        row.since = row.since if row.active else time.monotonic()
        row.active += 1
        self._update(row, state="working")

    def advance(self, task: str, step: StageProgress, thread: str = "") -> None:
        """A task has reported how far it is. thread: of the loop it runs in."""
        row = self._rows.get(task)
        if row is None or not row.active or stage_of(task) != step.stage:
            return
        row.parts[step.part or thread] = step
        whole = sum_of_shards(row.parts) if step.part or len(row.parts) > 1 else step
        detail = f"eta {whole.eta} {whole.rest}".rstrip()
        count = f"{whole.done}/{whole.total}"
        self._update(row, total=whole.total, completed=whole.done, count=count, detail=detail)
        if not self._live:
            self.say(f"[{step.stage}] {count} {detail}")

    def end(self, task: str, *, succeeded: bool, thread: str = "") -> None:
        """A task, or one iteration of it, is over."""
        row = self._rows.get(task)
        if row is None:
            return
        row.parts.pop(thread, None)
        row.active = max(row.active - 1, 0)
        row.failed = not succeeded
        if row.active:
            return
        row.seconds += time.monotonic() - row.since
        state = "done" if succeeded else "failed"
        if succeeded:
            detail = "taken over" if task in self._taken_over else f"{row.seconds:.1f} s"
            self._update(row, state=state, total=1, completed=1, detail=detail)
        else:
            self._update(row, state=state, detail=f"failed after {row.seconds:.1f} s")
        if not self._live and not (succeeded and task in self._taken_over):
            self.say(f"{row.name}: {state} in {row.seconds:.1f} s")

    def _update(self, row: _Row, **fields: object) -> None:
        assert row.identifier is not None
        self._progress.update(row.identifier, **fields)  # type: ignore[arg-type]


def sum_of_shards(parts: Mapping[str, StageProgress]) -> StageProgress:
    """The stage as a whole, from the last line of each shard ("1/2" and so on) or thread that has reported.

    A shard that has not is taken to be as long as the others. The numbers behind the ETA can't be added
    up and are left out.
    """
    steps = list(parts.values())
    unfinished = (step.eta for step in steps if step.done < step.total)
    shards = max(int(part.partition("/")[2] or len(parts)) for part in parts)
    return StageProgress(
        stage=steps[0].stage,
        done=sum(step.done for step in steps),
        total=round(sum(step.total for step in steps) * shards / len(steps)),
        eta=max(unfinished, key=lambda eta: (len(eta), eta), default="00:00"),
        rest="",
    )


def stage_of(task: str) -> str:
    """KFP's task name `error-labeling` or `evaluation-2` -> the stage's name in its log lines."""
    words = [word for word in task.split("-") if not word.isdigit()]
    return "_".join(words)
