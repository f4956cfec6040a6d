"""Arms beside their control, unit by unit: curves, errors, effects, and the choice by validation."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.stats.effects import Effect, improvement_share, log_ratio
from lstmstudy.stats.ensembles import combined
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.store import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmstudy.arms import Arm, Unit
    from lstmstudy.data import TaskInfo
    from lstmstudy.plan import Plan
    from lstmstudy.recipe import Recipe
    from lstmstudy.runs import Outcome, Result, Run

ALL_TASKS = "all tasks"


def single(arm: Arm, recipe: Recipe) -> Arm:
    """Return one model of an ensemble as an arm."""
    return dataclasses.replace(arm, recipe=recipe, recipes=(), technique=None)


class Ablation:
    """Arms beside their control, unit by unit; reads outcomes, trains nothing.

    Args:
        plan: Tasks, units and the baseline.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        arms: The arms, the baseline first.
    """

    def __init__(self, plan: Plan, outcome: Callable[[Run], Outcome], arms: Sequence[Arm]) -> None:
        self.plan = plan
        self.outcome = outcome
        self.arms = {arm.name: arm for arm in arms}
        self._units: dict[str, tuple[Unit, ...]] = {}

    @functools.cached_property
    def compared(self) -> tuple[Arm, ...]:
        """The arms that have a control, and with it an outcome in at least one unit."""
        return tuple(
            arm
            for arm in self.arms.values()
            if arm.control is not None and any(self.fits(arm, task) for task in arm.tasks)
        )

    @functools.cached_property
    def controls(self) -> tuple[Arm, ...]:
        """What the arms are compared with, each once; of arms without a control, these themselves."""
        controls = [arm.control for arm in self.compared if arm.control is not None]
        return tuple(dict.fromkeys(controls)) or tuple(self.arms.values())

    @property
    def control(self) -> Arm:
        """The first control."""
        return self.controls[0]

    @functools.cached_property
    def infos(self) -> tuple[TaskInfo, ...]:
        """The facts about each task on which all arms are trained, and at least one makes sense and has outcomes."""
        arms = self.compared or self.controls
        shared = [task for task in arms[0].tasks if all(task in arm.tasks for arm in arms)]
        return tuple(
            self.plan.tasks[task].info for task in shared if any(self.fits(arm, task) for arm in arms)
        )

    @functools.cache  # noqa: B019 - an ablation lives as long as its notebook
    def fits(self, arm: Arm, task: str) -> bool:
        """Whether an arm makes sense on a task, and it and its control have outcomes in a unit there."""
        if arm.unfit(self.plan.tasks[task].info):
            return False
        both = [arm] if arm.control is None else [arm, arm.control]
        units = self.plan.units(task, min(each.units for each in both), max(each.first_seed for each in both))
        return any(self._whole(both, unit) for unit in units)

    def units(self, task: str) -> tuple[Unit, ...]:
        """Return the units of a task in which every arm that fits it has an outcome; only these enter a number.

        Raises:
            MissingRunsError: If there is none.
        """
        if task not in self._units:
            everything = dict.fromkeys((*(self.compared or self.arms.values()), *self.controls))
            n, first_seed = min(arm.units for arm in everything), max(arm.first_seed for arm in everything)
            units = self.plan.units(task, n, first_seed)
            arms = [arm for arm in everything if self.fits(arm, task)]
            whole = tuple(unit for unit in units if arms and self._whole(arms, unit))
            if not whole:
                raise MissingRunsError(
                    f"No unit has all its runs; `make report` trains them. Received: {task=}"
                )
            self._units[task] = whole
        return self._units[task]

    def _whole(self, arms: Sequence[Arm], unit: Unit) -> bool:
        """Whether every arm has an outcome in a unit."""
        try:
            for arm in arms:
                for recipe in arm.on(unit.task):
                    self.outcome(self.plan.run(recipe, unit))
        except MissingRunsError:
            return False
        return True

    def members(self, arm: Arm, task: str) -> list[list[Outcome]]:
        """Return the outcomes of all models of an arm, a list for each unit of a task."""
        recipes = arm.on(task)
        return [
            [self.outcome(self.plan.run(recipe, unit)) for recipe in recipes] for unit in self.units(task)
        ]

    def outcomes(self, arm: Arm, task: str) -> list[Outcome]:
        """Return the outcomes of an arm, one for each unit of a task; of an ensemble, the first member's."""
        return [models[0] for models in self.members(arm, task)]

    def results(self, arm: Arm, task: str) -> list[Result]:
        """Return the results of an arm, one for each unit of a task."""
        return [outcome.result for outcome in self.outcomes(arm, task)]

    def curves(self, arm: Arm, task: str, part: str, metric: str | None = None) -> np.ndarray:
        """Return a metric on a part (train, validation, test), (n_units, n_epochs); NaN after a divergence."""
        name = metric or self.plan.tasks[task].info.metric
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
        """Return the training seconds of each unit, all models together, (n_units,), as recorded."""
        return np.array(
            [sum(model.record["seconds"] for model in models) for models in self.members(arm, task)]
        )

    def errors(
        self,
        arm: Arm,
        task: str,
        *,
        part: str = "test",
        reading: str | None = None,
        metric: str | None = None,
    ) -> np.ndarray:
        """Return the error of each unit at the kept epoch, (n_units,); NaN where a run diverged.

        That of an ensemble is the error of its combined predictions, on the validation or the test part.
        """
        if len(arm.on(task)) > 1:
            return self._ensemble_errors(arm, task, part, metric)
        results = self.results(arm, task)
        return np.array([result.error(reading or arm.reading, part, metric) for result in results])

    def _ensemble_errors(self, arm: Arm, task: str, part: str, metric: str | None) -> np.ndarray:
        opened, how = self.plan.tasks[task], arm.technique.combine if arm.technique else "mean"
        score = getattr(metrics, metric or opened.info.metric)
        errors = []
        for unit, models in zip(self.units(task), self.members(arm, task), strict=True):
            if any(model.result.diverged is not None for model in models):
                errors.append(np.nan)
                continue
            predictions = np.stack([model.result.predicted(arm.reading, part) for model in models])
            errors.append(score(combined(predictions, how), getattr(opened.folds[unit.fold], part).y))
        return np.array(errors)

    def references(self, task: str, metric: str | None = None) -> dict[str, np.ndarray]:
        """Return the test error of each simple reference that has it on the fold of each unit, (n_units,)."""
        opened = self.plan.tasks[task]
        rows = [opened.references[unit.fold] for unit in self.units(task)]
        key = metric or opened.info.metric
        return {name: np.array([row[name][key] for row in rows]) for name in rows[0] if key in rows[0][name]}

    def best_member(self, arm: Arm, task: str) -> np.ndarray:
        """Return which model of an ensemble has the lowest validation error, in each unit, (n_units,)."""
        members = [single(arm, recipe) for recipe in arm.on(task)]
        return np.argmin([self.counted_errors(each, task, part="validation") for each in members], axis=0)

    def _naive(self, task: str, part: str, metric: str | None = None) -> np.ndarray:
        """Return what a diverged run counts as, (n_units,): the naive reference's error on the test part.

        On another part, which may take part in a choice, it is the error of the training mean or of
        equal probabilities there, so that no choice sees a test figure.
        """
        if part == "test":
            return next(iter(self.references(task, metric).values()))
        opened = self.plan.tasks[task]
        if opened.info.kind == "classification":
            return np.full(len(self.units(task)), np.log(opened.info.n_outputs))
        targets = [getattr(opened.folds[unit.fold], part).y for unit in self.units(task)]
        return np.array([metrics.rmse(np.zeros_like(y), y) for y in targets])

    def counted_errors(
        self, arm: Arm, task: str, *, part: str = "test", reading: str | None = None
    ) -> np.ndarray:
        """Return the error of each unit, that of a diverged run being the naive error, (n_units,)."""
        errors = self.errors(arm, task, part=part, reading=reading)
        return np.where(np.isnan(errors), self._naive(task, part), errors)

    def paired(
        self, arm: Arm, control: Arm, task: str, *, part: str = "test", metric: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the errors of an arm and of its control in each unit, (n_units,) each.

        A diverged run enters with the naive error, or with the other run's if that is higher; two
        diverged runs are a tie.

        Args:
            arm: The arm, read as it says.
            control: What it is compared with.
            task: Name of the task.
            part: Which part's error.
            metric: Which error; the primary one if None.
        """
        errors, other = (self.errors(each, task, part=part, metric=metric) for each in (arm, control))
        worst = np.fmax(self._naive(task, part, metric), np.fmax(errors, other))
        return np.where(np.isnan(errors), worst, errors), np.where(np.isnan(other), worst, other)

    def log_ratios(
        self, arm: Arm, task: str, *, part: str = "test", control: Arm | None = None
    ) -> np.ndarray:
        """Return ln(error of the arm / error of its control) per unit, (n_units,); negative is better.

        Args:
            arm: The arm, read as it says.
            task: Name of the task.
            part: Which part's error.
            control: What to compare with instead of the arm's own control.
        """
        return log_ratio(*self.paired(arm, control or arm.control or arm, task, part=part))

    def effect(
        self,
        arm: Arm,
        task: str | None = None,
        *,
        part: str = "test",
        control: Arm | None = None,
    ) -> Effect:
        """Return the effect of an arm on one task, or on all of them with equal weight; see `log_ratios`."""
        tasks = [task] if task else [info.name for info in self.infos if self.fits(arm, info.name)]
        if not tasks:
            raise MissingRunsError(
                f"No unit of any task has all its runs; `make report` trains them. Received: arm={arm.name!r}"
            )
        values = {name: self.log_ratios(arm, name, part=part, control=control) for name in tasks}
        return self.effect_of(values, arm, task or ALL_TASKS)

    def effect_of(self, values: dict[str, np.ndarray], arm: Arm, task: str = ALL_TASKS) -> Effect:
        """Return log ratios of each unit by task, (n_units,) each, as an effect with equal weight of the tasks."""
        folds = {name: [unit.fold for unit in self.units(name)] for name in values}
        low, high = bootstrap_interval(Sample.of(values, folds))
        return Effect(
            arm=arm.name,
            technique=arm.technique.name if arm.technique else arm.name,
            variant=arm.technique.variant if arm.technique else "",
            strength=arm.technique.strength if arm.technique else 0.0,
            task=task,
            log_ratios=np.concatenate(list(values.values())),
            estimate=float(np.mean([numbers.mean() for numbers in values.values()])),
            low=low,
            high=high,
            improvement=improvement_share(values),
        )

    def effects(self, task: str | None = None) -> list[Effect]:
        """Return the effect of every arm on a task that it fits, or on all of those."""
        return [self.effect(arm, task) for arm in self.compared if task is None or self.fits(arm, task)]

    def arms_of(self, technique: str) -> list[Arm]:
        """Return the arms of one technique."""
        return [arm for arm in self.compared if arm.technique and arm.technique.name == technique]

    def chosen(self, technique: str) -> Arm:
        """Return the arm of a technique with the lowest validation error, over all tasks; no test is seen."""
        return min(self.arms_of(technique), key=lambda arm: self.effect(arm, part="validation").estimate)

    @property
    def finalists(self) -> list[Arm]:
        """The arms to set side by side: every tuned one, and of other techniques the one that validation chooses."""
        names = dict.fromkeys(arm.technique.name for arm in self.compared if arm.technique)
        finalists = []
        for name in names:
            tuned = [arm for arm in self.arms_of(name) if arm.recipes]
            finalists += tuned or [self.chosen(name)]
        return finalists
