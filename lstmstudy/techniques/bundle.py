"""Everything that the guide combines: dropout, L2, layer norm, clipping and early stopping."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.techniques.combination import Combination
from lstmstudy.techniques.gradient_clipping import GradientClipping
from lstmstudy.techniques.layer_norm import LayerNorm

if TYPE_CHECKING:
    from lstmstudy.recipe import Technique


@dataclasses.dataclass(frozen=True)
class Bundle(Combination):
    """Dropout per step, L2 on the input kernels, layer norm between layers, clipping and early stopping.

    Training and inference are those of the parts; trajectories are read at the patience. It needs at least
    two LSTM layers.

    Args:
        rate: Probability of dropping what enters an LSTM layer, in [0, 1).
        l2: Coefficient of the sum of squares, at least 0.
        patience: Epochs without improvement until training stops, at least 1.
        norm: Greatest norm of each variable's gradient, above 0.

    Raises:
        ValueError: If a setting is outside its range.

    Reference: none; a guide's recommendation.
    """

    norm: float

    name: ClassVar[str] = "bundle"
    title: ClassVar[str] = "bundle"
    reference: ClassVar[str] = "a guide's recommendation; no published source"

    def parts(self) -> tuple[Technique, ...]:
        """Return the techniques that are switched on together; stopping is the reading."""
        return (*super().parts(), LayerNorm(), GradientClipping(self.norm, per="variable"))
