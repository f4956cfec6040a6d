"""Every layer of the pack works in an ordinary Keras script: whatever `lstmstudy.layers` exports is found here."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstmstudy import layers as pack
from lstmstudy.training.program import limit_threads

limit_threads()

# Keras 3.15 reads the variables of a mask stream in a way that NumPy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
CLASSES = {
    name: value
    for name, value in vars(pack).items()
    if isinstance(value, type) and issubclass(value, (keras.layers.Layer, keras.optimizers.Optimizer))
}
BASES = {
    name: cls
    for name, cls in CLASSES.items()
    if any(issubclass(other, cls) and other is not cls for other in CLASSES.values())
}
PARTS = {  # what is placed in front of an LSTM layer or inside it
    name: cls
    for name, cls in CLASSES.items()
    if issubclass(cls, keras.layers.Layer) and name not in BASES and cls is not pack.LSTM
}
HOOKS = {name: cls for name, cls in PARTS.items() if issubclass(cls, pack.CellHook)}
FRONT = {name: cls for name, cls in PARTS.items() if name not in HOOKS}
NEEDS_LENGTH = ("RecurrentBatchNorm",)  # their class says so
ON_BATCHES = ("Mixup",)  # labels change too, which no layer of a model can do
STEPS, FEATURES, UNITS = 6, 3, 4
every_part = pytest.mark.parametrize("name", PARTS)
every_part_of_a_model = pytest.mark.parametrize("name", [name for name in PARTS if name not in ON_BATCHES])
every_hook = pytest.mark.parametrize("name", HOOKS)


def made(name, *, strength=0.4, seed=3):
    """Return a part with `strength` for every setting without a default."""
    parameters = inspect.signature(PARTS[name]).parameters.values()
    settings = {
        each.name: 3 if each.annotation == "int" else strength
        for each in parameters
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }
    if any(each.name == "seed" for each in parameters):
        settings["seed"] = seed
    return PARTS[name](**settings)


def chain(name, *, return_sequences=False, steps=STEPS, masking=False, strength=0.4):
    """Return the layers of a small model in which a part stands where it belongs."""
    part = made(name, strength=strength)
    return [
        keras.Input((steps, FEATURES)),
        *([keras.layers.Masking()] if masking else []),
        *([part] if name in FRONT else []),
        pack.LSTM(UNITS, return_sequences=return_sequences, hooks=[part] if name in HOOKS else []),
        keras.layers.Dense(1),
    ]


def drawn(model):
    """Return a model with weights far enough from 0, the same for every model of one shape."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return model


def sequential(name, **options):
    """Return a sequential model with a part in it."""
    return drawn(keras.Sequential(chain(name, **options)))


def functional(name, **options):
    """Return the same model in the functional way."""
    inputs, *layers = chain(name, **options)
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return drawn(keras.Model(inputs, outputs))


def series(batch=5, steps=STEPS, seed=0):
    """Return sequences, (batch, steps, features)."""
    return np.random.default_rng(seed).normal(size=(batch, steps, FEATURES)).astype(np.float32)


def padded(batch=5):
    """Return sequences of several lengths that end in zeros, and where they count (batch, steps)."""
    mask = np.arange(STEPS) < np.array([STEPS, 4, 1, 5, 2])[:batch, None]
    return series(batch) * mask[:, :, None], mask


def streams(model):
    """Return the states of all mask streams of a model."""
    return [variable.numpy() for variable in model.variables if "seed_generator" in variable.path]


def test_the_pack_has_what_keras_lacks():
    """Hooks, layers in front and the LSTM are found, so that the tests below have something to look at."""
    assert {"LSTM", "InputDropout", "StateDropout", "CandidateDropout", "WeightDrop", "Zoneout"} <= set(
        CLASSES
    )
    assert "CellHook" in BASES
    assert HOOKS
    assert FRONT


@pytest.mark.parametrize("name", ON_BATCHES)
def test_what_acts_on_batches_says_so_inside_a_model(name):
    """At inference it is an ordinary layer; in training it is an error that names what to call instead."""
    model = sequential(name)
    assert model(series()).shape == (5, 1)
    with pytest.raises(ValueError, match=r"`batch\(x, y, mask\)` .* Received: training=True"):
        model(series(), training=True)


@every_part_of_a_model
@pytest.mark.parametrize("return_sequences", [False, True])
def test_a_sequential_and_a_functional_model_are_the_same(name, return_sequences):
    """Both ways to build it give one output per sequence or step, and the same numbers; training draws."""
    models = [make(name, return_sequences=return_sequences) for make in (sequential, functional)]
    x = series()
    for training in (False, True):
        first, second = (model(x, training=training).numpy() for model in models)
        assert first.shape == ((5, STEPS, 1) if return_sequences else (5, 1))
        assert first.tobytes() == second.tobytes()
        assert np.isfinite(first).all()


@every_part_of_a_model
def test_batch_and_length_may_be_unknown(name):
    """One traced function serves every size of batch and length; a part that needs the length says so."""
    if name in NEEDS_LENGTH:
        with pytest.raises(ValueError, match=r"Received: steps=None$"):
            sequential(name, steps=None)
        model, sizes = sequential(name), ((5, STEPS), (2, STEPS))
    else:
        model, sizes = sequential(name, steps=None), ((5, STEPS), (2, 1), (3, 9))
    for training in (False, True):
        traced = tf.function(lambda x, on=training: model(x, training=on))
        signature = tf.TensorSpec((None, model.input_shape[1], FEATURES))
        traced = traced.get_concrete_function(signature)
        for batch, steps in sizes:
            outputs = traced(tf.constant(series(batch, steps))).numpy()
            assert outputs.shape == (batch, 1)
            assert np.isfinite(outputs).all()
            if not training:
                np.testing.assert_allclose(outputs, model(series(batch, steps)), atol=1e-6)


@every_part
def test_masked_steps_do_not_count(name):
    """`Masking` and `Embedding(mask_zero=True)` reach the cell, through a layer in front too."""
    x, mask = padded()
    model = sequential(name, masking=True)
    plain = sequential(name)
    lstm = plain.layers[-2]
    inside = keras.Sequential(plain.layers[:-2])(x) if name in FRONT else x
    noise = series(seed=9) * ~mask[:, :, None]  # what stands in masked steps does not matter
    expected = plain.layers[-1](lstm(inside + noise, mask=mask))
    np.testing.assert_allclose(model(x), expected, atol=1e-6)
    assert np.abs(model(x) - plain(x)).max() > 1e-3

    ids = np.arange(1, STEPS + 1) * mask
    embedding = keras.layers.Embedding(STEPS + 1, FEATURES, mask_zero=True)
    part = made(name)
    front, hooks = ([part], []) if name in FRONT else ([], [part])
    embedded = drawn(
        keras.Sequential([keras.Input((STEPS,)), embedding, *front, pack.LSTM(UNITS, hooks=hooks)])
    )
    outputs = embedded.layers[-1](embedding(ids) + noise, mask=mask)
    np.testing.assert_allclose(embedded(ids), outputs, atol=1e-6)


@every_part
def test_a_mask_goes_on_to_the_next_layer(name):
    """With all steps returned, what follows sees the same mask."""
    inputs = keras.Input((STEPS, FEATURES))
    part = made(name)
    x = keras.layers.Masking()(inputs)
    if name in FRONT:
        x = part(x)
    x = pack.LSTM(UNITS, return_sequences=True, hooks=[part] if name in HOOKS else [])(x)
    model = drawn(keras.Model(inputs, pack.LSTM(UNITS)(x)))
    data, mask = padded()
    shown = keras.Model(inputs, x)(data)
    np.testing.assert_allclose(model(data), model.layers[-1](shown, mask=mask), atol=1e-6)


@pytest.mark.parametrize(
    ("draws", "jit_compile"),
    [(True, False), (True, True), (False, False)],  # the study compiles normalization by XLA in every run
)
def test_all_parts_train_in_fit(draws, jit_compile):
    """One epoch in `model.fit`, compiled by XLA or not: the loss is finite, weights move, streams advance."""
    parts = {name: made(name) for name in PARTS if name not in ON_BATCHES}
    parts = {name: part for name, part in parts.items() if hasattr(part, "stream") == draws}
    front = [part for name, part in parts.items() if name in FRONT]
    hooks = [part for name, part in parts.items() if name in HOOKS]
    # Normalizations stand in layers of their own: one of them takes away what another one adds.
    groups = [hooks] if draws else [[hook] for hook in hooks]
    lstms = [pack.LSTM(UNITS, hooks=group, return_sequences=group is not groups[-1]) for group in groups]
    layers = [keras.layers.Masking(), *front, *lstms, keras.layers.Dense(1)]
    model = drawn(keras.Sequential([keras.Input((STEPS, FEATURES)), *layers]))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    weights = [variable.numpy() for variable in model.trainable_variables]
    before = streams(model)
    assert len(before) == (len(parts) if draws else 0)
    x = np.concatenate([padded()[0], series(3, seed=1)])
    loss = model.fit(x, np.ones((8, 1)), batch_size=4, verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    for variable, old in zip(model.trainable_variables, weights, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path
    assert all((old != new).any() for old, new in zip(before, streams(model), strict=True))


@every_part_of_a_model
def test_a_saved_model_is_the_same_after_loading(name, tmp_path):
    """After some training a .keras file brings back every weight and setting, and so every prediction."""
    model = sequential(name)
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch(series(), np.ones((5, 1)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    for mine, other in zip(model.weights, loaded.weights, strict=True):
        assert mine.name == other.name
        np.testing.assert_array_equal(mine, other)
    assert loaded.predict_on_batch(series()).tobytes() == model.predict_on_batch(series()).tobytes()
    assert np.isfinite(loaded.train_on_batch(series(), np.ones((5, 1))))


@pytest.mark.parametrize("name", [*PARTS, "LSTM"])
def test_a_configuration_rebuilds_a_layer(name):
    """`get_config` and `from_config` go round without a loss, and leave the configuration as it was."""
    part = (
        made(name) if name in PARTS else pack.LSTM(UNITS, go_backwards=True, hooks=[pack.Zoneout(0.1, 0.2)])
    )
    config = part.get_config()
    again = type(part).from_config(config)
    assert again.get_config() == config == part.get_config()
    assert type(again) is type(part)
    assert keras.saving.get_registered_name(type(part)).startswith("lstmstudy>")


@pytest.mark.parametrize("merge_mode", ["concat", "sum"])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("masking", [False, True])
def test_in_both_directions_it_is_stock_keras(masking, return_sequences, merge_mode):
    """`Bidirectional` around our LSTM at rate 0 equals the one around Keras's with the same weights."""
    hooks = [pack.StateDropout(0.0), pack.Zoneout(0.0, 0.0)]
    ours = pack.LSTM(UNITS, return_sequences=return_sequences, hooks=hooks)
    theirs = keras.layers.LSTM(UNITS, return_sequences=return_sequences, use_cudnn=False)
    models = []
    for layer in (ours, theirs):
        both = keras.layers.Bidirectional(layer, merge_mode=merge_mode)
        stack = [keras.layers.Masking(), both] if masking else [both]
        models.append(drawn(keras.Sequential([keras.Input((STEPS, FEATURES)), *stack])))
    x = padded()[0]
    for training in (False, True):
        mine, other = (model(x, training=training).numpy() for model in models)
        np.testing.assert_allclose(mine, other, atol=1e-6)
        assert np.ptp(mine) > 0.1


@every_hook
def test_every_hook_works_in_both_directions(name, tmp_path):
    """Each direction has a hook of its own; the model trains, and is the same after loading."""
    layer = pack.LSTM(UNITS, hooks=[made(name)])
    both = keras.layers.Bidirectional(layer)
    model = drawn(keras.Sequential([keras.Input((STEPS, FEATURES)), both, keras.layers.Dense(1)]))
    (forward,), (backward,) = both.forward_layer.hooks, both.backward_layer.hooks
    assert forward is not backward
    assert (both.forward_layer.go_backwards, both.backward_layer.go_backwards) == (False, True)
    x = series()
    halves = np.split(both(x).numpy(), 2, axis=1)
    reversed_x = x[:, ::-1]
    one_way = keras.Sequential([keras.Input((STEPS, FEATURES)), pack.LSTM(UNITS, hooks=[made(name)])])
    for half, inputs, side in (
        (halves[0], x, both.forward_layer),
        (halves[1], reversed_x, both.backward_layer),
    ):
        one_way.layers[0].set_weights(side.get_weights())
        np.testing.assert_allclose(one_way(inputs), half, atol=1e-6)
    model.compile("sgd", "mse", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x, np.ones((5, 1))))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.predict_on_batch(x).tobytes() == model.predict_on_batch(x).tobytes()


@pytest.mark.parametrize(
    "setting", [{"stateful": True}, {"return_state": True}, {"dropout": 0.3}, {"recurrent_dropout": 0.3}]
)
def test_what_the_layer_does_not_do_is_an_error_that_says_what_does(setting):
    """An argument of Keras's LSTM that is missing here is refused in words; switched off it is let through."""
    ((name, value),) = setting.items()
    with pytest.raises(
        ValueError, match=rf"no `{name}`; .*(keras|lstmstudy)\.layers.*Received: {name}={value}$"
    ):
        pack.LSTM(UNITS, **setting)
    pack.LSTM(UNITS, **{name: type(value)(0)})


def test_an_initial_state_is_refused():
    """Eagerly and in a functional model, an initial state is an error and not ignored."""
    state = np.zeros((5, UNITS), np.float32)
    for inputs, given in (
        (series(), [state, state]),
        (keras.Input((STEPS, FEATURES)), [keras.Input((UNITS,))] * 2),
    ):
        with pytest.raises(ValueError, match=r"zero state; keras.layers.LSTM takes another"):
            pack.LSTM(UNITS)(inputs, initial_state=given)


@pytest.mark.parametrize("hooks", [pack.StateDropout, [keras.layers.Dropout], [0.3], "zoneout"], ids=repr)
def test_hooks_are_hooks(hooks):
    """A layer, a number or a word in place of a hook is refused at once."""
    if isinstance(hooks, type):
        hooks = hooks(0.3)
    elif isinstance(hooks[0], type):
        hooks = [hooks[0](0.3)]
    with pytest.raises(ValueError, match=r"`hooks` are the regularizers inside the cell.*Received: hooks="):
        pack.LSTM(UNITS, hooks=hooks)


def test_inputs_that_are_no_sequences_are_refused():
    """A matrix or an image gives an error about the number of axes."""
    for shape in ((5, 3), (5, 4, 3, 2)):
        with pytest.raises(ValueError, match=r"expected ndim=3, found ndim="):
            pack.LSTM(UNITS)(np.zeros(shape, np.float32))


def test_initial_weights_are_drawn_anew_and_follow_the_seed_of_keras():
    """Two layers start differently, as Keras's do, and `set_random_seed` brings the same weights back."""
    starts = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        pair = [pack.LSTM(UNITS) for _ in range(2)]
        for layer in pair:
            layer.build((None, STEPS, FEATURES))
        starts.append([layer.kernel.numpy().tobytes() for layer in pair])
    assert starts[0] == starts[1] != starts[2]
    assert all(len(set(pair)) == 2 for pair in starts)


@pytest.fixture
def policy():
    """Return the function that sets the dtype policy, and put the usual one back afterwards."""
    usual = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(usual)


@every_part_of_a_model
@pytest.mark.parametrize(
    ("dtype", "kind", "near"),
    [
        ("mixed_float16", "float16", 0.02),
        ("mixed_bfloat16", "bfloat16", 0.15),
        ("float64", "float64", 1e-5),
    ],
)
def test_every_dtype_policy_works(policy, name, dtype, kind, near):
    """Outputs have the type of the policy, are near those of float32, and training is finite."""
    x = series()
    weights = sequential(name).get_weights()
    expected = sequential(name)(x).numpy()
    policy(dtype)
    model = sequential(name)
    model.set_weights(weights)
    outputs = model(x)
    assert outputs.dtype == kind
    np.testing.assert_allclose(tf.cast(outputs, "float32"), expected, atol=near)
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = tf.reduce_mean(tf.cast(outputs, "float32") ** 2)
    assert outputs.dtype == kind
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert variable.dtype == ("float64" if dtype == "float64" else "float32")
        assert np.isfinite(gradient).all(), variable.path


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_a_reader_needs(name):
    """Every docstring tells training from inference; settings, errors and the paper are there where there are any."""
    cls = CLASSES[name]
    text = inspect.getdoc(cls)
    assert re.search(r"[Tt]raining", text)
    assert re.search(r"[Ii]nference", text)
    if name in BASES:
        return
    signature = inspect.signature(cls).parameters.values()
    own = [each.name for each in signature if each.kind is not each.VAR_KEYWORD]
    parts = dict(re.findall(r"^(Args|Raises|Example):\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE))
    for setting in own:
        assert re.search(rf"^    {setting}: ", parts["Args"], flags=re.MULTILINE), setting
    if re.search(r"\braise \w*Error|check_\w+\(", inspect.getsource(sys.modules[cls.__module__])):
        assert "Error: " in parts["Raises"]
    assert re.search(r"^References?: ", text, flags=re.MULTILINE)
    assert 2 <= len(re.findall(r"^    (?:>>>|\.\.\.) ", parts["Example"], flags=re.MULTILINE)) <= 6


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in BASES])
def test_the_example_of_a_class_runs(name):
    """The lines that a reader copies give what stands below them."""
    cls = CLASSES[name]
    (example,) = doctest.DocTestFinder(recurse=False).find(cls, name, globs={})
    results = doctest.DocTestRunner().run(example)
    assert results.attempted > 1
    assert results.failed == 0
