"""Random numbers of a stream, by a generator that XLA turns into vector instructions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

# TensorFlow's own numbers, compiled for a processor, take six times as long, as all four words of a block
# are computed anew for each of them; its normal numbers take four times as long.
_MULTIPLIER, _WEYL, _ROUNDS = 0xD256D193, 0x9E3779B9, 10


def uniform(shape: Sequence[int | tf.Tensor] | tf.Tensor, stream: keras.random.SeedGenerator) -> tf.Tensor:
    """Return float32 numbers in [0, 1), multiples of 2^-24; it advances `stream`."""
    return tf.cast(_bits(shape, stream, 24), tf.float32) * 2.0**-24


def normal(shape: Sequence[int | tf.Tensor] | tf.Tensor, stream: keras.random.SeedGenerator) -> tf.Tensor:
    """Return float32 numbers of a standard normal distribution, within 5.4; it advances `stream`."""
    centred = (
        2.0 * tf.cast(_bits(shape, stream, 23), tf.float32) + 1.0
    ) * 2.0**-23 - 1.0  # in (-1, 1), exact
    return math.sqrt(2.0) * tf.math.erfinv(centred)


def _bits(
    shape: Sequence[int | tf.Tensor] | tf.Tensor, stream: keras.random.SeedGenerator, bits: int
) -> tf.Tensor:
    """Return uint32 numbers below 2^bits; it advances `stream`."""
    key, call = tf.unstack(tf.cast(tf.convert_to_tensor(stream.next()), tf.uint32))
    size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    words, _ = philox(tf.cast(tf.range(size), tf.uint32), tf.fill((size,), call), key)
    return tf.reshape(tf.bitwise.right_shift(words, tf.constant(32 - bits, tf.uint32)), shape)


def philox(first: tf.Tensor, second: tf.Tensor, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the two random words of each counter under a key: Philox2x32 with ten rounds.

    Args:
        first: First word of the counters, uint32.
        second: Second word, of the same shape.
        key: One word.

    Reference: Salmon, Moraes, Dror and Shaw 2011, doi:10.1145/2063384.2063405.
    """
    for _ in range(_ROUNDS):
        product = tf.cast(first, tf.uint64) * tf.constant(_MULTIPLIER, tf.uint64)
        high = tf.cast(tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32)
        first, second = high ^ key ^ second, tf.cast(product, tf.uint32)
        key += tf.constant(_WEYL, tf.uint32)
    return first, second
