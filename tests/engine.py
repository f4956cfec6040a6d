"""Tiny tasks, arms and outcomes for the tests of the engine; TensorFlow is loaded by what trains."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from lstmstudy.data import CATALOG, Fold, Part, Task, TaskInfo
from lstmstudy.data.cache import cache_path, write_task
from lstmstudy.data.folds import forecasting_folds
from lstmstudy.data.task import digest, fold_arrays
from lstmstudy.params.grids import load_technique
from lstmstudy.params.search import Tuning, drawn, ends, entry_key
from lstmstudy.params.tuned import Found, Trained, Trial, Tuned, save_tuned
from lstmstudy.readings import Validation, kept_epochs
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Outcome, Result, Run
from lstmstudy.techniques import TECHNIQUES, Dropout, RecurrentDropout

RECIPE = Recipe(layers=2, width=4, epochs=3, batch_size=8, learning_rate=0.01)
ON = {  # one arm for each form of each technique that changes training
    "dropout per step": Dropout(0.3),
    "dropout per sequence": Dropout(0.3, "sequence"),
    "recurrent dropout per step": RecurrentDropout(0.3, "step"),
    "recurrent dropout per sequence": RecurrentDropout(0.3, "sequence"),
    "recurrent dropout on the candidate": RecurrentDropout(0.3, "candidate"),
}
ARMS = {"baseline": RECIPE, **{name: RECIPE.adding(technique) for name, technique in ON.items()}}
BOTH = RECIPE.adding(Dropout(0.3), RecurrentDropout(0.3, "candidate"))

WAVES = TaskInfo(
    name="waves",
    title="Waves",
    kind="forecasting",
    n_folds=2,
    n_features=1,
    n_outputs=1,
    window=6,
    horizon=1,
    period=5,
    unit="1",
    source="Made here.",
    description="The next value of a noisy wave.",
)
SYLLABLES = TaskInfo(
    name="syllables",
    title="Syllables",
    kind="classification",
    n_folds=2,
    n_features=2,
    n_outputs=3,
    window=7,
    horizon=0,
    period=0,
    unit="class",
    source="Made here.",
    description="Which of three slopes a short sequence has.",
    variable_length=True,
)


def wave():
    """Return a raw series of 90 values; training parts of 48 and 59 targets follow from it."""
    return np.sin(np.arange(90) / 3) + 0.1 * np.random.default_rng(0).normal(size=90)


def forecasting_task(series, info=WAVES):
    """Return a task on a raw series, split as the study splits."""
    folds = forecasting_folds(series, info)
    references = tuple({"naive": {"rmse": 1.0, "mae": 0.8}} for _ in folds)
    return Task(info, folds, references, None, digest(fold_arrays(folds), info.name))


def sequences(rng, n, info=SYLLABLES):
    """Return a part of `n` labelled sequences of 3 to T steps, padded with zeros at their ends."""
    y = np.arange(n, dtype=np.int32) % info.n_outputs
    lengths = rng.integers(min(3, info.window), info.window + 1, size=n).astype(np.int32)
    x = rng.normal(size=(n, info.window, info.n_features)) + y[:, None, None]
    x[np.arange(info.window) >= lengths[:, None]] = 0
    return Part(x.astype(np.float32), lengths, y, np.arange(n, dtype=np.int64))


def classification_task(info=SYLLABLES, n_train=(17, 21)):
    """Return a task of padded sequences with one fold for each size of the training part."""
    rng = np.random.default_rng(1)
    folds = tuple(
        Fold(*(sequences(rng, size, info) for size in (n, 9, 12)), center=0.0, scale=1.0) for n in n_train
    )
    references = tuple({"majority": {"cross_entropy": 1.1, "error_rate": 0.67}} for _ in folds)
    return Task(info, folds, references, None, digest(fold_arrays(folds), info.name))


@functools.cache
def waves():
    """Return the tiny forecasting task."""
    return forecasting_task(wave())


@functools.cache
def syllables():
    """Return the tiny classification task of variable length."""
    return classification_task()


def run_of(task, recipe=RECIPE, *, fold=0, seed=0):
    """Return the run of a recipe on a task."""
    return Run(recipe, task.info.name, task.content, fold, seed)


def train_afresh(task, recipe=RECIPE, *, fold=0, seed=0):
    """Train a run now, whatever was trained before, and return its result."""
    from lstmstudy.training.train import train

    return train(run_of(task, recipe, fold=fold, seed=seed), task).result


@functools.cache
def trained(arm="baseline", seed=0):
    """Return the result of an arm on the waves, trained once for all tests that only look at it."""
    return train_afresh(waves(), ARMS[arm], seed=seed)


def forced(technique, recipe=RECIPE):
    """Return a recipe with a technique on even where its settings are off."""
    copy = dataclasses.replace(recipe)
    object.__setattr__(copy, "techniques", (technique,))
    return copy


def stand_in(cache, name):
    """Put a tiny task in the place where `open_task` finds the named one, and return it."""
    info = CATALOG[name]
    if info.kind == "forecasting":
        series = np.sin(np.arange(120) / 3) + 0.1 * np.random.default_rng(2).normal(size=120)
        task = forecasting_task(series, info)
    else:
        task = classification_task(info, n_train=(20,) * info.n_folds)
    write_task(cache_path(cache, name), task)
    return task


def made_result(validation, test=None, *, metric="rmse", diverged=None, seed=0):
    """Return a result with these curves, as training would return it; NaN where it ended early."""
    rng = np.random.default_rng(seed)
    validation = np.asarray(validation, dtype=np.float64)
    test = validation + 0.1 if test is None else np.asarray(test, dtype=np.float64)
    epochs = np.array(kept_epochs(Validation(validation)), np.int64)
    secondary = "mae" if metric == "rmse" else "error_rate"
    curves = {"loss": validation**2}
    for part, curve in {"train": validation - 0.1, "validation": validation, "test": test}.items():
        curves[f"{part}/{metric}"] = curve
        curves[f"{part}/{secondary}"] = curve / 2
    predictions = {
        "validation": rng.normal(size=(len(epochs), 5, 1)).astype(np.float32),
        "test": rng.normal(size=(len(epochs), 4, 1)).astype(np.float32),
    }
    weights = {"lstm_1/kernel": rng.normal(size=(1, 8)).astype(np.float32)} if len(epochs) else {}
    pairing = {"lstm_1/kernel": "ab" * 32, "batches": "cd" * 32}
    return Result(metric, curves, epochs, predictions, weights, pairing, diverged)


def write_tuned(folder, tasks, size="2x32"):
    """Write a ``tuned.yaml`` in which every arm of the shipped techniques has one trial, at its weakest."""
    rates = Tuning().learning_rate
    trained = Trained(epochs=3, batch_size=8, seeds=(1000,))
    found = {}
    for key, entry in {"baseline": {}, **searched()}.items():
        trial = Trial(learning_rate=0.002, settings=ends(entry)[0], validation=1.0)
        ranges = {"learning_rate": rates, **drawn(entry)}
        found[key] = Found(best=trial, trained=trained, search=ranges, trials=[trial])
    save_tuned(Tuned({size: dict.fromkeys(tasks, found)}), folder)


def searched():
    """Return the entries of every shipped technique's search by key."""
    return {entry_key(name, entry): entry for name in TECHNIQUES for entry in load_technique(name).tuned}


def made_outcome(identity, result, seconds=1.5):
    """Return an outcome of a result, with a record as training writes it."""
    record = {"seconds": seconds, "machine": {"processor": "a processor"}, "finished": 1e9}
    return Outcome(identity, result, record)
