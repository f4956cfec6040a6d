"""The places around one update where a regularizer can act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tensorflow as tf


class UpdateHook(keras.layers.Layer):
    """A regularizer that acts on the weights or their gradients. Subclass it, one file for each regularizer.

    A method that a subclass does not override changes nothing. One update of a batch is: the loss with
    every `penalty`; its `gradients` through every hook; `before`; the optimizer's step; `after`. At
    inference none of it happens, but `shown` says which weights are evaluated.

    Variables that a hook makes with ``self.add_weight(..., trainable=False)`` return to their initial
    values when a run starts.
    """

    def watch(self, variables: Sequence[keras.Variable]) -> None:
        """Receive the trainable variables, once; their paths are like ``"lstm_1/recurrent_kernel"``."""
        self.variables_watched = list(variables)
        self.built = True

    def penalty(self) -> tf.Tensor | float:
        """Return what is added to the loss that is differentiated; no reported loss contains it."""
        return 0.0

    def gradients(self, gradients: list[tf.Tensor], update: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients, in the order of the variables; `update` counts updates from 0 (int64)."""
        del update
        return gradients

    def before(self, learning_rate: tf.Tensor) -> None:
        """Change the variables in front of the optimizer's step."""
        del learning_rate  # AutoGraph cannot read a body without a statement

    def after(self, update: tf.Tensor) -> None:
        """Change the variables after the optimizer's step, or remember them."""
        del update

    def shown(self) -> list[tf.Tensor] | None:
        """Return the weights to evaluate and to keep instead of the trained ones, or None."""
        return None

    def figures(self) -> dict[str, float]:
        """Return numbers of the epoch that just ended by the name of their curve, and begin them anew."""
        return {}
