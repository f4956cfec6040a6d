"""Readings keep the epoch that Keras's own callback would keep, and see the validation metric alone."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from lstmstudy.readings import PATIENCES, READINGS, Kept, Validation, kept_epochs, read
from lstmstudy.training.program import limit_threads

limit_threads()


class Weights:
    """All that the callback asks of a model; its weights are the number of the epoch."""

    def __init__(self):
        self.epoch = -1
        self.stop_training = False

    def get_weights(self):
        """Return the weights as they are now."""
        return [self.epoch]

    def set_weights(self, weights):
        """Take back earlier weights."""
        (self.epoch,) = weights


def stopped_by_keras(metric, patience):
    """Return the epoch whose weights Keras restores, and how many epochs it trained."""
    callback = keras.callbacks.EarlyStopping(
        monitor="val", mode="min", patience=patience, restore_best_weights=True
    )
    model = Weights()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(metric):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {"val": float(value)})
        if model.stop_training:
            break
    callback.on_train_end()
    return Kept(model.epoch, epoch + 1)


def trajectories():
    """Return validation metrics of many shapes, coarse enough to have ties and plateaus."""
    rng = np.random.default_rng(0)
    shapes = []
    for number in range(30):
        length = int(rng.integers(1, 45))
        trend = np.linspace(0, rng.normal(), length) + (np.linspace(-1, 1, length) * rng.normal()) ** 2
        noise = rng.normal(scale=rng.choice([0.05, 0.3, 1.0]), size=length)
        shapes.append(np.round(2 + trend + noise, number % 3))
    return [
        *shapes,
        np.ones(30),
        np.arange(30.0),
        np.arange(30.0)[::-1],
        np.array([1.0, 2, 1, 2, 0, 2, 0, 2, 2, 2, 2, -1]),
        np.repeat([3.0, 2.0, 1.0], 10),
    ]


@pytest.mark.parametrize("patience", PATIENCES)
def test_a_patience_keeps_and_costs_what_the_callback_of_keras_does(patience):
    """Kept epoch and epochs trained equal EarlyStopping(restore_best_weights=True), ties and plateaus included."""
    stopped = 0
    for metric in trajectories():
        expected = stopped_by_keras(metric, patience)
        assert read(Validation(metric), f"patience {patience}") == expected, metric
        stopped += expected.cost < len(metric)
    assert stopped >= 1


@pytest.mark.parametrize("metric", trajectories()[:10])
def test_endless_patience_selects_and_the_last_epoch_is_the_last(metric):
    """`selected` is the first lowest epoch of the whole trajectory, as after a patience beyond its length."""
    selected = read(Validation(metric), "selected")
    assert metric[selected.epoch] == metric.min()
    assert (metric[: selected.epoch] > metric.min()).all()
    assert read(Validation(metric), "patience 1000") == selected
    assert read(Validation(metric), "last") == Kept(len(metric) - 1, len(metric))
    assert selected.cost == len(metric)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_value_that_is_not_finite_ends_the_trajectory(reading, broken):
    """Whatever follows it, better values included, a reading is that of the epochs before."""
    metric = np.array([3.0, 2.0, 2.5, 2.6, broken, 0.1, 0.1])
    assert read(Validation(metric), reading) == read(Validation(metric[:4]), reading)


@pytest.mark.parametrize("reading", READINGS)
def test_a_trajectory_without_a_finite_value_has_no_reading(reading):
    """The error says so, and no epoch's predictions are kept."""
    nothing = Validation(np.full(3, np.nan))
    with pytest.raises(ValueError, match=r"Received: metric=\[nan nan nan\]$"):
        read(nothing, reading)
    assert kept_epochs(nothing) == []


@pytest.mark.parametrize(
    "reading",
    ["best", "Selected", "patience", "patience 0", "patience -1", "patience 2.5", "patience few", ""],
)
def test_an_unknown_reading_is_an_error_that_ends_with_what_came(reading):
    """Only `selected`, `last` and a patience of at least 1 are readings."""
    with pytest.raises(ValueError, match=rf"Received: reading='{reading}'$"):
        read(Validation(np.ones(3)), reading)


@pytest.mark.parametrize("metric", trajectories()[:10])
def test_the_kept_epochs_are_those_of_all_readings(metric):
    """Every epoch that some reading keeps is among them, once and ascending, and no other."""
    epochs = kept_epochs(Validation(metric))
    assert epochs == sorted({read(Validation(metric), reading).epoch for reading in READINGS})
    assert len(metric) - 1 in epochs


def test_a_choice_sees_nothing_but_the_validation_metric():
    """What a reading is given has no field for a figure of the test part."""
    assert [field.name for field in dataclasses.fields(Validation)] == ["metric"]


def test_reading_changes_nothing():
    """The metric that was read is the one that was given."""
    metric = np.array([3.0, 1.0, 2.0, np.nan])
    before = metric.copy()
    for reading in READINGS:
        read(Validation(metric), reading)
    np.testing.assert_array_equal(metric, before)
