"""The places inside the LSTM cell where a regularizer can act."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import keras

if TYPE_CHECKING:
    import tensorflow as tf


class CellHook(keras.layers.Layer):
    """A regularizer inside the LSTM cell. Subclass it, one file for each regularizer.

    A method that a subclass does not override changes nothing. In training `sample` draws once per
    batch, before the loop over time; at inference nothing is drawn, and only hooks with
    `acts_at_inference` are asked for anything. Anything it learns must be a weight made in `build`:
    gradients reach no other tensor that `state`, `recurrent`, `candidate`, `cell` or `carry` use.

    Shapes: with u units, input kernel W and recurrent kernel U, x W and h U are (..., 4 u) in the order i, f, c, o.
    """

    acts_at_inference: ClassVar[bool] = False
    collects: ClassVar[bool] = False  # whether `collect` wants what happened at every step

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor | None:
        """Return the noise of one batch, its first axis time, of size 1 if it is held over time; or None."""
        del batch, steps, units
        return None

    def kernel(self, recurrent_kernel: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Return the recurrent kernel of this batch, (u, 4 u); asked once, before the first step."""
        del noise
        return recurrent_kernel

    def inputs(self, projected: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return what becomes of x W at all steps, before the bias, (time, batch, 4 u).

        `mask` has True where a step counts, (time, batch, 1), or is None.
        """
        del mask, training
        return projected

    def state(self, h: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Return what the recurrent kernel sees of the previous hidden state, (batch, u)."""
        del noise
        return h

    def recurrent(
        self, product: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool
    ) -> tf.Tensor:
        """Return what becomes of h U at one step, (batch, 4 u); `mask` is (batch, 1) or None."""
        del step, mask, training
        return product

    def candidate(self, g: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Return what is written into the cell of the candidate ``tanh(z_c)``, (batch, u)."""
        del noise
        return g

    def cell(self, c: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Return what the output's tanh sees of the new cell, (batch, u); the carried cell stays as it is."""
        del step, mask, training
        return c

    def carry(
        self,
        new: tuple[tf.Tensor, tf.Tensor],
        old: tuple[tf.Tensor, tf.Tensor],
        noise: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (h, c) that go on to the next step and to the output, from the new and the old (h, c)."""
        del old, noise
        return new

    def collect(self, products: tf.Tensor, cells: tf.Tensor, mask: tf.Tensor | None) -> None:
        """Receive h U (time, batch, 4 u) and c (time, batch, u) of a training batch, without gradient."""
