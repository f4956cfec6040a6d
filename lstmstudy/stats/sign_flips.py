"""Tests of a sample's mean by flipping signs: of no difference, and of no practical difference."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.streams import generator

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmstudy.stats.sample import Sample

# Random ways to sign the units, beside the observed one, where there are more ways than that.
DRAWS = 99_999
ALPHA = 0.05
_SLACK = 1e-12  # relative; sums that differ by rounding are ties


class Equivalence(NamedTuple):
    """Whether a mean lies within a margin.

    Attributes:
        p: The larger p of the two one-sided tests.
        margin: The smallest margin that both would reject at .05; infinite if none.
    """

    p: float
    margin: float


@functools.lru_cache(maxsize=6)
def flips(n: int, draws: int = DRAWS) -> npt.NDArray[np.float64]:
    """Return ways to sign `n` units, (n_ways, n), the first all plus: all of them, or random ones.

    Args:
        n: Number of units.
        draws: How many random ones are drawn if there are more ways than that.
    """
    if 2**n <= draws + 1:
        ways = np.arange(2**n)[:, None] >> np.arange(n) & 1
        return (1 - 2 * ways).astype(np.float64)
    drawn = generator(0, f"signs/{n}").integers(0, 2, size=(draws, n), dtype=np.int8)
    return np.concatenate([np.ones((1, n)), 1 - 2 * drawn.astype(np.float64)])


def sign_flip_p(sample: Sample) -> float:
    """Return the two-sided p of the hypothesis that units are symmetric around 0.

    The statistic is the estimate: the mean over tasks of the mean over units. All ways to sign the units
    are counted up to 16 of them, else 99 999 random ones and the observed one.
    """
    return float(two_sided(sample.flat[None] * sample.weights)[0])


def equivalence(sample: Sample, margin: float) -> Equivalence:
    """Return the two one-sided sign-flip tests of a mean beyond plus and minus `margin`.

    Each shifts the numbers by the margin and counts how often flipped ones are as extreme on the near side.

    Raises:
        ValueError: If the margin is not above 0.
    """
    if not margin > 0:
        msg = f"A margin of no practical difference is above 0. Received: margin={margin!r}"
        raise ValueError(msg)
    ways, weights = flips(len(sample.flat)), sample.weights
    flipped, moved, mean = ways @ (sample.flat * weights), ways @ weights, sample.estimate
    slack = _SLACK * float(np.abs(sample.flat * weights).sum() + margin)

    def p(bound: float) -> float:
        less = np.mean(flipped - bound * moved <= mean - bound + slack)
        more = np.mean(flipped + bound * moved >= mean + bound - slack)
        return float(max(less, more))

    low, high = 0.0, abs(mean) + margin
    while p(high) >= ALPHA:
        low, high = high, 2 * high
        if high > 1e6 * (abs(mean) + margin):
            return Equivalence(p(margin), float("inf"))
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if p(middle) < ALPHA else (middle, high)
    return Equivalence(p(margin), float(high))


def two_sided(parts: npt.NDArray[np.float64], draws: int = DRAWS) -> npt.NDArray[np.float64]:
    """Return the p of several samples at once, (n_samples,).

    Args:
        parts: What each unit adds to the mean, (n_samples, n_units).
        draws: As `flips`.
    """
    ways = flips(parts.shape[1], draws)
    least = np.abs(parts.sum(axis=1)) - _slack(parts)
    return np.asarray(np.mean(np.abs(ways @ parts.T) >= least, axis=0))


def within(
    values: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    margin: float,
    draws: int = DRAWS,
) -> npt.NDArray[np.float64]:
    """Return the larger p of two one-sided tests of a mean beyond plus and minus `margin`, (n_samples,).

    Args:
        values: The numbers, (n_samples, n_units).
        weights: What each unit weighs in the mean, (n_units,).
        margin: Above 0.
        draws: As `flips`.
    """
    ways = flips(values.shape[1], draws)
    below, above = (values - margin) * weights, (values + margin) * weights
    less = np.mean(ways @ below.T <= below.sum(axis=1) + _slack(below), axis=0)
    more = np.mean(ways @ above.T >= above.sum(axis=1) - _slack(above), axis=0)
    return np.maximum(less, more)


def _slack(parts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return _SLACK * np.abs(parts).sum(axis=1)


def holm(ps: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return p values adjusted for their number along the first axis, in their order: Holm 1979."""
    raw = np.asarray(ps, dtype=np.float64)
    order = np.argsort(raw, axis=0, kind="stable")
    factors = np.arange(len(raw), 0, -1).reshape(-1, *[1] * (raw.ndim - 1))
    stepped = np.maximum.accumulate(np.take_along_axis(raw, order, axis=0) * factors, axis=0)
    adjusted = np.empty_like(raw)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1), axis=0)
    return adjusted
