"""The lines to copy of two chapters: their models predict, and their updates change, what the study's do."""

from __future__ import annotations

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from updating import apart, eagerly

from lstmstudy import paths
from lstmstudy.data.catalog import CATALOG
from lstmstudy.recipe import Recipe
from lstmstudy.techniques import L1, L1L2, L2, GradientClipping, GradientNoise, MaxNorm, WeightDecay
from lstmstudy.training.program import Program, limit_threads

limit_threads()

PENALTIES, GRADIENTS = "04_weight_penalties", "06_gradient_noise"
SUNSPOTS = CATALOG["sunspots"]
WIDE = Recipe(layers=2, width=32, batch_size=4)
STUDIED = {  # by the name of the model in its notebook
    "penalized": (PENALTIES, [L2(0.001)]),
    "decayed": (PENALTIES, [WeightDecay(0.1)]),
    "limited": (PENALTIES, [MaxNorm(1.0)]),
    "noisy": (GRADIENTS, [GradientClipping(1.0, per="global"), GradientNoise(0.3)]),
    "clipped": (GRADIENTS, [GradientClipping(1.0, per="variable")]),
}


def copied(name):
    """Return what the plain Keras cells of a notebook define."""
    notebook = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if "plain-keras" in cell.metadata.get("tags", [])]
    assert cells
    names = {}
    for source in cells:
        exec(source, names)  # noqa: S102 - our own cells
    return names


def batches():
    """Return inputs and targets of two updates; targets are far away, so that gradients are long."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2 * WIDE.batch_size, SUNSPOTS.window, SUNSPOTS.n_features)).astype(np.float32)
    return x, rng.normal(3.0, 3.0, size=(len(x), 1)).astype(np.float32)


def program_of(model, techniques):
    """Return the study's program with some techniques, at the weights of a plain model, which become larger."""
    rng = np.random.default_rng(1)
    recipe = WIDE.adding(*techniques)
    program = Program(recipe, SUNSPOTS, len(batches()[0]))
    program.start(recipe, seed=0)
    ours, theirs = program.model.trainable_variables, model.trainable_variables
    assert [variable.shape for variable in theirs] == [variable.shape for variable in ours]
    for mine, other in zip(ours, theirs, strict=True):
        other.assign(rng.normal(scale=0.3, size=other.shape))
        mine.assign(other.numpy())
    return program


def updated(program):
    """Return the weights of the study after the updates."""
    x, y = batches()
    rates = np.full(2, WIDE.learning_rate)
    program.train_epoch(tf.constant(x), tf.constant(y), np.arange(len(y)), rates)
    return [variable.numpy() for variable in program.model.trainable_variables]


@pytest.mark.parametrize("variable", STUDIED)
def test_a_plain_model_is_the_studys_network(variable):
    """With the same weights it predicts the same, and it trains at the study's learning rate."""
    name, techniques = STUDIED[variable]
    model = copied(name)[variable]
    program = program_of(model, techniques)
    x, _ = batches()
    expected = program.model(x, training=False).numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(model(x, training=False).numpy(), expected, atol=1e-5)
    assert float(model.optimizer.learning_rate) == pytest.approx(WIDE.learning_rate)


@pytest.mark.parametrize("variable", STUDIED)
def test_a_plain_models_updates_are_the_studys(variable):
    """After two updates on the same batches the weights agree, and without the techniques they would not."""
    name, techniques = STUDIED[variable]
    model = copied(name)[variable]
    with eagerly():
        program = program_of(model, techniques)
        for technique, (hook, *_) in program.network.placed.items():
            if technique == "gradient_noise":  # the same draws
                hook.stream.state.assign(model.optimizer.stream.state)
        ours = updated(program)
        x, y = batches()
        for rows in np.arange(len(y)).reshape(2, -1):
            model.train_on_batch(x[rows], y[rows])
        theirs = model.get_weights()
        without = updated(program_of(model, []))  # from the same weights
    acts = apart(ours, without)
    assert acts > 1e-4
    assert apart(ours, theirs) < 0.01 * acts  # Adam magnifies the rounding of gradients near zero


def test_the_regularizers_to_choose_from_are_the_techniques():
    """Each object has the coefficients of an arm of the grid, and costs what the technique's hook adds."""
    names = copied(PENALTIES)
    kernel = keras.Variable(np.full((3, 3), -2.0, np.float32))
    for name, technique in {"l1": L1(0.0001), "l2": L2(0.001), "l1l2": L1L2(0.0001, 0.001)}.items():
        regularizer = names[name]
        for key, amount in technique.amounts.items():
            assert float(getattr(regularizer, key)) == pytest.approx(amount)
        expected = technique.amounts.get("l1", 0) * 18 + technique.amounts.get("l2", 0) * 36
        assert float(regularizer(kernel)) == pytest.approx(expected)


def test_a_string_for_both_penalties_is_none():
    """The name that one would try gives coefficients of 0, as the chapter warns."""
    regularizer = keras.regularizers.get("l1l2")
    assert (float(regularizer.l1), float(regularizer.l2)) == (0, 0)


def test_the_reported_loss_contains_the_price_and_the_metric_does_not():
    """Of the plain model `loss` is the metric plus what the regularizers add: the trap that the chapter names."""
    model = copied(PENALTIES)["penalized"]
    x, y = batches()
    loss, mse = model.evaluate(x, y, verbose=0)
    price = float(sum(model.losses))
    assert price > 0.01
    assert loss == pytest.approx(mse + price, rel=1e-5)


def test_decay_spares_what_the_chapter_says():
    """Of all variables of the plain model only matrices decay."""
    names = copied(PENALTIES)
    optimizer = names["adamw"]
    variables = names["decayed"].trainable_variables
    optimizer.build(variables)
    decaying = {variable.name for variable in variables if optimizer._use_weight_decay(variable)}
    assert decaying == {"kernel", "recurrent_kernel"}
    assert optimizer.weight_decay == pytest.approx(WeightDecay(0.1).decay)


def test_noise_and_clipping_have_the_settings_of_the_techniques():
    """The wrapper has eta and the published gamma; one optimizer clips over all variables, the other each."""
    names = copied(GRADIENTS)
    wrapper, technique = names["noisy"].optimizer, GradientNoise(0.3)
    assert (wrapper.eta, wrapper.gamma) == (technique.eta, technique.gamma)
    inner, alone = wrapper.inner_optimizer, names["clipped"].optimizer
    assert (inner.global_clipnorm, inner.clipnorm) == (1.0, None)
    assert (alone.global_clipnorm, alone.clipnorm) == (None, 1.0)
