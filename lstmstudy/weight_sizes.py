"""How many weights of the LSTM layers are near zero, and how long they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.store.numbers import taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmstudy.runs import Outcome

NEAR_ZERO = 0.001  # a third of what Adam moves a weight at first: too small to matter, large enough to be met
_MATRICES = {
    "kernel": ("kernel",),
    "recurrent_kernel": ("recurrent_kernel",),
    "both": ("kernel", "recurrent_kernel"),
}


class WeightSizes(NamedTuple):
    """The share of some weights below `NEAR_ZERO` in absolute value, in percent, and their Euclidean norm."""

    share: float
    norm: float


def lstm_matrices(weights: Mapping[str, np.ndarray], matrices: str = "both") -> np.ndarray:
    """Return the entries of the LSTM layers' matrices, (n,): ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.

    Biases and the head are never among them.
    """
    chosen = [
        weight.ravel()
        for path, weight in weights.items()
        if path.startswith("lstm_") and path.rpartition("/")[2] in _MATRICES[matrices]
    ]
    return np.concatenate(chosen).astype(np.float64)


def weight_sizes(outcome: Outcome) -> WeightSizes:
    """Return the sizes of the LSTM matrices at the selected epoch; NaN if the run diverged."""
    if outcome.result.diverged is not None:
        return WeightSizes(np.nan, np.nan)
    return WeightSizes(
        *taken(f"weights, near {NEAR_ZERO}", [outcome], lambda: _sizes(outcome.result.weights))
    )


def _sizes(weights: Mapping[str, np.ndarray]) -> tuple[float, float]:
    entries = lstm_matrices(weights)
    return 100 * float(np.mean(np.abs(entries) < NEAR_ZERO)), float(np.sqrt(np.sum(entries**2)))
