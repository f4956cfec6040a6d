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

from lstmstudy import metrics
from lstmstudy.program import Program
from lstmstudy.readings import Validation, kept_epochs, read
from lstmstudy.runs import ENGINE, Outcome, Result, versions
from lstmstudy.streams import generator

if TYPE_CHECKING:
    from lstmstudy.data import Fold, Task, TaskInfo
    from lstmstudy.recipe import Recipe
    from lstmstudy.runs import Run

PARTS = ("train", "validation", "test")


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
    """Train one run to its full length and return its outcome.

    Training and evaluation use compiled functions that are shared by all runs of a structure; every
    variable and stream is put back before, so that nothing depends on what ran earlier.

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
    program.start(run.recipe, run.seed)
    if program.compiled == 0:
        program.train_epoch(x_train, y_train, np.zeros(0, np.int32), np.zeros(1))
        program.recompute_statistics(x_train, len(fold.train.y))
        program.predict(x_all)
        program.start(run.recipe, run.seed)
    ready = time.perf_counter()

    trajectory = _Trajectory(task.info, fold, run.recipe.epochs)
    pairing = {path: _digest(weight) for path, weight in program.weights().items()}
    rows = _rows(run, fold, task.info)
    rng, orders = generator(run.seed, run.recipe.role("batches")), hashlib.sha256()
    rates = _rates(run.recipe, -(-len(rows) // run.recipe.batch_size))
    for epoch in range(run.recipe.epochs):
        order = rows[rng.permutation(len(rows))]
        orders.update(order.tobytes())
        loss = program.train_epoch(x_train, y_train, order, rates[epoch])
        figures = program.figures()
        program.recompute_statistics(x_train, len(fold.train.y))
        if not trajectory.add(epoch, loss, program.predict(x_all), figures):
            break
        if trajectory.is_best(epoch):
            trajectory.weights = program.weights()
    pairing["batches"] = orders.hexdigest()
    seconds = {"train": time.perf_counter() - ready, "prepare": ready - began}
    return Outcome(run.identity, trajectory.result(pairing), _record(seconds))


class _Trajectory:
    """Collects the figures of every epoch of one run."""

    def __init__(self, info: TaskInfo, fold: Fold, epochs: int) -> None:
        self.info = info
        self.fold = fold
        self.curves = {"loss": np.full(epochs, np.nan)}
        for part in PARTS:
            for metric in (info.metric, info.secondary):
                self.curves[f"{part}/{metric}"] = np.full(epochs, np.nan)
        self.outputs: list[np.ndarray] = []
        self.weights: dict[str, np.ndarray] = {}
        self.diverged: str | None = None

    def add(self, epoch: int, loss: float, outputs: np.ndarray, figures: dict[str, float]) -> bool:
        """Score one epoch; return False, with the reason kept, if a figure is not finite.

        Args:
            epoch: Which epoch, from 0.
            loss: Mean loss over the epoch's updates, in training mode.
            outputs: Values or probabilities of all parts, (n_rows, n_outputs).
            figures: What techniques measured, by the name of the curve.
        """
        ends = np.cumsum([0, *(len(getattr(self.fold, part).y) for part in PARTS)])
        if not np.isfinite(loss):
            self.diverged = f"training loss {loss} in epoch {epoch + 1}"
            return False
        if not np.isfinite(outputs[: ends[-1]]).all():
            self.diverged = f"predictions not finite after epoch {epoch + 1}"
            return False
        self.curves["loss"][epoch] = loss
        for name, value in figures.items():
            self.curves.setdefault(name, np.full(len(self.curves["loss"]), np.nan))[epoch] = value
        for part, begin, end in zip(PARTS, ends[:-1], ends[1:], strict=True):
            for metric in (self.info.metric, self.info.secondary):
                score = getattr(metrics, metric)(outputs[begin:end], getattr(self.fold, part).y)
                self.curves[f"{part}/{metric}"][epoch] = score
        self.outputs.append(outputs[: ends[-1]])
        return True

    @property
    def validation(self) -> Validation:
        """What choices may see."""
        return Validation(self.curves[f"validation/{self.info.metric}"])

    def is_best(self, epoch: int) -> bool:
        """Whether this is the selected epoch so far."""
        return read(self.validation, "selected").epoch == epoch

    def result(self, pairing: dict[str, str]) -> Result:
        """Return everything, with the predictions of the epochs that some reading keeps."""
        epochs = kept_epochs(self.validation)
        n_train, n_validation = len(self.fold.train.y), len(self.fold.validation.y)
        n_rows = n_train + n_validation + len(self.fold.test.y)
        kept = (
            np.stack([self.outputs[e] for e in epochs])
            if epochs
            else np.zeros((0, n_rows, self.info.n_outputs))
        )
        kept = kept.astype(np.float32)
        predictions = {
            "validation": kept[:, n_train : n_train + n_validation],
            "test": kept[:, n_train + n_validation :],
        }
        return Result(
            self.info.metric,
            self.curves,
            np.array(epochs, np.int64),
            predictions,
            self.weights,
            pairing,
            self.diverged,
        )


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


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


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
