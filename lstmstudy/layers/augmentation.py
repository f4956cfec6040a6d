"""What every augmentation does: new training sequences from old ones, labels unchanged or carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Sequence


class Augmentation(keras.layers.Layer):
    """Changes training sequences, drawn anew for every batch; a subclass in a file of its own for each.

    In training each sequence is changed by a draw of its own; at inference the inputs pass unchanged
    and no stream advances. Steps beyond the end of a sequence stay zero, and its length stays as it is.

    Args:
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts, the counting steps first; or None.

    Returns:
        Floats (batch, time, features).
    """

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.stream = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the changed series, (batch, time, features); `lengths` are the counting steps, (batch,)."""
        raise AttributeError(f"{type(self).__name__} does not say how it changes a series.")

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return the inputs, changed in training; see the class."""
        if not training:
            return inputs
        return _changed(self, inputs, mask)

    def batch(self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for classification: sequences changed, labels as they were.

        Args:
            x: Floats (batch, time, features).
            y: Floats (batch, classes), one-hot.
            mask: As in `call`.
        """
        return _changed(self, x, mask), y

    def joined(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for forecasting one step ahead: window and target changed as one series.

        Args:
            x: Floats (batch, time, 1).
            y: Floats (batch, 1), the value right after the window.
        """
        series = _changed(self, tf.concat([x, y[:, :, None]], axis=1), None)
        return series[:, :-1], series[:, -1]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "seed": self.seed}


def _changed(layer: Augmentation, series: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Return the changed series with zeros beyond the end of each."""
    steps = tf.shape(series)[1]
    if mask is None:
        return layer.transform(series, tf.fill((tf.shape(series)[0],), steps))
    counting = tf.cast(mask, tf.bool)
    lengths = tf.reduce_sum(tf.cast(counting, tf.int32), axis=1)
    return tf.where(counting[:, :, None], layer.transform(series, lengths), tf.zeros_like(series))
