"""One progress bar: in a terminal, in a notebook, or as a few plain lines."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS_BETWEEN_LINES = 15


def progress_bar(total: int, title: str = "training") -> Any:
    """Return a context manager with ``update()``: a bar with the time left, or plain lines for a log.

    In a notebook it is a widget, or where ipywidgets are missing the bar of a terminal.
    """
    notebook = "ipykernel" in sys.modules
    if notebook and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm

        return tqdm(total=total, desc=title, unit="run", smoothing=0.05)
    if notebook or sys.stderr.isatty():
        from tqdm import tqdm as terminal

        return terminal(total=total, desc=title, unit="run", smoothing=0.05)
    return _Lines(total, title)


class _Lines:
    """Says where the work stands, at most every few seconds."""

    def __init__(self, total: int, title: str) -> None:
        self.total, self.title = total, title
        self.done = 0
        self.began = self.said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self) -> None:
        """Count one more."""
        self.done += 1
        now = time.monotonic()
        if now - self.said >= _SECONDS_BETWEEN_LINES or self.done == self.total:
            self.said = now
            left = (now - self.began) / self.done * (self.total - self.done)
            print(f"{self.title}: {self.done} of {self.total} runs, {minutes(left)} left", flush=True)


def minutes(seconds: float) -> str:
    """Return a duration in words, to the precision that a reader wants."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
