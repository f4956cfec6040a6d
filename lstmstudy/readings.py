"""How a trajectory is scored: which epoch a reading keeps, and how many epochs it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCES = (1, 3, 5, 10, 20)  # those whose predictions are kept with every outcome
READINGS = ("selected", "last", *(f"patience {k}" for k in PATIENCES))


@dataclass(frozen=True)
class Validation:
    """All that a choice may see: the validation metric of every epoch, (n_epochs,); lower is better.

    Epochs after a divergence hold NaN.
    """

    metric: np.ndarray


@dataclass(frozen=True)
class Kept:
    """The epoch that a reading keeps (from 0) and the number of epochs trained until it was known."""

    epoch: int
    cost: int


def read(validation: Validation, reading: str) -> Kept:
    """Return what `reading` keeps of a trajectory.

    ``"selected"`` keeps the epoch with the lowest validation metric, ``"last"`` the final one and
    ``"patience k"`` the one that ``keras.callbacks.EarlyStopping(patience=k,
    restore_best_weights=True)`` would restore; the epoch at which that stops is its cost. ``"epoch k"``
    keeps the k-th epoch, counted from 1. A NaN ends the trajectory.

    Raises:
        ValueError: If the reading is unknown or no epoch has a finite metric.
    """
    finite = np.isfinite(validation.metric)
    length = len(finite) if finite.all() else int(np.argmin(finite))
    metric = validation.metric[:length]
    if length == 0:
        raise ValueError(f"No epoch has a finite validation metric. Received: metric={validation.metric[:3]}")
    if reading == "selected":
        return Kept(int(np.argmin(metric)), length)
    if reading == "last":
        return Kept(length - 1, length)
    word, _, number = reading.partition(" ")
    if word not in ("patience", "epoch") or not number.isdigit() or int(number) < 1:
        raise ValueError(
            "Expected 'selected', 'last', 'patience <k>' or 'epoch <k>' with k of at least 1. "
            f"Received: {reading=}"
        )
    if word == "epoch":
        kept = min(int(number), length)
        return Kept(kept - 1, kept)
    return _stopped(metric, int(number))


def _stopped(metric: np.ndarray, patience: int) -> Kept:
    """Replay early stopping on finite values."""
    best, wait = 0, 0
    for epoch, value in enumerate(metric[1:], start=1):
        if value < metric[best]:
            best, wait = epoch, 0
            continue
        wait += 1
        if wait >= patience:
            return Kept(best, epoch + 1)
    return Kept(best, len(metric))


def kept_epochs(validation: Validation, readings: Sequence[str] = READINGS) -> list[int]:
    """Return the distinct epochs that any of `readings` keeps, ascending; none without a finite metric."""
    if not np.isfinite(validation.metric[:1]).all():
        return []
    return sorted({read(validation, reading).epoch for reading in readings})
