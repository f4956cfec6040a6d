"""The size of an arm's effect: paired log ratios of test errors, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

TINY = 1e-7  # an error of 0 has no logarithm; probabilities are clipped there too


@dataclass(frozen=True)
class Effect:
    """How the test error of one arm compares with its control.

    Attributes:
        arm: Label of the arm.
        technique: Name of its technique.
        variant: What is held fixed along the strengths; may be empty.
        strength: Its strength.
        task: Name of the task, or ``"all tasks"``.
        log_ratios: ``ln(error of the arm / error of the control)``, (n_units,); negative is better.
        estimate: Equal-weight mean over tasks of the mean over units.
        low: Lower end of its 95 % interval; NaN with too few units.
        high: Upper end.
        improvement: Share of units in which the arm is better, ties counted half.
    """

    arm: str
    technique: str
    variant: str
    strength: float
    task: str
    log_ratios: np.ndarray
    estimate: float
    low: float
    high: float
    improvement: float


def log_ratio(arm: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Return ``ln(arm / control)`` of two arrays (n_units,) of errors, unit by unit; those below 1e-7 count as that."""
    one, other = (np.maximum(np.asarray(each, dtype=np.float64), TINY) for each in (arm, control))
    return np.log(one) - np.log(other)


def improvement_share(values: Mapping[str, np.ndarray]) -> float:
    """Return the share of units with a negative log ratio, ties counted half, tasks weighted equally."""
    shares = [np.mean((numbers < 0) + 0.5 * (numbers == 0)) for numbers in values.values()]
    return float(np.mean(shares))
