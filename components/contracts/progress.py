"""Progress of a stage as plain log lines: `[sft] 12/64 18% eta 00:35 loss 0.321`."""

import sys
import time

LEAST_SHARE = 0.02  # of the steps to be done here, before their pace means something
LEAST_SECONDS = 10.0  # after the first step, likewise
UNKNOWN = "--:--"


class Progress:
    """Prints at most one line every `every` seconds, and always the last one.

    Plain lines (no cursor control), so that they read well in a pod's log and are easy to parse:
    the local runner turns them into a bar. The first few steps give no ETA: what comes in batches would
    make it wild.
    """

    def __init__(self, stage: str, total: int, *, start: int = 0, part: str = "", every: float = 2.0) -> None:
        """start: steps that an earlier process has done. part: such as "1/2", of a stage cut in shards."""
        self.total = total
        self.done = start
        self._label = f"{stage} {part}" if part else stage
        self._start = start
        self._every = every
        self._begun = time.monotonic()
        self._first = 0.0
        self._printed = 0.0

    def advance(self, steps: int = 1, **numbers: float) -> None:
        """Count `steps` more as done; `numbers` are shown behind the ETA."""
        self.done += steps
        now = time.monotonic()
        if self.done > self._start:
            self._first = self._first or now
        if self.done < self.total and now - self._printed < self._every:
            return
        self._printed = now
        percent = 100 * self.done // self.total if self.total else 100
        shown = "".join(f" {name} {value:.4g}" for name, value in numbers.items())
        line = f"[{self._label}] {self.done}/{self.total} {percent}% eta {self._eta(now)}{shown}"
        print(line, file=sys.stdout, flush=True)

    def _eta(self, now: float) -> str:
        done, left = self.done - self._start, max(self.total - self.done, 0)
        if left and (not done or (done < LEAST_SHARE * (done + left) and now - self._first < LEAST_SECONDS)):
            return UNKNOWN
        minutes, seconds = divmod(round((now - self._begun) / done * left if done else 0.0), 60)
        return f"{minutes:02d}:{seconds:02d}"
