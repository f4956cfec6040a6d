"""The Mackey-Glass map with noise in its dynamics: a series whose best possible forecast is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

DELAY = 17  # chaotic, and the delay that the literature uses most
# Of the noise in the dynamics. The series stays within about 0.3 to 1.4, near the noise-free attractor (0.37
# to 1.34), and the best possible error is about 0.4 of the naive one. Half as much noise and memorizing it
# costs next to nothing; three times as much and the floor comes close to naive: little is left to avoid.
NOISE_SD = 0.015
BURN_IN = 1000  # steps dropped, after which the start is forgotten


def true_map(current: npt.ArrayLike, delayed: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return F(x[t], x[t - 17]), the best forecast of x[t + 1], element by element.

    F(u, v) = 0.9 u + 0.2 v / (1 + v^10): one Euler step of length 1 of the delay equation. The first term
    shrinks and the second is bounded, so that no noise drives the series away.

    Reference: Mackey and Glass 1977, Science 197:287-289.
    """
    u, v = np.asarray(current, dtype=np.float64), np.asarray(delayed, dtype=np.float64)
    return np.asarray(0.9 * u + 0.2 * v / (1.0 + v**10))


def realization(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return `n` values of x[t + 1] = F(x[t], x[t - 17]) + e[t] with normal e, without unit, shape (n,)."""
    noise = rng.normal(0.0, NOISE_SD, size=BURN_IN + n)
    x = np.empty(DELAY + 1 + noise.size)
    x[: DELAY + 1] = 1.2
    for t, e in enumerate(noise, start=DELAY):
        x[t + 1] = true_map(x[t], x[t - DELAY]) + e
    return x[-n:]
