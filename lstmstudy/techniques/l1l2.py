"""L1 and L2 together: the elastic net."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lstmstudy.techniques.weight_penalty import WeightPenalty


@dataclasses.dataclass(frozen=True)
class L1L2(WeightPenalty):
    """Adds ``l1 * sum(|w|) + l2 * sum(w^2)`` over the matrices of the LSTM layers to the loss.

    It is part of the loss that is minimized, and of no reported loss or metric; biases and the head cost
    nothing. At inference nothing is different.

    Args:
        l1: Coefficient of the sum of absolute values, at least 0.
        l2: Coefficient of the sum of squares, at least 0; both 0 is off.
        matrices: Which matrices of the LSTM layers: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: Zou and Hastie 2005, Journal of the Royal Statistical Society B 67.
    """

    l1: float = 0.0
    l2: float = 0.0

    name: ClassVar[str] = "l1l2"
    title: ClassVar[str] = "L1L2"
    reference: ClassVar[str] = "Zou and Hastie 2005, Journal of the Royal Statistical Society B 67"
    values: ClassVar[tuple[str, ...]] = ("l1", "l2")
