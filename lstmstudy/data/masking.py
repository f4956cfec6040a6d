"""Steps that lack a value are left out: the known ones of a sequence stand at its front, zeros behind them.

An LSTM carries its state over a masked step, so that a window with gaps is the same to it as the window of its
known steps, padded at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_TINY = 1e-20  # no sum feels it, and it is not 0, which a Masking layer takes for padding


def known_steps(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return for each step whether every channel has a value; NaN is none.

    Args:
        values: Floats (..., F).

    Returns:
        Booleans (...).
    """
    return np.asarray(~np.isnan(values).any(axis=-1))


def predictable(
    values: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], window: int, horizon: int
) -> npt.NDArray[np.int64]:
    """Return the targets whose value is known, as is at least one step of their window.

    Args:
        values: Floats (n, F), NaN where missing; the first channel is forecast.
        targets: Positions in it, each with a whole window before it.
        window: Steps of the input.
        horizon: Steps from the last input to the target.
    """
    seen = np.concatenate([[0], np.cumsum(known_steps(values))])  # known steps before each position
    stop = targets - horizon + 1
    return targets[(seen[stop] > seen[stop - window]) & ~np.isnan(values[targets, 0])]


def compressed(
    x: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return sequences with their known steps in front, as `padded` does, and how many these are.

    Args:
        x: Floats (n, T, F), NaN where missing.

    Returns:
        Float32 (n, T, F) and int32 (n,).
    """
    known = known_steps(x)
    order = np.argsort(~known, axis=1, kind="stable")
    lengths = known.sum(axis=1).astype(np.int32)
    return padded(np.take_along_axis(x, order[:, :, None], axis=1), lengths), lengths


def padded(x: npt.NDArray[np.float64], lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Return sequences with zeros behind their ends, and a tiny number in a step before that would be all zeros.

    Args:
        x: Floats (n, T, F).
        lengths: Integers (n,), the steps of each that count.
    """
    counting = np.arange(x.shape[1]) < lengths[:, None]
    found = np.where(counting[:, :, None], x, 0.0).astype(np.float32)
    found[counting & (np.abs(found) < _TINY).all(axis=2)] = _TINY
    return found
