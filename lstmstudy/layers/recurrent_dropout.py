"""Dropout on the hidden state that the recurrent kernel sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.masks import add_rate, dropout_mask
from lstmstudy.settings import check_choice

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class StateDropout(CellHook):
    """Drops entries of the previous hidden state in front of the recurrent product.

    In training one mask serves the four gates (tied); ``per="sequence"`` holds it over time,
    ``per="step"`` draws it anew at every step. Kept entries are divided by ``1 - rate``. At inference
    nothing is dropped.

    Args:
        rate: Probability of dropping, in [0, 1).
        per: ``"step"`` or ``"sequence"``.
        seed: Integer of the mask stream; None draws one, as in every Keras layer.

    Raises:
        ValueError: If `rate` lies outside [0, 1) or `per` is unknown.

    Example:
        >>> from lstmstudy.layers import LSTM, StateDropout
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[StateDropout(0.3, per="sequence")])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 8)

    Reference: Gal and Ghahramani 2016, arXiv:1512.05287.
    """

    def __init__(
        self,
        rate: float,
        *,
        per: Literal["step", "sequence"] = "sequence",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("per", per, ("step", "sequence"))
        self.per = per
        self.seed = seed
        self.initial_rate = rate
        self.rate = add_rate(self, rate)
        self.stream = keras.random.SeedGenerator(seed)

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor:
        """Return masks (steps, batch, units), or (1, batch, units) if held over time."""
        return dropout_mask((steps if self.per == "step" else 1, batch, units), self.rate, self.stream)

    def state(self, h: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return the masked hidden state, (batch, units)."""
        return h * noise

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {**super().get_config(), "rate": self.initial_rate, "per": self.per, "seed": self.seed}
