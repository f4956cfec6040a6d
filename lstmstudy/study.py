"""The face for notebooks: open a study, compare arms, and look at what was found."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import paths
from lstmstudy.data import open_task
from lstmstudy.plan import make_plan, task_cache
from lstmstudy.progress import progress_bar
from lstmstudy.stats.effects import Effect, bootstrap_interval, improvement_share, log_ratio
from lstmstudy.store import RunStore
from lstmstudy.workers import train_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lstmstudy.data import Fold, TaskInfo
    from lstmstudy.plan import Arm, Plan, Unit
    from lstmstudy.runs import Outcome, Result, Run
    from lstmstudy.techniques import Technique

ALL_TASKS = "all tasks"


class MissingRunsError(RuntimeError):
    """Runs that the machine ended: they have no outcome and enter no number."""


def open_study(profile: str = "default", *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> Study:
    """Return the study of a profile; nothing is trained before an arm is asked for.

    Raises:
        ParamsError: If the profile or anything that it names is wrong.
    """
    return Study(make_plan(profile, store=store, folder=folder), RunStore(store))


class Study:
    """The arms, tasks and outcomes of one profile.

    Args:
        plan: What the profile asks for.
        store: Where outcomes are kept.
    """

    def __init__(self, plan: Plan, store: RunStore) -> None:
        self.plan = plan
        self.store = store
        self.profile = plan.profile
        self._loaded: dict[str, Outcome] = {}

    @property
    def tasks(self) -> tuple[TaskInfo, ...]:
        """The facts about each task."""
        return tuple(task.info for task in self.plan.tasks.values())

    @property
    def baseline(self) -> Arm:
        """The arm with every technique off."""
        return self.plan.baseline

    def arm(self, technique: Technique) -> Arm:
        """Return the arm that switches one technique on, in the profile or not."""
        return self.plan.arm(technique)

    def arms(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms that the profile has of a technique."""
        return self.plan.arms(technique)

    @property
    def all_arms(self) -> tuple[Arm, ...]:
        """The arms of every technique of the profile."""
        return tuple(arm for technique in self.profile.techniques for arm in self.arms(technique))

    def fold(self, task: str, number: int = 0) -> Fold:
        """Return one fold of any task of the catalog, in the profile or not."""
        return open_task(task, task_cache(self.store.folder)).folds[number]

    def outcome(self, run: Run) -> Outcome:
        """Return a stored outcome, read once per study.

        Raises:
            MissingRunsError: If the run has none.
        """
        if run.identity not in self._loaded:
            outcome = self.store.load(run.identity)
            if outcome is None:
                raise MissingRunsError(f"A run has no outcome; `make report` trains it. Received: {run=}")
            self._loaded[run.identity] = outcome
        return self._loaded[run.identity]

    def ablate(self, *arms: Arm) -> Ablation:
        """Return the baseline and `arms` side by side, training only runs that are not stored.

        A run that cannot be trained is named on stderr; its unit enters no number.
        """
        everything = (self.baseline, *(arm for arm in arms if arm != self.baseline))
        runs = self.plan.runs(everything)
        stored = self.store.check(runs)
        missing = [run for identity, run in runs.items() if identity not in stored]
        if missing:
            cache = task_cache(self.store.folder)
            with progress_bar(len(missing)) as bar:

                def keep(outcome: Outcome) -> None:
                    self.store.save(outcome)
                    bar.update()

                failures = train_all(missing, cache, keep=keep)
            for failure in failures:
                print(
                    f"missing: {failure.run.task}, seed {failure.run.seed}: {failure.reason}", file=sys.stderr
                )
        return Ablation(self, everything)


class Ablation:
    """Arms beside their control, unit by unit; reads outcomes, trains nothing.

    Args:
        study: Where the outcomes come from.
        arms: The arms, the baseline first.
    """

    def __init__(self, study: Study, arms: Sequence[Arm]) -> None:
        self.study = study
        self.arms = {arm.name: arm for arm in arms}
        self._units: dict[str, tuple[Unit, ...]] = {}

    @functools.cached_property
    def compared(self) -> tuple[Arm, ...]:
        """The arms other than the baseline."""
        return tuple(arm for arm in self.arms.values() if arm.technique is not None)

    def units(self, task: str) -> tuple[Unit, ...]:
        """Return the units of a task in which every arm has an outcome; only these enter a number.

        Raises:
            MissingRunsError: If there is none.
        """
        if task not in self._units:
            stored = self.study.store.files()
            whole = tuple(
                unit
                for unit in self.study.plan.units(task)
                if all(self.study.plan.run(arm, unit).identity in stored for arm in self.arms.values())
            )
            if not whole:
                raise MissingRunsError(
                    f"No unit has all its runs; `make report` trains them. Received: {task=}"
                )
            self._units[task] = whole
        return self._units[task]

    def outcomes(self, arm: Arm, task: str) -> list[Outcome]:
        """Return the outcomes of an arm, one for each unit of a task."""
        return [self.study.outcome(self.study.plan.run(arm, unit)) for unit in self.units(task)]

    def results(self, arm: Arm, task: str) -> list[Result]:
        """Return the results of an arm, one for each unit of a task."""
        return [outcome.result for outcome in self.outcomes(arm, task)]

    def curves(self, arm: Arm, task: str, part: str, metric: str | None = None) -> np.ndarray:
        """Return a metric on a part (train, validation, test), (n_units, n_epochs); NaN after a divergence."""
        name = metric or self.study.plan.tasks[task].info.metric
        return np.stack([result.curves[f"{part}/{name}"] for result in self.results(arm, task)])

    def kept(self, arm: Arm, task: str, reading: str | None = None) -> np.ndarray:
        """Return the epoch that the reading keeps in each unit, counted from 1, (n_units,); NaN if there is none."""
        return self._keeps(arm, task, reading)[0] + 1

    def cost(self, arm: Arm, task: str, reading: str | None = None) -> np.ndarray:
        """Return the epochs trained until the reading is known, (n_units,)."""
        return self._keeps(arm, task, reading)[1]

    def _keeps(self, arm: Arm, task: str, reading: str | None) -> np.ndarray:
        """Return kept epochs and costs, (2, n_units); NaN where a run diverged before any epoch was scored."""
        kept = [
            result.keeps(reading or arm.reading) if len(result.epochs) else None
            for result in self.results(arm, task)
        ]
        return np.array([(np.nan, np.nan) if each is None else (each.epoch, each.cost) for each in kept]).T

    def seconds(self, arm: Arm, task: str) -> np.ndarray:
        """Return the training seconds of each unit, (n_units,), as recorded when it was trained."""
        return np.array([outcome.record["seconds"] for outcome in self.outcomes(arm, task)])

    def errors(
        self,
        arm: Arm,
        task: str,
        *,
        part: str = "test",
        reading: str | None = None,
        metric: str | None = None,
    ) -> np.ndarray:
        """Return the error of each unit at the kept epoch, (n_units,); NaN where the run diverged."""
        results = self.results(arm, task)
        return np.array([result.error(reading or arm.reading, part, metric) for result in results])

    def references(self, task: str, metric: str | None = None) -> dict[str, np.ndarray]:
        """Return the test error of each simple reference on the fold of each unit, (n_units,)."""
        opened = self.study.plan.tasks[task]
        rows = [opened.references[unit.fold] for unit in self.units(task)]
        return {name: np.array([row[name][metric or opened.info.metric] for row in rows]) for name in rows[0]}

    def log_ratios(
        self, arm: Arm, task: str, *, part: str = "test", control: tuple[Arm, str] | None = None
    ) -> np.ndarray:
        """Return ln(error of the arm / error of its control) per unit, (n_units,); negative is better.

        A diverged run enters with the error of the naive reference (majority class), or with the other
        run's if that is higher; two diverged runs are a tie.

        Args:
            arm: The arm, read as it says.
            task: Name of the task.
            part: Which part's error.
            control: Arm and reading to compare with. Unless given, the baseline read in the same way,
                or at its last epoch where the arm is itself a way to read the baseline.
        """
        reads = arm.technique is not None and arm.technique.is_reading
        against, reading = control or (self.study.baseline, "last" if reads else arm.reading)
        errors = self.errors(arm, task, part=part)
        other = self.errors(against, task, part=part, reading=reading)
        naive = next(iter(self.references(task).values()))
        worst = np.fmax(naive, np.fmax(errors, other))
        return log_ratio(np.where(np.isnan(errors), worst, errors), np.where(np.isnan(other), worst, other))

    def effect(
        self,
        arm: Arm,
        task: str | None = None,
        *,
        part: str = "test",
        control: tuple[Arm, str] | None = None,
    ) -> Effect:
        """Return the effect of an arm on one task, or on all of them with equal weight; see `log_ratios`."""
        tasks = [task] if task else list(self.study.plan.tasks)
        values = {name: self.log_ratios(arm, name, part=part, control=control) for name in tasks}
        folds = {name: [unit.fold for unit in self.units(name)] for name in tasks}
        low, high = bootstrap_interval(values, folds)
        return Effect(
            arm=arm.name,
            technique=arm.technique.name if arm.technique else arm.name,
            variant=arm.technique.variant if arm.technique else "",
            strength=arm.technique.strength if arm.technique else 0.0,
            task=task or ALL_TASKS,
            log_ratios=np.concatenate(list(values.values())),
            estimate=float(np.mean([numbers.mean() for numbers in values.values()])),
            low=low,
            high=high,
            improvement=improvement_share(values),
        )

    def effects(self, task: str | None = None) -> list[Effect]:
        """Return the effect of every arm other than the baseline."""
        return [self.effect(arm, task) for arm in self.compared]

    def arms_of(self, technique: str) -> list[Arm]:
        """Return the arms of one technique."""
        return [arm for arm in self.compared if arm.technique and arm.technique.name == technique]

    def chosen(self, technique: str) -> Arm:
        """Return the arm of a technique with the lowest validation error, over all tasks; no test is seen."""
        return min(self.arms_of(technique), key=lambda arm: self.effect(arm, part="validation").estimate)
