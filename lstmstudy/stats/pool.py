"""Runs that differ by chance alone, from which contrasts without an effect are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


@dataclass(frozen=True)
class Pool:
    """Runs that differ by chance alone: of arms that were each searched and trained, and that do the same.

    Attributes:
        errors: By task, the logarithm of the test error, (n_arms, n_units).
        folds: By task, the fold of each unit, (n_units,).

    Raises:
        ValueError: If a task has fewer than two arms.
    """

    errors: Mapping[str, npt.NDArray[np.float64]]
    folds: Mapping[str, npt.NDArray[np.int64]]

    def __post_init__(self) -> None:
        sizes = {task: len(table) for task, table in self.errors.items()}
        if not sizes or min(sizes.values()) < 2:
            msg = f"Expected at least two arms on every task. Received: arms={sizes}"
            raise ValueError(msg)

    def resample(self, rng: np.random.Generator) -> Pool:
        """Return arms drawn with repetition, task by task, at least two of them different.

        An arm's runs stay together: what its search chose is common to all of them. Units are not
        drawn, as one that is there twice would count as two in every test.
        """
        errors = {}
        for task, table in self.errors.items():
            arms = rng.integers(len(table), size=len(table))
            while len(set(arms)) < 2:
                arms = rng.integers(len(table), size=len(table))
            errors[task] = table[arms]
        return Pool(errors, self.folds)

    def pairs(
        self, replays: int, rng: np.random.Generator, units: int | None = None
    ) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.int64]]]:
        """Return the numbers of one arm against another on all tasks, many times over, and their folds.

        Args:
            replays: How many.
            rng: Draws on each task two arms that are not the same.
            units: So many of the units, none of them twice; where there are fewer, those of a second pair of
                arms follow those of the first. All units of one pair if None.
        """
        values, folds = [], []
        for task, table in self.errors.items():
            left = units or table.shape[1]
            while left > 0:
                chosen = rng.permutation(table.shape[1])[:left]
                values.append(self._differences(table, replays, rng)[:, chosen])
                folds.append((task, self.folds[task][chosen]))
                left -= len(chosen)
        tasks = [np.concatenate([where for name, where in folds if name == task]) for task in self.errors]
        return np.concatenate(values, axis=1), tasks

    @staticmethod
    def _differences(
        table: npt.NDArray[np.float64], replays: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        one, other = rng.integers(len(table), size=(2, replays))
        if (table == table[0]).all():  # arms that do not differ in any unit
            return np.zeros((replays, table.shape[1]))
        # A resample holds an arm several times; an arm against itself is no contrast.
        while (same := (table[one] == table[other]).all(axis=1)).any():
            other[same] = rng.integers(len(table), size=same.sum())
        return table[one] - table[other]
