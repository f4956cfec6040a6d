"""Stored runs trained once more: the same bits, or how far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.store.outcomes import result_arrays, result_digest
from lstmstudy.workers.pool import train_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lstmstudy.runs import Outcome, Result, Run
    from lstmstudy.workers.pool import Failure


@dataclass(frozen=True)
class Retrained:
    """A run that was trained again.

    Attributes:
        run: What was trained.
        outcome: What came of it now.
        same: Whether it has the bits of the stored one; None if none is stored.
        apart: The largest difference of a number, relative to the larger of both; infinity where arrays differ in
            shape or names, or only one of both numbers is finite.
        where: The array that has it, such as ``"curves/test/rmse"``; empty where nothing differs.
    """

    run: Run
    outcome: Outcome
    same: bool | None
    apart: float = 0.0
    where: str = ""


def retrained(
    runs: Sequence[Run], stored: Mapping[str, Outcome], cache: Path
) -> tuple[list[Retrained], list[Failure]]:
    """Train runs again, on all cores, and return each beside its stored outcome; nothing is stored.

    Args:
        runs: What to train.
        stored: Outcomes by identity, as far as there are some.
        cache: Folder of the prepared tasks.
    """
    by_identity = {run.identity: run for run in runs}
    found: list[Retrained] = []

    def keep(outcome: Outcome) -> None:
        known, run = stored.get(outcome.identity), by_identity[outcome.identity]
        if known is None:
            found.append(Retrained(run, outcome, None))
            return
        same = result_digest(known.result) == result_digest(outcome.result)
        found.append(Retrained(run, outcome, same, *(() if same else farthest(known.result, outcome.result))))

    failures = train_all(runs, cache, keep=keep)
    return found, failures


def farthest(one: Result, other: Result) -> tuple[float, str]:
    """Return the largest relative difference of two results, and the array that has it."""
    ours, theirs = result_arrays(one), result_arrays(other)
    worst = (0.0, "")
    for name in sorted({*ours, *theirs}):
        apart = _apart(ours.get(name), theirs.get(name))
        if apart > worst[0]:
            worst = (apart, name)
    return worst


def _apart(one: np.ndarray | None, other: np.ndarray | None) -> float:
    if one is None or other is None or one.shape != other.shape:
        return np.inf
    if one.dtype.kind not in "fiu" or other.dtype.kind not in "fiu":
        return 0.0 if one.tolist() == other.tolist() else np.inf
    a, b = one.astype(np.float64), other.astype(np.float64)
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if not differ.any():
        return 0.0
    a, b = a[differ], b[differ]
    if not (np.isfinite(a) & np.isfinite(b)).all():
        return np.inf
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))))
