"""The size of an arm's effect: paired log ratios of test errors, with a bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.streams import generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DRAWS = 4000


@dataclass(frozen=True)
class Effect:
    """How the test error of one arm compares with its control.

    Attributes:
        arm: Label of the arm.
        technique: Name of its technique.
        variant: What is held fixed along the strengths; may be empty.
        strength: Its strength.
        task: Name of the task, or ``"all tasks"``.
        log_ratios: ``ln(error of the arm / error of the control)``, (n_units,); negative is better.
        estimate: Equal-weight mean over tasks of the mean over units.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        improvement: Share of units in which the arm is better, ties counted half.
    """

    arm: str
    technique: str
    variant: str
    strength: float
    task: str
    log_ratios: np.ndarray
    estimate: float
    low: float
    high: float
    improvement: float


def log_ratio(arm: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Return ``ln(arm / control)`` of two arrays (n_units,) of positive errors, unit by unit."""
    return np.log(np.asarray(arm, dtype=np.float64)) - np.log(np.asarray(control, dtype=np.float64))


def bootstrap_interval(
    values: Mapping[str, np.ndarray], folds: Mapping[str, Sequence[int]], *, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over tasks of the mean over units.

    Folds are drawn first, then units within each drawn fold, so that the interval covers the choice
    of the test period as well as that of the seeds.

    Args:
        values: Per task, one number per unit, (n_units,).
        folds: Per task, the fold of each unit, (n_units,).
        seed: Seed of the resampling.
    """
    total = np.zeros(DRAWS)
    for task, numbers in values.items():
        rng = generator(seed, f"bootstrap/{task}")
        where = np.asarray(folds[task])
        groups = [np.asarray(numbers, dtype=np.float64)[where == fold] for fold in np.unique(where)]
        means = np.empty((len(groups), DRAWS))
        # Units within a fold, resampled once for every place that the fold can take in a draw.
        drawn = rng.integers(len(groups), size=(len(groups), DRAWS))
        for place in range(len(groups)):
            resampled = np.stack(
                [group[rng.integers(len(group), size=(DRAWS, len(group)))].mean(axis=1) for group in groups]
            )
            means[place] = resampled[drawn[place], np.arange(DRAWS)]
        total += means.mean(axis=0)
    low, high = np.quantile(total / len(values), [0.025, 0.975])
    return float(low), float(high)


def improvement_share(values: Mapping[str, np.ndarray]) -> float:
    """Return the share of units with a negative log ratio, ties counted half, tasks weighted equally."""
    shares = [np.mean((numbers < 0) + 0.5 * (numbers == 0)) for numbers in values.values()]
    return float(np.mean(shares))
