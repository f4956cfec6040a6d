"""A study whose outcomes are made, so that the right verdict is known.

A test module has the fixture by ``pytest_plugins = ["judging"]``.
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from engine import classification_task, forecasting_task, made_result, write_tuned

from lstmstudy import paths
from lstmstudy.data import CATALOG
from lstmstudy.params.profile import load_profile
from lstmstudy.plan import Plan
from lstmstudy.runs import Outcome
from lstmstudy.stats import calibration
from lstmstudy.store.outcomes import MissingRunsError, RunStore
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.contrasts import Judgement
from lstmstudy.verdicts.findings import _overlap
from lstmstudy.verdicts.judging import claims_found
from lstmstudy.verdicts.rows import TECHNIQUE, unit_rows
from lstmstudy.verdicts.shams import known_luck

TASKS = ("sunspots", "mackey_glass", "digits_rows")
PROFILE = """\
tasks: [sunspots, mackey_glass, digits_rows]
techniques: [dropout, recurrent_dropout, l1, l2, l1l2, layer_norm, sham]
compared: [dropout, recurrent_dropout, l1, l2, l1l2, layer_norm]
units: 12
network: {layers: 2, width: 4}
training: {epochs: 12, batch_size: 8, learning_rate: 0.003}
description: {tasks: [digits_rows], units: 1}
"""
HELPS = """\
helps:
  words: Dropout helps.
  chapter: 01_dropout
  contrasts:
    - {arm: dropout per=step, control: baseline, expect: lower}
"""
# Selected is epoch 6; the error in the end is higher by a tenth.
FALLING = np.array([2.0, 1.6, 1.4, 1.2, 1.1, 1.0, 1.02, 1.04, 1.06, 1.07, 1.08, 1.1])


def made_task(name):
    """Return a tiny task of the catalog with the errors of a naive and of a linear method, the same in each fold."""
    info = CATALOG[name]
    if info.kind == "forecasting":
        series = np.sin(np.arange(160) / 3) + 0.1 * np.random.default_rng(2).normal(size=160)
        task = forecasting_task(series, dataclasses.replace(info, n_folds=3))
        folds = tuple(task.folds[k % len(task.folds)] for k in range(info.n_folds))
        errors = {"naive": {"rmse": 4.0, "mae": 3.0}, "AR": {"rmse": 1.2, "mae": 0.9, "train rmse": 1.0}}
    else:
        task = classification_task(info, n_train=(20,) * info.n_folds)
        folds = task.folds
        errors = {
            "majority class": {"cross_entropy": 4.0, "error_rate": 0.9},
            "logistic regression": {"cross_entropy": 1.2, "error_rate": 0.3, "train cross_entropy": 1.0},
        }
    return dataclasses.replace(task, info=info, folds=folds, references=(errors,) * len(folds))


MADE = {name: made_task(name) for name in TASKS}


def name_of(run):
    """Return what a run trains: "baseline" or its technique with its form, such as "dropout step"."""
    words = []
    for technique in run.recipe.techniques:
        settings = technique.settings()
        form = settings.get("per") or settings.get("form") or settings.get("search") or ""
        words.append(f"{technique.name} {form}".strip())
    return " + ".join(words) or "baseline"


@pytest.fixture(scope="module")
def quick():
    """Replay seldom: what such tests prove hangs on no rate."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"REPLAYS": 100, "EACH": 20, "STUDIES": 4, "UNITS": (6, 12, 18)}.items():
            patch.setattr(calibration, name, value)
        yield


class Made:
    """A study of three tasks, twelve units each, whose outcomes are made.

    Args:
        folder: Where its parameters go.
        claims: The text of its claims.
        profile: The text of its profile.
    """

    def __init__(self, folder, claims=HELPS, profile=PROFILE):
        self.folder = folder / "params"
        for part in ("techniques", "designs"):
            shutil.copytree(paths.PARAMS / part, self.folder / part)
        (self.folder / "mine.yaml").write_text(profile, encoding="utf-8")
        write_tuned(self.folder, TASKS, size="2x4")
        self.claims(claims)
        self.plan = self.plan_of(self.folder)
        self.effects = {}  # ln of the factor on the test error, by (name of the run, task) or name
        self.noise = 0.1  # standard deviation of ln of the test error, by unit and arm
        self.base = dict.fromkeys(TASKS, 1.0)  # test error of the baseline at the selected epoch
        self.diverged = set()  # (name of the run, task, seed)
        self.missing = set()  # the same
        self.change = lambda _, result: result  # what else is made of a result

    @staticmethod
    def plan_of(folder):
        """Return the plan of the parameters in a folder."""
        return Plan(load_profile("mine", folder), dict(MADE), folder)

    def claims(self, text):
        """Write the claims."""
        (self.folder / "claims.yaml").write_text(text, encoding="utf-8")

    def outcome(self, run):
        """Return the outcome of a run, made from its name, task and seed alone."""
        name, info = name_of(run), self.plan.tasks[run.task].info
        if (name, run.task, run.seed) in self.missing:
            raise MissingRunsError(f"Received: {run=}")
        words = (
            f"{name} {run.recipe.member} {run.recipe.epochs} {run.task} {run.seed} {run.recipe.learning_rate}"
        )
        rng = np.random.default_rng(list(words.encode()))
        effect = self.effects.get((name, run.task), self.effects.get(name, 0.0))
        factor = self.base[run.task] * np.exp(effect + self.noise * rng.normal())
        validation = FALLING.copy()
        if (name, run.task, run.seed) in self.diverged:
            validation[3:] = np.nan
        result = made_result(
            validation,
            factor * validation,
            metric=info.metric,
            seed=run.seed,
            diverged="training loss nan in epoch 4" if np.isnan(validation[-1]) else None,
        )
        fold = self.plan.tasks[run.task].folds[run.fold]
        predictions = {
            part: rng.uniform(0.01, 1, size=(len(result.epochs), len(getattr(fold, part).y), info.n_outputs))
            for part in ("validation", "test")
        }
        if info.kind == "classification":
            predictions = {part: each / each.sum(axis=2, keepdims=True) for part, each in predictions.items()}
        result = dataclasses.replace(result, predictions=predictions)
        record = {"seconds": 1.0, "prepare_seconds": 0.5, "peak_memory_mib": 100.0}
        record |= {"machine": {"processor": "made"}, "versions": {}, "engine": {}}
        return Outcome(run.identity, self.change(run, result), record)

    def rows(self):
        """Return the table of units, those of claims and of techniques that do nothing."""
        rows, problems = unit_rows(Bench(self.plan, self.outcome))
        self.problems = problems
        return [row for row in rows if row.claim != TECHNIQUE]

    def found(self, rows=None):
        """Return the claims with their verdicts, by id."""
        rows = self.rows() if rows is None else rows
        judgement = Judgement(_overlap(self.plan), known_luck(rows))
        claims = claims_found(self.plan.profile, self.folder, rows, judgement)
        return {claim.id: claim for claim in claims}

    def verdict(self, claim="helps"):
        """Return the verdict on a claim."""
        return self.found()[claim].verdict

    def store(self, folder):
        """Save the outcome of every run that is not missing, and return the store."""
        store = RunStore(folder)
        for run in self.plan.all_runs.values():
            if (name_of(run), run.task, run.seed) not in self.missing:
                store.save(self.outcome(run))
        return store
