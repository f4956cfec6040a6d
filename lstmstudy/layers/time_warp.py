"""Time warp: a sequence read at a speed that changes smoothly."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import normal
from lstmstudy.layers.resampling import clock, read, smooth
from lstmstudy.settings import check_amount, check_count

_SLOWEST = 0.1  # of the usual speed: time neither stands still nor runs backwards


@keras.saving.register_keras_serializable(package="lstmstudy")
class TimeWarp(Augmentation):
    """Reads a sequence at a speed that changes smoothly and at random.

    In training the speed is a cubic spline through ``knots + 2`` nodes ``N(1, sd^2)`` at equal distances,
    never below a tenth; it is summed over time, rescaled so that the first and the last step stay where
    they are, and the sequence is interpolated linearly there. All channels of a sample are read at the
    same times. A target of forecasting counts as the last step. At inference the inputs pass unchanged.

    Args:
        sd: Standard deviation of the speed at the nodes, at least 0.
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
        >>> from lstmstudy.layers import TimeWarp
        >>> import numpy as np
        >>> layer = TimeWarp(0.2, knots=4)
        >>> tuple(layer(np.ones((2, 24, 3), "float32"), training=True).shape)
        (2, 24, 3)

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    def __init__(self, sd: float, *, knots: int = 4, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_amount("sd", sd, "the standard deviation of the speed at the nodes")
        check_count("knots", knots, "the number of nodes between the two ends")
        self.initial_sd = sd
        self.knots = knots
        self.sd = self.add_value("sd", sd)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series read at warped times, (batch, time, features)."""
        batch = keras.ops.shape(series)[0]
        nodes = normal((batch, self.knots + 2, 1), self.stream)
        speed = tf.maximum(1 + self.sd * smooth(nodes, series, lengths)[:, :, 0], _SLOWEST)
        passed = tf.cumsum(speed, axis=1, exclusive=True)
        time, last = clock(series, lengths)
        end = tf.gather(passed, tf.cast(last, tf.int32), batch_dims=1)
        positions = passed * tf.math.divide_no_nan(last, end)
        return read(series, tf.where(time < last, positions, last), lengths)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "sd": self.initial_sd, "knots": self.knots}
