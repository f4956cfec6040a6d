"""One progress bar: in a terminal, in a notebook, or as a few plain lines."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS_BETWEEN_LINES = 15
_FORETELLS = 20  # runs, or a quarter where there are few: by fewer the time left is not judged


def progress_bar(total: int, title: str = "training") -> Any:
    """Return a context manager with ``update()``: a bar with the time left, or plain lines for a log.

    In a notebook it is a widget, or where ipywidgets are missing the bar of a terminal.
    """
    notebook = "ipykernel" in sys.modules
    if notebook and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm

        return _drawn(tqdm)(total=total, desc=title, unit="run")
    if notebook or sys.stderr.isatty():
        from tqdm import tqdm as terminal

        return _drawn(terminal)(total=total, desc=title, unit="run")
    return _Lines(total, title)


class _Pace:
    """How fast runs come, since the first one: that waited for processes to start and for a compilation."""

    def __init__(self, total: int) -> None:
        self.enough = max(2, min(_FORETELLS, total // 4))
        self.done, self.first = 0, 0.0

    def count(self) -> None:
        """Count one more run."""
        self.done += 1
        if self.done == 1:
            self.first = time.monotonic()

    def rate(self) -> float:
        """Return the runs of a second; 0 as long as they are too few to tell."""
        if self.done < self.enough:
            return 0.0
        return (self.done - 1) / max(time.monotonic() - self.first, 1e-9)


def _drawn(bar: type[Any]) -> type[Any]:
    """Return a kind of bar of tqdm that judges the time left by our pace, and shows a question mark before."""

    class Drawn(bar):
        def __init__(self, **settings: Any) -> None:
            self.pace = _Pace(settings["total"])
            super().__init__(**settings)

        @property
        def format_dict(self) -> dict[str, Any]:
            return {**super().format_dict, "rate": self.pace.rate()}

        def update(self) -> None:
            self.pace.count()
            super().update()

    return Drawn


class _Lines:
    """Says where the work stands, at most every few seconds."""

    def __init__(self, total: int, title: str) -> None:
        self.total, self.title = total, title
        self.pace = _Pace(total)
        self.said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self) -> None:
        """Count one more."""
        self.pace.count()
        now, done = time.monotonic(), self.pace.done
        if now - self.said >= _SECONDS_BETWEEN_LINES or done == self.total:
            self.said = now
            rate = self.pace.rate()
            left = f", {minutes((self.total - done) / rate)} left" if rate else ""
            print(f"{self.title}: {done} of {self.total} runs{left}", flush=True)


def minutes(seconds: float) -> str:
    """Return a duration in words, to the precision that a reader wants."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
