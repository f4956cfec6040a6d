"""Where techniques are measured: two tiny tasks, a tiny network, and a process that is left as it was."""

from __future__ import annotations

import contextlib
import functools
import random
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from lstmstudy.data import Fold, Part, Task, TaskInfo
from lstmstudy.data.task import content_hash
from lstmstudy.recipe import Recipe
from lstmstudy.streams import generator
from lstmstudy.training import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lstmstudy.techniques import Technique

SEED = 0
STREAM = "seed_generator_state"  # what Keras calls the state of a stream
STEPS = 3
RECIPE = Recipe(layers=2, width=4, epochs=1, batch_size=8, learning_rate=0.02)
_ROWS = 16  # two batches: with one, Adam's first step would hide the length of a gradient
EPOCHS = 7  # of what reads a trajectory, and the most that a recipe may ask for


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Measure the same every time, and leave the process as it was, random generators included.

    A process that already uses more threads than the study may measure too: nothing is timed here, and
    nothing is compared bit by bit with another process.
    """
    limit = program.limit_threads
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with contextlib.suppress(RuntimeError):
        limit()
    program.limit_threads = lambda: None
    random.seed(SEED)  # Keras takes the seeds from there that nobody gives
    try:
        yield
    finally:
        program.limit_threads = limit
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Run compiled functions line by line: for a few updates that takes less time than compiling."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def fitting_task(technique: Technique) -> Task:
    """Return the tiny task of forecasting, or that of classification if a technique makes no sense there."""
    forecasting = tiny_task("forecasting")
    return tiny_task("classification") if technique.unfit(forecasting.info) else forecasting


def fitting_recipe(technique: Technique) -> Recipe:
    """Return the tiny recipe in as few epochs as a technique accepts; one that reads them gets many."""
    if technique.is_reading:
        return _with_epochs(EPOCHS)
    for epochs in range(1, EPOCHS):
        try:
            _with_epochs(epochs).adding(technique)
        except ValueError:
            continue
        return _with_epochs(epochs)
    return RECIPE


def _with_epochs(epochs: int) -> Recipe:
    return Recipe(RECIPE.layers, RECIPE.width, epochs, RECIPE.batch_size, RECIPE.learning_rate)


@functools.cache
def tiny_task(kind: str) -> Task:
    """Return a task of one fold; what fits its training part does not fit its validation part.

    So an early epoch is the best one, and a reading that keeps it can be told from one that does not.
    """
    classifies = kind == "classification"
    info = TaskInfo(
        name=f"semantics_{kind}",
        title="Semantics",
        kind="classification" if classifies else "forecasting",
        n_folds=1,
        n_features=1,
        n_outputs=2 if classifies else 1,
        window=STEPS,
        horizon=0 if classifies else 1,
        period=0 if classifies else STEPS,
        unit="class" if classifies else "1",
        source="Made here.",
        description="The sign of a mean, or three times that mean.",
    )
    train, validation, test = (_part(part, classifies=classifies) for part in ("train", "validation", "test"))
    fold = Fold(train, validation, test, center=0.0, scale=1.0)
    return Task(info, (fold,), ({},), None, content_hash(info, (fold,)))


def _part(name: str, *, classifies: bool) -> Part:
    x = generator(SEED, f"semantics/{name}").normal(size=(_ROWS, STEPS, 1)).astype(np.float32)
    y = 3 * x.mean(axis=1) * (1 if name == "train" else -1)  # long gradients, which clipping shortens
    y = (y[:, 0] > 0).astype(np.int32) if classifies else y
    return Part(x, np.full(_ROWS, STEPS, np.int32), y, np.arange(_ROWS))
