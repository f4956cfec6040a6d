"""With everything off the network is stock Keras; a technique adds its own layer and touches nothing else."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import ARMS, BOTH, ON, RECIPE, SYLLABLES, WAVES, forced, syllables, waves

from lstmstudy.techniques import Dropout, RecurrentDropout
from lstmstudy.training.network import Network
from lstmstudy.training.program import limit_threads

limit_threads()

SPEECH = dataclasses.replace(SYLLABLES, window=29, n_features=12, n_outputs=9)  # as japanese_vowels


def stock(network, layers, info):
    """Return the same network of layers that come with Keras, with the same weights."""
    model = keras.Sequential([keras.Input((info.window, info.n_features))])
    if info.variable_length:
        model.add(keras.layers.Masking())
    for number in range(1, layers + 1):
        model.add(keras.layers.LSTM(RECIPE.width, return_sequences=number < layers, use_cudnn=False))
    model.add(keras.layers.Dense(info.n_outputs))
    for mine, theirs in zip(network.model.trainable_variables, model.trainable_variables, strict=True):
        assert mine.shape == theirs.shape
        theirs.assign(mine)
    return model


def batch(info, n=11):
    """Return inputs of a task, padded with zeros where lengths vary, and some of the steps inside 0 too."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, info.window, info.n_features)).astype(np.float32)
    if info.variable_length:
        lengths = rng.integers(1, info.window + 1, size=n)
        x[np.arange(info.window) >= lengths[:, None]] = 0
        x[0, 0] = x[1, 1] = 0
    return x


def loss_and_gradients(model, x):
    """Return a loss that all outputs enter, and its gradient for every weight."""
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = tf.reduce_mean(tf.square(outputs - tf.cos(tf.range(x.shape[0], dtype=tf.float32))[:, None]))
    return loss, tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(
    "info", [WAVES, SYLLABLES, SPEECH], ids=["fixed length", "padded", "as japanese_vowels"]
)
def test_with_everything_off_the_network_is_stock_keras(info, layers):
    """Outputs at inference and in training, and every gradient, equal those of keras.layers.LSTM to 1e-5."""
    network = Network(dataclasses.replace(RECIPE, layers=layers), info)
    network.reset(RECIPE, seed=5)
    model, x = stock(network, layers, info), batch(info)
    for training in (False, True):
        np.testing.assert_allclose(
            network.model(x, training=training), model(x, training=training), atol=1e-5
        )
    (loss, gradients), (expected, theirs) = (loss_and_gradients(each, x) for each in (network.model, model))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for variable, one, other in zip(network.model.trainable_variables, gradients, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=variable.path)
        assert np.abs(one).max() > 1e-4


def test_padding_changes_nothing():
    """A sequence has the same outputs however many padded steps follow it."""
    network = Network(RECIPE, SPEECH)
    longer = Network(RECIPE, dataclasses.replace(SPEECH, window=40))
    for each in (network, longer):
        each.reset(RECIPE, seed=5)
    x = batch(SPEECH)
    padded = np.concatenate([x, np.zeros((len(x), 11, 12), np.float32)], axis=1)
    np.testing.assert_allclose(longer.model(padded), network.model(x), atol=1e-6)


@pytest.mark.parametrize("info", [WAVES, SPEECH], ids=["fixed length", "padded"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_number_of_weights_is_that_of_the_equations(info, layers):
    """An LSTM layer has 4u(F + u + 1) weights, the head u + 1 for each output."""
    u = RECIPE.width
    expected = (
        4 * u * (info.n_features + u + 1) + (layers - 1) * 4 * u * (2 * u + 1) + info.n_outputs * (u + 1)
    )
    assert Network(dataclasses.replace(RECIPE, layers=layers), info).model.count_params() == expected


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_has_the_weights_of_the_baseline(arm):
    """Same paths, same shapes and same initial values; a technique adds nothing that is trained."""
    baseline, network = Network(RECIPE, WAVES), Network(ARMS[arm], WAVES)
    for seed in (0, 1):
        baseline.reset(RECIPE, seed)
        network.reset(ARMS[arm], seed)
        mine, theirs = (
            {variable.path: variable.numpy().tobytes() for variable in each.model.trainable_variables}
            for each in (network, baseline)
        )
        assert mine == theirs


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "baseline"])
@pytest.mark.parametrize("task", [waves, syllables], ids=["fixed length", "padded"])
def test_a_technique_is_inactive_at_inference(arm, task):
    """At a rate of .5 the outputs at inference are those of the baseline, bit for bit."""
    info, x = task().info, task().folds[0].test.x
    strong = RECIPE.adding(dataclasses.replace(ON[arm], rate=0.5))
    baseline, network = Network(RECIPE, info), Network(strong, info)
    baseline.reset(RECIPE, seed=3)
    network.reset(strong, seed=3)
    assert (
        network.model(x, training=False).numpy().tobytes()
        == baseline.model(x, training=False).numpy().tobytes()
    )
    assert np.abs(network.model(x, training=True) - baseline.model(x, training=True)).max() > 1e-3


@pytest.mark.parametrize("arm", ON)
@pytest.mark.parametrize("task", [waves, syllables], ids=["fixed length", "padded"])
def test_a_technique_at_strength_zero_is_inactive_in_training(arm, task):
    """Forced on at rate 0, its own code returns the baseline's outputs and gradients to 1e-6."""
    info, x = task().info, task().folds[0].train.x
    off = forced(dataclasses.replace(ON[arm], rate=0.0))
    baseline, network = Network(RECIPE, info), Network(off, info)
    baseline.reset(RECIPE, seed=3)
    network.reset(off, seed=3)
    (loss, gradients), (expected, theirs) = (
        loss_and_gradients(each.model, x) for each in (network, baseline)
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    for one, other in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("recipe", [*ARMS.values(), BOTH], ids=[*ARMS, "both"])
@pytest.mark.parametrize("task", [waves, syllables], ids=["fixed length", "padded"])
def test_the_gradient_reaches_every_weight(recipe, task):
    """No technique cuts a weight off from the loss."""
    network = Network(recipe, task().info)
    network.reset(recipe, seed=3)
    _, gradients = loss_and_gradients(network.model, task().folds[0].train.x)
    for variable, gradient in zip(network.model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 0, variable.path


def test_a_reset_leaves_nothing_of_what_was():
    """Whatever the variables held, and whatever was drawn, a reset gives weights, rates and streams of the seed."""
    network = Network(BOTH, WAVES)
    network.reset(BOTH, seed=3)
    before = {variable.path: variable.numpy().copy() for variable in network.model.variables}
    network.model(batch(WAVES), training=True)
    for variable in network.model.variables:
        variable.assign(tf.ones_like(variable.value) * 7)
    network.reset(BOTH, seed=3)
    for variable in network.model.variables:
        np.testing.assert_array_equal(variable, before[variable.path], err_msg=variable.path)


def test_a_reset_takes_strengths_from_the_recipe_and_draws_from_the_seed():
    """Rates become those asked for; kernels and streams differ between seeds, biases do not."""
    network = Network(BOTH, WAVES)
    values = {}
    for seed, rate in ((3, 0.1), (4, 0.7)):
        recipe = RECIPE.adding(Dropout(rate), RecurrentDropout(rate / 2, "candidate"))
        network.reset(recipe, seed)
        values[seed] = {variable.path: variable.numpy().copy() for variable in network.model.variables}
        rates = {path: float(value) for path, value in values[seed].items() if path.endswith("rate")}
        assert len(rates) == 4
        for path, value in rates.items():
            assert value == pytest.approx(rate / 2 if "recurrent" in path else rate)
    for path in values[3]:
        same = np.array_equal(values[3][path], values[4][path])
        assert same == path.endswith("bias"), path


def test_every_layer_has_a_mask_stream_of_its_own():
    """The streams of all layers and techniques differ, and those of one place agree between forms and rates."""
    states = {}
    for name, recipe in {**ARMS, "both": BOTH}.items():
        network = Network(recipe, WAVES)
        network.reset(recipe, seed=3)
        placed = [layer for layers in network.placed.values() for layer in layers]
        states[name] = {layer.name: tuple(layer.stream.state.numpy()) for layer in placed}
    assert len(set(states["both"].values())) == 4
    everywhere = {place: state for each in states.values() for place, state in each.items()}
    assert set(everywhere) == {"dropout_1", "dropout_2", "recurrent_dropout_1", "recurrent_dropout_2"}
    assert all(each == {place: everywhere[place] for place in each} for each in states.values())


def test_initial_weights_are_those_of_keras():
    """Glorot kernels, orthogonal recurrent kernels, forget bias 1, and layers of one shape that start differently."""
    network = Network(dataclasses.replace(RECIPE, layers=3), WAVES)
    network.reset(RECIPE, seed=3)
    weights = {variable.path: variable.numpy() for variable in network.model.trainable_variables}
    u = RECIPE.width
    for number, features in ((1, 1), (2, u), (3, u)):
        recurrent = weights[f"lstm_{number}/recurrent_kernel"]
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(u), atol=1e-5)
        assert np.abs(weights[f"lstm_{number}/kernel"]).max() <= np.sqrt(6 / (features + 4 * u))
        bias = weights[f"lstm_{number}/bias"]
        np.testing.assert_array_equal(bias, [0] * u + [1] * u + [0] * 2 * u)
    for name in ("kernel", "recurrent_kernel"):
        assert not np.array_equal(weights[f"lstm_2/{name}"], weights[f"lstm_3/{name}"])
    assert np.abs(weights["head/kernel"]).max() <= np.sqrt(6 / (u + 1))
    np.testing.assert_array_equal(weights["head/bias"], [0])
