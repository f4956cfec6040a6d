"""What is still to be trained: said beforehand, trained here or on a cluster, and what has no outcome named."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lstmstudy.data.cache import task_cache
from lstmstudy.gaps import recipe_name
from lstmstudy.workers.cluster import lanes_at
from lstmstudy.workers.missing import train_missing
from lstmstudy.workers.pace import expected_seconds
from lstmstudy.workers.progress import minutes

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.runs import Run
    from lstmstudy.store.outcomes import RunStore
    from lstmstudy.workers.pool import Failure


@dataclass(frozen=True)
class RunState:
    """Runs of a plan, and which of them are stored.

    Attributes:
        runs: All distinct runs, by identity.
        stored: Their files, as far as they are there, whole and unaltered.
    """

    runs: dict[str, Run]
    stored: dict[str, Path]

    @property
    def missing(self) -> list[Run]:
        """The runs to train."""
        return [run for identity, run in self.runs.items() if identity not in self.stored]


def state_of(runs: dict[str, Run], store: RunStore) -> RunState:
    """Return some runs, by identity, with those that are stored."""
    return RunState(runs, store.check(runs))


def train_announced(state: RunState, store: RunStore, scheduler: str | None = None) -> list[Failure]:
    """Say how much is missing, train it here or on a cluster, saving each outcome as it comes; name what has none."""
    missing = state.missing
    if not missing:
        print(f"runs: all {len(state.runs)} are stored")
        return []
    with lanes_at(scheduler) as lanes:
        seconds = expected_seconds(missing, state.runs.values(), store) / len(lanes)
        wanted = f"{len(missing)} of {len(state.runs)} to train{_changed(missing, state)}"
        where = "workers" if scheduler else "cores"
        print(f"runs: {wanted}, about {minutes(seconds)} on {len(lanes)} {where}")
        known = [state.runs[identity] for identity in state.stored]
        failures = train_missing(missing, store, task_cache(store.folder), known, lanes=lanes)
    for failure in failures:
        print(f"missing: {_named(failure)}", file=sys.stderr)
    return failures


def _changed(missing: list[Run], state: RunState) -> str:
    """Return what the missing runs belong to, if some others are stored."""
    if not state.stored:
        return ""
    names = {technique.title for run in missing for technique in run.recipe.techniques}
    if any(not run.recipe.techniques for run in missing):
        names.add("baseline")
    return f" ({', '.join(sorted(names))})"


def _named(failure: Failure) -> str:
    run = failure.run
    return f"{recipe_name(run)} on {run.task}, fold {run.fold}, seed {run.seed}: {failure.reason}"
