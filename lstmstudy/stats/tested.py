"""Everything that is said of one contrast: size, surety, equivalence, and what more units would do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stats.luck import student
from lstmstudy.stats.rule import Evidence
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.stats.sign_flips import ALPHA, Equivalence, equivalence, sign_flip_p

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmstudy.stats.luck import Luck, Student

_SIGNS = 5  # units in all, of which the signs can give a one-sided p below .05
POWER = 0.8  # with which so many units would show that there is no practical difference


@dataclass(frozen=True)
class Tested:
    """One contrast, tested.

    Units are tested by their signs, and intervals resample them. Where each arm had a search of its own, a t-test whose
    variance has the luck of the search in it must agree: the larger p counts, and luck is added to the interval.

    Attributes:
        n: Units of each task.
        estimate: Mean over tasks of the mean over units.
        luck: Standard deviation that the luck of two searches gives the estimate; NaN where there is none in it, or none
            is known.
        low: Lower end of its 95 % interval, not adjusted; NaN with too few units.
        high: Upper end.
        p: Two-sided, not adjusted.
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
    luck: float
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


def tested(sample: Sample, margin: float, overlap: Mapping[str, float], luck: Mapping[str, Luck]) -> Tested:
    """Return one contrast, tested.

    Args:
        sample: Its numbers.
        margin: Of no practical difference.
        overlap: By task, test targets over training targets where training parts of the units overlap.
        luck: By task, where arm and control were searched apart and the luck of that is known.
    """
    from scipy.stats import trim_mean  # takes a second to load

    better = [np.where(each == 0, 0.5, each < 0) for each in sample.values]
    share = Sample(sample.tasks, tuple(each.astype(np.float64) for each in better), sample.folds)
    p, same, added = sign_flip_p(sample), equivalence(sample, margin), math.nan
    if lucky := _with_luck(sample, luck):
        added = float(lucky.luck)
        p = max(p, float(lucky.p()))
        widest = abs(sample.estimate) + float(lucky.reach(1 - ALPHA))
        same = Equivalence(max(same.p, float(lucky.p_equivalence(margin))), max(same.margin, widest))
    return Tested(
        tuple(len(each) for each in sample.values),
        sample.estimate,
        added,
        *interval(sample, luck),
        p,
        same.p,
        same.margin,
        units_needed(sample, margin, luck),
        share.estimate,
        *bootstrap_interval(share),
        float(trim_mean(sample.flat, 0.25)),
        corrected_p(sample, overlap),
    )


def interval(sample: Sample, luck: Mapping[str, Luck]) -> tuple[float, float]:
    """Return the 95 % interval of a sample's estimate; NaN with fewer than six units on a task.

    It covers folds and seeds by the bootstrap and, where there is luck, that too.

    Args:
        sample: The numbers.
        luck: As `tested`.
    """
    low, high = bootstrap_interval(sample)
    if lucky := _with_luck(sample, luck):
        low, high = map(float, lucky.interval(np.array(low), np.array(high)))
    return low, high


def _with_luck(sample: Sample, luck: Mapping[str, Luck]) -> Student | None:
    """Return the tests with luck; None without luck, and where a single unit shows nothing anyway."""
    if sample.fewest < 2 or not any(task in luck for task in sample.tasks):
        return None
    return student(
        np.array([each.mean() for each in sample.values]),
        np.array([each.var(ddof=1) for each in sample.values]),
        [len(each) for each in sample.values],
        [luck.get(task) for task in sample.tasks],
    )


def _luck_of_mean(sample: Sample, luck: Mapping[str, Luck]) -> float:
    """Return the variance that luck gives a mean over tasks."""
    return float(sum(luck[task].variance for task in sample.tasks if task in luck)) / len(sample.tasks) ** 2


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


def units_needed(sample: Sample, margin: float, luck: Mapping[str, Luck]) -> float:
    """Return how many units each task would need to show, 4 times in 5, that nothing differs by the margin.

    By the normal approximation, from the spread of these numbers; infinite where it is unknown, and where the luck of
    the search alone is too much, which no unit lessens.
    """
    from scipy.stats import norm

    if sample.fewest < 2:
        return math.inf
    spread = sum(each.var(ddof=1) for each in sample.values) / len(sample.values) ** 2
    reach = norm.ppf(1 - ALPHA) + norm.ppf((1 + POWER) / 2)
    room = (margin / reach) ** 2 - _luck_of_mean(sample, luck)
    if room <= 0:
        return math.inf
    least = math.ceil(_SIGNS / len(sample.values))
    return float(max(math.ceil(spread / room), least))


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
