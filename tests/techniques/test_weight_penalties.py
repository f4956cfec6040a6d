"""Penalties, decay and max-norm change the updates as Keras's do, and nothing that is reported."""

from __future__ import annotations

import dataclasses
import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, WAVES, syllables, train_afresh, trained, waves
from updating import apart, assert_same, program_with, schedule, start, stock, studied

from lstmstudy.recipe import Recipe
from lstmstudy.techniques import L1, L1L2, L2, MaxNorm, WeightDecay
from lstmstudy.techniques.weight_penalty import WeightPenalty
from lstmstudy.training.network import Network
from lstmstudy.training.program import limit_threads
from lstmstudy.updates.max_norm import MaxNorm as MaxNormHook
from lstmstudy.updates.weight_decay import WeightDecay as DecayHook
from lstmstudy.updates.weight_penalty import WeightPenalty as PenaltyHook

limit_threads()

KerasL2 = keras.regularizers.L2
KerasL1L2 = keras.regularizers.L1L2
ALL = (MaxNorm(0.5), WeightDecay(0.5), L1L2(0.02, 0.1))
OFF = (MaxNorm(math.inf), WeightDecay(0.0), L1L2(0.0, 0.0))


def variables(**values):
    """Return variables of an LSTM layer by name."""
    with keras.name_scope("lstm_1"):
        return [
            keras.Variable(np.array(value, np.float32), name=name.rstrip("_"))
            for name, value in values.items()
        ]


def watching(hook, *watched):
    """Return a hook on some variables."""
    hook.watch(watched)
    return hook


def with_all(*techniques, **settings):
    """Return a recipe with the three techniques on even where they are off: one structure for all."""
    recipe = dataclasses.replace(RECIPE, **settings)
    given = {technique.name: technique for technique in (*OFF, *techniques)}
    object.__setattr__(recipe, "techniques", tuple(given[name] for name in sorted(given)))
    return recipe


@pytest.mark.parametrize(
    ("technique", "arguments"),
    [
        (L2(0.1), {"kernel_regularizer": KerasL2(0.1), "recurrent_regularizer": KerasL2(0.1)}),
        (
            L1(0.1),
            {"kernel_regularizer": KerasL1L2(l1=0.1), "recurrent_regularizer": KerasL1L2(l1=0.1)},
        ),
        (L1L2(0.02, 0.1, matrices="kernel"), {"kernel_regularizer": KerasL1L2(0.02, 0.1)}),
        (L1L2(0.02, 0.1, matrices="recurrent_kernel"), {"recurrent_regularizer": KerasL1L2(0.02, 0.1)}),
    ],
    ids=lambda each: each.label if isinstance(each, WeightPenalty) else "",
)
def test_updates_with_a_penalty_are_those_of_keras_with_its_regularizer(technique, arguments):
    """After three updates of Adam the weights agree with a stock model of the same coefficients."""
    ours = studied(technique)
    assert_same(ours, stock(keras.optimizers.Adam(schedule()), **arguments))
    assert apart(ours, studied()) > 1e-2


def test_the_penalty_is_what_keras_adds_to_its_loss():
    """Its value on the common weights is the sum of `model.losses` of a stock model, for each choice of matrices."""
    for on, names in {
        "kernel": ["kernel_regularizer"],
        "recurrent_kernel": ["recurrent_regularizer"],
        "both": ["kernel_regularizer", "recurrent_regularizer"],
    }.items():
        arguments = dict.fromkeys(names, KerasL1L2(0.02, 0.1))
        model = keras.Sequential([keras.Input((6, 1))])
        model.add(keras.layers.LSTM(4, return_sequences=True, **arguments))
        model.add(keras.layers.LSTM(4, **arguments))
        model.add(keras.layers.Dense(1))
        model.set_weights(start())
        (hook,) = program_with(L1L2(0.02, 0.1, matrices=on)).network.updates
        assert float(hook.penalty()) == pytest.approx(float(sum(model.losses)), rel=1e-6)


def test_a_penalty_by_hand():
    """L2 of .01 on a 3 x 3 matrix of ones is .09, its gradient 2 l w; L1 has the gradient l sign(w)."""
    (ones,) = variables(kernel=np.ones((3, 3)))
    assert float(watching(PenaltyHook(0.0, 0.01), ones).penalty()) == pytest.approx(0.09)
    (w,) = variables(recurrent_kernel=[[3.0, -0.5, 0.0]])
    for hook, expected in (
        (PenaltyHook(0.0, 0.01), [[0.06, -0.01, 0.0]]),
        (PenaltyHook(0.01, 0.0), [[0.01, -0.01, 0.0]]),
    ):
        with tf.GradientTape() as tape:
            price = watching(hook, w).penalty()
        np.testing.assert_allclose(tape.gradient(price, w.value), expected, rtol=1e-6)


@pytest.mark.parametrize(("on", "priced"), [("kernel", 1), ("recurrent_kernel", 1), ("both", 2)])
def test_only_the_named_matrices_of_the_lstm_layers_have_a_price(on, priced):
    """Biases and the head have no gradient of the penalty, nor has the matrix that is not named."""
    program = program_with(L1L2(0.1, 0.1, matrices=on))
    watched = program.model.trainable_variables
    with tf.GradientTape() as tape:
        price = program.network.updates[0].penalty()
    gradients = tape.gradient(price, [variable.value for variable in watched])
    found = {v.path for v, gradient in zip(watched, gradients, strict=True) if gradient is not None}
    names = ("kernel", "recurrent_kernel") if on == "both" else (on,)
    assert found == {f"lstm_{number}/{name}" for number in (1, 2) for name in names}
    assert len(found) == 2 * priced


@pytest.mark.parametrize(
    ("width", "l2", "l1"), [(32, 0.34, 2.9), (64, 0.66, 8.2), (128, 1.30, 23.1)], ids=lambda value: f"{value}"
)
def test_a_coefficient_of_a_hundredth_is_huge_at_the_start(width, l2, l1):
    """The sizes of K16: L2 on both matrices of a layer with one input, and L1 on the recurrent one."""
    recipe = Recipe(layers=1, width=width)
    for technique, expected in (
        (L1L2(l2=0.01), l2),
        (L1L2(l1=0.01, matrices="recurrent_kernel"), l1),
    ):
        recipe = Recipe(layers=1, width=width).adding(technique)
        network = Network(recipe, WAVES)
        network.reset(recipe, seed=0)
        assert float(network.updates[0].penalty()) == pytest.approx(expected, rel=0.02)


@functools.cache
def frozen(technique=None):
    """Return the result of a run whose learning rate moves nothing, with one technique on."""
    return train_afresh(waves(), with_all(*([technique] if technique else []), learning_rate=1e-12, epochs=1))


def test_no_reported_loss_and_no_metric_contains_the_penalty():
    """With weights that stay where they are, every curve of a heavy penalty is that of none."""
    heavy, none = frozen(L1L2(1.0, 1.0)), frozen()
    assert heavy.curves.keys() == none.curves.keys() >= {"loss", "validation/rmse", "test/rmse"}
    for name, curve in none.curves.items():
        np.testing.assert_allclose(heavy.curves[name], curve, rtol=1e-6, err_msg=name)


def test_forced_on_without_strength_all_three_train_as_the_baseline():
    """Their own code paths match every curve of the baseline over 3 epochs to 1e-5 relative."""
    off = train_afresh(waves(), with_all())
    assert len(off.curves["loss"]) == 3
    for name, curve in trained().curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("technique", ALL, ids=lambda technique: technique.name)
def test_each_of_them_acts_and_moves_no_start_and_no_order(technique):
    """Switched on in the same compiled epoch, it changes the losses; initial weights and batches stay."""
    on = train_afresh(waves(), with_all(technique))
    assert on.pairing == trained().pairing
    assert np.abs(on.curves["loss"] / trained().curves["loss"] - 1).max() > 1e-3
    norms = [
        np.sum([np.sum(w**2) for path, w in each.weights.items() if "kernel" in path])
        for each in (on, trained())
    ]
    assert norms[0] < norms[1]


@pytest.mark.parametrize("technique", ALL, ids=lambda technique: technique.name)
def test_strengths_share_a_compiled_epoch_and_off_is_the_baseline(technique):
    """Another strength has the same structure, other matrices another one, and off leaves the recipe as it was."""
    (off,) = (each for each in OFF if each.name == technique.name)
    assert off.is_off
    assert RECIPE.adding(off) == RECIPE
    assert not technique.is_off
    other = {name: 2 * getattr(technique, name) for name in technique.values}
    assert dataclasses.replace(technique, **other).structure() == technique.structure()
    if hasattr(technique, "on"):
        assert dataclasses.replace(technique, matrices="kernel").structure() != technique.structure()


@pytest.mark.parametrize("technique", ALL, ids=lambda technique: technique.name)
def test_evaluating_changes_nothing_and_predicts_as_the_baseline(technique):
    """At inference the network is the baseline's, bit for bit, and no variable moves."""
    x = waves().folds[0].test.x
    with_it, without = (program_with(*techniques) for techniques in ((technique,), ()))
    before = [variable.numpy() for variable in with_it.network.variables]
    outputs = [program.model(x, training=False).numpy() for program in (with_it, without)]
    assert outputs[0].tobytes() == outputs[1].tobytes()
    assert_same([variable.numpy() for variable in with_it.network.variables], before, atol=0)


def test_updates_with_decay_are_those_of_adamw():
    """After three updates at different learning rates the weights agree with AdamW that spares the biases."""
    adamw = keras.optimizers.AdamW(schedule(), weight_decay=0.5)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    ours = studied(WeightDecay(0.5))
    assert_same(ours, stock(adamw))
    assert apart(ours, studied()) > 1e-2


def test_decay_spares_biases_and_norm_parameters():
    """With a decay of 1 and a learning rate of .1 matrices lose a tenth; biases, gains and offsets nothing."""
    named = variables(kernel=[[2.0]], recurrent_kernel=[[4.0]], bias=[1.0], gamma=[1.0], beta=[1.0])
    with keras.name_scope("head"):
        named.append(keras.Variable(np.array([[6.0]], np.float32), name="kernel"))
    watching(DecayHook(1.0), *named).before(tf.constant(0.1))
    left = [float(variable.numpy().ravel()[0]) for variable in named]
    np.testing.assert_allclose(left, [1.8, 3.6, 1, 1, 1, 5.4], rtol=1e-6)


def test_decay_is_not_l2_under_adam():
    """The numbers of K18: three steps with gradients (.1, -.2) at a learning rate of .01."""
    expected = {"decay": [0.9670, 2.0240], "l2": [0.9700, 2.0000]}
    for name, hook in (("decay", DecayHook(0.1)), ("l2", PenaltyHook(0.0, 0.05))):
        (w,) = variables(kernel=[[1.0, 2.0]])
        watching(hook, w)
        adam = keras.optimizers.Adam(0.01)
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(w * tf.constant([[0.1, -0.2]])) + hook.penalty()
            gradient = tape.gradient(loss, w.value)
            hook.before(tf.constant(0.01))
            adam.apply([gradient], [w])
        np.testing.assert_allclose(w.numpy()[0], expected[name], atol=5e-5)


def test_decay_is_l2_of_half_the_coefficient_under_plain_descent():
    """With SGD a decay of 2 l and an L2 of l give the same weights."""
    ends = []
    for hook in (DecayHook(0.2), PenaltyHook(0.0, 0.1)):
        (w,) = variables(kernel=[[1.0, -2.0]])
        watching(hook, w)
        sgd = keras.optimizers.SGD(0.05)
        for _ in range(4):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.constant([[0.3, 0.7]]) * w) + hook.penalty()
            gradient = tape.gradient(loss, w.value)
            hook.before(tf.constant(0.05))
            sgd.apply([gradient], [w])
        ends.append(w.numpy())
    np.testing.assert_allclose(*ends, rtol=1e-6)


@pytest.mark.parametrize(
    ("on", "names"),
    [
        ("kernel", ["kernel_constraint"]),
        ("recurrent_kernel", ["recurrent_constraint"]),
        ("both", ["kernel_constraint", "recurrent_constraint"]),
    ],
)
def test_updates_with_max_norm_are_those_of_keras_with_its_constraint(on, names):
    """After three updates of Adam the weights agree with a stock model under MaxNorm(.5, axis=0)."""
    ours = studied(MaxNorm(0.5, on))
    limits = dict.fromkeys(names, keras.constraints.MaxNorm(0.5, axis=0))
    assert_same(ours, stock(keras.optimizers.Adam(schedule()), **limits))
    assert apart(ours, studied()) > 1e-2


def test_max_norm_shortens_long_columns_and_leaves_the_others():
    """A column (3, 4) under a limit of 1 becomes (.6, .8); shorter ones and columns of zeros keep their bits."""
    (w,) = variables(recurrent_kernel=[[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]])
    watching(MaxNormHook(1.0), w).after(tf.constant(0))
    np.testing.assert_allclose(w.numpy(), [[0.6, 0.3, 0.0], [0.8, 0.4, 0.0]], rtol=1e-6)
    assert w.numpy()[:, 1].tolist() == np.array([0.3, 0.4], np.float32).tolist()
    watching(MaxNormHook(math.inf), w).after(tf.constant(0))
    assert np.isfinite(w.numpy()).all()


def test_the_limit_holds_after_the_last_update():
    """What is evaluated is within the limit: the columns are shortened after the step, not in front of it."""
    for weights, name in zip(studied(MaxNorm(0.5)), ["kernel", "recurrent_kernel", "bias"] * 2, strict=False):
        if name != "bias":
            assert np.linalg.norm(weights, axis=0).max() <= 0.5 + 1e-6


def test_they_work_on_sequences_of_different_lengths():
    """On padded sequences all three together change every update and leave finite weights."""
    ours, plain = studied(*ALL, task=syllables), studied(task=syllables)
    assert all(np.isfinite(weight).all() for weight in ours)
    assert apart(ours, plain) > 1e-2


def test_labels_tell_form_coefficients_and_matrices():
    """Each setting has a name of its own that reads as prose."""
    assert [
        L2(0.001).label,
        L1(0.0001, matrices="kernel").label,
        L1L2(0.0001, 0.001, matrices="recurrent_kernel").label,
        WeightDecay(0.1).label,
        MaxNorm(2).label,
    ] == [
        "L2 0.001 on both",
        "L1 0.0001 on kernel",
        "L1L2 0.0001 + 0.001 on recurrent kernel",
        "weight decay 0.1",
        "max-norm 2 on both",
    ]
    assert L1L2(0.0001, 0.001).strength == pytest.approx(0.0011)
    assert [each.variant for each in (L1(0.1), L2(0.1, matrices="kernel"))] == ["on both", "on kernel"]


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: L1(-0.1), "l1=-0.1"),
        (lambda: L2(math.nan), "l2=nan"),
        (lambda: L1L2(l2=math.inf), "l2=inf"),
        (lambda: L1L2(l2="0.1"), "l2='0.1'"),
        (lambda: L1L2(l2=0.1, matrices="bias"), "matrices='bias'"),
        (lambda: WeightDecay(-1), "decay=-1"),
        (lambda: WeightDecay(math.nan), "decay=nan"),
        (lambda: MaxNorm(0), "limit=0"),
        (lambda: MaxNorm(-1.0), "limit=-1.0"),
        (lambda: MaxNorm(math.nan), "limit=nan"),
        (lambda: MaxNorm(1.0, "head"), "matrices='head'"),
    ],
)
def test_a_setting_that_cannot_be_is_an_error_that_names_it(make, received):
    """Negative coefficients, NaN and unknown matrices are refused, with what came at the end."""
    with pytest.raises(ValueError, match="Received: ") as error:
        make()
    assert str(error.value).endswith(f"Received: {received}")
