"""Decoupled weight decay: every update first shrinks the weights by a share of the learning rate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lstmstudy.updates.kernels import MATRICES, add_number
from lstmstudy.updates.update_hook import UpdateHook


class WeightDecay(UpdateHook):
    """Takes ``learning_rate * decay * w`` off every matrix w in front of each step.

    Matrices are the kernels and recurrent kernels of the LSTM layers and the head's kernel; biases and
    the gains and offsets of normalization do not decay. The gradient and its moments never see it.

    Args:
        decay: Share of a weight that a learning rate of 1 would take off, at least 0.
    """

    def __init__(self, decay: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decay = add_number(self, decay, "decay")

    def before(self, learning_rate: tf.Tensor) -> None:
        """Shrink the matrices."""
        for variable in self.variables_watched:
            if variable.name in MATRICES["both"]:
                variable.assign_sub(variable * tf.convert_to_tensor(self.decay) * learning_rate)
