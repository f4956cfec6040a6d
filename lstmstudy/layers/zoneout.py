"""Zoneout: entries of the state that keep their previous value."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.masks import add_rate
from lstmstudy.layers.random import uniform


@keras.saving.register_keras_serializable(package="lstmstudy")
class Zoneout(CellHook):
    """Keeps entries of the cell and of the hidden state at their previous value.

    In training an entry of c keeps its old value with probability `rate_cell`, an entry of h with
    probability `rate_hidden`, drawn independently for each unit, sample and step. The new h is computed
    from all of the new c, before any entry of it is kept. At inference nothing is drawn: the state becomes its
    expectation, ``rate * old + (1 - rate) * new``. What goes on to the next step is also what the layer returns.

    Args:
        rate_cell: Probability of keeping an entry of c, in [0, 1].
        rate_hidden: Probability of keeping an entry of h, in [0, 1].
        seed: Integer of the mask stream; None draws one, as in every Keras layer.

    Raises:
        ValueError: If a rate lies outside [0, 1].

    Example:
        >>> from lstmstudy.layers import LSTM, Zoneout
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[Zoneout(rate_cell=0.15, rate_hidden=0.05)])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 8)

    Reference: Krueger et al. 2017, arXiv:1606.01305.
    """

    acts_at_inference: ClassVar[bool] = True

    def __init__(
        self, rate_cell: float, rate_hidden: float, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.initial = {"rate_cell": rate_cell, "rate_hidden": rate_hidden}
        self.rate_cell = add_rate(self, rate_cell, "rate_cell", of="keeping the old value of c", closed=True)
        self.rate_hidden = add_rate(
            self, rate_hidden, "rate_hidden", of="keeping the old value of h", closed=True
        )
        self.stream = keras.random.SeedGenerator(seed)

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor:
        """Return where h and then c keep their old value, 1 or 0, (steps, batch, 2 units)."""
        drawn = uniform((steps, batch, 2 * units), self.stream)
        rates = tf.repeat(tf.stack(self._rates()), units)
        return tf.cast(drawn < rates, tf.float32)

    def carry(
        self,
        new: tuple[tf.Tensor, tf.Tensor],
        old: tuple[tf.Tensor, tf.Tensor],
        noise: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the new (h, c), entries of the old ones kept."""
        keeps = self._rates() if noise is None else tf.split(tf.cast(noise, new[0].dtype), 2, axis=1)
        h, c = (
            tf.cast(keep, after.dtype) * before + (1 - tf.cast(keep, after.dtype)) * after
            for keep, before, after in zip(keeps, old, new, strict=True)
        )
        return h, c

    def _rates(self) -> list[tf.Tensor]:
        return [tf.convert_to_tensor(self.rate_hidden), tf.convert_to_tensor(self.rate_cell)]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {**super().get_config(), **self.initial, "seed": self.seed}
