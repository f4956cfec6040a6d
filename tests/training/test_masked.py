"""Forecasts from windows with gaps: the network skips them as stock Keras does, and every technique can train on them."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import RECIPE, WAVES, train_afresh, wave

from lstmstudy import layers
from lstmstudy.data.folds import joined_fold, rolling_origins
from lstmstudy.data.task import Task, content_hash
from lstmstudy.export import to_keras
from lstmstudy.techniques import (
    BatchNorm,
    Boosting,
    CellLayerNorm,
    Dropout,
    Jitter,
    LayerNorm,
    Mixup,
    RecurrentBatchNorm,
    RecurrentDropout,
    TimeWarp,
    Zoneout,
)
from lstmstudy.training.network import Network
from lstmstudy.training.program import Program, limit_threads
from lstmstudy.verdicts.quantities import noisy

limit_threads()

INFO = dataclasses.replace(WAVES, n_features=2, window=8, variable_length=True)
GAPS = np.array([3, 9, 20, 21, 22, 40, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 70, 80])
TRAINED = {
    "baseline": RECIPE,
    "dropouts": RECIPE.adding(Dropout(0.3), RecurrentDropout(0.3, "step")),
    "masks of a sequence": RECIPE.adding(Dropout(0.3, "sequence"), RecurrentDropout(0.3, "sequence")),
    "zoneout": RECIPE.adding(Zoneout(0.2, 0.1)),
    "layer norms": RECIPE.adding(LayerNorm(), CellLayerNorm()),
    "batch norm": RECIPE.adding(BatchNorm()),
    "recurrent batch norm": RECIPE.adding(RecurrentBatchNorm()),
    "augmented": RECIPE.adding(Jitter(0.1), TimeWarp(0.3), Mixup(0.4)),
    "boosted": RECIPE.adding(Boosting(2, 0.5)),
}
MASK = np.arange(6) < np.array([1, 2, 3, 4, 5, 6, 6, 2])[:, None]

AUGMENTATIONS = {
    "Jitter": {"sd": 0.3},
    "Scaling": {"sd": 0.3},
    "MagnitudeWarp": {"sd": 0.3},
    "TimeWarp": {"sd": 0.3},
    "WindowSlicing": {"cut": 0.4},
    "WindowWarp": {"ratio": 0.3},
    "Mixup": {"alpha": 0.5},
}
every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)


def layer_of(name):
    """Return an augmentation whose stream begins anew."""
    return getattr(layers, name)(**AUGMENTATIONS[name], seed=3)


def series():
    """Return a wave with a second channel; in the gaps the first or the second is missing."""
    values = np.column_stack([wave(), np.random.default_rng(5).normal(size=90)])
    values[GAPS[::2], 0] = np.nan
    values[GAPS[1::2], 1] = np.nan
    return values


def gappy():
    """Return the task of that series."""
    values = series()
    folds = tuple(joined_fold([values], [bounds], INFO) for bounds in rolling_origins(90, INFO.n_folds))
    references = tuple({"naive": {"rmse": 1.0, "mae": 0.8}} for _ in folds)
    return Task(INFO, folds, references, None, content_hash(INFO, folds))


@pytest.fixture(scope="module")
def baseline():
    """Return the result of the baseline on that task."""
    return train_afresh(gappy())


def windows(fold, part):
    """Return the standardised windows of a part as they lie in the series, zeros in the gaps."""
    values, stop = series(), fold.train.indices[-1] + 1
    known = values[:stop][~np.isnan(values[:stop]).any(axis=1)]
    scaled = (values - known.mean(axis=0)) / known.std(axis=0)
    scaled[np.isnan(scaled).any(axis=1)] = 0
    return np.stack([scaled[index - INFO.window : index] for index in part.indices]).astype(np.float32)


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.adding(LayerNorm())], ids=["baseline", "layer norm"])
def test_a_window_with_gaps_is_what_stock_keras_masks(recipe):
    """The study's forecasts from compressed windows are those of Masking and LSTM of Keras on windows with gaps."""
    task = gappy()
    result = train_afresh(task, recipe)
    stock = to_keras(recipe, INFO, result.weights)
    assert isinstance(stock.layers[1], keras.layers.Masking)
    network = Network(recipe, INFO)
    network.reset(recipe, 0)
    for variable in network.model.variables:
        if variable.path in result.weights:
            variable.assign(result.weights[variable.path])
    fold = task.folds[0]
    for part in (fold.train, fold.validation, fold.test):
        plain = windows(fold, part)
        assert (part.lengths < INFO.window).any()
        assert not np.array_equal(plain, part.x)
        np.testing.assert_allclose(
            network.model(part.x, training=False), stock(plain, training=False), atol=1e-6
        )
        np.testing.assert_allclose(stock(part.x, training=False), stock(plain, training=False), atol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_every_technique_trains_on_windows_with_gaps(name, baseline):
    """Three epochs end with finite curves, forecasts and weights, and other ones than the baseline's."""
    task = gappy()
    result = train_afresh(task, TRAINED[name])
    assert result.diverged is None
    found = [*result.curves.values(), *result.weights.values()]
    assert all(np.isfinite(array).all() for array in found)
    assert name == "baseline" or not np.array_equal(
        result.curves["validation/rmse"], baseline.curves["validation/rmse"]
    )


def test_training_batches_keep_their_padding():
    """What a program trains on has its known steps changed, and zeros where the task has them."""
    train = gappy().folds[0].train
    program = Program(TRAINED["augmented"], INFO, len(train.y))
    program.start(TRAINED["augmented"], 0)
    x, y = program._batch(tf.constant(train.x), tf.constant(train.y))
    counting = np.arange(INFO.window) < train.lengths[:, None]
    np.testing.assert_array_equal(x.numpy().any(axis=2), counting)
    assert (x.numpy() != train.x).any(axis=2)[counting].mean() > 0.9
    assert (y.numpy() != train.y).any()


@every_augmentation
def test_an_augmentation_keeps_padding_and_known_steps_apart(name):
    """Behind its end a window stays zero, before it no step becomes zero, and padding is never read."""
    layer = layer_of(name)
    x = np.where(MASK[:, :, None], np.random.default_rng(1).normal(size=(8, 6, 2)), 0).astype(np.float32)
    x[5] = 0
    x[5, :, 0] = 1e-20
    y = np.random.default_rng(2).normal(size=(8, 1)).astype(np.float32)
    changed, target = layer.joined(x, y, tf.constant(MASK))
    assert not changed.numpy()[~MASK].any()
    assert changed.numpy()[MASK].any(axis=1).all()
    assert target.shape == y.shape
    read = layer_of(name).joined(np.where(MASK[:, :, None], x, np.float32(np.nan)), y, tf.constant(MASK))
    np.testing.assert_array_equal(read[0].numpy()[MASK], changed.numpy()[MASK])
    np.testing.assert_array_equal(read[1], target)


@every_augmentation
def test_whole_windows_are_augmented_as_without_a_mask(name):
    """If every step counts, a mask changes nothing."""
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=shape).astype(np.float32) for shape in ((8, 6, 2), (8, 1)))
    for masked, plain in zip(
        layer_of(name).joined(x, y, tf.ones((8, 6), bool)), layer_of(name).joined(x, y), strict=True
    ):
        np.testing.assert_array_equal(masked, plain)


@pytest.mark.parametrize("name", ["TimeWarp", "WindowWarp"])
def test_a_target_follows_the_last_known_step(name):
    """Read as one series of known steps and target, time rises, begins at the first step and ends at the target."""
    lengths = MASK.sum(axis=1)
    ramp = np.where(MASK, np.arange(1, 7), 0)[:, :, None].astype(np.float32)
    x, y = layer_of(name).joined(ramp, lengths[:, None] + np.float32(1), tf.constant(MASK))
    np.testing.assert_array_equal(y[:, 0], lengths + 1)
    for row, length in zip(x.numpy()[:, :, 0], lengths, strict=True):
        assert row[0] == 1
        assert (np.diff([*row[:length], length + 1]) > 0).all()
    assert (x.numpy() != ramp).any()


def test_other_channels_of_the_target_are_those_of_the_last_known_step():
    """A slice that is stretched reads no padding in a channel which is not forecast."""
    x = np.where(MASK[:, :, None], 7.0, 0.0).astype(np.float32).repeat(2, axis=2)
    changed, target = layer_of("WindowSlicing").joined(x, np.full((8, 1), 7, np.float32), tf.constant(MASK))
    np.testing.assert_allclose(changed.numpy()[MASK], 7, rtol=1e-6)
    np.testing.assert_allclose(target, 7, rtol=1e-6)


def test_mixup_stretches_a_partner_with_its_target():
    """Where every window tells the share of its time that has passed, so does every mixture, and the target its end."""
    share = np.where(MASK, np.arange(6) / MASK.sum(axis=1)[:, None] + 1, 0)[:, :, None].astype(np.float32)
    x, y = layer_of("Mixup").joined(share, np.full((8, 1), 2, np.float32), tf.constant(MASK))
    np.testing.assert_allclose(x, share, atol=1e-5)
    np.testing.assert_allclose(y, 2, atol=1e-5)


def test_noise_on_inputs_leaves_padding():
    """The quantity that adds noise to test inputs adds it to known steps alone."""
    part = gappy().folds[0].test
    moved = noisy(part.x, 0.3, 0, padded=True) != part.x
    counting = np.arange(INFO.window) < part.lengths[:, None]
    np.testing.assert_array_equal(moved.all(axis=2), counting)
    np.testing.assert_array_equal(moved.any(axis=2), counting)
