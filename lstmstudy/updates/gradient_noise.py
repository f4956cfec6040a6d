"""Gradient noise inside the study's compiled epoch."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lstmstudy.layers.gradient_noise import add_noise
from lstmstudy.updates.kernels import add_number
from lstmstudy.updates.update_hook import UpdateHook


class GradientNoise(UpdateHook):
    """Adds normal noise of variance ``eta / (1 + t)^gamma`` to every gradient of update t = 0, 1, ...

    Args:
        eta: Variance at the first update, at least 0.
        gamma: How fast it falls, at least 0.
    """

    def __init__(self, eta: float, gamma: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.eta = add_number(self, eta, "eta")
        self.gamma = add_number(self, gamma, "gamma")
        self.stream = keras.random.SeedGenerator()

    def gradients(self, gradients: list[tf.Tensor], update: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients with fresh noise."""
        eta, gamma = tf.convert_to_tensor(self.eta), tf.convert_to_tensor(self.gamma)
        return add_noise(gradients, update, eta, gamma, self.stream)
