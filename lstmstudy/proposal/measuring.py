"""How long a run takes here: the baseline and a dear technique, really trained, side by side as in a study."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.cache import cache_path, write_task
from lstmstudy.data.task import PARTS, Part, Task, content_hash
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Run
from lstmstudy.techniques import RecurrentDropout
from lstmstudy.workers.pool import train_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lstmstudy.runs import Outcome

_SAMPLES = 1000  # of training, or four batches: enough to see how long one takes
_STEPS = 1200  # time steps that a sample goes through, epoch after epoch
_REFERENCE = 2.5  # seconds that a structure compiles where the following were measured
_STARTING = 10.0  # seconds until workers train, and the plan is made
_JUDGING = 40.0  # seconds until all claims are judged, on one core
_NOTEBOOKS = 140.0  # core-seconds of a dozen notebooks and their pages


@dataclass(frozen=True)
class Pace:
    """How fast this machine trains a task.

    Attributes:
        epoch: Seconds of an epoch of one run.
        compiling: Seconds that the first run of a structure takes in addition.
    """

    epoch: float
    compiling: float

    def training(self, runs: Iterable[Run], cores: int) -> float:
        """Return the seconds until all runs of a study are trained on so many cores."""
        runs = list(runs)
        epochs = sum(run.recipe.epochs for run in runs)
        structures = len({run.group for run in runs})
        return (epochs * self.epoch + structures * self.compiling) / cores

    def reporting(self, cores: int) -> float:
        """Return the seconds that a report takes beside training: starting, judging, notebooks and page."""
        return (_STARTING + _JUDGING + _NOTEBOOKS / cores) * self.compiling / _REFERENCE


def measure_pace(task: Task, width: int, batch_size: int) -> Pace:
    """Return how fast two workers of this machine train a task together.

    A part of its last fold is trained, and the seconds are scaled to the whole of it.

    Args:
        task: The task.
        width: Units of each of the two LSTM layers.
        batch_size: Samples in one update.

    Raises:
        ParamsError: If the baseline cannot be trained here.
    """
    few, share = _cut(task, max(_SAMPLES, 4 * batch_size))
    epochs = int(np.clip(_STEPS // task.info.window, 3, 40))
    baseline = Recipe(width=width, epochs=epochs, batch_size=batch_size)
    recipes = (baseline, baseline.adding(RecurrentDropout(0.3, "step")))
    runs = [Run(recipe, task.info.name, few.content, 0, 0) for recipe in recipes]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        write_task(cache_path(Path(folder), task.info.name), few)
        failures = train_all(runs, Path(folder), keep=outcomes.append)
    if failures:
        raise ParamsError(
            f"The network cannot be trained on this table here: {failures[0].reason}. Expected memory for it: take a "
            f"shorter table. Received: window={task.info.window}"
        )
    return Pace(
        epoch=float(np.mean([_epoch(outcome) for outcome in outcomes])) / share,
        compiling=float(np.mean([outcome.record["prepare_seconds"] for outcome in outcomes])),
    )


def _epoch(outcome: Outcome) -> float:
    """Return the seconds of one epoch; a run that diverged had fewer than planned."""
    trained = int(np.isfinite(outcome.result.curves["loss"]).sum())
    return float(outcome.record["seconds"]) / max(trained, 1)


def _cut(task: Task, most: int) -> tuple[Task, float]:
    """Return a task of the first samples of the last fold, and which share of them these are."""
    fold = task.folds[-1]
    share = min(1.0, most / len(fold.train.y))
    train, validation, test = (_first(getattr(fold, part), share) for part in PARTS)
    info, folds = (
        replace(task.info, n_folds=1),
        (replace(fold, train=train, validation=validation, test=test),),
    )
    return Task(info, folds, task.references[-1:], None, content_hash(info, folds)), share


def _first(part: Part, share: float) -> Part:
    n = max(1, round(share * len(part.y)))
    return Part(part.x[:n], part.lengths[:n], part.y[:n], part.indices[:n])


class Measured:
    """The pace for each width and batch size, measured when it is first asked for.

    Args:
        task: What is trained.
        measure: As `measure_pace`.
    """

    def __init__(self, task: Task, measure: Callable[[Task, int, int], Pace] = measure_pace) -> None:
        self.task = task
        self.measure = measure
        self.known: dict[tuple[int, int], Pace] = {}

    def pace(self, width: int, batch_size: int) -> Pace:
        """Return the pace of a network of this width at this batch size."""
        key = width, batch_size
        if key not in self.known:
            self.known[key] = self.measure(self.task, width, batch_size)
        return self.known[key]
