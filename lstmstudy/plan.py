"""The whole study as a list of runs, from the parameters alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lstmstudy import params, paths
from lstmstudy.data import open_task
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lstmstudy.data import Task, TaskInfo
    from lstmstudy.params import Profile
    from lstmstudy.store import RunStore
    from lstmstudy.techniques import Technique

BASELINE = "baseline"
OVERFITTING = "00_overfitting"  # needs the baseline alone
COMPARISON = "99_comparison"  # needs every arm
_GUESS = 2.0  # seconds of a run before any was measured
COMPILING = 5.0  # seconds that the first run of a structure takes beside its training


@dataclass(frozen=True)
class Arm:
    """A named recipe inside an ablation and how its trajectories are read.

    Attributes:
        name: Label, unique in the study.
        recipe: What is trained.
        reading: Which epoch counts.
        technique: The technique whose strength the arm varies; None for the baseline.
    """

    name: str
    recipe: Recipe
    reading: str = "selected"
    technique: Technique | None = None


@dataclass(frozen=True)
class Unit:
    """What an arm and its control share: task, fold and seed."""

    task: str
    fold: int
    seed: int


@dataclass(frozen=True)
class Plan:
    """The arms of each notebook and the runs that they need.

    Args:
        profile: The checked parameters.
        tasks: The opened tasks by name.
        folder: Where the parameters came from.
    """

    profile: Profile
    tasks: dict[str, Task]
    folder: Path = field(default=paths.PARAMS)

    @functools.cached_property
    def baseline(self) -> Arm:
        """The arm with every technique off."""
        size, training = self.profile.network, self.profile.training
        recipe = Recipe(size.layers, size.width, training.epochs, training.batch_size, training.learning_rate)
        return Arm(BASELINE, recipe)

    @property
    def infos(self) -> tuple[TaskInfo, ...]:
        """The facts about each task."""
        return tuple(task.info for task in self.tasks.values())

    def arm(self, technique: Technique) -> Arm:
        """Return the arm that switches one technique on."""
        from lstmstudy.techniques import EarlyStopping

        if isinstance(technique, EarlyStopping):
            return Arm(technique.label, self.baseline.recipe, technique.reading, technique)
        return Arm(technique.label, self.baseline.recipe.adding(technique), technique=technique)

    def arms(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms of a technique: one for each point of its grid."""
        return tuple(self.arm(settings) for settings in params.grid_of(self.profile, technique, self.folder))

    @functools.cached_property
    def notebooks(self) -> dict[str, tuple[Arm, ...]]:
        """The arms that each notebook needs, the baseline first."""
        chapters: dict[str, list[Arm]] = {OVERFITTING: [], COMPARISON: []}
        for name in self.profile.techniques:
            arms = self.arms(name)
            chapters.setdefault(params.load_technique(name, self.folder).notebook, []).extend(arms)
            chapters[COMPARISON].extend(arms)
        return {name: (self.baseline, *arms) for name, arms in sorted(chapters.items())}

    def units(self, task: str) -> tuple[Unit, ...]:
        """Return the units of a task: seed k on fold k mod F."""
        n_folds = len(self.tasks[task].folds)
        return tuple(Unit(task, seed % n_folds, seed) for seed in range(self.profile.units))

    def run(self, arm: Arm, unit: Unit) -> Run:
        """Return the run of an arm in a unit."""
        return Run(arm.recipe, unit.task, self.tasks[unit.task].content, unit.fold, unit.seed)

    def runs(self, arms: Iterable[Arm]) -> dict[str, Run]:
        """Return the distinct runs of some arms on all tasks, by identity."""
        runs = (
            self.run(arm, unit) for arm in arms for task in self.profile.tasks for unit in self.units(task)
        )
        return {run.identity: run for run in runs}


def make_plan(profile: str, *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> Plan:
    """Check the parameters of a profile, open its tasks and return its plan.

    Raises:
        ParamsError: If anything in the parameters is wrong.
    """
    checked = params.load_profile(profile, folder)
    return Plan(checked, {name: open_task(name, task_cache(store)) for name in checked.tasks}, folder)


def task_cache(store: Path) -> Path:
    """Return where prepared tasks lie, beside the outcomes."""
    return store / "tasks"


def expected_seconds(missing: Sequence[Run], known: Iterable[Run], store: RunStore) -> float:
    """Return how long the missing runs will train in sum, judged by stored runs of the same kind.

    A run takes the mean of up to three stored runs of its task and structure, else of its task, else
    of all, scaled by the number of epochs. Every structure among them is compiled once.
    """
    sample: dict[tuple[object, ...], list[float]] = {}
    files = store.files()
    for run in known:
        if run.identity not in files or len(sample.get(run.group, ())) >= 3:
            continue
        record = store.record(run.identity)
        if record is not None:
            for key in (run.group, (run.task,), ()):
                sample.setdefault(key, []).append(record["seconds"] / run.recipe.epochs)

    def seconds(run: Run) -> float:
        for key in (run.group, (run.task,), ()):
            if key in sample:
                return run.recipe.epochs * sum(sample[key]) / len(sample[key])
        return _GUESS

    return sum(map(seconds, missing)) + COMPILING * len({run.group for run in missing})
