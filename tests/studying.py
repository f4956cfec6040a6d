"""A study of tiny tasks whose training is replaced by something instant.

A test module has the fixture by ``pytest_plugins = ["studying"]``.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from engine import made_outcome, made_result, stand_in, write_tuned

from lstmstudy import paths
from lstmstudy.data.cache import task_cache
from lstmstudy.study.study import open_study
from lstmstudy.workers.pool import Failure

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, recurrent_dropout, early_stopping]
units: 5
network:
  layers: 2
  width: 8
training:
  epochs: 12
  batch_size: 32
  learning_rate: 0.003
grids:
  dropout:
    rate: [0.1, 0.3, 0.5]
    per: [step]
  recurrent_dropout:
    rate: [0.2]
  early_stopping:
    patience: [1, 3]
"""
EPOCHS = 12
TASKS = {"sunspots": "rmse", "digits_rows": "cross_entropy"}


class Bench:
    """A study of tiny tasks whose training is replaced by something instant."""

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "store"
        self.trained = []
        self.failing = set()  # identities
        shutil.copytree(paths.PARAMS / "techniques", folder / "params" / "techniques")
        (folder / "params" / "mine.yaml").write_text(PROFILE, encoding="utf-8")
        write_tuned(folder / "params", TASKS)
        self.tasks = {name: stand_in(task_cache(self.store), name) for name in TASKS}

    def open(self, store=None):
        """Return the study, opened anew."""
        return open_study("mine", store=store or self.store, folder=self.folder / "params")

    def train_all(self, runs, cache, *, keep, lanes, limit):
        """Hand over an outcome for every run, and failures for those that fail."""
        del lanes, limit
        assert cache == task_cache(self.store)
        self.trained += [run.identity for run in runs]
        for run in runs:
            if run.identity not in self.failing:
                keep(made_outcome(run.identity, curves_of(run), seconds=run.recipe.epochs / 10))
        return [Failure(run, "its worker ended twice") for run in runs if run.identity in self.failing]


def curves_of(run):
    """Return a result with curves drawn from the run's identity; dropout .3 is best on validation."""
    rng = np.random.default_rng(int(run.identity[:12], 16))
    shift = 0.0
    for technique in run.recipe.techniques:
        shift = abs(technique.rate - 0.3) - 0.4
    validation = 2 + shift + 0.1 * rng.normal(size=EPOCHS) + 0.3 * (np.linspace(-1, 1, EPOCHS) - 0.2) ** 2
    test = validation + 0.1 * rng.normal(size=EPOCHS)
    return made_result(validation, test, metric=TASKS[run.task], seed=run.seed)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a bench whose study trains on it."""
    made = Bench(tmp_path)
    monkeypatch.setattr("lstmstudy.workers.missing.train_all", made.train_all)
    return made


def put(opened, arm, task, results):
    """Store these results as those of an arm in the units of a task."""
    for unit, result in zip(opened.plan.units(task, arm.units), results, strict=True):
        opened.store.save(made_outcome(opened.plan.run(arm.recipe, unit).identity, result))


def constant(error, *, metric="rmse", diverged=None):
    """Return a result whose errors are one number on validation and test."""
    curve = np.full(EPOCHS, np.nan if diverged else error)
    return made_result(curve, curve, metric=metric, diverged=diverged)
