"""L1 and L2: a price on the size of the weights, in the loss that is differentiated."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lstmstudy.updates.kernels import add_number, lstm_matrices
from lstmstudy.updates.update_hook import UpdateHook


class WeightPenalty(UpdateHook):
    """Adds ``l1 * sum(|w|) + l2 * sum(w^2)`` of the LSTM layers' matrices to the loss.

    Only the loss that is differentiated has it: no reported loss and no metric does.

    Args:
        l1: Coefficient of the sum of absolute values, at least 0.
        l2: Coefficient of the sum of squares (there is no half), at least 0.
        matrices: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.
    """

    def __init__(self, l1: float, l2: float, *, matrices: str = "both", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.matrices = matrices
        self.l1 = add_number(self, l1, "l1")
        self.l2 = add_number(self, l2, "l2")

    def penalty(self) -> tf.Tensor:
        """Return the price of the weights as they are now."""
        l1, l2 = tf.convert_to_tensor(self.l1), tf.convert_to_tensor(self.l2)
        watched = map(tf.convert_to_tensor, lstm_matrices(self.variables_watched, self.matrices))
        return tf.add_n([l1 * tf.reduce_sum(tf.abs(w)) + l2 * tf.reduce_sum(tf.square(w)) for w in watched])
