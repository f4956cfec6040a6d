"""Batch normalization inside the cell of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.techniques.normalization import MOMENTUM, BatchStatistics

if TYPE_CHECKING:
    from lstmstudy.layers.cell_hook import CellHook
    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class RecurrentBatchNorm(BatchStatistics):
    """Normalizes x W, h U and what the output sees of c over the samples of a batch, each step by itself.

    In training it takes mean and variance of the batch, at inference those kept for the step. The gains
    start at .1, and the cell that is carried on stays as it is.

    In a model of your own it is `lstmstudy.layers.RecurrentBatchNorm`.

    Args:
        epsilon: Added to the variance.
        statistics: Where those for inference come from: ``"recomputed"`` over the training part in front
            of each evaluation, as published, or ``"moving"`` averages over the batches with momentum .99.

    Reference: Cooijmans et al. 2017, arXiv:1603.09025.
    """

    name: ClassVar[str] = "recurrent_batch_norm"
    title: ClassVar[str] = "recurrent batch norm"
    reference: ClassVar[str] = "Cooijmans et al. 2017, arXiv:1603.09025"
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.recurrent_batch_norm",
        "lstmstudy.techniques.normalization",
        "lstmstudy.layers.recurrent_batch_norm",
    )

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError with batches of one sample, or with another normalization in the cell."""
        super().check(recipe)
        if recipe.batch_size < 2:
            msg = (
                f"{self.title} takes the variance over the samples of a step, and one sample has none. "
                f"Expected a batch size of at least 2. Received: batch_size={recipe.batch_size}"
            )
            raise ValueError(msg)
        names = [technique.name for technique in recipe.techniques]
        if "cell_layer_norm" in names:
            msg = f"Expected one normalization inside the cell. Received: techniques={names}"
            raise ValueError(msg)

    def in_cell(self, name: str) -> CellHook:
        """Return the normalization inside an LSTM cell."""
        from lstmstudy.layers.recurrent_batch_norm import RecurrentBatchNorm as Hook

        return Hook(momentum=MOMENTUM, epsilon=self.epsilon, gain=0.1, name=name)
