"""A few updates by the study's own epoch and by stock Keras, from the same weights in the same order."""

from __future__ import annotations

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, waves

from lstmstudy.training import train as training
from lstmstudy.training.network import Network
from lstmstudy.training.program import Program

RATES = (0.05, 0.02, 0.08)  # of the three updates; large, so that what differs shows
ROWS = np.arange(len(RATES) * RECIPE.batch_size, dtype=np.int32)


def schedule():
    """Return the learning rates as Keras wants them."""
    return keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], list(RATES))


@contextlib.contextmanager
def eagerly():
    """Run compiled functions line by line: for a few updates that takes less time than compiling.

    Programs that ran so are forgotten, or tests that come later would find theirs already used.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_PROGRAMS", {})
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)


@functools.cache
def start(task=waves):
    """Return the weights from which the updates start; columns are longer than at the start of a run."""
    network = Network(RECIPE, task().info)
    network.reset(RECIPE, seed=1)
    rng = np.random.default_rng(1)
    weights = [variable.numpy() for variable in network.model.trainable_variables]
    return [weight + rng.normal(scale=0.3, size=weight.shape).astype(np.float32) for weight in weights]


def batches(task=waves):
    """Return what the updates train on, inputs and targets."""
    train = task().folds[1].train
    return train.x[: ROWS.size], train.y[: ROWS.size]


def program_with(*techniques, task=waves):
    """Return a program with some techniques on, at the common weights."""
    recipe = RECIPE.adding(*techniques)
    program = Program(recipe, task().info, ROWS.size)
    program.start(recipe, seed=1)
    for variable, weight in zip(program.model.trainable_variables, start(task), strict=True):
        variable.assign(weight)
    return program


def update(program, task=waves):
    """Make the updates and return their mean loss and the weights after them."""
    x, y = batches(task)
    loss = program.train_epoch(tf.constant(x), tf.constant(y), np.arange(len(y)), np.array(RATES))
    return loss, [variable.numpy() for variable in program.model.trainable_variables]


@functools.cache
def studied(*techniques, task=waves):
    """Return the weights after a few updates of the study with some techniques on."""
    with eagerly():
        return update(program_with(*techniques, task=task), task)[1]


def stock(optimizer, **arguments):
    """Return the weights after the same updates by Keras; `arguments` go to both LSTM layers."""
    model = keras.Sequential([keras.Input((waves().info.window, 1))])
    model.add(keras.layers.LSTM(RECIPE.width, return_sequences=True, **arguments))
    model.add(keras.layers.LSTM(RECIPE.width, **arguments))
    model.add(keras.layers.Dense(1))
    model.compile(optimizer, "mse", run_eagerly=True)
    model.set_weights(start())
    x, y = batches()
    for rows in ROWS.reshape(len(RATES), -1):
        model.train_on_batch(x[rows], y[rows])
    return model.get_weights()


def assert_same(weights, others, atol=2e-6):
    """Compare two lists of weights."""
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(weight, other, atol=atol)


def apart(weights, others):
    """Return the greatest difference between two lists of weights."""
    return max(np.abs(weight - other).max() for weight, other in zip(weights, others, strict=True))
