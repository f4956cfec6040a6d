"""Batch normalization between LSTM layers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.techniques.normalization import MOMENTUM, BatchStatistics, check_between

if TYPE_CHECKING:
    import keras

    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class BatchNorm(BatchStatistics):
    """Normalizes each unit that goes from one LSTM layer to the next over samples and steps together.

    It is Keras's own layer: in training it takes mean and variance of the batch over all steps that
    count, at inference running ones. It needs at least two LSTM layers.

    Args:
        epsilon: Added to the variance.
        statistics: Where those for inference come from: ``"recomputed"`` over the training part in front
            of each evaluation, or ``"moving"`` averages over the batches with momentum .99, as in Keras.

    Reference: Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    name: ClassVar[str] = "batch_norm"
    title: ClassVar[str] = "batch norm"
    reference: ClassVar[str] = "Ioffe and Szegedy 2015, arXiv:1502.03167"
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.batch_norm",
        "lstmstudy.techniques.normalization",
    )

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError with one LSTM layer, or if predictions are made in training mode."""
        super().check(recipe)
        check_between(self, recipe)

    def after_lstm(self, name: str) -> keras.layers.Layer:
        """Return the layer between one LSTM layer and the next."""
        import keras

        return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=self.epsilon, name=name)
