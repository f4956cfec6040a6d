"""Layer normalization inside the LSTM cell."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.settings import check_factor


@keras.saving.register_keras_serializable(package="lstmstudy")
class CellLayerNorm(CellHook):
    """Normalizes x W, h U and what the output sees of c, each over the units of one sample and step.

    x W and h U are normalized over the stacked vector of all four gates, in front of the bias of the
    LSTM; the cell that is carried on stays as it is. With a gain (gamma, 1 at first) and a bias (beta,
    0 at first) for each of the three it adds ``2 * (4 u + 4 u + u)`` weights. Training and inference are
    the same, and no sample sees another one. Moments are at least float32.

    Args:
        epsilon: Added to the variance, as in ``keras.layers.LayerNormalization``; above 0, as h U has no
            variance at the first step.

    Raises:
        ValueError: If `epsilon` is not in (0, 1], or two layers get the same hook.

    Example:
        >>> from lstmstudy.layers import LSTM, CellLayerNorm
        >>> import numpy as np
        >>> layer = LSTM(8, hooks=[CellLayerNorm()])
        >>> tuple(layer(np.ones((2, 5, 3), "float32")).shape)
        (2, 8)

    Reference: Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 20 to 22.
    """

    acts_at_inference: ClassVar[bool] = True

    def __init__(self, *, epsilon: float = 0.001, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_factor("epsilon", epsilon, "what is added to the variance")
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Create gains and biases for the (steps, units) of an LSTM layer."""
        u = input_shape[1]
        sizes = {"inputs": 4 * u, "recurrent": 4 * u, "cell": u}
        self.gamma = {place: self._weight(f"gamma_{place}", "ones", size) for place, size in sizes.items()}
        self.beta = {place: self._weight(f"beta_{place}", "zeros", size) for place, size in sizes.items()}

    def _weight(self, name: str, initializer: str, size: int) -> keras.Variable:
        return self.add_weight(shape=(size,), initializer=initializer, name=name, autocast=False)

    def inputs(self, projected: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return x W, normalized over the gates of each sample and step, (time, batch, 4 u)."""
        del mask, training
        return self._normalized(projected, "inputs")

    def recurrent(
        self, product: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool
    ) -> tf.Tensor:
        """Return h U, normalized over the gates of each sample, (batch, 4 u)."""
        del step, mask, training
        return self._normalized(product, "recurrent")

    def cell(self, c: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return c, normalized over the units of each sample, (batch, u)."""
        del step, mask, training
        return self._normalized(c, "cell")

    def _normalized(self, values: tf.Tensor, place: str) -> tf.Tensor:
        dtype = keras.backend.result_type(values.dtype, "float32")  # squares in half precision overflow
        rows = tf.reshape(tf.cast(values, dtype), (-1, values.shape[-1]))
        gamma, beta = tf.cast(self.gamma[place], dtype), tf.cast(self.beta[place], dtype)
        outputs = _layer_normalization(rows, gamma, beta, epsilon=self.epsilon)
        return tf.cast(tf.reshape(outputs, tf.shape(values)), values.dtype)

    def get_build_config(self) -> None:
        """Return None: the LSTM layer builds its hooks, also when a saved model is loaded."""

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this hook."""
        return {**super().get_config(), "epsilon": self.epsilon}


def _layer_normalization(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Return each row of x with mean 0 and variance 1, times gamma, plus beta.

    Sums over rows and columns are matrix products here, and back: XLA turns others into slow loops.
    """
    size = x.shape[-1]
    column = tf.fill((size, 1), tf.constant(1 / size, x.dtype))

    @tf.custom_gradient
    def differentiable(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, object]:
        centred = x - tf.matmul(x, column)
        centred -= tf.matmul(centred, column)  # what rounding left; small variances would enlarge it
        scale = tf.math.rsqrt(tf.matmul(tf.square(centred), column) + epsilon)
        normal = centred * scale

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            two = tf.ones((2, tf.shape(x)[0]), x.dtype)  # with one row, it is no matrix product to XLA
            inner = upstream * gamma
            along = tf.matmul(inner * normal, column)
            dx = scale * (inner - tf.matmul(inner, column) - normal * along)
            return dx, tf.matmul(two, upstream * normal)[0], tf.matmul(two, upstream)[0]

        return gamma * normal + beta, gradient

    return differentiable(x, gamma, beta)
