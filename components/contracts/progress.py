"""Progress of a stage as plain log lines: `[sft] 12/64 18% eta 00:35 loss 0.321`."""

import sys
import time


class Progress:
    """Prints at most one line every `every` seconds, and always the last one.

    Plain lines (no cursor control), so that they read well in a pod's log and are easy to parse:
    the local runner turns them into a bar.
    """

    def __init__(self, stage: str, total: int, *, every: float = 2.0) -> None:
        self.stage = stage
        self.total = total
        self.done = 0
        self._every = every
        self._start = time.monotonic()
        self._printed = 0.0

    def advance(self, steps: int = 1, **numbers: float) -> None:
        """Count `steps` more as done; `numbers` are shown behind the ETA."""
        self.done += steps
        now = time.monotonic()
        if self.done < self.total and now - self._printed < self._every:
            return
        self._printed = now
        elapsed = now - self._start
        remaining = elapsed / self.done * (self.total - self.done) if self.done else 0.0
        percent = 100 * self.done // self.total if self.total else 100
        shown = "".join(f" {name} {value:.4g}" for name, value in numbers.items())
        minutes, seconds = divmod(round(remaining), 60)
        line = f"[{self.stage}] {self.done}/{self.total} {percent}% eta {minutes:02d}:{seconds:02d}{shown}"
        print(line, file=sys.stdout, flush=True)
