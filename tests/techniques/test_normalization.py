"""Normalizations are those of the papers and of Keras, step by step, and their statistics those of the data."""

from __future__ import annotations

import contextlib
import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, WAVES, syllables, train_afresh, waves
from updating import eagerly

from lstmstudy.layers import LSTM
from lstmstudy.layers import CellLayerNorm as LayerNormHook
from lstmstudy.layers import RecurrentBatchNorm as BatchNormHook
from lstmstudy.techniques import (
    BatchNorm,
    CellLayerNorm,
    Dropout,
    LayerNorm,
    MonteCarloDropout,
    RecurrentBatchNorm,
    RecurrentDropout,
    WeightAveraging,
)
from lstmstudy.training import train as training
from lstmstudy.training.network import Network
from lstmstudy.training.program import Program, limit_threads

limit_threads()

EPSILON = 0.001
PLACES = {"inputs": 16, "recurrent": 16, "cell": 4}  # sizes for 4 units
LENGTHS = np.array([5, 4, 4, 2, 1, 4])  # the last step has a single sample that counts
MASK = np.arange(5) < LENGTHS[:, None]
NORMALIZATIONS = {each.name: each for each in (LayerNorm, CellLayerNorm, BatchNorm, RecurrentBatchNorm)}
BETWEEN = {LayerNorm: keras.layers.LayerNormalization, BatchNorm: keras.layers.BatchNormalization}
TASKS = pytest.mark.parametrize("task", [waves, syllables], ids=["fixed length", "padded"])
MASKS = pytest.mark.parametrize("mask", [None, MASK], ids=["fixed length", "padded"])
BATCH_NORMS = pytest.mark.parametrize(
    "technique", [BatchNorm(), RecurrentBatchNorm()], ids=lambda each: each.name
)
ALL = pytest.mark.parametrize(
    "technique", [cls() for cls in NORMALIZATIONS.values()], ids=list(NORMALIZATIONS)
)


def normal(*shape, seed=0):
    """Return float32 normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def sigmoid(z):
    """Return the logistic function."""
    return 1 / (1 + np.exp(-z))


def plain(values, *_):
    """Return values as they are: no normalization."""
    return values


def by_hand(layer, x, norm=plain, mask=None):
    """Return the hidden states (batch, time, units) of an LSTM in float64 with `norm` at its three places."""
    kernel, recurrent, bias = (
        np.asarray(weight, np.float64) for weight in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    batch, steps, _ = x.shape
    counts = np.ones((batch, steps), bool) if mask is None else mask
    h, c, outputs = np.zeros((batch, len(recurrent))), np.zeros((batch, len(recurrent))), []
    for t in range(steps):
        here = counts[:, t]
        z = norm(x[:, t] @ kernel, "inputs", t, here) + norm(h @ recurrent, "recurrent", t, here) + bias
        i, f, g, o = np.split(z, 4, axis=1)
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        new_h = sigmoid(o) * np.tanh(norm(new_c, "cell", t, here))
        c, h = (np.where(here[:, None], new, old) for new, old in ((new_c, c), (new_h, h)))
        outputs.append(h)
    return np.stack(outputs, axis=1)


def layer_norm_by_hand(hook):
    """Return equation 4 of Ba et al. with the gains and biases of a hook."""
    gamma, beta = (
        {place: own[place].numpy().astype(np.float64) for place in PLACES} for own in (hook.gamma, hook.beta)
    )

    def norm(values, place, *_):
        centred = values - values.mean(axis=1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + hook.epsilon)
        return gamma[place] * centred / deviation + beta[place]

    return norm


class BatchNormByHand:
    """Equation 2 of Cooijmans et al. for one batch, with the gains and running values of a hook.

    Attributes:
        mean: Running means by place, (steps, n), as they are after the batch.
        variance: The same for the variances.
    """

    def __init__(self, hook, *, training, momentum=None):
        self.training = training
        self.momentum = hook.momentum if momentum is None else momentum
        self.epsilon, self.last = hook.epsilon, int(hook.last_step)
        self.gamma, self.mean, self.variance = (
            {place: own[place].numpy().astype(np.float64) for place in PLACES}
            for own in (hook.gamma, hook.mean, hook.variance)
        )
        self.known = [
            {place: moments[place].copy() for place in PLACES} for moments in (self.mean, self.variance)
        ]
        self.beta = {"inputs": 0.0, "recurrent": 0.0, "cell": hook.beta.numpy().astype(np.float64)}

    def __call__(self, values, place, t, here):
        """Return the values (batch, n) of a step, normalized."""
        rows = values[here]
        if self.training and len(rows) >= 2:
            mean, variance = rows.mean(axis=0), ((rows - rows.mean(axis=0)) ** 2).mean(axis=0)
            for running, newest in ((self.mean, mean), (self.variance, variance)):
                if t < len(running[place]):
                    running[place][t] = self.momentum * running[place][t] + (1 - self.momentum) * newest
        else:
            mean, variance = (own[place][min(t, self.last)] for own in self.known)
        return self.gamma[place] * (values - mean) / np.sqrt(variance + self.epsilon) + self.beta[place]


def layer_with(hook, *, steps=5, seed=3, **settings):
    """Return an LSTM layer of 4 units with a hook or None, all of its weights and running values away from the start."""
    layer = LSTM(4, return_sequences=True, hooks=[hook] if hook else [], **settings)
    layer.build((None, steps, 3))
    rng = np.random.default_rng(seed)
    for variable in layer.variables:
        if variable.name == "moving_last_step":
            variable.assign(steps - 1)
        elif variable.name.startswith(("gamma", "moving_variance")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(rng.normal(scale=0.7, size=variable.shape))
    return layer


def values(variables):
    """Return copies of variables by path."""
    return {variable.path: variable.numpy().copy() for variable in variables}


def assert_running(hook, expected):
    """Compare the running values of a hook with those by hand."""
    for place in PLACES:
        np.testing.assert_allclose(hook.mean[place], expected.mean[place], atol=1e-5, err_msg=place)
        np.testing.assert_allclose(hook.variance[place], expected.variance[place], atol=1e-5, err_msg=place)


# Layer norm inside the cell


def test_cell_layer_norm_adds_a_gain_and_a_bias_for_each_of_its_three_places():
    """It has 2 (4u + 4u + u) weights more than the LSTM, gains of 1 and biases of 0 at first."""
    for u in (4, 7):
        layer, bare = LSTM(u, hooks=[LayerNormHook()]), LSTM(u)
        for each in (layer, bare):
            each.build((None, 5, 3))
        assert layer.count_params() - bare.count_params() == 2 * (4 * u + 4 * u + u)
    (hook,) = layer.hooks
    for variables, start in ((hook.gamma, 1), (hook.beta, 0)):
        assert {place: variable.shape for place, variable in variables.items()} == {
            "inputs": (28,),
            "recurrent": (28,),
            "cell": (7,),
        }
        assert all((variable.numpy() == start).all() for variable in variables.values())


@MASKS
def test_cell_layer_norm_is_that_of_ba_et_al(mask):
    """Outputs equal equations 20 to 22 written out; the cell that is carried on is not the normalized one."""
    layer, x = layer_with(LayerNormHook()), normal(6, 5, 3)
    norm = layer_norm_by_hand(layer.hooks[0])
    np.testing.assert_allclose(layer(x, mask=mask), by_hand(layer, x, norm, mask), atol=1e-5)
    assert np.abs(layer(x, mask=mask) - by_hand(layer, x, plain, mask)).max() > 0.1


def test_cell_layer_norm_makes_gates_invariant_to_the_scale_of_weights():
    """With W and U ten times as large every output stays, with a tiny epsilon; a plain LSTM changes."""
    x = normal(6, 5, 3)
    for hook, invariant in ((LayerNormHook(epsilon=1e-12), True), (None, False)):
        layer = layer_with(hook)
        before = layer(x).numpy()
        for weight in (layer.kernel, layer.recurrent_kernel):
            weight.assign(10 * weight)
        change = np.abs(layer(x) - before).max()
        assert (change < 1e-5) if invariant else (change > 0.1)


@MASKS
def test_cell_layer_norm_sees_one_sample_and_no_mode(mask):
    """Training is inference bit for bit, and a sample's output does not depend on the rest of its batch."""
    layer, x = layer_with(LayerNormHook()), normal(6, 5, 3)
    whole = layer(x, mask=mask, training=False).numpy()
    assert layer(x, mask=mask, training=True).numpy().tobytes() == whole.tobytes()
    for row in range(6):
        rows = slice(row, row + 1)
        alone = layer(x[rows], mask=None if mask is None else mask[rows])
        np.testing.assert_allclose(alone, whole[rows], atol=1e-6)


# Recurrent batch norm


def test_recurrent_batch_norm_starts_as_published():
    """Gains are .1, there is a beta for c alone, and running values of every step, (T, 4u) and (T, u)."""
    layer = LSTM(4, hooks=[RecurrentBatchNorm().in_cell("here")])
    layer.build((None, 5, 3))
    (hook,) = layer.hooks
    for place, size in PLACES.items():
        assert hook.gamma[place].shape == (size,)
        assert hook.mean[place].shape == hook.variance[place].shape == (5, size)
        np.testing.assert_array_equal(hook.gamma[place], np.float32(0.1))
        assert (hook.mean[place].numpy() == 0).all()
        assert (hook.variance[place].numpy() == 1).all()
    assert hook.momentum == 0.99
    trained = {variable.name: variable.shape for variable in hook.trainable_variables}
    assert trained.pop("beta_cell") == (4,)
    assert set(trained) == {f"gamma_{place}" for place in PLACES}
    assert (hook.beta.numpy() == 0).all()


@MASKS
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_recurrent_batch_norm_in_training_is_that_of_cooijmans_et_al(mask, momentum):
    """Each step is normalized over the samples that count at it; two batches move the running values as by hand.

    The last padded step, at which a single sample counts, takes running values and moves none of them.
    """
    layer = layer_with(BatchNormHook(momentum=momentum))
    (hook,) = layer.hooks
    before = values(hook.variables)
    for seed in range(2):
        x = normal(6, 5, 3, seed=seed)
        norm = BatchNormByHand(hook, training=True)
        expected = by_hand(layer, x, norm, mask)
        np.testing.assert_allclose(layer(x, mask=mask, training=True), expected, atol=1e-5)
        assert_running(hook, norm)
    for moments in (hook.mean, hook.variance):
        for variable in moments.values():
            same = (variable.numpy() == before[variable.path]).all(axis=1)
            assert same.tolist() == [False] * 4 + [mask is not None]


def test_what_happens_later_moves_no_running_value_of_an_earlier_step():
    """Statistics are those of a step: other inputs from step 3 on leave those of steps 0 to 2 as they are."""
    x = normal(6, 5, 3)
    other = np.concatenate([x[:, :3], normal(6, 2, 3, seed=9)], axis=1)
    hooks = [BatchNormHook(momentum=0.0) for _ in range(2)]
    for hook, inputs in zip(hooks, (x, other), strict=True):
        layer_with(hook)(inputs, training=True)
    for place in PLACES:
        first, second = (hook.mean[place].numpy() for hook in hooks)
        changed = np.abs(first - second).max(axis=1) > 1e-6
        assert changed.tolist() == [
            False,
            False,
            False,
            place != "recurrent",
            True,
        ]  # h U follows a step later
        assert (first[:3] == second[:3]).all()


@MASKS
def test_recurrent_batch_norm_at_inference_takes_running_values(mask):
    """Outputs equal the equations with the running values of each step, whatever else is in the batch."""
    layer, x = layer_with(BatchNormHook()), normal(6, 5, 3)
    norm = BatchNormByHand(layer.hooks[0], training=False)
    before = values(layer.variables)
    whole = layer(x, mask=mask, training=False).numpy()
    np.testing.assert_allclose(whole, by_hand(layer, x, norm, mask), atol=1e-5)
    alone = layer(x[2:3], mask=None if mask is None else mask[2:3], training=False)
    np.testing.assert_allclose(alone, whole[2:3], atol=1e-6)
    after = values(layer.variables)
    assert all((after[path] == value).all() for path, value in before.items())


def test_beyond_the_longest_sequence_the_last_statistics_serve_again():
    """A step that training never had enough samples for, or that is not in the data, takes those of the last."""
    layer = layer_with(BatchNormHook())
    (hook,) = layer.hooks
    hook.last_step.assign(0)
    layer(normal(6, 5, 3), mask=MASK, training=True)
    assert float(hook.last_step) == 3
    x = normal(6, 7, 3, seed=1)
    np.testing.assert_allclose(layer(x), by_hand(layer, x, BatchNormByHand(hook, training=False)), atol=1e-5)
    for moments in (hook.mean, hook.variance):
        for variable in moments.values():
            variable.assign(np.concatenate([variable[:4], np.full((1, variable.shape[1]), 7.0)]))
    again = layer(x).numpy()
    np.testing.assert_allclose(again, by_hand(layer, x, BatchNormByHand(hook, training=False)), atol=1e-5)
    layer(normal(6, 2, 3), training=True)
    assert float(hook.last_step) == 3, "a shorter batch forgets no step"
    layer(x, training=True)
    assert float(hook.last_step) == 4, "a longer one has statistics of as many steps as there are"


def test_sequences_of_one_step_are_normalized_like_any_other():
    """With T = 1 training, running values and inference equal the equations."""
    layer, x = layer_with(BatchNormHook(momentum=0.0), steps=1), normal(6, 1, 3)
    (hook,) = layer.hooks
    norm = BatchNormByHand(hook, training=True)
    expected = by_hand(layer, x, norm)
    np.testing.assert_allclose(layer(x, training=True), expected, atol=1e-5)
    assert_running(hook, norm)
    np.testing.assert_allclose(layer(x, training=False), expected, atol=1e-5)


def test_a_batch_of_one_is_an_error_where_it_is_known():
    """A layer that is told of a batch of one, and a recipe with that batch size, say what they need."""
    layer = layer_with(BatchNormHook())
    with pytest.raises(
        ValueError, match=r"Expected batches of at least two in training. Received: batch=1\b"
    ):
        layer(normal(1, 5, 3), training=True)
    assert layer(normal(1, 5, 3), training=False).shape == (1, 5, 4)
    with pytest.raises(ValueError, match=r"batch size of at least 2. Received: batch_size=1$"):
        dataclasses.replace(RECIPE, batch_size=1).adding(RecurrentBatchNorm())


def test_a_last_batch_of_one_takes_running_values_and_moves_none():
    """Where the size is found out in training only, as in `fit`, a single sample changes no statistics."""
    layer = layer_with(BatchNormHook(momentum=0.0))
    (hook,) = layer.hooks
    before = values(hook.variables)
    traced = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, 5, 3))])
    x = normal(1, 5, 3)
    expected = by_hand(layer, x, BatchNormByHand(hook, training=False))
    np.testing.assert_allclose(traced(tf.constant(x)), expected, atol=1e-5)
    for path, value in values(hook.variables).items():
        np.testing.assert_array_equal(value, before[path])


# Both inside the cell


@MASKS
@pytest.mark.parametrize("make", [LayerNormHook, BatchNormHook])
def test_gradients_flow_through_the_statistics(make, mask):
    """For W, U, b, every gamma and beta they equal central differences of the equations in float64."""
    layer, x = layer_with(make(dtype="float64"), dtype="float64"), normal(6, 5, 3).astype(np.float64)
    (hook,) = layer.hooks
    share = np.random.default_rng(1).normal(size=(6, 5, 4))

    def loss():
        norm = layer_norm_by_hand(hook) if make is LayerNormHook else BatchNormByHand(hook, training=True)
        return (share * by_hand(layer, x, norm, mask)).sum()

    start = values(layer.variables)
    with tf.GradientTape() as tape:
        result = tf.reduce_sum(share * layer(x, mask=mask, training=True))
    gradients = tape.gradient(result, layer.trainable_variables)
    assert len(gradients) == 3 + (6 if make is LayerNormHook else 4)
    for variable in layer.variables:
        variable.assign(start[variable.path])  # training moved the running values
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        direction = np.random.default_rng(2).normal(size=variable.shape)
        ends = []
        for sign in (1, -1):
            variable.assign(start[variable.path] + sign * 1e-5 * direction)
            ends.append(loss())
        variable.assign(start[variable.path])
        slope = (gradient.numpy() * direction).sum()
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-6), variable.path
        assert abs(slope) > 1e-3, variable.path


@pytest.mark.parametrize("make", [LayerNormHook, BatchNormHook])
def test_moments_of_half_precision_are_computed_in_single(make):
    """Products near 1000, whose squares overflow in float16, have the moments of their own values to 1e-5."""
    layer = LSTM(4, return_sequences=True, dtype="mixed_float16", hooks=[make(dtype="mixed_float16")])
    x = (1000 + 8 * np.random.default_rng(0).integers(-9, 9, size=(6, 5, 1))).astype(np.float16)
    layer.build((None, 5, 1))
    layer.kernel.assign(tf.reshape(tf.range(16, dtype=tf.float32) / 16 + 0.5, (1, 16)))
    layer.recurrent_kernel.assign(tf.zeros((4, 16)))  # or rounding to half precision grows from step to step
    (hook,) = layer.hooks
    if make is BatchNormHook:
        hook.momentum = 0.0
    outputs = layer(x, training=True)
    assert outputs.dtype == tf.float16
    norm = layer_norm_by_hand(hook) if make is LayerNormHook else BatchNormByHand(hook, training=True)
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), by_hand(layer, x, norm), atol=5e-3)
    if make is BatchNormHook:
        products = tf.matmul(tf.reshape(x, (-1, 1)), tf.cast(layer.kernel, tf.float16)).numpy()
        products = products.reshape(6, 5, 16).astype(np.float64)
        np.testing.assert_allclose(hook.mean["inputs"], products.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(hook.variance["inputs"], products.var(axis=0), rtol=1e-5)
        assert all(variable.dtype == "float32" for variable in hook.variables)


@pytest.mark.parametrize("make", [LayerNormHook, BatchNormHook])
def test_a_hook_belongs_to_one_layer(make):
    """A second layer with the same hook is an error, as its weights belong to the first."""
    hook = make()
    LSTM(4, hooks=[hook])(normal(6, 5, 3))
    with pytest.raises(ValueError, match="already built"):
        LSTM(4, hooks=[hook])(normal(6, 5, 3))


@pytest.mark.parametrize(
    ("make", "received"),
    [
        *(
            (lambda of=of, value=value: of(epsilon=value), f"epsilon={value!r}")
            for of in (LayerNormHook, BatchNormHook, *NORMALIZATIONS.values())
            for value in (0, -0.1, 1.5, float("nan"), "0.001", True)
        ),
        *((lambda value=value: BatchNormHook(momentum=value), f"momentum={value!r}") for value in (1, -0.1)),
        *((lambda value=value: BatchNormHook(gain=value), f"gain={value!r}") for value in (-1, float("inf"))),
        *(
            (lambda of=of: of(statistics="running"), "statistics='running'")
            for of in (BatchNorm, RecurrentBatchNorm)
        ),
    ],
)
def test_settings_out_of_range_are_an_error(make, received):
    """An epsilon of 0 is among them: h U has no variance at the first step, and 0 / 0 is no number."""
    with pytest.raises(ValueError, match=rf"Received: {re.escape(received)}$"):
        make()


# Between layers


@pytest.mark.parametrize("technique", [LayerNorm(epsilon=0.002), BatchNorm(epsilon=0.002)])
def test_between_layers_it_is_the_layer_that_comes_with_keras(technique):
    """It stands after every LSTM layer but the last, with the stated epsilon, and Keras's default without one."""
    network = Network(dataclasses.replace(RECIPE, layers=3).adding(technique), WAVES)
    names = [layer.name for layer in network.model.layers][1:]
    norms = [f"{technique.name}_{number}" for number in (1, 2)]
    assert names == ["lstm_1", norms[0], "lstm_2", norms[1], "lstm_3", "head"]
    for layer in network.placed[technique.name]:
        assert type(layer) is BETWEEN[type(technique)]
        assert layer.epsilon == 0.002
        stock = BETWEEN[type(technique)]()
        assert type(technique)().after_lstm("here").epsilon == stock.epsilon == EPSILON
        if isinstance(technique, BatchNorm):
            assert layer.momentum == stock.momentum == 0.99


@pytest.mark.parametrize("technique", [LayerNorm(), BatchNorm()])
def test_one_lstm_layer_has_no_place_between_layers(technique):
    """A recipe with one layer is an error that says so."""
    with pytest.raises(ValueError, match=r"at least two of them. Received: layers=1$"):
        dataclasses.replace(RECIPE, layers=1).adding(technique)


# The technique in the network (contract 4) and in a run


@ALL
def test_a_normalization_is_never_off_and_its_arms_have_names_of_their_own(technique):
    """Its recipe is another one than the baseline's, and so is that of each of its settings.

    Nothing compiled knows where statistics come from: both ways share a structure.
    """
    arms = [technique, dataclasses.replace(technique, epsilon=0.01)]
    if technique.recomputes:
        arms.append(dataclasses.replace(technique, statistics="moving"))
    assert len({arm.label for arm in arms}) == len(arms)
    recipes = [RECIPE, *(RECIPE.adding(arm) for arm in arms)]
    assert len({str(recipe.describe()) for recipe in recipes}) == len(recipes)
    assert len({recipe.structure() for recipe in recipes}) == 3


@ALL
@TASKS
def test_without_its_layer_the_network_is_the_baseline(technique, task):
    """Other variables have the same paths and initial values; taken out, it leaves the baseline's function."""
    info, x = task().info, task().folds[0].test.x
    recipe = RECIPE.adding(technique)
    baseline, network = Network(RECIPE, info), Network(recipe, info)
    for each, how in ((baseline, RECIPE), (network, recipe)):
        each.reset(how, seed=4)
    own = {variable.path for layer in network.placed[technique.name] for variable in layer.variables}
    others = {
        path: value.tobytes() for path, value in values(network.model.variables).items() if path not in own
    }
    assert others == {path: value.tobytes() for path, value in values(baseline.model.variables).items()}
    assert own
    expected = baseline.model(x).numpy()
    assert np.abs(network.model(x, training=True) - expected).max() > 1e-3
    outputs = tf.constant(x)
    for layer in network.model.layers[1:]:
        if layer in network.placed[technique.name]:
            continue
        if isinstance(layer, LSTM):
            layer.hooks = []
        outputs = layer(outputs)
    assert outputs.numpy().tobytes() == expected.tobytes()


@ALL
def test_its_runs_are_paired_with_the_baseline(technique, monkeypatch):
    """They share initial weights of all other variables and the order of the batches, digest by digest."""
    monkeypatch.setattr(training, "_PROGRAMS", {})
    short = dataclasses.replace(RECIPE, epochs=1, batch_size=24)
    with eagerly():
        mine, theirs = (train_afresh(waves(), recipe).pairing for recipe in (short.adding(technique), short))
    assert {name: digest for name, digest in mine.items() if name in theirs} == theirs
    assert all(technique.name in name for name in set(mine) - set(theirs))


@ALL
@TASKS
def test_the_gradient_reaches_every_weight_of_the_network(technique, task):
    """In training every variable of the LSTM layers, the head and the normalization gets a gradient."""
    program = program_of(technique, task=task)
    part = task().folds[0].train
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(program.model(part.x, training=True) - part.y.reshape(-1, 1)))
    variables = program.model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.abs(gradient).max() > 1e-5, variable.path


@BATCH_NORMS
def test_batch_statistics_do_not_go_with_predictions_in_training_mode(technique):
    """Monte Carlo dropout in the same recipe is an error; so is a second normalization inside the cell."""
    with pytest.raises(ValueError, match=r"layer norm\. Received: techniques="):
        RECIPE.adding(technique, MonteCarloDropout(0.3))
    if isinstance(technique, RecurrentBatchNorm):
        with pytest.raises(ValueError, match=r"one normalization inside the cell. Received: techniques="):
            RECIPE.adding(technique, CellLayerNorm())


# Training


def program_of(*techniques, task=waves, batch_size=RECIPE.batch_size, n_train=24, seed=1):
    """Return a program whose weights are far enough from the start that what differs shows."""
    recipe = dataclasses.replace(RECIPE, batch_size=batch_size).adding(*techniques)
    program = Program(recipe, task().info, n_train)
    program.start(recipe, seed=seed)
    rng = np.random.default_rng(seed)
    for variable in program.model.trainable_variables:
        variable.assign(variable + rng.normal(scale=0.3, size=variable.shape))
    return program


def arrays(task, n=24):
    """Return training rows (n, ...), with nonsense in the place of those that a fold lacks."""
    train = task().folds[0].train
    rng = np.random.default_rng(7)
    nonsense = 5 + rng.normal(size=(max(n - len(train.y), 0), *train.x.shape[1:])).astype(np.float32)
    x = np.concatenate([train.x, nonsense])[:n]
    y = np.concatenate([train.y, np.zeros((len(nonsense), *train.y.shape[1:]), train.y.dtype)])[:n]
    return x, y


def train(program, x, y, order, rate=0.03):
    """Train on rows in an order."""
    return program.train_epoch(tf.constant(x), tf.constant(y), np.asarray(order), np.full(99, rate))


def counting(x, task):
    """Return the steps that count, (batch, time)."""
    return (x != 0).any(axis=-1) if task().info.variable_length else np.ones(x.shape[:2], bool)


def assert_close(mine, theirs, atol=1e-5):
    """Compare two sets of variables by path."""
    assert set(mine) == set(theirs)
    for path, value in mine.items():
        np.testing.assert_allclose(value, theirs[path], atol=atol, err_msg=path)


@BATCH_NORMS
@TASKS
def test_rows_that_fill_the_last_batch_enter_no_statistics(technique, task):
    """A batch of 5 of 8 rows trains, and moves statistics, as a batch of exactly 5 rows."""
    x, y = arrays(task)
    order = [11, 3, 7, 14, 2]
    results = []
    with eagerly():
        for batch_size in (8, 5):
            program = program_of(technique, task=task, batch_size=batch_size)
            loss = train(program, x, y, order)
            results.append((loss, values(program.model.variables)))
    (loss, mine), (expected, theirs) = results
    assert loss == pytest.approx(expected, rel=1e-5)
    assert_close(mine, theirs)


@pytest.mark.parametrize("technique", [LayerNorm(), BatchNorm(statistics="moving")])
@pytest.mark.parametrize("batch_size", [8, 1])
@TASKS
def test_updates_are_those_of_keras_with_its_layer(technique, batch_size, task):
    """Three updates, the last of a smaller batch, leave Keras's weights and moving averages of momentum .99.

    With batches of one sample the statistics of batch norm are those of its steps, as in Keras.
    """
    info, (x, y) = task().info, arrays(task)
    order = np.array([4, 9, 1, 12, 3, 7, 0, 15, 10, 2, 8, 5, 13, 6, 11])[: 3 * batch_size]
    program = program_of(technique, task=task, batch_size=batch_size)
    model = keras.Sequential([keras.Input(x.shape[1:])])
    if info.variable_length:
        model.add(keras.layers.Masking())
    model.add(keras.layers.LSTM(RECIPE.width, return_sequences=True, use_cudnn=False))
    model.add(BETWEEN[type(technique)]())
    model.add(keras.layers.LSTM(RECIPE.width, use_cudnn=False))
    model.add(keras.layers.Dense(info.n_outputs))
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # The step of Adam for a gradient near 0 hangs on its last bits unless epsilon outweighs them.
    program.optimizer.epsilon = 1e-3
    model.compile(
        keras.optimizers.Adam(0.03, epsilon=1e-3), entropy if program.classifies else "mse", run_eagerly=True
    )
    model.set_weights([variable.numpy() for variable in program.model.weights])
    with eagerly():
        train(program, x, y, order)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        model.train_on_batch(x[rows], y[rows])
    for mine, theirs in zip(program.model.weights, model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5, err_msg=mine.path)


def test_a_batch_of_one_sample_with_one_step_gives_beta():
    """Batch norm between layers has nothing to compare there: the output is beta, and no gradient goes below."""
    layer = BatchNorm().after_lstm("here")
    x = tf.constant(normal(1, 1, 4))
    layer.build(x.shape)
    layer.beta.assign([1.0, 2.0, 3.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x, training=True)
    np.testing.assert_array_equal(outputs, [[[1.0, 2.0, 3.0, 4.0]]])
    np.testing.assert_array_equal(tape.gradient(outputs, x), np.zeros((1, 1, 4)))


# Statistics of the training part


def whole_part(program, x, task):
    """Return moving statistics and outputs of a network, computed by hand with these rows as one batch."""
    mask, expected, h = counting(x, task), {}, x
    lstms = [layer for layer in program.model.layers if isinstance(layer, LSTM)]
    for layer in lstms:
        for hook in layer.hooks:
            norm = BatchNormByHand(hook, training=True, momentum=0.0)
        h = by_hand(layer, h, norm if layer.hooks else plain, mask)
        for hook in layer.hooks:
            for place in PLACES:
                expected[hook.mean[place].path] = norm.mean[place]
                expected[hook.variance[place].path] = norm.variance[place]
            expected[hook.last_step.path] = np.flatnonzero(mask.sum(axis=0) >= 2).max()
        if layer is not lstms[-1] and not layer.hooks:
            (own,) = program.network.placed["batch_norm"]
            mean, variance = h[mask].mean(axis=0), h[mask].var(axis=0)
            expected |= {own.moving_mean.path: mean, own.moving_variance.path: variance}
            h = (h - mean) / np.sqrt(variance + EPSILON) * own.gamma.numpy() + own.beta.numpy()
    kernel, bias = program.model.get_layer("head").get_weights()
    outputs = h[:, -1] @ kernel + bias
    if program.classifies:
        powers = np.exp(outputs)
        outputs = powers / powers.sum(axis=1, keepdims=True)
    return expected, outputs


@pytest.mark.parametrize(
    ("technique", "task", "compiled"),
    [
        (BatchNorm(), waves, True),
        (BatchNorm(), syllables, False),
        (RecurrentBatchNorm(), waves, False),
        (RecurrentBatchNorm(), syllables, True),
    ],
)
def test_recomputed_statistics_are_those_of_the_training_part(technique, task, compiled):
    """They equal those of all rows in one batch by hand, and inference then equals training mode on all rows.

    Neither rows behind the training part nor moving averages are left in them, each time anew.
    """
    n = len(task().folds[0].train.y)
    (x, _), part = arrays(task, n + 4), slice(n)
    program = program_of(technique, task=task, n_train=n + 4)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        for variable in program.model.trainable_variables:
            variable.assign(variable + rng.normal(scale=0.1, size=variable.shape))
        with contextlib.nullcontext() if compiled else eagerly():
            program.recompute_statistics(tf.constant(x), n)
            predicted = program.predict(tf.constant(x[part]))
        expected, outputs = whole_part(program, x[part], task)
        found = {path: value for path, value in program.weights().items() if "/moving_" in path}
        assert_close(found, expected)
        np.testing.assert_allclose(predicted, outputs, atol=1e-5)
        training_mode = program.model(x[part], training=True)
        training_mode = tf.nn.softmax(training_mode) if program.classifies else training_mode
        np.testing.assert_allclose(predicted, training_mode, atol=1e-5)
    assert not compiled or program.compiled == 2


def test_evaluating_puts_the_streams_of_keras_layers_back_too():
    """A technique may place one of Keras's own layers, whose stream has another name."""
    program = Program(RECIPE.adding(BatchNorm()), WAVES, 8)
    layer = keras.layers.GaussianNoise(0.1, seed=1)
    program.network.placed["noise"] = [layer]
    before = layer.seed_generator.state.numpy()
    with program._unmoved_streams():
        layer(np.ones((2, 3, 1), np.float32), training=True)
        assert (layer.seed_generator.state.numpy() != before).any()
    np.testing.assert_array_equal(layer.seed_generator.state, before)


@BATCH_NORMS
def test_recomputing_moves_nothing_but_statistics(technique):
    """Weights, optimizer and the streams of every kind of dropout are the same bits afterwards."""
    program = program_of(technique, Dropout(0.3), RecurrentDropout(0.3, "candidate"))
    x, y = arrays(waves)
    with eagerly():
        train(program, x, y, np.arange(8))
        before = values([*program.network.variables, *program.optimizer.variables])
        program.recompute_statistics(tf.constant(x), 20)
    after = values([*program.network.variables, *program.optimizer.variables])
    changed = {path for path, value in before.items() if (value != after[path]).any()}
    assert changed
    assert all(path.rpartition("/")[2].startswith("moving_") for path in changed)
    assert any("seed" in path for path in before)


@BATCH_NORMS
@TASKS
def test_training_does_not_depend_on_whether_it_was_evaluated(technique, task):
    """A second epoch leaves the same weights with and without an evaluation before it.

    The one exception is stated: where one sample or none counts, recurrent batch norm trains on running values.
    """
    x, y = arrays(task, 8)
    if task is syllables:
        x[:, 3:] = 0  # every sequence has 3 steps, so that two samples count wherever one does
    ends = []
    with eagerly():
        for evaluates in (True, False):
            program = program_of(technique, Dropout(0.3), task=task, n_train=8)
            for _ in range(2):
                train(program, x, y, np.arange(8))
                if evaluates:
                    program.recompute_statistics(tf.constant(x), 8)
                    program.predict(tf.constant(x))
            ends.append(values(program.model.trainable_variables))
    for path, value in ends[0].items():
        assert value.tobytes() == ends[1][path].tobytes(), path


@BATCH_NORMS
def test_after_recomputing_batches_move_statistics_by_a_hundredth_again(technique):
    """The next update leaves .99 of the recomputed statistics and adds .01 of those of its batch."""
    x, y = arrays(waves)
    program = program_of(technique)
    with eagerly():
        program.recompute_statistics(tf.constant(x), 24)
        before = program.weights()
        batch, _ = whole_part(program, x[:8], waves)
        train(program, x, y, np.arange(8))
    after = program.weights()
    moved = {path: newest for path, newest in batch.items() if not path.endswith("last_step")}
    for path, newest in moved.items():
        np.testing.assert_allclose(after[path], 0.99 * before[path] + 0.01 * newest, atol=1e-6)
    assert max(np.abs(after[path] - before[path]).max() for path in moved) > 1e-4


@BATCH_NORMS
def test_moving_averages_are_left_alone_by_an_evaluation(technique):
    """With `statistics="moving"` nothing is recomputed, and predictions are those of the moving averages."""
    x, y = arrays(waves)
    moving = dataclasses.replace(technique, statistics="moving")
    ends = []
    with eagerly():
        for each in (technique, moving):
            program = program_of(each)
            train(program, x, y, np.arange(8))
            before = values(program.model.variables)
            program.recompute_statistics(tf.constant(x), 24)
            ends.append(program.predict(tf.constant(x)))
        for path, value in values(program.model.variables).items():
            assert value.tobytes() == before[path].tobytes(), path
    np.testing.assert_array_equal(ends[1], program.model(x, training=False))
    assert np.abs(ends[0] - ends[1]).max() > 1e-2


def test_statistics_are_those_of_the_weights_that_are_evaluated():
    """With averaged weights beside batch norm, statistics are recomputed with the averages in place."""
    x, y = arrays(waves)
    program = program_of(BatchNorm(), WeightAveraging(0.9))
    with eagerly():
        train(program, x, y, np.arange(24))
        program.recompute_statistics(tf.constant(x), 24)
        predicted = program.predict(tf.constant(x))
    shown = program.weights()
    trained = values(program.model.trainable_variables)
    assert max(np.abs(shown[path] - value).max() for path, value in trained.items()) > 1e-3
    for variable in program.model.trainable_variables:
        variable.assign(shown[variable.path])
    expected, outputs = whole_part(program, x, waves)
    assert_close({path: shown[path] for path in expected}, expected)
    np.testing.assert_allclose(predicted, outputs, atol=1e-5)


@ALL
@TASKS
def test_predictions_do_not_depend_on_what_else_is_predicted(technique, task):
    """Twice the same rows give the same bits, and a few of them the same values as all of them."""
    x, _ = arrays(task, 16)
    program = program_of(technique, task=task, n_train=16)
    with eagerly():
        program.recompute_statistics(tf.constant(x), 16)
        whole = program.predict(tf.constant(x))
        assert program.predict(tf.constant(x)).tobytes() == whole.tobytes()
        for rows in ([3], [9, 1, 1]):
            np.testing.assert_allclose(program.predict(tf.constant(x[rows])), whole[rows], atol=1e-6)
