"""What validation schemes foretell of each series, beside the error that came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.data.schemes import FINAL, FOLDS, SCHEMES, Place, place_of
from lstmstudy.store.outcomes import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lstmstudy.data import Fold
    from lstmstudy.runs import Outcome
    from lstmstudy.study.ablation import Ablation


class Trained(NamedTuple):
    """One trained split: what it is, its data and its outcome."""

    place: Place
    fold: Fold
    outcome: Outcome


def realizations(ablation: Ablation, task: str) -> list[list[Trained]]:
    """Return the trained splits of each realization in which every run is there and none diverged.

    Raises:
        MissingRunsError: If there is none.
    """
    folds, found = ablation.plan.tasks[task].folds, dict[int, list[Trained]]()
    outcomes = ablation.outcomes(ablation.control, task)
    for unit, outcome in zip(ablation.units(task), outcomes, strict=True):
        trained = Trained(place_of(unit.fold), folds[unit.fold], outcome)
        if outcome.result.diverged is None:
            found.setdefault(trained.place.realization, []).append(trained)
    whole = [trained for trained in found.values() if len(trained) == FOLDS]
    if not whole:
        raise MissingRunsError(f"No realization has all its splits trained to the end. Received: {task=}")
    return whole


def split_errors(ablation: Ablation, trained: Sequence[Trained]) -> dict[str, list[tuple[float, int]]]:
    """Return by scheme, for each split of one realization, the RMSE and the number of held-out targets.

    The RMSE is in the unit of the series. Under `FINAL` stand the error and size of the future.
    """
    found: dict[str, list[tuple[float, int]]] = {}
    for place, fold, outcome in trained:
        part = "test" if place.scheme == FINAL else "validation"
        error = outcome.result.error(ablation.control.reading, part) * fold.scale
        found.setdefault(place.scheme, []).append((error, len(getattr(fold, part).y)))
    return found


def pooled(errors: Iterable[tuple[float, int]]) -> float:
    """Return the RMSE over all samples of several parts, from the RMSE and the size of each."""
    errors, sizes = zip(*errors, strict=True)
    return float(np.sqrt(np.average(np.square(errors), weights=sizes)))


def estimates(ablation: Ablation, task: str) -> dict[str, np.ndarray]:
    """Return by scheme what it foretold, and under `FINAL` the error that came, each (n_realizations,).

    A scheme's estimate is the RMSE over the held-out targets of all its splits, in the unit of the series.
    """
    rows = [split_errors(ablation, trained) for trained in realizations(ablation, task)]
    return {scheme: np.array([pooled(row[scheme]) for row in rows]) for scheme in (*SCHEMES, FINAL)}
