"""Made series of known kind: autoregressions of order 3, stationary or with a unit root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

ORDER = 3
NOISE_SD = 1.0  # of what enters each step: no forecast one step ahead has a smaller expected error
_ROOTS = (
    1.1,
    5.0,
)  # sizes of the roots; one nearer to 1 is hard to tell from a unit root in a few hundred values
_BURN_IN = 500  # steps dropped, after which the start is forgotten


def stationary(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return `n` values of an AR(3) whose roots lie outside the unit circle, without unit, shape (n,).

    Each realization is another process: the sizes of its three real roots are drawn from 1.1 to 5, their
    signs by chance.

    Reference: Bergmeir and Benitez 2012, Information Sciences 191:192-213, who drew processes so.
    """
    return _filtered(n, _roots(rng), rng)


def changing(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return `n` values of such an AR(3) whose first root is 1, without unit, shape (n,).

    The changes of the series are stationary but its level wanders: sooner or later it is where it has
    never been. One step ahead it is as predictable as the stationary series.
    """
    return _filtered(n, np.concatenate([[1.0], _roots(rng)[1:]]), rng)


def _roots(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return rng.uniform(*_ROOTS, size=ORDER) * rng.choice([-1.0, 1.0], size=ORDER)


def _filtered(n: int, roots: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the normal noise e after (1 - B/r1)(1 - B/r2)(1 - B/r3) x = e, where B x[t] = x[t - 1]."""
    from scipy.signal import lfilter

    noise = rng.normal(0.0, NOISE_SD, size=_BURN_IN + n)
    return np.asarray(lfilter([1.0], np.poly(1.0 / roots), noise)[-n:])
