"""The layers drop what they say, where and when they say it, in anybody's own model."""

from __future__ import annotations

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstmstudy.layers import LSTM, CandidateDropout, CellHook, InputDropout, StateDropout
from lstmstudy.training.program import limit_threads

limit_threads()

RATE = 0.3
HOOKS = {  # every regularizer inside the cell
    "state per step": functools.partial(StateDropout, per="step"),
    "state per sequence": functools.partial(StateDropout, per="sequence"),
    "candidate": CandidateDropout,
}
EVERYTHING = {
    "input per step": functools.partial(InputDropout, per="step"),
    "input per sequence": functools.partial(InputDropout, per="sequence"),
    **HOOKS,
}
PER_STEP = ("input per step", "state per step", "candidate")


def normal(*shape, seed=0):
    """Return float32 normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def masks(name, batch=64, steps=20, units=8, *, rate=RATE, seed=1):
    """Return the masks that a layer or hook draws for one batch, (steps, batch, units)."""
    layer = EVERYTHING[name](rate, seed=seed)
    if isinstance(layer, CellHook):
        return np.broadcast_to(layer.sample(batch, steps, units).numpy(), (steps, batch, units))
    return layer(tf.ones((batch, steps, units)), training=True).numpy().transpose(1, 0, 2)


def sigmoid(z):
    """Return the logistic function."""
    return 1 / (1 + np.exp(-z))


def by_hand(weights, x, *, state=None, candidate=None):
    """Return the hidden states of an LSTM with masks on h and g, (batch, time, units), in float64."""
    kernel, recurrent, bias = (np.asarray(weight, np.float64) for weight in weights)
    batch, steps, _ = x.shape
    units = len(recurrent)
    ones = np.ones((steps, batch, units))
    state, candidate = (ones if each is None else each for each in (state, candidate))
    h, c, outputs = np.zeros((batch, units)), np.zeros((batch, units)), []
    for t in range(steps):
        z = x[:, t] @ kernel + (h * state[t]) @ recurrent + bias
        i, f, g, o = np.split(z, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g) * candidate[t]
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_mask_drops_at_its_rate_and_scales_what_it_keeps(name, rate):
    """Entries are 0 or 1 / (1 - rate); the kept share lies within 3 binomial standard errors."""
    mask = masks(name, rate=rate)
    values = np.unique(mask)
    np.testing.assert_allclose(values, [0, 1 / (1 - rate)], rtol=1e-6)
    drawn = mask if name in PER_STEP else mask[0]
    assert abs(np.mean(drawn > 0) - (1 - rate)) < 3 * np.sqrt(rate * (1 - rate) / drawn.size)


@pytest.mark.parametrize("name", PER_STEP)
def test_a_mask_per_step_is_drawn_anew_at_every_step(name):
    """The masks of neighbouring steps are uncorrelated, and so are those further apart."""
    mask = masks(name) - masks(name).mean()
    for lag in (1, 2, 10):
        pairs = mask[lag:] * mask[:-lag]
        assert abs(pairs.mean() / mask.var()) < 4 / np.sqrt(pairs.size)


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name not in PER_STEP])
def test_a_mask_per_sequence_is_held_over_time(name):
    """Its variance over time is 0."""
    mask = masks(name)
    assert (np.ptp(mask, axis=0) == 0).all()
    assert (np.ptp(mask, axis=1) > 0).all()


@pytest.mark.parametrize("name", EVERYTHING)
def test_masks_differ_between_samples_units_batches_and_seeds(name):
    """Samples and units are dropped independently; each call and each seed draws other masks."""
    mask = masks(name) - masks(name).mean()
    for one, other in ((mask[:, 1:], mask[:, :-1]), (mask[:, :, 1:], mask[:, :, :-1])):
        independent = one.size if name in PER_STEP else one[0].size
        assert abs((one * other).mean() / mask.var()) < 4 / np.sqrt(independent)
    assert (masks(name, seed=1) == masks(name, seed=1)).all()
    assert (masks(name, seed=1) != masks(name, seed=2)).any()


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_call_in_training_draws_new_masks(name):
    """Two batches never share their masks."""
    layer = model_with(name)
    x = normal(5, 6, 3)
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_acts_where_it_says_and_alike_on_all_gates(name):
    """The layer equals an LSTM written out by hand into which the same masks enter at that one place."""
    x = normal(5, 6, 3)
    layer = LSTM(4, return_sequences=True, hooks=[HOOKS[name](0.5, seed=3)])
    outputs = layer(x, training=True)
    mask = np.broadcast_to(HOOKS[name](0.5, seed=3).sample(5, 6, 4).numpy(), (6, 5, 4))
    place = {"candidate" if name == "candidate" else "state": mask}
    weights = layer.trainable_variables
    np.testing.assert_allclose(outputs, by_hand(weights, x, **place), atol=1e-5)
    assert np.abs(outputs - by_hand(weights, x)).max() > 1e-3


def test_hooks_act_together():
    """A hook on the state and one on the candidate each enter at their place, with masks of their own."""
    x = normal(5, 6, 3)
    layer = LSTM(4, return_sequences=True, hooks=[StateDropout(0.5, seed=3), CandidateDropout(0.5, seed=4)])
    outputs = layer(x, training=True)
    state = np.broadcast_to(StateDropout(0.5, seed=3).sample(5, 6, 4).numpy(), (6, 5, 4))
    candidate = CandidateDropout(0.5, seed=4).sample(5, 6, 4).numpy()
    expected = by_hand(layer.trainable_variables, x, state=state, candidate=candidate)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@pytest.mark.parametrize("per", ["step", "sequence"])
def test_dropping_the_state_leaves_the_first_step_alone(per):
    """The first output does not depend on the mask, as there is no state yet; the second does."""
    x = normal(5, 6, 3)
    layer = LSTM(4, return_sequences=True, hooks=[StateDropout(0.5, per=per, seed=3)])
    masked, plain = (layer(x, training=training).numpy() for training in (True, False))
    assert masked[:, 0].tobytes() == plain[:, 0].tobytes()
    assert (masked[:, 1] != plain[:, 1]).any(axis=1).all()


def test_dropping_the_candidate_never_loses_what_the_cell_holds():
    """With f = i = 1 the cell only ever gains: at each step nothing or g / (1 - rate)."""
    rate, g, units = 0.5, 0.05, 4
    layer = LSTM(units, return_sequences=True, hooks=[CandidateDropout(rate, seed=5)])
    x = normal(16, 9, 2)
    layer(x)
    open_gate, candidate = np.full(units, 50.0), np.full(units, np.arctanh(g))
    bias = np.concatenate([open_gate, open_gate, candidate, open_gate])
    layer.kernel.assign(np.zeros((2, 4 * units)))
    layer.recurrent_kernel.assign(np.zeros((units, 4 * units)))
    layer.bias.assign(bias)
    cell = np.arctanh(layer(x, training=True).numpy().astype(np.float64))
    gained = np.diff(cell, axis=1, prepend=0) / (g / (1 - rate))
    np.testing.assert_allclose(gained, np.round(gained), atol=1e-3)
    assert set(np.round(gained).ravel()) == {0.0, 1.0}


def draw_weights(model):
    """Give every trainable weight a value far enough from 0."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))


def model_with(name, rate=0.5, seed=3):
    """Return a small model with one regularizer, its weights the same for every name."""
    inputs = keras.Input((None, 3))
    part = EVERYTHING[name](rate, seed=seed)
    hooked = isinstance(part, CellHook)
    x = inputs if hooked else part(inputs)
    x = LSTM(4, return_sequences=True, hooks=[part] if hooked else [])(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(LSTM(3)(x)))
    draw_weights(model)
    return model


def rate_of(model):
    """Return the variable that holds the one rate of a model."""
    (rate,) = [variable for variable in model.variables if variable.name == "rate"]
    return rate


def streams(model):
    """Return the states of all mask streams of a model."""
    return [variable.numpy() for variable in model.variables if "seed_generator" in variable.path]


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_is_dropped_at_inference_and_no_stream_moves(name):
    """Outputs are those at rate 0, bit for bit, however often they are asked for."""
    x = normal(5, 6, 3)
    model = model_with(name)
    before = streams(model)
    outputs = [model(x, training=False).numpy() for _ in range(2)]
    outputs.append(model(x).numpy())
    assert {each.tobytes() for each in outputs} == {
        model_with(name, rate=0.0)(x, training=False).numpy().tobytes()
    }
    assert len(before) == 1
    np.testing.assert_array_equal(streams(model), before)
    model(x, training=True)
    assert (np.array(streams(model)) != np.array(before)).any()


@pytest.mark.parametrize("name", EVERYTHING)
def test_at_rate_zero_training_is_inference(name):
    """A rate of 0 leaves every output as it is, bit for bit."""
    x = normal(5, 6, 3)
    model = model_with(name, rate=0.0)
    assert model(x, training=True).numpy().tobytes() == model(x, training=False).numpy().tobytes()


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_gradient_reaches_every_weight(name):
    """With the regularizer acting, no weight is cut off from the loss."""
    model = model_with(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(normal(16, 6, 3), training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 8
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_rate_is_a_variable_that_is_not_trained(name):
    """Assigning another rate changes what is dropped without building anything anew."""
    model = model_with(name, rate=0.0)
    assert not [variable for variable in model.trainable_variables if variable.name == "rate"]
    rate_of(model).assign(0.5)
    x = normal(5, 6, 3)
    assert model(x, training=True).numpy().tobytes() == model_with(name)(x, training=True).numpy().tobytes()


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_model_rebuilt_from_its_configuration_is_the_same(name):
    """Configuration, outputs and masks in training survive the round trip."""
    model = model_with(name)
    rebuilt = keras.Model.from_config(model.get_config())
    assert rebuilt.get_config() == model.get_config()
    rebuilt.set_weights(model.get_weights())
    x = normal(5, 6, 3)
    for training in (False, True):
        assert (
            rebuilt(x, training=training).numpy().tobytes() == model(x, training=training).numpy().tobytes()
        )


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_layer_rebuilt_from_its_configuration_has_its_settings(name):
    """Rate, form and seed come back."""
    layer = EVERYTHING[name](0.2, seed=11, name="mine")
    config = keras.saving.serialize_keras_object(layer)
    rebuilt = keras.saving.deserialize_keras_object(config)
    assert type(rebuilt) is type(layer)
    assert keras.saving.serialize_keras_object(rebuilt) == config
    assert float(rebuilt.rate) == np.float32(0.2)
    assert (rebuilt.seed, rebuilt.name) == (11, "mine")
    assert getattr(rebuilt, "per", None) == getattr(layer, "per", None)


# Keras 3.15 reads the variables of a mask stream in a way that NumPy 2 finds old-fashioned.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_saved_model_is_loaded_as_it_was(name, tmp_path):
    """A .keras file brings back weights and rate; the masks begin anew at the seed, as those of Keras do."""
    model = model_with(name)
    rate_of(model).assign(0.25)
    x = normal(5, 6, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert rate_of(loaded).numpy() == 0.25
    for training in (False, True):
        assert loaded(x, training=training).numpy().tobytes() == model(x, training=training).numpy().tobytes()


def all_at_once():
    """Return a model with every regularizer in it."""
    inputs = keras.Input((None, 3))
    x = InputDropout(0.2, seed=1)(keras.layers.Masking()(inputs))
    x = LSTM(4, return_sequences=True, hooks=[StateDropout(0.2, seed=2), CandidateDropout(0.2, seed=3)])(x)
    x = InputDropout(0.2, per="sequence", seed=4)(x)
    model = keras.Model(
        inputs, keras.layers.Dense(1)(LSTM(3, hooks=[StateDropout(0.2, per="step", seed=5)])(x))
    )
    draw_weights(model)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    return model


def test_the_layers_train_in_a_plain_fit_and_evaluation_moves_no_stream():
    """Training goes on, the last batch smaller, as if nobody had evaluated in between (against K9)."""
    x, y = normal(11, 6, 3), normal(11, 1, seed=1)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    plain = all_at_once()
    losses = plain.fit(x, y, epochs=4, **options).history["loss"]
    watched = all_at_once()
    first = watched.fit(x, y, epochs=2, validation_data=(x, y), **options).history["loss"]
    watched.predict(x, verbose=0)
    watched.evaluate(x, y, verbose=0)
    then = watched.fit(x, y, epochs=2, validation_data=(x, y), **options).history["loss"]
    assert [*first, *then] == losses
    assert plain.evaluate(x, y, verbose=0) < all_at_once().evaluate(x, y, verbose=0)


@pytest.mark.parametrize("training", [False, True])
def test_one_traced_function_serves_every_size_of_batch_and_length(training):
    """Batch and time may be unknown when the graph is built; the outputs are those of each size."""
    model = model_with("input per step", rate=0.0) if training else all_at_once()
    traced = tf.function(
        lambda x: model(x, training=training), input_signature=[tf.TensorSpec((None, None, 3))]
    )
    for batch, steps in ((5, 6), (1, 2), (7, 1)):
        x = normal(batch, steps, 3)
        np.testing.assert_allclose(traced(x), model(x, training=training), atol=1e-6)


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan"), True, "0.3"], ids=repr)
def test_a_bad_rate_is_an_error_that_ends_with_what_came(name, rate):
    """Rates lie in [0, 1); 1 is not silently off."""
    with pytest.raises(ValueError, match=re.escape(f"Received: rate={rate!r}") + "$"):
        EVERYTHING[name](rate)


def test_a_bad_setting_is_an_error_that_ends_with_what_came():
    """A form that does not exist and a size that is none are refused."""
    for layer in (InputDropout, StateDropout):
        with pytest.raises(ValueError, match=r"Received: per='batch'$"):
            layer(0.3, per="batch")
    for units in (0, -1, 2.0, True, "4"):
        with pytest.raises(ValueError, match=re.escape(f"Received: units={units!r}") + "$"):
            LSTM(units)


def test_a_layer_without_a_seed_draws_one():
    """Two layers made without a seed do not share their masks."""
    x = tf.ones((8, 8, 8))
    one, other = (InputDropout(0.5)(x, training=True).numpy() for _ in range(2))
    assert (one != other).any()
