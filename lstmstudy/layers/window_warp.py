"""Window warp: a stretch of a sequence at half or at double speed."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import uniform
from lstmstudy.layers.resampling import clock, read
from lstmstudy.settings import check_factor

_ROUNDING = 1e-4  # steps; 0.1 of 30 steps is 3, whatever float32 makes of it


@keras.saving.register_keras_serializable(package="lstmstudy")
class WindowWarp(Augmentation):
    """Makes a random window of a sequence half or twice as long, and the whole as long as before.

    In training a window of a share `ratio` of the steps, rounded up, is resampled by a factor of 0.5 or 2,
    equally likely, at a random place; then the whole is resampled to its length, its first and last step
    staying where they are. All channels of a sample are resampled alike, by linear interpolation. A target
    of forecasting counts as the last step. At inference the inputs pass unchanged.

    Args:
        ratio: Share of the steps in the window, in [0, 1).
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `ratio` lies outside [0, 1).

    Example:
        >>> from lstmstudy.layers import WindowWarp
        >>> import numpy as np
        >>> layer = WindowWarp(0.1)
        >>> tuple(layer(np.ones((2, 24, 3), "float32"), training=True).shape)
        (2, 24, 3)

    Reference: Le Guennec, Malinowski, Tavenard 2016, AALTD workshop.
    """

    def __init__(self, ratio: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_factor("ratio", ratio, "the share of the steps in the window", zero=True)
        self.initial_ratio = ratio
        self.ratio = self.add_value("ratio", ratio)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series with one window at another speed, (batch, time, features)."""
        time, last = clock(series, lengths)
        batch = keras.ops.shape(series)[0]
        wanted = tf.math.ceil(tf.convert_to_tensor(self.ratio) * (last + 1) - _ROUNDING)
        window = tf.minimum(wanted, last)
        place, coin = tf.unstack(uniform((2, batch, 1), self.stream))
        start = tf.math.floor(place * (last - window + 1))
        factor = tf.where(coin < 0.5, 0.5, 2.0)
        gained = window * (factor - 1)  # steps, before the whole is resampled
        at = time + time * tf.math.divide_no_nan(gained, last)
        inside = start + (at - start) / factor
        positions = tf.where(at < start, at, tf.where(at < start + window * factor, inside, at - gained))
        return read(series, tf.where(time < last, positions, last), lengths)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "ratio": self.initial_ratio}
