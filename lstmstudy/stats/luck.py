"""The luck of the search: how far arms that do the same lie apart as each had a search of its own.

What a search chose, such as the learning rate, is common to all units of an arm, so that more units make a difference
between two arms surer without making it any more that of their techniques. Arms that do nothing show how much it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FEWEST = 6  # arms that do nothing, the baseline among them, with which luck is measured


class Luck(NamedTuple):
    """What two searches add to the variance of a difference of arms on a task; one estimate, or many of one shape.

    Attributes:
        variance: Added to that of a mean over units, however many; in squared units of the numbers.
        error: Variance of this estimate.
        least: Variance of the difference of two arms that do nothing, their units among it.
        freedom: Degrees of freedom of that.
    """

    variance: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    least: npt.NDArray[np.float64]
    freedom: npt.NDArray[np.float64]


class Student(NamedTuple):
    """Means with a standard error that is estimated: what a t-test reads, of one sample or of many.

    Attributes:
        mean: Over units, then over tasks.
        error: Its standard error, luck among it.
        freedom: Degrees of freedom of that error; may be infinite.
        luck: Standard deviation that luck alone gives it.
    """

    mean: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]
    freedom: npt.NDArray[np.float64]
    luck: npt.NDArray[np.float64]

    def p(self) -> npt.NDArray[np.float64]:
        """Return the two-sided p of a mean of 0; 0 where nothing varies, as signs alone decide there."""
        return 2 * self._beyond(np.abs(self.mean))

    def p_equivalence(self, margin: float) -> npt.NDArray[np.float64]:
        """Return the larger p of the two one-sided tests of a mean beyond plus and minus `margin`."""
        return self._beyond(margin - np.abs(self.mean))

    def reach(self, share: float) -> npt.NDArray[np.float64]:
        """Return how far from the mean a one-sided bound of this confidence lies."""
        from scipy.stats import t  # takes a second to load

        return np.asarray(t.ppf(share, self.freedom) * self.error)

    def interval(
        self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return a 95 % interval over units with luck in it, never narrower than that of the t-test; NaN stays.

        Args:
            low: Lower end of the interval over units alone.
            high: Its upper end.
        """
        from scipy.stats import t

        quantile = t.ppf(0.975, self.freedom)
        luck, least = quantile * self.luck, quantile * self.error
        below, above = (np.hypot(each, luck) for each in (self.mean - low, high - self.mean))
        return self.mean - np.maximum(below, least), self.mean + np.maximum(above, least)

    def _beyond(self, distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        from scipy.stats import t

        certain = np.where(distance >= 0, np.inf, -np.inf)  # nothing varies
        ratio = np.divide(distance, self.error, out=certain, where=self.error > 0)
        return np.asarray(t.sf(ratio, self.freedom))


def luck_between(numbers: npt.NDArray[np.float64]) -> Luck:
    """Return the luck of two searches from arms that do the same, by analysis of variance.

    It is twice the variance of the arms' means beyond what their units explain, and not below 0.

    Args:
        numbers: A quantity of each arm in each unit, (n_arms, n_units), on the scale of contrasts: where these are
            log ratios, logarithms.

    Raises:
        ValueError: If there are fewer than two arms or two units.

    Reference: Searle, Casella and McCulloch 1992, Variance Components.
    """
    if min(numbers.shape) < 2:
        msg = f"Expected at least two arms and two units. Received: shape={numbers.shape}"
        raise ValueError(msg)
    arms, units = numbers.shape
    means = numbers.mean(axis=1)
    rest = numbers - means[:, None] - numbers.mean(axis=0) + numbers.mean()
    between, within = arms - 1, (arms - 1) * (units - 1)
    whole, explained = means.var(ddof=1), (rest**2).sum() / within / units
    error = 8 * (whole**2 / between + explained**2 / within)
    found = 2 * max(whole - explained, 0.0), error, 2 * whole, between
    return Luck(*(np.array(each, dtype=np.float64) for each in found))


def luck_beside(numbers: npt.NDArray[np.float64]) -> Luck:
    """Return for every pair of arms the luck between all others, (n_arms, n_arms): what judges it knows nothing of it.

    Args:
        numbers: As `luck_between`; at least four arms.
    """
    arms = np.arange(len(numbers))
    own = (0.0, 0.0, 0.0, np.inf)  # of an arm with itself, which is no pair
    found = [
        [luck_between(numbers[(arms != one) & (arms != other)]) if one != other else own for other in arms]
        for one in arms
    ]
    return Luck(*np.moveaxis(np.array(found, dtype=np.float64), -1, 0))


def student(
    means: npt.NDArray[np.float64],
    variances: npt.NDArray[np.float64],
    sizes: Sequence[int],
    luck: Sequence[Luck | None],
) -> Student:
    """Return the mean over tasks with the standard error that units and the luck of the search give it.

    The variance on a task is that of the mean over units and luck together, and never below that between two arms that
    do nothing. Degrees of freedom are those of Satterthwaite; as they may vanish where one estimate is taken off another,
    they are at least the fewer of those of units and of arms.

    Args:
        means: Of each task, (n_tasks, ...).
        variances: Of the numbers of each task's units, (n_tasks, ...).
        sizes: Units of each task, at least two.
        luck: Of each task; None where no search is behind the difference.

    Reference: Satterthwaite 1946, An approximate distribution of estimates of variance components, Biometrics
    Bulletin 2.
    """
    parts, errors, lucky = [], [], [np.zeros_like(means[0])]
    for variance, n, its in zip(variances, sizes, luck, strict=True):
        of_units = variance / n
        whole, error = of_units, 2 * of_units**2 / (n - 1)
        if its is not None:
            whole = np.maximum(of_units + its.variance, its.least)
            error = np.minimum(error + its.error, 2 * whole**2 / np.minimum(its.freedom, n - 1))
            lucky.append(its.variance)
        parts.append(whole)
        errors.append(error)
    whole, error = np.sum(parts, axis=0) / len(sizes) ** 2, np.sum(errors, axis=0) / len(sizes) ** 4
    freedom = np.divide(2 * whole**2, error, out=np.full_like(error, np.inf), where=error > 0)
    return Student(means.mean(axis=0), np.sqrt(whole), freedom, np.sqrt(sum(lucky)) / len(sizes))
