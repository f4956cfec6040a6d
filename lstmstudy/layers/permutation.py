"""Permutation: the segments of a sequence in another order."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lstmstudy.layers.augmentation import Augmentation
from lstmstudy.layers.random import uniform
from lstmstudy.settings import check_count


@keras.saving.register_keras_serializable(package="lstmstudy")
class Permutation(Augmentation):
    """Cuts a sequence into segments and puts them in random order.

    In training the number of segments is drawn uniformly from 1 to `segments`, but is never above the
    number of steps; their lengths differ by at most one step, and each stays whole. All channels of a sample are cut
    alike. At inference the inputs pass unchanged. A forecast cannot be learned from it: window and target
    would no longer follow each other.

    Args:
        segments: The largest number of segments, at least 1; 1 is off.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `segments` is no integer of at least 1.

    Example:
        >>> from lstmstudy.layers import Permutation
        >>> import numpy as np
        >>> layer = Permutation(4)
        >>> tuple(layer(np.ones((2, 24, 3), "float32"), training=True).shape)
        (2, 24, 3)

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    def __init__(self, segments: int, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_count("segments", segments, "the largest number of segments")
        self.initial_segments = segments
        self.segments = self.add_value("segments", segments, dtype="int32")

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the series with its segments in random order, (batch, time, features)."""
        batch, steps, _ = keras.ops.shape(series)
        drawn = uniform((batch, 1 + steps), self.stream)  # how many segments, and where each goes
        most = tf.cast(tf.convert_to_tensor(self.segments), tf.float32)
        length = tf.maximum(lengths, 1)[:, None]
        segments = tf.minimum(1 + tf.cast(drawn[:, :1] * most, tf.int32), length)
        time = tf.range(steps)[None]
        segment = tf.minimum(time * segments // length, steps - 1)
        # Steps are sorted by the number of their segment; equal numbers keep their order.
        place = tf.gather(drawn[:, 1:], segment, batch_dims=1)
        order = tf.argsort(tf.where(time < length, place, 2.0), axis=1, stable=True)
        return tf.gather(series, order, batch_dims=1)

    def joined(
        self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Refuse: the target of a forecast must follow its window.

        Raises:
            ValueError: Always.
        """
        del x, mask
        msg = f"A permuted window has no next value, so permutation serves classification only. Received: y.shape={y.shape}"
        raise ValueError(msg)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "segments": self.initial_segments}
