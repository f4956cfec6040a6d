"""The four metrics, on cases that can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from lstmstudy import metrics

Metric = Callable[[npt.ArrayLike, npt.ArrayLike], float]


def test_regression_metrics_by_hand() -> None:
    """Errors of 3 and -4 give the root of 12.5 and the mean 3.5."""
    predictions, y = np.array([[3.0], [0.0]], np.float32), np.array([[0.0], [4.0]], np.float32)
    assert metrics.rmse(predictions, y) == pytest.approx(np.sqrt(12.5), abs=1e-15)
    assert metrics.mae(predictions, y) == 3.5


def test_classification_metrics_by_hand() -> None:
    """The cross-entropy averages minus the logarithm of the true class, the error rate counts misses."""
    probabilities, labels = np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([0, 0], np.int32)
    assert metrics.cross_entropy(probabilities, labels) == pytest.approx(-np.log([0.5, 0.2]).mean())
    assert metrics.error_rate(probabilities, labels) == 0.5


def test_a_probability_of_zero_costs_as_much_as_1e_minus_7() -> None:
    """The clip keeps one confident mistake finite, and leaves a sure right answer free."""
    assert metrics.cross_entropy([[0.0, 1.0]], [0]) == pytest.approx(-np.log(1e-7))
    assert metrics.cross_entropy([[0.0, 1.0]], [1]) == 0.0


def test_a_nan_is_never_hidden() -> None:
    """A diverged network must show in every metric that can show it."""
    assert np.isnan(metrics.rmse([[np.nan]], [[1.0]]))
    assert np.isnan(metrics.mae([[np.nan]], [[1.0]]))
    assert np.isnan(metrics.cross_entropy([[np.nan, np.nan]], [0]))


@pytest.mark.parametrize("metric", [metrics.rmse, metrics.mae, metrics.cross_entropy, metrics.error_rate])
def test_shapes_that_do_not_fit_are_errors(metric: Metric) -> None:
    """Broadcasting (n,) against (n, 1) would average over all pairs and look like a result."""
    with pytest.raises(ValueError, match="Received: shapes="):
        metric(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="Received: shapes="):
        metric(np.zeros((0, 1)), np.zeros((0, 1)))
