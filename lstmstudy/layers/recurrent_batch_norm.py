"""Batch normalization inside the LSTM cell, with statistics of every time step."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.settings import check_amount, check_factor, check_rate


@keras.saving.register_keras_serializable(package="lstmstudy")
class RecurrentBatchNorm(CellHook):
    """Normalizes x W, h U and what the output sees of c, each unit over the samples of a batch, step by step.

    In training a step's mean and variance are those of the samples that count at it; they update running
    means and variances, kept for every step. At inference the running ones are used, and beyond the last
    step for which there are any, those of that step. So they are in training at a step where fewer than
    two samples count, as one sample has no variance: the end of the longest sequence of a batch, or a last
    batch of one; such a step updates nothing. The gains (gamma) are shared by all steps, and so is beta,
    which only c has, as x W and h U keep the bias of the LSTM. The cell that is carried on stays as it is.
    Moments are at least float32.

    Where all samples are equal, such as black pixels at the edge of an image, the output is beta, but
    gradients grow by up to ``gamma / sqrt(epsilon)`` at every such step; the authors add noise to the
    initial state there.

    Args:
        momentum: Share of a running value that a batch leaves, as in ``keras.layers.BatchNormalization``;
            with 0 the running values become those of the newest batch.
        epsilon: Added to the variance; above 0, as h U has no variance at the first step.
        gain: What each gamma starts with.

    Raises:
        ValueError: If a setting is out of range, the length of the sequences is not known when the layer
            is built, two layers get the same hook, or in training with batches of one sample.

    Example:
        >>> from lstmstudy.layers import LSTM, RecurrentBatchNorm
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[RecurrentBatchNorm()])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 8)

    Reference: Cooijmans et al. 2017, arXiv:1603.09025.
    """

    acts_at_inference: ClassVar[bool] = True
    collects: ClassVar[bool] = True

    def __init__(
        self, *, momentum: float = 0.99, epsilon: float = 0.001, gain: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_rate("momentum", momentum, of="keeping running values")
        check_factor("epsilon", epsilon, "what is added to the variance")
        check_amount("gain", gain, "what gamma starts with")
        self.momentum = momentum
        self.epsilon = epsilon
        self.gain = gain

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Create gains, beta and running values for the (steps, units) of an LSTM layer."""
        steps, u = input_shape
        if steps is None:
            msg = (
                "Statistics of every step need the length of the sequences. Expected an input of known "
                f"length, such as keras.Input((24, 1)). Received: steps={steps}"
            )
            raise ValueError(msg)
        sizes = {"inputs": 4 * u, "recurrent": 4 * u, "cell": u}
        start = keras.initializers.Constant(self.gain)
        self.gamma = {place: self._weight(f"gamma_{place}", start, (size,)) for place, size in sizes.items()}
        self.beta = self._weight("beta_cell", "zeros", (u,))
        self.mean, self.variance = (
            {
                place: self._weight(f"moving_{moment}_{place}", initial, (steps, size), trainable=False)
                for place, size in sizes.items()
            }
            for moment, initial in (("mean", "zeros"), ("variance", "ones"))
        )
        self.last_step = self._weight("moving_last_step", "zeros", (), trainable=False)

    def _weight(
        self, name: str, initializer: Any, shape: tuple[int, ...], *, trainable: bool = True
    ) -> keras.Variable:
        return self.add_weight(
            shape=shape, initializer=initializer, name=name, trainable=trainable, autocast=False
        )

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> None:
        """Draw nothing, and refuse a batch that is known to be of one sample."""
        del steps, units
        if isinstance(batch, int) and batch == 1:
            msg = f"One sample has no variance. Expected batches of at least two in training. Received: {batch=}"
            raise ValueError(msg)

    def inputs(self, projected: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return x W, each step normalized over the batch, (time, batch, 4 u)."""
        steps = tf.range(tf.shape(projected)[0])
        outputs = self._normalized(projected, "inputs", steps, mask, training=training)
        if training:
            self._update("inputs", projected, mask)
        return outputs

    def recurrent(
        self, product: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool
    ) -> tf.Tensor:
        """Return h U, normalized over the batch, (batch, 4 u)."""
        return self._normalized(product, "recurrent", step, mask, training=training)

    def cell(self, c: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return c, normalized over the batch, (batch, u)."""
        return self._normalized(c, "cell", step, mask, training=training)

    def collect(self, products: tf.Tensor, cells: tf.Tensor, mask: tf.Tensor | None) -> None:
        """Update the running values of h U and c, and the last step that has any."""
        self._update("recurrent", products, mask)
        enough = self._update("cell", cells, mask)
        newest = tf.reduce_max(tf.where(enough, tf.range(tf.shape(enough)[0]), 0))
        self.last_step.assign(tf.maximum(self.last_step, tf.cast(newest, self.last_step.dtype)))

    def _normalized(
        self, values: tf.Tensor, place: str, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool
    ) -> tf.Tensor:
        """Return values (..., batch, n) of a step, or (time, batch, n) of all of them, normalized."""
        x = _wide(values)
        known = tf.minimum(step, tf.cast(self.last_step, step.dtype))
        mean, variance = (
            tf.cast(tf.gather(tf.convert_to_tensor(moving[place]), known), x.dtype)[..., None, :]
            for moving in (self.mean, self.variance)
        )
        if training:
            batch = _moments(x, mask)
            mean = tf.where(batch.enough, batch.mean, mean)
            variance = tf.where(batch.enough, batch.variance, variance)
        gamma = tf.cast(self.gamma[place], x.dtype)
        beta = tf.cast(self.beta, x.dtype) if place == "cell" else None
        outputs = tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.epsilon)
        return tf.cast(outputs, values.dtype)

    def _update(self, place: str, values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Move the running values towards those of a batch; return which steps were moved, (steps,)."""
        batch = _moments(_wide(values), mask)
        most = self.mean[place].shape[0]  # the layer may be called with more steps than it was built for
        enough = batch.enough[:most, 0]
        steps = tf.shape(enough)[0]  # or with fewer
        for moving, newest in ((self.mean[place], batch.mean), (self.variance[place], batch.variance)):
            old = tf.convert_to_tensor(moving)
            new = tf.cast(newest[:most, 0], old.dtype)
            moved = tf.where(enough, self.momentum * old[:steps] + (1 - self.momentum) * new, old[:steps])
            moving.assign(tf.ensure_shape(tf.concat([moved, old[steps:]], axis=0), old.shape))
        return enough[:, 0]

    def get_build_config(self) -> None:
        """Return None: the LSTM layer builds its hooks, also when a saved model is loaded."""

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "gain": self.gain,
        }


class _Moments(NamedTuple):
    """Mean and variance of each unit, (..., 1, n), and whether two samples or more count, (..., 1, 1)."""

    mean: tf.Tensor
    variance: tf.Tensor
    enough: tf.Tensor


def _moments(x: tf.Tensor, mask: tf.Tensor | None) -> _Moments:
    """Return the moments of x (..., batch, n) over the samples that count, `mask` (..., batch, 1) or all."""
    counts = tf.ones_like(x[..., :1]) if mask is None else tf.cast(mask, x.dtype)
    samples = tf.reduce_sum(counts, axis=-2, keepdims=True)
    divisor = tf.maximum(samples, 1.0)  # a step that no sample counts has no moments, and gives no NaN
    mean = tf.reduce_sum(counts * x, axis=-2, keepdims=True) / divisor
    variance = tf.reduce_sum(counts * tf.square(x - mean), axis=-2, keepdims=True) / divisor
    return _Moments(mean, variance, samples > 1)


def _wide(values: tf.Tensor) -> tf.Tensor:
    """Return values in at least float32: squares in half precision overflow."""
    return tf.cast(values, keras.backend.result_type(values.dtype, "float32"))
