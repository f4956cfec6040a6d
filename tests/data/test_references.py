"""The simple references learn from the training part only, and reproduce known figures."""

from __future__ import annotations

import numpy as np
import pytest

from lstmstudy import metrics
from lstmstudy.data import open_task, sources
from lstmstudy.data.references import (
    autoregression,
    logistic_regression,
    majority_class,
    naive,
    seasonal_naive,
)

SERIES = {"sunspots": sources.sunspots, "elnino": sources.elnino}


@pytest.mark.parametrize(
    ("name", "method", "number", "fit_share", "expected"),
    [
        ("sunspots", "naive", 1, 0.6, (33.28, 25.44)),
        ("sunspots", "seasonal", 11, 0.6, (37.86, 27.95)),
        ("sunspots", "ar", 2, 0.6, (22.73, 17.78)),
        ("sunspots", "ar", 9, 0.6, (19.91, 15.55)),
        ("sunspots", "ar", 9, 0.8, (19.44, 15.15)),
        ("elnino", "naive", 1, 0.6, (1.164, 0.984)),
        ("elnino", "seasonal", 12, 0.6, (1.438, 1.055)),
        ("elnino", "ar", 2, 0.6, (0.584, 0.465)),
        ("elnino", "ar", 12, 0.6, (0.528, 0.424)),
        ("elnino", "ar", 24, 0.6, (0.501, 0.397)),
        ("elnino", "ar", 24, 0.8, (0.501, 0.400)),
    ],
)
def test_known_figures_of_the_series(
    name: str, method: str, number: int, fit_share: float, expected: tuple[float, float]
) -> None:
    """On the last fifth of the series the references give the figures found independently."""
    series = SERIES[name]()
    targets = np.arange(int(0.8 * series.size), series.size)
    if method == "naive":
        forecasts = naive(series, targets)
    elif method == "seasonal":
        forecasts = seasonal_naive(series, targets, number)
    else:
        forecasts = autoregression(series, targets, number, int(fit_share * series.size))
    unit = 0.01 if name == "sunspots" else 0.001  # the last digit given
    assert metrics.rmse(forecasts, series[targets]) == pytest.approx(expected[0], abs=0.6 * unit)
    assert metrics.mae(forecasts, series[targets]) == pytest.approx(expected[1], abs=0.6 * unit)


def test_known_figures_of_co2() -> None:
    """An AR(53) on the changes, of the level filled by interpolation as those figures were, gives .407."""
    raw = sources.co2()
    known = ~np.isnan(raw)
    positions = np.arange(raw.size)
    level = np.interp(positions, positions[known], raw[known])
    a, b = int(0.6 * raw.size), int(0.8 * raw.size)
    targets = np.arange(b, raw.size)
    changes = np.diff(level)  # the change to position t stands at t - 1
    forecasts = level[targets - 1] + autoregression(changes, targets - 1, 53, a - 1)
    assert metrics.rmse(forecasts, level[targets]) == pytest.approx(0.407, abs=0.0006)
    assert metrics.mae(forecasts, level[targets]) == pytest.approx(0.314, abs=0.0006)
    zero_change = naive(level, targets)
    assert metrics.rmse(zero_change, level[targets]) == pytest.approx(0.513, abs=0.0006)


def test_known_figure_of_the_digits() -> None:
    """Logistic regression on pixels in [0, 1] has the accuracy known for this split."""
    from sklearn.model_selection import train_test_split

    data = sources.digits_rows()
    train, test = train_test_split(
        np.arange(len(data.labels)), test_size=0.2, stratify=data.labels, random_state=0
    )
    probabilities = logistic_regression(data.x[train], data.labels[train], data.x[test], 10)
    assert 1 - metrics.error_rate(probabilities, data.labels[test]) == pytest.approx(0.9667, abs=5e-5)


def test_the_seasonal_reference_never_looks_past_the_horizon() -> None:
    """Beyond one period it goes back as many periods as it takes."""
    series, targets = np.arange(100, dtype=np.float64), np.arange(50, 60)
    for horizon, back in ((1, 12), (12, 12), (13, 24), (25, 36)):
        np.testing.assert_array_equal(seasonal_naive(series, targets, 12, horizon), targets - back)


@pytest.mark.parametrize("horizon", [1, 4])
def test_the_autoregression_never_reads_past_its_fit(horizon: int) -> None:
    """Its forecasts inside the training part do not depend on anything that comes later."""
    series = np.sin(np.arange(200.0)) + np.random.default_rng(3).normal(size=200)
    targets = np.arange(40, 120)
    before = autoregression(series, targets, 5, 120, horizon)
    series[120:] += 100.0
    np.testing.assert_array_equal(autoregression(series, targets, 5, 120, horizon), before)
    series[60] += 1.0
    assert not np.array_equal(autoregression(series, targets, 5, 120, horizon), before)


def test_the_majority_class_forecasts_the_training_shares() -> None:
    """Every sample gets the same shares, and the error rate is that of the most frequent class."""
    probabilities = majority_class(np.array([2, 2, 0, 2], np.int32), 3, 4)
    np.testing.assert_array_equal(probabilities, np.tile([0.25, 0.0, 0.75, 0.0], (3, 1)))
    assert metrics.error_rate(probabilities, [2, 0, 1]) == pytest.approx(2 / 3)


def test_a_class_that_training_lacks_gets_no_probability() -> None:
    """The columns of the logistic regression are classes, whichever of them occur."""
    probabilities = logistic_regression(np.eye(4), np.array([0, 2, 0, 2], np.int32), np.eye(4), 3)
    np.testing.assert_array_equal(probabilities[:, 1], 0.0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_the_naive_reference_of_a_differenced_series_is_zero_change() -> None:
    """In the unit of the series its RMSE is the root mean square of the changes to forecast."""
    task = open_task("co2")
    for fold, references in zip(task.folds, task.references, strict=True):
        changes = fold.test.y.astype(np.float64) * fold.scale + fold.center
        expected = np.sqrt(np.mean(changes**2)) / fold.scale
        assert references["naive"]["rmse"] == pytest.approx(expected, rel=1e-5)
        assert references["AR(53)"]["rmse"] < 0.9 * references["naive"]["rmse"]
