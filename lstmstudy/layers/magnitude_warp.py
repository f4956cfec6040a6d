"""Magnitude warp: a sequence times a smooth random curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import normal
from lstmstudy.layers.resampling import smooth
from lstmstudy.settings import check_amount, check_count

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class MagnitudeWarp(Augmentation):
    """Multiplies each channel of a sequence by a smooth random curve.

    In training the curve is a cubic spline through ``knots + 2`` nodes ``N(1, sd^2)`` at equal distances,
    the first at the first step and the last at the last step that counts; one for each sample and channel. A target
    of forecasting counts as the last step. At inference the inputs pass unchanged.

    Args:
        sd: Standard deviation of the nodes, at least 0.
        knots: Nodes between the two ends, at least 1.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `sd` is no finite number of at least 0 or `knots` no integer of at least 1.

    Example:
        >>> from lstmstudy.layers import MagnitudeWarp
        >>> import numpy as np
        >>> layer = MagnitudeWarp(0.2, knots=4)
        >>> tuple(layer(np.ones((2, 24, 3), "float32"), training=True).shape)
        (2, 24, 3)

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    def __init__(self, sd: float, *, knots: int = 4, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_amount("sd", sd, "the standard deviation of the nodes of the curve")
        check_count("knots", knots, "the number of nodes between the two ends")
        self.initial_sd = sd
        self.knots = knots
        self.sd = self.add_value("sd", sd)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series times a curve for each sample and channel, (batch, time, features)."""
        batch, _, features = keras.ops.shape(series)
        nodes = normal((batch, self.knots + 2, features), self.stream)
        curve = 1 + self.sd * smooth(nodes, series, lengths)
        return series * keras.ops.cast(curve, series.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "sd": self.initial_sd, "knots": self.knots}
