"""Mixup: weighted means of two sequences and of their targets."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from lstmstudy.layers.augmentation import Augmentation, changed, without_zero_steps
from lstmstudy.layers.random import uniform
from lstmstudy.layers.resampling import clock, read
from lstmstudy.settings import check_amount


@keras.saving.register_keras_serializable(package="lstmstudy")
class Mixup(Augmentation):
    """Mixes each sample of a batch with another one, inputs and targets by the same weights.

    In training a sample becomes ``w * own + (1 - w) * partner``. Partners are a random permutation of the
    batch; w is the larger one of ``v`` and ``1 - v`` with ``v ~ Beta(alpha, alpha)``, drawn for each sample,
    which mixes as v does and lets every sample lead once. The mixture has the length of the leading sample: a partner
    of another length is stretched to it first, so that all steps are mixed as the labels are. At inference
    the inputs pass unchanged.

    As labels must be mixed too, it acts on batches, not inside a model:
    ``data.map(lambda x, y: mixup.batch(x, y, None))``, with `y` one-hot.

    Args:
        alpha: Both parameters of the beta distribution, at least 0; 0 mixes nothing.
        seed: Integer of the stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `alpha` is no finite number of at least 0, or the layer is called in training.

    Example:
        >>> from lstmstudy.layers import Mixup
        >>> import numpy as np
        >>> x, y = Mixup(0.2).batch(np.ones((3, 5, 2), "float32"), np.eye(3, dtype="float32"), None)
        >>> y.numpy().sum(axis=1).round(5).tolist()
        [1.0, 1.0, 1.0]

    Reference: Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412.
    """

    def __init__(self, alpha: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        check_amount("alpha", alpha, "both parameters of the beta distribution")
        self.initial_alpha = alpha
        self.alpha = self.add_value("alpha", alpha)

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return the inputs.

        Raises:
            ValueError: In training, where the labels would stay as they are.
        """
        del mask
        if training:
            msg = (
                "Mixup mixes labels with their inputs, which no layer inside a model can do. Expected a call of "
                f"`batch(x, y, mask)` on training batches. Received: training={training!r}"
            )
            raise ValueError(msg)
        return inputs

    def transform(self, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return each series mixed with a partner's, (batch, time, features)."""
        return _mixed(series, lengths, *self._pairs(keras.ops.shape(series)[0]))

    def batch(self, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch for classification, sequences and labels mixed alike.

        Args:
            x: Floats (batch, time, features).
            y: Floats (batch, classes), one-hot or already mixed.
            mask: Booleans (batch, time), True where a step counts; or None.
        """
        partner, weight = self._pairs(keras.ops.shape(x)[0])

        def transform(series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
            return _mixed(series, lengths, partner, weight)

        own = tf.cast(weight, y.dtype)[:, None]
        labels = own * y + (1 - own) * tf.gather(y, partner)
        return without_zero_steps(changed(transform, x, mask), mask), labels

    def _pairs(self, batch: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the partner of each sample, integers (batch,), and the weight of its own, in [0.5, 1], (batch,)."""
        order, first, second = tf.unstack(uniform((3, batch), self.stream))
        alpha = tf.convert_to_tensor(self.alpha)
        drawn = symmetric_beta(alpha, first, second)
        return tf.argsort(order), tf.where(alpha > 0, tf.maximum(drawn, 1 - drawn), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "alpha": self.initial_alpha}


def symmetric_beta(alpha: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return draws from Beta(alpha, alpha), alpha above 0, made of two uniform numbers in [0, 1) each.

    A Student t variable with 2 alpha degrees of freedom in polar form (Bailey 1994, Mathematics of
    Computation 62) maps to the symmetric beta distribution. XLA does not compile TensorFlow's own
    sampler, and this one has no loop.
    """
    radius = first ** (1 / alpha)
    cosine = tf.cos(2 * math.pi * second)
    drawn = 0.5 + 0.5 * cosine / tf.sqrt(cosine**2 + radius / (1 - radius))
    return tf.clip_by_value(drawn, 0.0, 1.0)  # XLA divides by a root a little wrong


def _mixed(series: tf.Tensor, lengths: tf.Tensor, partner: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Return each series, weighted, with its partner's, stretched to its length, (batch, time, features)."""
    time, last = clock(series, lengths)
    theirs = tf.gather(lengths, partner)
    end = tf.gather(last, partner)
    positions = time + time * tf.math.divide_no_nan(end - last, last)
    other = read(tf.gather(series, partner), tf.where(time < last, positions, end), theirs)
    own = tf.cast(weight, series.dtype)[:, None, None]
    return own * series + (1 - own) * other
