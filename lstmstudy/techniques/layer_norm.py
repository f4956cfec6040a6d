"""Layer normalization between LSTM layers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.techniques.normalization import Normalization, check_between

if TYPE_CHECKING:
    import keras

    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class LayerNorm(Normalization):
    """Normalizes what goes from one LSTM layer to the next over the units of each sample and step.

    It is Keras's own layer, with a gain and a bias for each unit; training and inference are the same.
    It needs at least two LSTM layers.

    Args:
        epsilon: Added to the variance.

    Reference: Ba, Kiros and Hinton 2016, arXiv:1607.06450.
    """

    name: ClassVar[str] = "layer_norm"
    title: ClassVar[str] = "layer norm"
    reference: ClassVar[str] = "Ba, Kiros and Hinton 2016, arXiv:1607.06450"
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.layer_norm",
        "lstmstudy.techniques.normalization",
    )

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError with one LSTM layer."""
        check_between(self, recipe)

    def after_lstm(self, name: str) -> keras.layers.Layer:
        """Return the layer between one LSTM layer and the next."""
        import keras

        return keras.layers.LayerNormalization(epsilon=self.epsilon, name=name)
