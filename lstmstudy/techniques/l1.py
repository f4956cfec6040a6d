"""L1: a price on the absolute values of weights, which pulls small ones to zero."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lstmstudy.techniques.weight_penalty import WeightPenalty


@dataclasses.dataclass(frozen=True)
class L1(WeightPenalty):
    """Adds ``l1 * sum(|w|)`` over the matrices of the LSTM layers to the loss.

    It is part of the loss that is minimized, and of no reported loss or metric; biases and the head cost
    nothing. At inference nothing is different.

    Args:
        l1: Coefficient of the sum of absolute values, at least 0; 0 is off.
        matrices: Which matrices of the LSTM layers: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: Tibshirani 1996, Journal of the Royal Statistical Society B 58.
    """

    l1: float

    name: ClassVar[str] = "l1"
    title: ClassVar[str] = "L1"
    reference: ClassVar[str] = "Tibshirani 1996, Journal of the Royal Statistical Society B 58"
    values: ClassVar[tuple[str, ...]] = ("l1",)
