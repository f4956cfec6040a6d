"""The way back through the loop over time, written out, is that of automatic differentiation."""

import itertools

import keras
import numpy as np
import plain_loop
import pytest
import tensorflow as tf

from lstmstudy.layers import LSTM, CellHook, CellLayerNorm
from lstmstudy.layers.recurrence import Recurrence

BATCH, STEPS, UNITS = 3, 4, 5
PLACES = ("state", "recurrent", "candidate", "cell", "carry")


class _Everywhere(CellHook):
    """Acts in the places it is made for, each with a factor that is learned and one that is drawn."""

    collects = True

    def build(self, input_shape):
        self.factor = {
            place: self.add_weight(shape=(self.width(place),), initializer="ones", name=place)
            for place in PLACES
        }
        self.fixed = self.add_weight(shape=(), initializer="ones", trainable=False, name="fixed")

    @staticmethod
    def width(place):
        return 4 * UNITS if place == "recurrent" else UNITS

    def collect(self, products, cells, mask):
        self.collected = products, cells, mask

    def state(self, h, noise):
        return h * self.factor["state"] * noise

    def recurrent(self, product, step, mask, *, training):
        return tf.sin(product) * self.factor["recurrent"] * (1.0 + tf.cast(step, product.dtype))

    def candidate(self, g, noise):
        return g * noise + self.factor["candidate"]

    def cell(self, c, step, mask, *, training):
        return c * self.factor["cell"] * self.fixed

    def carry(self, new, old, noise):
        keep = tf.sigmoid(self.factor["carry"]) * noise
        return tuple(keep * before + (1 - keep) * after for before, after in zip(old, new, strict=True))


def hook_in(*places):
    """Return a hook that acts in some places alone."""
    own = {name: vars(_Everywhere)[name] for name in (*places, "build", "width", "collect")}
    hook = type("Hook", (CellHook,), {**own, "collects": "recurrent" in places})(dtype="float64")
    hook.build((STEPS, UNITS))
    for variable in hook.weights:
        variable.assign(draw(*variable.shape, seed=len(variable.path), scale=0.3) + 1)
    return hook


def draw(*shape, seed=0, scale=1.0):
    """Return made numbers."""
    return np.random.default_rng(seed).normal(size=shape, scale=scale)


def given():
    """Return x W, recurrent kernel and bias."""
    return [
        tf.Variable(draw(*shape, seed=i))
        for i, shape in enumerate([(STEPS, BATCH, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)])
    ]


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize(
    "places", [(), *itertools.combinations(PLACES, 1), ("state", "recurrent", "carry"), PLACES]
)
def test_outputs_and_gradients_are_those_of_automatic_differentiation(places, return_sequences, masked, held):
    """In float64, for the inputs, the weights and what hooks learn in any place, noise held over time or not."""
    hooks = [hook_in(*places), hook_in(*places[:1])]
    noise = [tf.constant(draw(1 if held else STEPS, BATCH, UNITS, seed=n, scale=0.2) + 1) for n in range(2)]
    mask = tf.constant(draw(STEPS, BATCH, 1, seed=7) < 0.5) if masked else None
    tensors = given()
    learned = [variable for hook in hooks for variable in hook.trainable_variables]
    sources = [*tensors, *(variable.value for variable in learned)]
    upstream = draw(STEPS, BATCH, UNITS, seed=9) if return_sequences else draw(BATCH, UNITS, seed=9)

    def differentiated(outputs_of):
        with tf.GradientTape() as tape:
            outputs = outputs_of()
        return outputs, tape.gradient(
            outputs, sources, tf.constant(upstream), unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    recurrence = Recurrence(hooks, noise, mask, training=True)
    outputs, gradients = differentiated(
        lambda: recurrence.run(*map(tf.convert_to_tensor, tensors), return_sequences=return_sequences)
    )

    expected, expected_gradients = differentiated(
        lambda: plain_loop.run(recurrence, *tensors, return_sequences=return_sequences)
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-13)
    for source, mine, theirs in zip(sources, gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11, err_msg=str(source))


def test_a_call_without_state_reads_the_values_that_it_is_given():
    """Keras's functional form: variables of hooks, too, are arguments."""
    layer = LSTM(UNITS, hooks=[CellLayerNorm()])
    x = tf.constant(draw(BATCH, STEPS, 2), tf.float32)
    layer(x)
    others = [
        tf.constant(draw(*variable.shape, seed=n), tf.float32) for n, variable in enumerate(layer.weights)
    ]
    outputs, _ = layer.stateless_call(others, [], x)
    kept = layer(x)
    layer.set_weights([other.numpy() for other in others])
    np.testing.assert_allclose(outputs, layer(x), rtol=1e-6)
    assert np.abs(outputs - kept).max() > 0.01


def test_the_graph_of_a_gradient_has_one_loop_forward_and_one_back():
    """Nothing is computed a second time in a loop of its own."""
    layer = keras.Sequential([keras.Input((STEPS, 2)), LSTM(UNITS)])

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x))
        return tape.gradient(loss, layer.trainable_variables)

    graph = gradient.get_concrete_function(tf.TensorSpec((BATCH, STEPS, 2))).graph
    names = [operation.type for operation in graph.get_operations()]
    assert sum(name in ("While", "StatelessWhile") for name in names) == 2
