"""Runs that differ by chance alone, from which contrasts without an effect are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.stats.luck import Luck

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


class Pairs(NamedTuple):
    """Contrasts without an effect, (n_replays, ...).

    Attributes:
        values: The numbers, task after task, (n_replays, n_units).
        folds: Of each task, the fold of each unit.
        luck: Of each task, the luck that each replay is judged by, (n_replays,); None if none is known.
    """

    values: npt.NDArray[np.float64]
    folds: tuple[npt.NDArray[np.int64], ...]
    luck: tuple[Luck | None, ...]


@dataclass(frozen=True)
class Pool:
    """Runs that differ by chance alone: of arms that were each searched and trained, and that do the same.

    Attributes:
        errors: By task, the logarithm of the test error, (n_arms, n_units).
        folds: By task, the fold of each unit, (n_units,).
        luck: By task, the luck of the search that each pair is judged by, (n_arms, n_arms); no task if none is known.

    Raises:
        ValueError: If a task has fewer than two arms.
    """

    errors: Mapping[str, npt.NDArray[np.float64]]
    folds: Mapping[str, npt.NDArray[np.int64]]
    luck: Mapping[str, Luck] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {task: len(table) for task, table in self.errors.items()}
        if not sizes or min(sizes.values()) < 2:
            msg = f"Expected at least two arms on every task. Received: arms={sizes}"
            raise ValueError(msg)

    def resample(self, rng: np.random.Generator) -> Pool:
        """Return arms drawn with repetition, task by task, at least two of them different.

        An arm's runs stay together: what its search chose is common to all of them. Units are not
        drawn, as one that is there twice would count as two in every test. The luck that a pair is judged
        by stays what it was: arms that are there twice would make it smaller.
        """
        errors, luck = {}, {}
        for task, table in self.errors.items():
            arms = rng.integers(len(table), size=len(table))
            while len(set(arms)) < 2:
                arms = rng.integers(len(table), size=len(table))
            errors[task] = table[arms]
            if task in self.luck:
                luck[task] = Luck(*(each[np.ix_(arms, arms)] for each in self.luck[task]))
        return Pool(errors, self.folds, luck)

    def pairs(self, replays: int, rng: np.random.Generator, units: int | None = None) -> Pairs:
        """Return the numbers of one arm against another on all tasks, many times over.

        Args:
            replays: How many.
            rng: Draws on each task two arms that are not the same.
            units: So many of the units, none of them twice; where there are fewer, those of a second pair of
                arms follow those of the first, whose luck is then less than that of one pair. All units of one
                pair if None.
        """
        values, folds, luck = [], [], []
        for task, table in self.errors.items():
            left, own = units or table.shape[1], []
            while left > 0:
                chosen = rng.permutation(table.shape[1])[:left]
                one, other = self._drawn(table, replays, rng)
                values.append((table[one] - table[other])[:, chosen])
                own.append((self.folds[task][chosen], one, other))
                left -= len(chosen)
            folds.append(np.concatenate([where for where, *_ in own]))
            _, one, other = own[0]
            known = self.luck.get(task)
            luck.append(None if known is None else Luck(*(each[one, other] for each in known)))
        return Pairs(np.concatenate(values, axis=1), tuple(folds), tuple(luck))

    @staticmethod
    def _drawn(
        table: npt.NDArray[np.float64], replays: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        one, other = rng.integers(len(table), size=(2, replays))
        if (table == table[0]).all():  # arms that do not differ in any unit
            return one, one
        # A resample holds an arm several times; an arm against itself is no contrast.
        while (same := (table[one] == table[other]).all(axis=1)).any():
            other[same] = rng.integers(len(table), size=same.sum())
        return one, other
