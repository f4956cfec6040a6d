"""Layer normalization inside the cell of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.techniques.normalization import Normalization

if TYPE_CHECKING:
    from lstmstudy.layers.cell_hook import CellHook


@dataclasses.dataclass(frozen=True)
class CellLayerNorm(Normalization):
    """Normalizes x W, h U and what the output sees of c over the units of each sample and step.

    Training and inference are the same; the cell that is carried on stays as it is.

    In a model of your own it is `lstmstudy.layers.CellLayerNorm`.

    Args:
        epsilon: Added to the variance.

    Reference: Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22.
    """

    name: ClassVar[str] = "cell_layer_norm"
    title: ClassVar[str] = "cell layer norm"
    reference: ClassVar[str] = "Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22"
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.cell_layer_norm",
        "lstmstudy.techniques.normalization",
        "lstmstudy.layers.cell_layer_norm",
    )

    def in_cell(self, name: str) -> CellHook:
        """Return the normalization inside an LSTM cell."""
        from lstmstudy.layers.cell_layer_norm import CellLayerNorm as Hook

        return Hook(epsilon=self.epsilon, name=name)
