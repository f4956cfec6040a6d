"""Everything that is said of one contrast: size, surety, equivalence, and what more units would do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stats.rule import Evidence
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.stats.sign_flips import ALPHA, equivalence, sign_flip_p

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNS = 5  # units in all, of which the signs can give a one-sided p below .05
POWER = 0.8  # with which so many units would show that there is no practical difference


@dataclass(frozen=True)
class Tested:
    """One contrast, tested.

    Attributes:
        n: Units of each task.
        estimate: Mean over tasks of the mean over units.
        low: Lower end of its 95 % bootstrap interval, not adjusted; NaN with too few units.
        high: Upper end.
        p: Two-sided sign-flip test, not adjusted.
        p_equivalence: Larger p of the two one-sided tests against the margin.
        smallest_margin: The smallest margin within which these numbers show no difference; may be infinite.
        units_needed: Units of each task with which the margin would be shown if nothing differs; may be infinite.
        improvement: Share of units with a number below 0, ties counted half, tasks equally.
        improvement_low: Lower end of its interval.
        improvement_high: Upper end.
        iqm: Mean of the middle half of all numbers.
        p_corrected: Of a t-test whose variance allows for overlapping training parts (Nadeau and Bengio 2003).
    """

    n: tuple[int, ...]
    estimate: float
    low: float
    high: float
    p: float
    p_equivalence: float
    smallest_margin: float
    units_needed: float
    improvement: float
    improvement_low: float
    improvement_high: float
    iqm: float
    p_corrected: float


def tested(sample: Sample, margin: float, overlap: Mapping[str, float]) -> Tested:
    """Return one contrast, tested.

    Args:
        sample: Its numbers.
        margin: Of no practical difference.
        overlap: By task, test targets over training targets where training parts of the units overlap.
    """
    from scipy.stats import trim_mean  # takes a second to load

    better = [np.where(each == 0, 0.5, each < 0) for each in sample.values]
    share = Sample(sample.tasks, tuple(each.astype(np.float64) for each in better), sample.folds)
    same = equivalence(sample, margin)
    return Tested(
        tuple(len(each) for each in sample.values),
        sample.estimate,
        *bootstrap_interval(sample),
        sign_flip_p(sample),
        same.p,
        same.margin,
        units_needed(sample, margin),
        share.estimate,
        *bootstrap_interval(share),
        float(trim_mean(sample.flat, 0.25)),
        corrected_p(sample, overlap),
    )


def evidence(whole: Tested, tasks: list[Tested], p: float) -> Evidence:
    """Return what the rule reads of one contrast, from its tests over all tasks and on each.

    Args:
        whole: Over all tasks.
        tasks: On each task by itself.
        p: Adjusted for the number of claims.
    """
    columns = [[each.estimate, each.p, each.low, each.high] for each in tasks]
    by_task = np.array(columns, dtype=np.float64).T
    return Evidence(np.array(whole.estimate), np.array(p), np.array(whole.p_equivalence), *by_task)


def units_needed(sample: Sample, margin: float) -> float:
    """Return how many units each task would need to show, 4 times in 5, that nothing differs by the margin.

    By the normal approximation, from the spread of these numbers; infinite where it is unknown.
    """
    from scipy.stats import norm

    if sample.fewest < 2:
        return math.inf
    spread = sum(each.var(ddof=1) for each in sample.values) / len(sample.values) ** 2
    reach = norm.ppf(1 - ALPHA) + norm.ppf((1 + POWER) / 2)
    least = math.ceil(_SIGNS / len(sample.values))
    return float(max(math.ceil(spread * (reach / margin) ** 2), least))


def corrected_p(sample: Sample, overlap: Mapping[str, float]) -> float:
    """Return the two-sided p of a t-test with the variance of Nadeau and Bengio; NaN where it has none.

    ``(1/J + n_test/n_train)`` stands for ``1/J`` on a task whose units share training data, in a mean
    over tasks with equal weights; degrees of freedom by Satterthwaite.

    Reference: Nadeau and Bengio 2003, Inference for the generalization error, Machine Learning 52.
    """
    from scipy.stats import t

    if sample.fewest < 2:
        return math.nan
    parts = np.array(
        [
            (1 / len(each) + overlap.get(task, 0.0)) * each.var(ddof=1) / len(sample.values) ** 2
            for task, each in zip(sample.tasks, sample.values, strict=True)
        ]
    )
    if not parts.sum():
        return math.nan
    freedom = parts.sum() ** 2 / sum(
        part**2 / (len(each) - 1) for part, each in zip(parts, sample.values, strict=True)
    )
    return float(2 * t.sf(abs(sample.estimate) / math.sqrt(parts.sum()), freedom))
