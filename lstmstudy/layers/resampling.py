"""Time within a sequence: reading it between its steps, and smooth curves along it."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from scipy.interpolate import CubicSpline


def clock(series: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the time of each step, floats (1, time) from 0, and that of the last one that counts, (batch, 1)."""
    steps = keras.ops.shape(series)[1]
    last = tf.maximum(lengths - 1, 0)
    return tf.range(steps, dtype=tf.float32)[None], tf.cast(last, tf.float32)[:, None]


def read(series: tf.Tensor, positions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return each sequence at other times, all its channels alike, by linear interpolation.

    Args:
        series: Floats (batch, time, features).
        positions: Floats (batch, time); before the first step it is read there, after the last at that one.
        lengths: Integers (batch,), the steps that count; none beyond them is read.

    Returns:
        Floats (batch, time, features).
    """
    last = clock(series, lengths)[1]
    positions = tf.clip_by_value(positions, 0.0, last)
    before = tf.math.floor(positions)
    after = tf.minimum(before + 1, last)
    share = tf.cast(positions - before, series.dtype)[:, :, None]
    left, right = (tf.gather(series, tf.cast(place, tf.int32), batch_dims=1) for place in (before, after))
    return (1 - share) * left + share * right


def smooth(nodes: tf.Tensor, series: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the cubic spline through nodes that stand at equal distances from the first step to the last.

    It is the not-a-knot spline, with a continuous third derivative at its second and last but one node.

    Args:
        nodes: Floats (batch, nodes, curves), at least two nodes.
        series: The sequences whose steps are asked for, (batch, time, features).
        lengths: Integers (batch,), the steps of each that count.

    Returns:
        Floats (batch, time, curves); beyond the last step the curve holds its end.
    """
    spans = keras.ops.shape(nodes)[1] - 1
    # A spline is linear in its nodes: the cubics of all spans for each node alone, (span, power, node).
    cubics = CubicSpline(np.arange(spans + 1), np.eye(spans + 1)).c.transpose(1, 0, 2)
    time, last = clock(series, lengths)
    place = spans * tf.minimum(time, last) / tf.maximum(last, 1.0)
    span = tf.clip_by_value(tf.math.floor(place), 0.0, spans - 1.0)
    within = place - span
    powers = tf.stack([within**3, within**2, within, tf.ones_like(within)], axis=-1)
    chosen = tf.gather(tf.constant(cubics, tf.float32), tf.cast(span, tf.int32))
    return tf.einsum("btp,btpn,bnc->btc", powers, chosen, nodes)
