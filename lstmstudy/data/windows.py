"""From a raw series to windows: filling, differencing, scaling and cutting, none of which looks ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def fill_backward_looking(series: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the series from its first known value on, each gap filled with the last value before it.

    Args:
        series: Floats (n,), NaN where missing.

    Raises:
        ValueError: If no value is known.
    """
    known = np.flatnonzero(~np.isnan(series))
    if not known.size:
        msg = f"A series holds at least one known value. Received: missing={series.size} of {series.size}"
        raise ValueError(msg)
    positions = np.arange(known[0], series.size)
    return series[known[np.searchsorted(known, positions, side="right") - 1]]


def modelled_series(series: npt.NDArray[np.float64], *, differenced: bool) -> npt.NDArray[np.float64]:
    """Return what is forecast: the filled series, or its changes from each value to the next.

    A filled gap appears among the changes as zeros followed by one catching-up step.
    """
    filled = fill_backward_looking(np.asarray(series, dtype=np.float64))
    return np.diff(filled) if differenced else filled


def fit_scaler(
    values: npt.NDArray[np.float64], *, per_channel: bool = False
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and standard deviation, over everything or for each channel (the last axis).

    Raises:
        ValueError: If the values, or those of one channel, are all equal or none.
    """
    axis = 0 if per_channel else None
    if not values.size or np.any(np.ptp(values, axis=axis) == 0):
        msg = (
            "Standardising needs a training part whose values differ, in each channel. "
            f"Received: values of shape {values.shape}, at least one channel constant"
        )
        raise ValueError(msg)
    return np.asarray(values.mean(axis=axis)), np.asarray(values.std(axis=axis))


def cut_windows(
    series: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], window: int, horizon: int
) -> npt.NDArray[np.float64]:
    """Return for each target t the `window` values up to and with t - horizon, oldest first.

    Args:
        series: Floats (n,).
        targets: Integers (n_targets,), positions in the series.
        window: Values in each input.
        horizon: Steps from the last input to the target, at least 1.

    Returns:
        Floats (n_targets, window, 1).

    Raises:
        ValueError: If a window would begin before the series, or the horizon is below 1.
    """
    if horizon < 1:
        msg = f"A forecast looks at least one step ahead. Received: horizon={horizon}"
        raise ValueError(msg)
    first = targets - horizon - window + 1
    if first.min() < 0:
        msg = (
            "The first target has a whole window before it. "
            f"Received: target={targets.min()}, window={window}"
        )
        raise ValueError(msg)
    return series[first[:, None] + np.arange(window)][:, :, None]
