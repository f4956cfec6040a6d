"""L2: a price on the squares of weights, which makes large ones smaller."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lstmstudy.techniques.weight_penalty import WeightPenalty


@dataclasses.dataclass(frozen=True)
class L2(WeightPenalty):
    """Adds ``l2 * sum(w^2)`` over the matrices of the LSTM layers to the loss, without the factor 1/2, as in Keras.

    It is part of the loss that is minimized, and of no reported loss or metric; biases and the head cost
    nothing. At inference nothing is different.

    Args:
        l2: Coefficient of the sum of squares, at least 0; 0 is off.
        matrices: Which matrices of the LSTM layers: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: Krogh and Hertz 1992, A simple weight decay can improve generalization.
    """

    l2: float

    name: ClassVar[str] = "l2"
    title: ClassVar[str] = "L2"
    reference: ClassVar[str] = "Krogh and Hertz 1992, A simple weight decay can improve generalization"
    values: ClassVar[tuple[str, ...]] = ("l2",)
