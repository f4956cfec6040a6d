"""Predictions of several models as one: their mean or median, and what their disagreement is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


class Ambiguity(NamedTuple):
    """The parts of ``member = ensemble + ambiguity``, three mean squared errors.

    Attributes:
        member: Mean over members of their mean squared error.
        ensemble: Mean squared error of the members' mean.
        ambiguity: Mean squared distance of the members from their mean.
    """

    member: float
    ensemble: float
    ambiguity: float


def combined(predictions: npt.ArrayLike, how: str = "mean") -> npt.NDArray[np.float64]:
    """Return the predictions of an ensemble, (n, outputs).

    Probabilities, that is more than one output, sum to 1 again after taking medians; where all medians
    are 0 the mean stands in for them.

    Args:
        predictions: Values or class probabilities of each member, (members, n, outputs).
        how: ``"mean"`` or ``"median"`` over members.

    Raises:
        ValueError: If there is no member or `how` is unknown.
    """
    members = _members(predictions)
    mean = members.mean(axis=0)
    if how == "mean":
        return mean
    if how != "median":
        raise ValueError(f"Members are combined by mean or median. Received: how={how!r}")
    median = np.median(members, axis=0)
    if members.shape[2] == 1:
        return median
    total = median.sum(axis=1, keepdims=True)
    return np.where(total > 0, median / np.where(total > 0, total, 1), mean)


def ambiguity(predictions: npt.ArrayLike, y: npt.ArrayLike) -> Ambiguity:
    """Return how far the members' mean is better than its members on average.

    For squared errors ``member = ensemble + ambiguity`` holds exactly: the mean of several models never
    loses to the average one, and gains as much as they disagree.

    Args:
        predictions: Values of each member, (members, n, outputs).
        y: Targets, (n, outputs).

    Raises:
        ValueError: If the shapes do not belong together.

    Reference: Krogh and Vedelsby 1995, Neural network ensembles, cross validation, and active learning.
    """
    members, truth = _members(predictions), np.asarray(y, dtype=np.float64)
    if truth.shape != members.shape[1:]:
        raise ValueError(
            "Targets have the shape of one member's predictions. "
            f"Received: shapes={members.shape}, {truth.shape}"
        )
    mean = members.mean(axis=0)
    return Ambiguity(
        float(np.mean((members - truth) ** 2)),
        float(np.mean((mean - truth) ** 2)),
        float(np.mean((members - mean) ** 2)),
    )


def _members(predictions: npt.ArrayLike) -> npt.NDArray[np.float64]:
    members = np.asarray(predictions, dtype=np.float64)
    if members.ndim != 3 or not members.size:
        raise ValueError(
            "Predictions of an ensemble have the shape (members, n, outputs), none of them 0. "
            f"Received: shape={members.shape}"
        )
    return members
