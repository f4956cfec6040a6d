"""Jitter: noise on every value of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import normal
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class Jitter(Augmentation):
    """Adds normal noise to every value of a sequence.

    In training each value becomes ``x + N(0, sd^2)``, drawn independently for each sample, step and
    channel; a target of forecasting gets no noise. At inference the inputs pass unchanged. This is
    ``keras.layers.GaussianNoise`` with a strength that may exceed 1, and padding that stays padding.

    Args:
        sd: Standard deviation of the noise, at least 0, in units of the inputs.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `sd` is no finite number of at least 0.

    Example:
        >>> from lstmstudy.layers import Jitter
        >>> import numpy as np
        >>> layer = Jitter(0.03)
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 5, 3)

    Reference: Um et al. 2017, arXiv:1706.00527; Bishop 1995, Neural Computation 7.
    """

    def __init__(self, sd: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_amount("sd", sd, "the standard deviation of the noise")
        self.initial_sd = sd
        self.sd = self.add_value("sd", sd)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series with noise on every value, (batch, time, features)."""
        del lengths
        noise = self.sd * normal(keras.ops.shape(series), self.stream)
        return series + keras.ops.cast(noise, series.dtype)

    def joined(
        self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for forecasting: noise on the window, the target as it was measured."""
        return self.batch(x, y, mask)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "sd": self.initial_sd}
