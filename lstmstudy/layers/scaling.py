"""Scaling: one random factor on all of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import normal
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class Scaling(Augmentation):
    """Multiplies each channel of a sequence by one random factor.

    In training the factor is ``N(1, sd^2)``, one for each sample and channel, the same at all steps and
    on a target of forecasting. At inference the inputs pass unchanged.

    Args:
        sd: Standard deviation of the factor, at least 0.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features), with mean 0 over the training part if the factor is to
            change the size and not the level.
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `sd` is no finite number of at least 0.

    Example:
        >>> from lstmstudy.layers import Scaling
        >>> import numpy as np
        >>> layer = Scaling(0.1)
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 5, 3)

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    def __init__(self, sd: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_amount("sd", sd, "the standard deviation of the factor")
        self.initial_sd = sd
        self.sd = self.add_value("sd", sd)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series times a factor for each sample and channel, (batch, time, features)."""
        del lengths
        batch, _, features = keras.ops.shape(series)
        factor = 1 + self.sd * normal((batch, 1, features), self.stream)
        return series * keras.ops.cast(factor, series.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "sd": self.initial_sd}
