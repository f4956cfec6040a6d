"""The loop of the LSTM over time as one writes it first, for automatic differentiation to go back through."""

from __future__ import annotations

import tensorflow as tf


def run(recurrence, projected, kernel, bias, *, return_sequences):
    """Return what `Recurrence.run` returns, step by step."""
    hooks, training = recurrence.hooks, recurrence.training
    steps, batch, _ = projected.shape
    h = c = tf.zeros((batch, kernel.shape[0]), kernel.dtype)
    hidden, products, cells = [], [], []
    for t in range(steps):
        now = [None if drawn is None else drawn[min(t, len(drawn) - 1)] for drawn in recurrence.noise]
        acting = list(zip(hooks, now, strict=True))
        step, counts = tf.constant(t), None if recurrence.mask is None else recurrence.mask[t]
        seen = h
        for hook, drawn in acting:
            seen = hook.state(seen, drawn)
        product = seen @ kernel
        products.append(product)
        for hook in hooks:
            product = hook.recurrent(product, step, counts, training=training)
        i, f, g, o = tf.split(projected[t] + product + bias, 4, axis=1)
        g = tf.tanh(g)
        for hook, drawn in acting:
            g = hook.candidate(g, drawn)
        new_c = shown = tf.sigmoid(f) * c + tf.sigmoid(i) * g
        cells.append(new_c)
        for hook in hooks:
            shown = hook.cell(shown, step, counts, training=training)
        new_h = tf.sigmoid(o) * tf.tanh(shown)
        for hook, drawn in acting:
            new_h, new_c = hook.carry((new_h, new_c), (h, c), drawn)
        if counts is not None:
            new_h, new_c = tf.where(counts, new_h, h), tf.where(counts, new_c, c)
        h, c = new_h, new_c
        hidden.append(h)
    for hook in recurrence.collecting:
        hook.collect(tf.stop_gradient(tf.stack(products)), tf.stop_gradient(tf.stack(cells)), recurrence.mask)
    return tf.stack(hidden) if return_sequences else h
