"""The numbers that a contrast is judged by: one per unit, task by task."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.streams import generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

FEWEST = 6  # units of a task with which an interval is given: a sign-flip test of 5 cannot reach .05
DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Sample:
    """One number per unit whose expectation is 0 if nothing differs; tasks count equally.

    Attributes:
        tasks: Names of the tasks.
        values: For each task, the numbers, (n_units,).
        folds: For each task, the fold of each unit, (n_units,).

    Raises:
        ValueError: If there is no unit, shapes do not belong together, or a number is not finite.
    """

    tasks: tuple[str, ...]
    values: tuple[npt.NDArray[np.float64], ...]
    folds: tuple[npt.NDArray[np.int64], ...]

    def __post_init__(self) -> None:
        sizes = [(len(numbers), len(where)) for numbers, where in zip(self.values, self.folds, strict=True)]
        if len(self.tasks) != len(sizes) or not sizes or any(n != m or not n for n, m in sizes):
            msg = f"Expected numbers and a fold for each of them, on every task. Received: tasks={self.tasks}, {sizes=}"
            raise ValueError(msg)
        if not np.isfinite(self.flat).all():
            msg = f"Expected finite numbers; a failed run enters as its rule says. Received: values={self.values}"
            raise ValueError(msg)

    @classmethod
    def of(cls, values: Mapping[str, npt.ArrayLike], folds: Mapping[str, Sequence[int]]) -> Sample:
        """Return numbers by task with the fold of each as a sample."""
        return cls(
            tuple(values),
            tuple(np.asarray(numbers, dtype=np.float64) for numbers in values.values()),
            tuple(np.asarray(folds[task], dtype=np.int64) for task in values),
        )

    @functools.cached_property
    def flat(self) -> npt.NDArray[np.float64]:
        """All numbers, task after task, (n,)."""
        return np.concatenate(self.values)

    @functools.cached_property
    def weights(self) -> npt.NDArray[np.float64]:
        """What each number weighs in the mean over tasks, (n,)."""
        return np.concatenate([np.full(len(each), 1 / len(each) / len(self.values)) for each in self.values])

    @property
    def slices(self) -> list[slice]:
        """Where the numbers of each task lie in `flat`."""
        ends = np.cumsum([len(each) for each in self.values]).tolist()
        return [slice(stop - len(each), stop) for each, stop in zip(self.values, ends, strict=True)]

    @property
    def estimate(self) -> float:
        """The mean over tasks of the mean over units."""
        return float(np.mean([each.mean() for each in self.values]))

    @property
    def fewest(self) -> int:
        """The number of units on the task that has the fewest."""
        return min(len(each) for each in self.values)

    def on(self, task: str) -> Sample:
        """Return the numbers of one task."""
        place = self.tasks.index(task)
        return Sample((task,), (self.values[place],), (self.folds[place],))

    def without(self, task: str) -> Sample:
        """Return the numbers of the other tasks."""
        keep = [place for place, name in enumerate(self.tasks) if name != task]
        return Sample(
            tuple(self.tasks[place] for place in keep),
            tuple(self.values[place] for place in keep),
            tuple(self.folds[place] for place in keep),
        )


def resampled(folds: npt.NDArray[np.int64], draws: int, seed: int, role: str) -> npt.NDArray[np.float64]:
    """Return what each unit weighs in the mean of each resample of a task, (draws, n_units).

    Folds are drawn first, then units within each drawn fold, so that an interval covers the choice of
    the test period as well as that of the seeds.

    Args:
        folds: The fold of each unit, (n_units,).
        draws: Number of resamples.
        seed: Seed of the resampling.
        role: Names its random stream.
    """
    return _resampled(tuple(folds.tolist()), draws, seed, role)


@functools.lru_cache(maxsize=256)
def _resampled(where: tuple[int, ...], draws: int, seed: int, role: str) -> npt.NDArray[np.float64]:
    folds, rng = np.array(where), generator(seed, role)
    groups = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    weights = np.zeros((draws, len(folds)))
    rows = np.arange(draws)
    for _ in groups:
        drawn = rng.integers(len(groups), size=draws)
        for number, group in enumerate(groups):
            chosen = rows[drawn == number]
            picks = group[rng.integers(len(group), size=(len(chosen), len(group)))]
            np.add.at(weights, (chosen[:, None], picks), 1.0)
    # Units count equally, as in the estimate, also where folds differ in size.
    return weights / weights.sum(axis=1, keepdims=True)


def bootstrap_interval(sample: Sample, *, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """Return the 95 % percentile interval of a sample's estimate; NaN with fewer than six units on a task.

    Args:
        sample: The numbers.
        seed: Seed of the resampling.
        draws: Number of resamples.
    """
    if sample.fewest < FEWEST:
        return float("nan"), float("nan")
    total = np.zeros(draws)
    for task, numbers, folds in zip(sample.tasks, sample.values, sample.folds, strict=True):
        total += resampled(folds, draws, seed, f"bootstrap/{task}") @ numbers
    low, high = np.quantile(total / len(sample.values), [0.025, 0.975])
    return float(low), float(high)
