"""train(run) -> outcome: a pure function of the run's identity."""

from __future__ import annotations

import functools
import hashlib
import platform
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lstmstudy.runs import ENGINE, Outcome, versions
from lstmstudy.stages import in_stage
from lstmstudy.streams import generator
from lstmstudy.training.program import Program
from lstmstudy.training.staging import Networks
from lstmstudy.training.trajectory import PARTS, Trajectory

if TYPE_CHECKING:
    from lstmstudy.data import Fold, Task, TaskInfo
    from lstmstudy.recipe import Recipe
    from lstmstudy.runs import Run

_PROGRAMS: dict[tuple[Any, ...], Program] = {}  # compiled structures, the oldest first
_MOST_PROGRAMS = 8


def _program(recipe: Recipe, info: TaskInfo, n_train: int) -> Program:
    """Return the compiled program of the recipe's structure, kept for later runs."""
    key = (recipe.structure(), info, n_train)
    if key not in _PROGRAMS:
        if len(_PROGRAMS) >= _MOST_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        _PROGRAMS[key] = Program(recipe, info, n_train)
    return _PROGRAMS[key]


def train(run: Run, task: Task) -> Outcome:
    """Train one run to its full length, or until it diverges, and return its outcome.

    Training and evaluation use compiled functions that are shared by all runs of a structure; every
    variable and stream is reset first, so that nothing depends on what ran earlier.

    Args:
        run: What to train.
        task: The opened task that the run names.

    Raises:
        ValueError: If the task is not the one that the run names.
    """
    if task.content != run.content:
        raise ValueError(f"The run was planned on other data of {run.task}. Received: content={task.content}")
    began = time.perf_counter()
    fold = task.folds[run.fold]
    n_train = max(len(each.train.y) for each in task.folds)  # one shape for all folds: one compilation
    program = _program(run.recipe, task.info, n_train)
    parts = {part: getattr(fold, part) for part in PARTS}
    x_train, y_train = (tf.constant(_padded(array, n_train)) for array in (fold.train.x, fold.train.y))
    n_all = max(sum(len(getattr(each, part).y) for part in PARTS) for each in task.folds)
    x_all = tf.constant(_padded(np.concatenate([part.x for part in parts.values()]), n_all))
    if program.compiled == 0:  # compile now, so that the seconds of the record are those of training
        program.start(run.recipe, run.seed)
        program.train_epoch(x_train, y_train, np.zeros(0, np.int32), np.zeros(1))
        program.recompute_statistics(x_train, len(fold.train.y))
        program.predict(x_all)
    ready = time.perf_counter()

    stages = run.recipe.stages
    networks = Networks(stages, classifies=program.classifies)
    trajectory = Trajectory(task.info, fold, stages.length)
    rows = _rows(run, fold, task.info)
    rates = _rates(run.recipe, -(-len(rows) // run.recipe.batch_size))
    digests = {}  # of all that pairs this run with another: initial weights and batch order
    for epoch in range(stages.length):
        if stages.starts(epoch):
            stage = stages.at(epoch)
            offset = networks.offset(len(fold.train.y))
            program.start(run.recipe, run.seed, stage, _padded(offset, n_train))
            for path, weight in program.weights().items():
                digests[in_stage(stage, path)] = hashlib.sha256(weight.tobytes())
            batches = in_stage(stage, "batches")
            digests[batches] = hashlib.sha256()
            rng = generator(run.seed, run.recipe.role(batches))
        order = rows[rng.permutation(len(rows))]
        digests[batches].update(order.tobytes())
        loss = program.train_epoch(x_train, y_train, order, rates[epoch % run.recipe.epochs])
        figures = program.figures()
        program.recompute_statistics(x_train, len(fold.train.y))
        outputs = program.predict(x_all)
        if not trajectory.add(epoch, loss, networks.predict(outputs), figures):
            break
        networks.after(epoch, outputs, program.weights, trajectory)
    pairing = {name: digest.hexdigest() for name, digest in digests.items()}
    seconds = {"train": time.perf_counter() - ready, "prepare": ready - began}
    return Outcome(run.identity, trajectory.result(networks.weights, pairing), _record(seconds))


def _rows(run: Run, fold: Fold, info: TaskInfo) -> np.ndarray:
    """Return the training samples of a run, each once unless a technique draws them, (n_train,)."""
    n = len(fold.train.y)
    for technique in run.recipe.techniques:
        rows = technique.rows(n, info, generator(run.seed, run.recipe.role(f"rows/{technique.name}")))
        if rows is not None:
            return rows.astype(np.int32)
    return np.arange(n, dtype=np.int32)


def _rates(recipe: Recipe, n_batches: int) -> np.ndarray:
    """Return the learning rate of every update, (epochs, n_batches)."""
    updates = recipe.epochs * n_batches
    rates = np.full(updates, recipe.learning_rate)
    for technique in recipe.techniques:
        factors = technique.learning_rate(np.arange(updates), updates)
        rates = rates if factors is None else rates * factors
    return rates.reshape(recipe.epochs, n_batches)


def _padded(array: np.ndarray, rows: int) -> np.ndarray:
    """Return `array` with zero rows at its end; they carry no weight in training and no score."""
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), array.dtype)])


def _record(seconds: dict[str, float]) -> dict[str, Any]:
    """Return how and where the run was trained."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds["train"],
        "prepare_seconds": seconds["prepare"],
        "peak_memory_mib": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "python": platform.python_version(),
        },
        "versions": versions(),
        "engine": ENGINE,
        "finished": time.time(),
    }


@functools.cache
def _processor() -> str:
    """Return the name of the processor, as precisely as the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
