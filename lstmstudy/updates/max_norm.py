"""Max-norm: after every update no column of a matrix is longer than a limit."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lstmstudy.updates.kernels import add_number, lstm_matrices
from lstmstudy.updates.update_hook import UpdateHook


class MaxNorm(UpdateHook):
    """Shortens the columns of the LSTM layers' matrices that are longer than `limit`, after each step.

    A column holds the weights that go into one gate of one unit; shorter columns stay as they are.

    Args:
        limit: Greatest Euclidean norm of a column, above 0.
        matrices: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.
    """

    def __init__(self, limit: float, *, matrices: str = "both", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.matrices = matrices
        self.limit = add_number(self, limit, "limit")

    def after(self, update: tf.Tensor) -> None:
        """Shorten the columns that the step made too long."""
        for variable in lstm_matrices(self.variables_watched, self.matrices):
            norms = tf.norm(tf.convert_to_tensor(variable), axis=0)
            share = tf.math.divide_no_nan(tf.convert_to_tensor(self.limit), norms)
            variable.assign(variable * tf.minimum(share, 1.0))
