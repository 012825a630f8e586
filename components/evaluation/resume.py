"""Finished traces, kept in chunks, so that an evaluation that was killed takes them over.

A chunk is never changed, and appears whole or not at all.
"""

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.records import Question, Record, Trace
from components.policy.engine import Completion, Conversation, Engine, MeasuresPrompts, Sampling
from components.storage import Storage, finished_work

SECONDS_BETWEEN = 3.0  # chunks; what is sampled in less is not worth keeping
_CHUNK = re.compile(r"chunk-(\d{8})\.jsonl")


class FinishedTrace(Record):
    """A trace that is not judged yet. seconds: see `FinishedTraces.seconds`."""

    trace: Trace
    seconds: float


class FinishedTraces:
    """Traces in the chunks of a storage's own folder, and those that wait for the next one.

    storage: None keeps nothing. folder: for copies of the chunks on this machine.
    seconds: by question id what its trace took: an equal share of the time since the traces before, for those that
    came together; all of them sum to the time that passed.
    """

    def __init__(
        self, storage: Storage | None, folder: Path, *, seconds_between: float = SECONDS_BETWEEN
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._seconds_between = seconds_between
        self._last = self._since = time.monotonic()
        self._together: list[Trace] = []
        self._waiting: list[FinishedTrace] = []
        self._next = 0
        self.seconds: dict[str, float] = {}

    def take_over(self) -> Iterator[Trace]:
        """What earlier runs kept, each question once, chunk by chunk; a damaged chunk is passed over (a line says so).

        Raises:
            InputError: the store can't be reached.
        """
        if self._storage is None:
            return
        for name in sorted(stored.name for stored in self._storage.list()):
            match = _CHUNK.fullmatch(name)
            if match is None:
                continue
            self._next = int(match[1]) + 1
            copy = self._folder / name
            self._storage.get_file(name, copy)
            try:
                found = list(read_records(copy, FinishedTrace))
            except InputError as error:
                print(f"[evaluation] kept traces are damaged, and made again: {error}", flush=True)
                continue
            finally:
                copy.unlink(missing_ok=True)
            for one in found:
                if one.trace.question.id not in self.seconds:
                    self.seconds[one.trace.question.id] = one.seconds
                    yield one.trace

    def keep(self, traces: Iterable[Trace]) -> Iterator[Trace]:
        """Pass traces on as they come. They wait for `store`, up to which they came together."""
        self._since = time.monotonic()
        for trace in traces:
            self._together.append(trace)
            yield trace
        self._share()

    def store(self, *, at_once: bool = False) -> None:
        """Time what came since, and write a chunk of what waits, unless the last one is too new.

        Raises:
            InputError: the store or the disk does not take it; the chunks before are unharmed.
        """
        self._share()
        if self._storage is None or not self._waiting:
            return
        if not at_once and time.monotonic() - self._last < self._seconds_between:
            return
        name = f"chunk-{self._next:08d}.jsonl"
        copy = self._folder / name
        write_records(copy, self._waiting)
        self._storage.put_file(copy, name)
        copy.unlink()
        self._next += 1
        self._waiting.clear()
        self._last = time.monotonic()

    def _share(self) -> None:
        if not self._together:
            return
        now = time.monotonic()
        each = (now - self._since) / len(self._together)
        self._since = now
        self.seconds.update((trace.question.id, each) for trace in self._together)
        if self._storage is not None:
            self._waiting += [FinishedTrace(trace=trace, seconds=each) for trace in self._together]
        self._together.clear()

    def clear(self) -> None:
        """Delete all chunks."""
        if self._storage is not None:
            self._storage.delete_prefix("")


@contextmanager
def open_finished(checkpoint_root: str, decides: Mapping[str, str]) -> Iterator[FinishedTraces]:
    """The finished traces of exactly this evaluation (see `finished_work`); they stay until `clear` is called.

    What still waits is stored when the block ends in an exception.

    Raises:
        InputError: the store can't be reached.
    """
    work = finished_work(checkpoint_root, "evaluation", decides, what="finished traces")
    with work as storage, tempfile.TemporaryDirectory() as temporary:
        finished = FinishedTraces(storage if checkpoint_root else None, Path(temporary))
        try:
            yield finished
        except BaseException:
            with suppress(InputError):  # the store may be why
                finished.store(at_once=True)
            raise


def without(questions: Iterable[Question], finished: Iterable[Trace]) -> list[Question]:
    """The questions that none of these traces belongs to; a line says how many are finished already."""
    asked = list(questions)
    done = {trace.question.id for trace in finished}
    left = [question for question in asked if question.id not in done]
    if done:
        print(
            f"[evaluation] {len(asked) - len(left)} of {len(asked)} traces are finished already", flush=True
        )
    return left


def storing_engine(engine: Engine, finished: FinishedTraces) -> Engine:
    """The engine, which has what is finished stored before it is asked for more."""
    return (
        _MeasuringEngine(engine, finished)
        if isinstance(engine, MeasuresPrompts)
        else _StoringEngine(engine, finished)
    )


class _StoringEngine:
    def __init__(self, engine: Engine, finished: FinishedTraces) -> None:
        self.base_model = engine.base_model
        self.template_hash = engine.template_hash
        self.call_format = engine.call_format
        self.native_tools = engine.native_tools
        self._engine = engine
        self._finished = finished

    def complete(
        self, conversations: Sequence[Conversation], sampling: Sampling, *, seeds: Sequence[int]
    ) -> list[Completion]:
        """See `Engine.complete`."""
        self._finished.store()
        return self._engine.complete(conversations, sampling, seeds=seeds)


class _MeasuringEngine(_StoringEngine):
    def __init__(self, engine: Engine, finished: FinishedTraces) -> None:
        super().__init__(engine, finished)
        assert isinstance(engine, MeasuresPrompts)
        self.context = engine.context
        self.count_tokens = engine.count_tokens
