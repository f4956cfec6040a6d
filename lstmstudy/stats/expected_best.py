"""What the best of so many trials of random search is expected to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def expected_best(errors: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the expected least error of 1, 2, ..., B trials, (B,), from B trials drawn independently.

    Trials count as draws from their empirical distribution. A diverged trial, infinite, is the worst; where
    one can be the best of a draw, nothing finite is expected.

    Args:
        errors: The error of each trial, (B,); lower is better.

    Raises:
        ValueError: If there is no trial, or one is NaN.

    Reference: Dodge et al. 2019, Show your work, EMNLP, arXiv:1909.03004.
    """
    trials = np.sort(np.asarray(errors, dtype=np.float64))
    if not trials.size or np.isnan(trials).any():
        msg = f"Expected the error of each trial, none of them NaN. Received: errors={errors!r}"
        raise ValueError(msg)
    n = np.arange(1, trials.size + 1)
    above = (trials.size - np.arange(trials.size + 1)) / trials.size  # share of trials from each place on
    weights = above[:-1, None] ** n - above[1:, None] ** n
    finite = np.isfinite(trials)
    best = np.where(finite, trials, 0) @ weights
    return np.where(weights[~finite].sum(axis=0) > 0, np.inf, best) if not finite.all() else best
