"""Filling, scaling and cutting never look ahead."""

from __future__ import annotations

import numpy as np
import pytest

from lstmstudy.data.windows import cut_windows, fill_backward_looking, fit_scaler, modelled_series

NAN = np.nan


def test_gaps_repeat_the_last_known_value_and_a_leading_gap_is_dropped() -> None:
    """A gap knows its past only, and before the first value there is none."""
    filled = fill_backward_looking(np.array([NAN, NAN, 1.0, NAN, NAN, 4.0, 5.0, NAN]))
    np.testing.assert_array_equal(filled, [1.0, 1.0, 1.0, 4.0, 5.0, 5.0])


def test_a_series_without_any_value_is_an_error() -> None:
    """Nothing can be filled from nothing."""
    with pytest.raises(ValueError, match=r"known value\. Received: missing=3 of 3"):
        fill_backward_looking(np.full(3, NAN))


def test_differencing_follows_filling() -> None:
    """A missing week is no change, and the next known week catches up."""
    changes = modelled_series(np.array([1.0, 3.0, NAN, 7.0]), differenced=True)
    np.testing.assert_array_equal(changes, [2.0, 0.0, 4.0])


def test_the_scaler_can_treat_channels_one_by_one() -> None:
    """With `per_channel` each column gets its own mean and deviation, else all share one."""
    values = np.array([[0.0, 10.0], [2.0, 30.0]])
    center, scale = fit_scaler(values, per_channel=True)
    np.testing.assert_array_equal([center, scale], [[1.0, 20.0], [1.0, 10.0]])
    center, scale = fit_scaler(values)
    assert center == 10.5
    assert scale == values.std()


@pytest.mark.parametrize("values", [np.ones(5), np.array([[1.0, 2.0], [1.0, 3.0]]), np.empty(0)])
def test_a_constant_channel_cannot_be_standardised(values: np.ndarray) -> None:
    """Dividing by no deviation would fill the inputs with NaN, so it is an error before."""
    with pytest.raises(ValueError, match="Received: values of shape"):
        fit_scaler(values, per_channel=values.ndim == 2)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_a_window_ends_one_horizon_before_its_target(horizon: int) -> None:
    """In a series that counts, the window of target t counts up to t - horizon."""
    targets = np.array([9, 12, 19])
    x = cut_windows(np.arange(20, dtype=np.float64), targets, 4, horizon)
    assert x.shape == (3, 4, 1)
    for window, target in zip(x[:, :, 0], targets, strict=True):
        np.testing.assert_array_equal(window, np.arange(target - horizon - 3, target - horizon + 1))


@pytest.mark.parametrize(("target", "horizon", "message"), [(4, 1, "target=4"), (9, 0, "horizon=0")])
def test_impossible_windows_are_errors(target: int, horizon: int, message: str) -> None:
    """Negative positions would silently wrap around to the future, and horizon 0 is the target itself."""
    with pytest.raises(ValueError, match=f"Received: {message}"):
        cut_windows(np.arange(20, dtype=np.float64), np.array([target]), 5, horizon)
