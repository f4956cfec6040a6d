"""Gradient clipping: gradients that are too long keep their direction and lose their length."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lstmstudy.updates.kernels import add_number
from lstmstudy.updates.update_hook import UpdateHook


class GradientClipping(UpdateHook):
    """Scales gradients longer than `norm` down to that length, and counts how often.

    Args:
        norm: Greatest Euclidean norm, above 0.
        per: ``"variable"`` takes the norm of each variable's gradient alone, which turns the direction of
            the joint step (Keras's ``clipnorm``); ``"global"`` takes one norm over all of them
            (``global_clipnorm``).
    """

    def __init__(self, norm: float, *, per: str = "global", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.per = per
        self.norm = add_number(self, norm, "norm")
        self.clipped = add_number(self, 0.0, "clipped")
        self.updates = add_number(self, 0.0, "updates")

    def gradients(self, gradients: list[tf.Tensor], update: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients, each variable's or all together no longer than the norm."""
        limit = tf.convert_to_tensor(self.norm)
        norms = [tf.norm(gradient) for gradient in gradients]
        if self.per == "global":
            norms = [tf.norm(tf.stack(norms))] * len(gradients)
        self.clipped.assign_add(tf.cast(tf.reduce_max(tf.stack(norms)) > limit, tf.float32))
        self.updates.assign_add(1.0)
        return [
            gradient * tf.minimum(tf.math.divide_no_nan(limit, norm), 1.0)
            for gradient, norm in zip(gradients, norms, strict=True)
        ]

    def figures(self) -> dict[str, float]:
        """Return the share of the epoch's updates in which at least one gradient was clipped."""
        share = float(self.clipped.numpy()) / max(float(self.updates.numpy()), 1.0)
        self.clipped.assign(0.0)
        self.updates.assign(0.0)
        return {"clipped share": share}
