"""The order in which runs are trained: those of one structure after each other, on the lane that compiled it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.runs import Run

_WORTH_COMPILING = 8  # runs left of a structure that make it pay to compile it on a second lane


class Queue:
    """The runs that wait, by structure."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.groups: defaultdict[tuple[Any, ...], list[Run]] = defaultdict(list)
        self.started: set[tuple[Any, ...]] = set()
        for run in runs:
            self.groups[run.group].append(run)

    def take(self, group: tuple[Any, ...] | None, *, alone: bool) -> Run | None:
        """Return the next run: of the lane's own structure, else of an untouched one, else of the fullest.

        Args:
            group: The structure that the lane has compiled.
            alone: Whether no other lane has work; else a few runs are left to the lane that compiled them.
        """
        waiting = {key: len(runs) for key, runs in self.groups.items() if runs}
        if not waiting:
            return None
        if group not in waiting:
            untouched = [key for key in waiting if key not in self.started]
            group = max(untouched or waiting, key=lambda key: waiting[key])
            if not (untouched or alone) and waiting[group] < _WORTH_COMPILING:
                return None
        self.started.add(group)
        return self.groups[group].pop(0)

    def put_back(self, run: Run) -> None:
        """Let a run wait again, first of its structure."""
        self.groups[run.group].insert(0, run)
        self.started.discard(run.group)
