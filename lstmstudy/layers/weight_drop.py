"""Weight drop: DropConnect on the recurrent matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.masks import add_rate, dropout_mask

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class WeightDrop(CellHook):
    """Drops entries of the recurrent kernel.

    In training the recurrent kernel becomes ``U * M / (1 - rate)``, with one mask M for all steps and all
    samples of a batch, drawn anew for every batch; the variable itself, and what a penalty sees of it, stay
    whole. At inference nothing is dropped.

    Args:
        rate: Probability of dropping, in [0, 1).
        seed: Integer of the mask stream; None draws one, as in every Keras layer.

    Raises:
        ValueError: If `rate` lies outside [0, 1).

    Example:
        >>> from lstmstudy.layers import LSTM, WeightDrop
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[WeightDrop(0.5)])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 8)

    Reference: Merity, Keskar, Socher 2018, arXiv:1708.02182; Wan et al. 2013 (DropConnect).
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.initial_rate = rate
        self.rate = add_rate(self, rate)
        self.stream = keras.random.SeedGenerator(seed)

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor:
        """Return the mask of the recurrent kernel, (1, units, 4 units)."""
        del batch, steps
        return dropout_mask((1, units, 4 * units), self.rate, self.stream)

    def kernel(self, recurrent_kernel: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Return the masked recurrent kernel, (units, 4 units)."""
        return recurrent_kernel if noise is None else recurrent_kernel * noise[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {**super().get_config(), "rate": self.initial_rate, "seed": self.seed}
