"""Dropout on what is written into the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.masks import add_rate, dropout_mask

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class CandidateDropout(CellHook):
    """Drops entries of the candidate ``g``, so that what the cell already holds is never lost.

    In training ``c_t = f * c_{t-1} + i * D(g)`` with a mask drawn anew at every step; kept entries are
    divided by ``1 - rate``. At inference nothing is dropped.

    Args:
        rate: Probability of dropping, in [0, 1).
        seed: Integer of the mask stream; None draws one, as in every Keras layer.

    Raises:
        ValueError: If `rate` lies outside [0, 1).

    Example:
        >>> from lstmstudy.layers import LSTM, CandidateDropout
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[CandidateDropout(0.3)])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 8)

    Reference: Semeniuta, Severyn, Barth 2016, arXiv:1603.05118.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.initial_rate = rate
        self.rate = add_rate(self, rate)
        self.stream = keras.random.SeedGenerator(seed)

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor:
        """Return masks (steps, batch, units)."""
        return dropout_mask((steps, batch, units), self.rate, self.stream)

    def candidate(self, g: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return the masked candidate, (batch, units)."""
        return g * noise

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {**super().get_config(), "rate": self.initial_rate, "seed": self.seed}
