"""A process of foreign classes that begins when it is first asked, and anew after it was ended."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from components.contracts.errors import InputError
from components.scoring.foreign_code.pipe import CodeLimits, CodePipe, ProcessEndedError


class Closing(ABC):
    """What holds such a process: close it, or use it in a `with`."""

    @abstractmethod
    def close(self) -> None:
        """End the process, if there is one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CodeProcess:
    """Not for several threads. worker, setup: see `serve`; the limits are added to the setup.

    source: where the classes come from, for errors.
    """

    def __init__(self, worker: Path, setup: Mapping[str, Any], limits: CodeLimits, source: Path) -> None:
        self._worker = worker
        self._setup = {**setup, "limits": limits.for_worker()}
        self._limits = limits
        self._source = source
        self._pipe: CodePipe | None = None
        self._greeting: dict[str, Any] = {}

    def close(self) -> None:
        """End the process, if there is one."""
        if self._pipe is not None:
            self._pipe.kill()
        self._pipe = None

    def greeting(self) -> dict[str, Any]:
        """What the worker said of the classes.

        Raises:
            InputError: the process does not begin.
        """
        self._started()
        return self._greeting

    def ask(self, requests: Sequence[dict[str, Any]], *, patience: int = 1) -> list[dict[str, Any]]:
        """The replies; the last one may say that memory did not suffice. patience: so many times a request's idle time.

        Raises:
            ProcessEndedError: no reply; all that the process knew went with it.
            NotJsonError: JSON can't hold a request; nothing was asked.
            InputError: as `greeting`.
        """
        try:
            replies: list[dict[str, Any]] = self._started().ask(
                list(requests), patience * self._limits.seconds
            )
        except ProcessEndedError:
            self.close()
            raise
        return replies

    def _started(self) -> CodePipe:
        if self._pipe is None:
            pipe = CodePipe(self._worker)
            try:
                self._greeting = pipe.ask(self._setup, self._limits.start_seconds)
            except ProcessEndedError as ended:
                raise InputError(
                    f"{self._source}: the process of its API classes did not begin: {ended}"
                ) from None
            self._pipe = pipe
        return self._pipe
