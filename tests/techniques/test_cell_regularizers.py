"""Zoneout and weight drop do in training and at inference what they say."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, WAVES, forced, run_of, train_afresh, trained, waves
from updating import eagerly

from lstmstudy import layers
from lstmstudy.layers import LSTM
from lstmstudy.techniques import WeightDrop, Zoneout
from lstmstudy.training.network import Network
from lstmstudy.training.program import limit_threads

limit_threads()

STEPS, FEATURES, UNITS = 7, 3, 5
ON = {"zoneout": Zoneout(0.4, 0.3), "weight_drop": WeightDrop(0.5)}
OFF = {"zoneout": Zoneout(0.0, 0.0), "weight_drop": WeightDrop(0.0)}
every_technique = pytest.mark.parametrize("name", ON)


def series(batch=4, steps=STEPS, seed=0):
    """Return sequences, (batch, steps, features)."""
    return np.random.default_rng(seed).normal(size=(batch, steps, FEATURES)).astype(np.float32)


def lstm(*hooks, return_sequences=True):
    """Return a built layer with hooks, its weights the same for all."""
    layer = LSTM(UNITS, return_sequences=return_sequences, hooks=list(hooks))
    layer.build((None, STEPS, FEATURES))
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(scale=0.6, size=variable.shape))
    return layer


def sigmoid(z):
    """Return the logistic function."""
    return 1 / (1 + np.exp(-z))


def by_hand(layer, x, keep):
    """Return the hidden states of zoneout's equations, (batch, time, units).

    `keep` gives for each step how much of the old h and the old c stays, ((batch, units), (batch, units)).
    """
    kernel, recurrent, bias = (
        np.asarray(each, np.float64) for each in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    h, c = np.zeros((len(x), UNITS)), np.zeros((len(x), UNITS))
    states = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        keep_h, keep_c = keep(t)
        # The new h comes from the new c as it was before anything was kept.
        h = keep_h * h + (1 - keep_h) * sigmoid(o) * np.tanh(new)
        c = keep_c * c + (1 - keep_c) * new
        states.append(h)
    return np.stack(states, axis=1)


class Drawn(layers.Zoneout):
    """Zoneout that remembers what it drew."""

    def sample(self, batch, steps, units):
        """Keep the draw."""
        self.drawn = super().sample(batch, steps, units)
        return self.drawn


def test_zoneout_in_training_follows_its_equations():
    """States are those of the published equations with the masks that were drawn: h first, then c."""
    hook = Drawn(0.4, 0.3, seed=2)
    layer, x = lstm(hook), series()
    states = layer(x, training=True).numpy()
    masks = hook.drawn.numpy()
    assert masks.shape == (STEPS, len(x), 2 * UNITS)
    np.testing.assert_allclose(states, by_hand(layer, x, lambda t: np.split(masks[t], 2, axis=1)), atol=1e-5)


def test_zoneout_draws_every_entry_by_itself_at_its_own_rate():
    """Steps, samples, units, h and c have masks of their own; h is kept at its rate and c at its own."""
    hook = layers.Zoneout(0.4, 0.1, seed=3)
    masks = hook.sample(50, 60, 20).numpy()
    assert set(np.unique(masks)) == {0.0, 1.0}
    error = 4 * np.sqrt(0.25 / masks[:, :, :20].size)
    assert abs(masks[:, :, :20].mean() - 0.1) < error
    assert abs(masks[:, :, 20:].mean() - 0.4) < error
    for axis in range(3):
        parts = np.split(masks, masks.shape[axis], axis=axis)
        assert len({part.tobytes() for part in parts}) == len(parts)
    hidden, cell = (half.ravel() for half in np.split(masks, 2, axis=2))
    assert abs(np.corrcoef(hidden, cell)[0, 1]) < 4 / np.sqrt(cell.size)  # one draw for both would be .41
    assert (hook.sample(50, 60, 20).numpy() != masks).any()


def test_zoneout_at_inference_is_the_expectation():
    """Nothing is drawn: old and new are mixed by the rates, and c by another one than h."""
    layer, x = lstm(layers.Zoneout(0.4, 0.3, seed=2)), series()
    expected = by_hand(layer, x, lambda _: (0.3, 0.4))
    for _ in range(2):
        np.testing.assert_allclose(layer(x, training=False).numpy(), expected, atol=1e-5)


def test_one_step_of_zoneout_has_its_inference_as_mean():
    """Over many masks the mean of a one-step update is the update at inference."""
    hook = layers.Zoneout(0.4, 0.3, seed=4)
    layer = lstm(hook)
    x = np.repeat(series(1, 1), 20000, axis=0)
    drawn = layer(x, training=True).numpy()[:, 0]
    expected = layer(x[:1], training=False).numpy()[0, 0]
    error = 4 * drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected) < error).all()


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_of_one_keeps_the_initial_state_and_of_zero_nothing(training):
    """With both rates 1 every state stays zero; with both 0 the layer is the plain one, to the bit."""
    x = series()
    assert not lstm(layers.Zoneout(1.0, 1.0))(x, training=training).numpy().any()
    plain = lstm()(x).numpy()
    np.testing.assert_array_equal(lstm(layers.Zoneout(0.0, 0.0))(x, training=training), plain)


def test_weight_drop_shows_from_the_second_step_on():
    """From a zero state the first output depends on no mask; the second one does, and two batches differ."""
    layer, x = lstm(layers.WeightDrop(0.5, seed=1)), series()
    plain = layer(x, training=False).numpy()
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    for dropped in (first, second):
        np.testing.assert_array_equal(dropped[:, 0], plain[:, 0])
        assert np.abs(dropped[:, 1] - plain[:, 1]).max() > 1e-3
    assert np.abs(first[:, 1] - second[:, 1]).max() > 1e-3


def test_weight_drop_has_one_mask_for_all_samples_and_steps():
    """Equal samples of a batch stay equal, and the states are those of one masked and scaled matrix."""
    hook = layers.WeightDrop(0.5, seed=1)
    layer = lstm(hook)
    x = np.repeat(series(1), 3, axis=0)
    state = hook.stream.state.numpy()
    dropped = layer(x, training=True).numpy()
    np.testing.assert_allclose(dropped[0], dropped[1], atol=1e-6)
    np.testing.assert_allclose(dropped[0], dropped[2], atol=1e-6)
    hook.stream.state.assign(state)
    mask = hook.sample(3, STEPS, UNITS).numpy()[0]
    assert mask.shape == (UNITS, 4 * UNITS)
    assert set(np.unique(mask)) == {0.0, 2.0}
    assert len({gate.tobytes() for gate in np.split(mask, 4, axis=1)}) == 4
    masked = lstm()
    masked.recurrent_kernel.assign(layer.recurrent_kernel.numpy() * mask)
    np.testing.assert_allclose(dropped, masked(x).numpy(), atol=1e-6)


def test_weight_drop_leaves_the_variable_whole_and_trains_every_entry():
    """The matrix is what it was after the call; over some batches the gradient reaches each of its entries."""
    layer, x = lstm(layers.WeightDrop(0.5, seed=1), return_sequences=False), series()
    before = layer.recurrent_kernel.numpy()
    reached = np.zeros(before.shape, bool)
    for _ in range(12):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(x, training=True)))
        gradient = tape.gradient(loss, layer.recurrent_kernel).numpy()
        assert 0.2 < np.mean(gradient == 0) < 0.8  # what is dropped in this batch learns nothing
        reached |= gradient != 0
    assert reached.all()
    np.testing.assert_array_equal(layer.recurrent_kernel, before)


def test_weight_drop_keeps_the_mean_of_the_matrix():
    """Kept entries are divided by what is kept on average."""
    masks = np.stack([layers.WeightDrop(0.3, seed=seed).sample(1, 1, 30).numpy() for seed in range(20)])
    assert abs(masks.mean() - 1) < 4 * masks.std() / np.sqrt(masks.size)
    np.testing.assert_allclose(np.unique(masks), [0, 1 / 0.7], rtol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: layers.Zoneout(0.4, 0.3, seed=2), lambda: layers.WeightDrop(0.5, seed=2)]
)
def test_the_gradient_reaches_every_variable(make):
    """Kernel, recurrent kernel and bias all learn."""
    layer, x = lstm(make(), return_sequences=False), series()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True))
    for variable, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, layer.trainable_variables), strict=True
    ):
        assert np.abs(gradient.numpy()).max() > 0, variable.path


@every_technique
def test_off_is_the_baseline(name):
    """At its off value a technique leaves the identity; forced on there, three epochs go as the baseline's."""
    assert run_of(waves(), RECIPE.adding(OFF[name])).identity == run_of(waves()).identity
    with eagerly():
        ours, plain = (train_afresh(waves(), recipe) for recipe in (forced(OFF[name]), RECIPE))
    np.testing.assert_allclose(ours.curves["loss"], plain.curves["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours.curves["test/rmse"], plain.curves["test/rmse"], rtol=1e-5)


@every_technique
def test_on_it_starts_as_the_baseline_and_ends_elsewhere(name):
    """Initial weights and batch order are the baseline's, and what is learned is not."""
    with eagerly():
        result = train_afresh(waves(), RECIPE.adding(ON[name]))
    assert result.pairing == trained().pairing
    assert np.abs(result.curves["loss"] - trained().curves["loss"]).max() > 1e-3


@every_technique
def test_evaluating_draws_nothing(name):
    """At inference predictions repeat and no stream advances; without zoneout's mixing they are the baseline's."""
    recipe = RECIPE.adding(ON[name])
    network, plain = Network(recipe, WAVES), Network(RECIPE, WAVES)
    network.reset(recipe, 0)
    plain.reset(RECIPE, 0)
    (hook, _) = network.placed[name]
    state = hook.stream.state.numpy()
    x = np.random.default_rng(0).normal(size=(4, WAVES.window, 1)).astype(np.float32)
    first, second = (network.model(x, training=False).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(hook.stream.state, state)
    same = np.allclose(first, plain.model(x, training=False), atol=1e-6)
    assert same == (name == "weight_drop")


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: Zoneout(1.1, 0.0), "rate_cell=1.1"),
        (lambda: Zoneout(0.1, -0.1), "rate_hidden=-0.1"),
        (lambda: layers.Zoneout(0.1, 1.5), "rate_hidden=1.5"),
        (lambda: WeightDrop(1.0), "rate=1.0"),
        (lambda: WeightDrop(-0.1), "rate=-0.1"),
        (lambda: layers.WeightDrop(1.0), "rate=1.0"),
    ],
)
def test_a_rate_outside_its_range_is_an_error(make, received):
    """Dropping everything is refused; keeping everything is allowed to zoneout alone."""
    with pytest.raises(ValueError, match=rf"Received: {received}$"):
        make()


def test_a_sequence_of_one_step_works():
    """Zoneout mixes with the zero state; weight drop has nothing to drop."""
    x = series(3, 1)
    plain = lstm()(x).numpy()
    np.testing.assert_allclose(lstm(layers.Zoneout(0.4, 0.3))(x, training=False), 0.7 * plain, atol=1e-6)
    np.testing.assert_array_equal(lstm(layers.WeightDrop(0.5))(x, training=True), plain)
