"""Dropout, L2 and early stopping together, which the guide calls good on most tasks."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lstmstudy.techniques.combination import Combination


@dataclasses.dataclass(frozen=True)
class Trio(Combination):
    """Dropout per step, L2 on the input kernels and early stopping.

    Training and inference are those of the parts; trajectories are read at the patience.

    Args:
        rate: Probability of dropping what enters an LSTM layer, in [0, 1).
        l2: Coefficient of the sum of squares, at least 0.
        patience: Epochs without improvement until training stops, at least 1.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: none; a guide's recommendation.
    """

    name: ClassVar[str] = "trio"
    title: ClassVar[str] = "trio"
    reference: ClassVar[str] = "a guide's recommendation; no published source"
