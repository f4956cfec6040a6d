"""The four metrics of the study, as pure functions of predictions and truth in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLIP = 1e-7  # the least probability that enters a logarithm: one confident mistake must not cost infinity


def _errors(predictions: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return prediction minus truth; the shapes must agree, as broadcasting would hide a mistake."""
    predicted = np.asarray(predictions, dtype=np.float64)
    truth = np.asarray(y, dtype=np.float64)
    if predicted.shape != truth.shape or not truth.size:
        msg = (
            "Predictions and targets have the same shape and at least one entry. "
            f"Received: shapes={predicted.shape}, {truth.shape}"
        )
        raise ValueError(msg)
    return predicted - truth


def _classified(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return both as arrays once one row of probabilities stands beside each label."""
    table = np.asarray(probabilities, dtype=np.float64)
    truth = np.asarray(labels, dtype=np.int64)
    if table.ndim != 2 or truth.shape != table.shape[:1] or not truth.size:
        msg = (
            "Probabilities have the shape (n, classes) and labels (n,), with n at least 1. "
            f"Received: shapes={table.shape}, {truth.shape}"
        )
        raise ValueError(msg)
    return table, truth


def rmse(predictions: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the root mean squared error, in the unit of `y`; both have the shape (n, 1)."""
    return float(np.sqrt(np.mean(_errors(predictions, y) ** 2)))


def mae(predictions: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Return the mean absolute error, in the unit of `y`; both have the shape (n, 1)."""
    return float(np.mean(np.abs(_errors(predictions, y))))


def cross_entropy(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the mean of minus the natural logarithm of the true class's probability, in nats.

    Probabilities below 1e-7 count as 1e-7.

    Args:
        probabilities: Floats (n, classes), each row summing to 1.
        labels: Integers (n,), the true classes counted from 0.
    """
    table, truth = _classified(probabilities, labels)
    return float(-np.mean(np.log(np.maximum(table[np.arange(truth.size), truth], CLIP))))


def error_rate(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the share, between 0 and 1, of rows whose likeliest class is not the true one.

    Args:
        probabilities: Floats (n, classes); of equally likely classes the first counts.
        labels: Integers (n,), the true classes counted from 0.
    """
    table, truth = _classified(probabilities, labels)
    return float(np.mean(table.argmax(axis=1) != truth))
