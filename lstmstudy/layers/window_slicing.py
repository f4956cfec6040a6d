"""Window slicing: a piece of a sequence, stretched to its length."""

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
class WindowSlicing(Augmentation):
    """Takes a random slice of a sequence and stretches it back to the length of the whole.

    In training the slice has a share of ``1 - cut`` of the steps, rounded up, but at least one step less
    than the sequence and never fewer than two; every start is equally likely, the last one included, and
    the first and last step of the slice become the first and last step of the sequence. All channels of a
    sample are cut alike; between steps it is interpolated linearly. A target of forecasting counts as the
    last step. At inference the inputs pass unchanged.

    Args:
        cut: Share of the steps that is cut away, in [0, 1); 0 cuts nothing.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `cut` lies outside [0, 1).

    Example:
        >>> from lstmstudy.layers import WindowSlicing
        >>> import numpy as np
        >>> layer = WindowSlicing(0.1)
        >>> tuple(layer(np.ones((2, 24, 3), "float32"), training=True).shape)
        (2, 24, 3)

    Reference: Le Guennec, Malinowski, Tavenard 2016, AALTD workshop.
    """

    def __init__(self, cut: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_factor("cut", cut, "the share of the steps that is cut away", zero=True)
        self.initial_cut = cut
        self.cut = self.add_value("cut", cut)

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return a stretched slice of the series, (batch, time, features)."""
        time, last = clock(series, lengths)
        share = tf.convert_to_tensor(self.cut)
        wanted = tf.math.floor(share * (last + 1) + _ROUNDING)
        wanted = tf.maximum(wanted, tf.math.ceil(share))  # a tenth of 8 steps is one of them, not none
        cut = tf.minimum(wanted, tf.maximum(last - 1, 0.0))
        start = tf.math.floor(uniform((keras.ops.shape(series)[0], 1), self.stream) * (cut + 1))
        positions = time - time * tf.math.divide_no_nan(cut, last)
        return read(series, start + tf.where(time < last, positions, last - cut), lengths)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "cut": self.initial_cut}
