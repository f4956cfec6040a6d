"""How long a run may take before its worker counts as hung."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmstudy.runs import Run

UNKNOWN = 7200.0  # seconds, before any run of the task is known
_LEAST = 600.0  # seconds: compiling, or a machine that does something else, is no hanging
_MULTIPLE = 20  # of the slowest known run of the task; techniques differ by less


class TimeLimit:
    """Twenty times as long as the slowest run of the same task so far, and at least ten minutes."""

    def __init__(self) -> None:
        self._slowest: dict[str, float] = {}  # seconds of an epoch, by task

    def learn(self, run: Run, record: dict[str, float]) -> None:
        """Count a finished run, by its record."""
        seconds = record["seconds"] / run.recipe.epochs
        self._slowest[run.task] = max(seconds, self._slowest.get(run.task, 0.0))

    def __call__(self, run: Run) -> float:
        """Return the seconds that a run may take."""
        if run.task not in self._slowest:
            return UNKNOWN
        return max(_LEAST, _MULTIPLE * self._slowest[run.task] * run.recipe.epochs)
