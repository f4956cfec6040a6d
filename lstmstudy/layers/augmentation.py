"""What every augmentation does: new training sequences from old ones, labels unchanged or carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TINY = 1e-20  # no sum feels it, and it is not 0


class Augmentation(keras.layers.Layer):
    """Changes training sequences, drawn anew for every batch; a subclass in a file of its own for each.

    In training each sequence is changed by a draw of its own; at inference the inputs pass unchanged
    and no stream advances. Steps that a mask leaves out, on whatever side, stay as they are and are
    never read; the others keep their number. A mask comes from a layer in front, such as
    ``keras.layers.Masking``.

    Args:
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None, and every step does.

    Returns:
        Floats (batch, time, features).
    """

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.stream = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.input_spec = keras.InputSpec(ndim=3)
        self.built = True

    def add_value(self, name: str, value: float, dtype: str = "float32") -> keras.Variable:
        """Return a variable that holds a strength; it is not trained, and keeps its type in mixed precision."""
        return self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            autocast=False,
            name=name,
            dtype=dtype,
        )

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the changed series, (batch, time, features).

        Args:
            series: Floats (batch, time, features); those beyond the end of a sequence must not be read, and
                what is returned there is thrown away.
            lengths: Integers (batch,), the steps that count, which are the first ones.
        """
        raise AttributeError(f"{type(self).__name__} does not say how it changes a series.")

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return the inputs, changed in training; see the class."""
        if not training:
            return inputs
        return changed(self.transform, inputs, mask)

    def batch(self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for classification: sequences changed, labels as they were.

        With a mask, no step that counts comes back as zero in every channel.

        Args:
            x: Floats (batch, time, features).
            y: Floats (batch, classes), one-hot.
            mask: As in `call`.
        """
        return without_zero_steps(changed(self.transform, x, mask), mask), y

    def joined(
        self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for forecasting one step ahead: window and target changed as one series.

        With a mask the target follows the last step that counts, and no such step comes back as zero in every channel.

        Args:
            x: Floats (batch, time, features), of which the first is forecast; what the others are in the step of
                the target nobody knows, so that they stay there as they were last.
            y: Floats (batch, 1), the value right after the window.
            mask: As in `call`; at least one step of each window counts.
        """
        after = tf.concat([y[:, :, None], last_step(x, mask)[:, :, 1:]], axis=2)
        counting = None if mask is None else tf.concat([mask, tf.ones_like(mask[:, :1])], axis=1)
        series = changed(self.transform, tf.concat([x, after], axis=1), counting)
        return without_zero_steps(series[:, :-1], mask), series[:, -1, :1]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "seed": self.seed}


def changed(
    transform: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], series: tf.Tensor, mask: tf.Tensor | None
) -> tf.Tensor:
    """Return the series as `transform` changes it, with steps that do not count left as they are.

    Args:
        transform: As `Augmentation.transform`.
        series: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.
    """
    if mask is None:
        batch, steps, _ = keras.ops.shape(series)
        return transform(series, tf.fill((batch,), steps))
    counting = tf.cast(mask, tf.bool)
    # Padding may stand on either side: the steps that count go to the front, and back afterwards.
    order = tf.argsort(tf.cast(counting, tf.int32), axis=1, direction="DESCENDING", stable=True)
    lengths = tf.reduce_sum(tf.cast(counting, tf.int32), axis=1)
    moved = transform(tf.gather(series, order, batch_dims=1), lengths)
    back = tf.gather(moved, tf.argsort(order, axis=1), batch_dims=1)
    return tf.where(counting[:, :, None], back, series)


def last_step(series: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Return the last step of each series that counts, (batch, 1, features)."""
    if mask is None:
        return series[:, -1:]
    time = tf.range(keras.ops.shape(series)[1])
    last = tf.reduce_max(tf.where(tf.cast(mask, tf.bool), time, 0), axis=1, keepdims=True)
    return tf.gather(series, last, batch_dims=1)


def without_zero_steps(series: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Return the series with a tiny number in each step that counts and is zero in every channel.

    Otherwise a Masking layer behind would take such a step for padding.
    """
    if mask is None:
        return series
    zero = tf.cast(mask, tf.bool) & tf.reduce_all(series == 0, axis=-1)
    return tf.where(zero[:, :, None], tf.cast(_TINY, series.dtype), series)
