"""Masks whose rate is a variable, so that one compiled network serves every rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from lstmstudy.layers.random import uniform
from lstmstudy.settings import check_rate

if TYPE_CHECKING:
    from collections.abc import Sequence


def add_rate(
    layer: keras.layers.Layer,
    rate: float,
    name: str = "rate",
    *,
    of: str = "dropping",
    closed: bool = False,
) -> keras.Variable:
    """Give `layer` a non-trainable variable for its probability of dropping (or `of` something else).

    It lies in [0, 1), or in [0, 1] with `closed`.
    """
    check_rate(name, rate, of=of, closed=closed)
    return layer.add_weight(
        shape=(),
        initializer=keras.initializers.Constant(rate),
        trainable=False,
        name=name,
        dtype="float32",
        autocast=False,  # drawn against float32 numbers, under every dtype policy
    )


def dropout_mask(
    shape: Sequence[int | tf.Tensor], rate: keras.Variable, stream: keras.random.SeedGenerator
) -> tf.Tensor:
    """Return a mask of `shape`: 0 with probability `rate`, else ``1 / (1 - rate)``; it advances `stream`."""
    rate = tf.convert_to_tensor(rate)
    return tf.cast(uniform(shape, stream) >= rate, tf.float32) / (1.0 - rate)
