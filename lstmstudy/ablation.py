"""Arms beside their control, unit by unit: curves, errors, effects, and the choice by validation."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.metrics import rmse
from lstmstudy.stats.effects import Effect, bootstrap_interval, improvement_share, log_ratio
from lstmstudy.store import MissingRunsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmstudy.plan import Arm, Plan, Unit
    from lstmstudy.runs import Outcome, Result, Run

ALL_TASKS = "all tasks"


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
        """The arms other than the baseline."""
        return tuple(arm for arm in self.arms.values() if arm.technique is not None)

    def units(self, task: str) -> tuple[Unit, ...]:
        """Return the units of a task in which every arm has an outcome; only these enter a number.

        Raises:
            MissingRunsError: If there is none.
        """
        if task not in self._units:
            whole = tuple(unit for unit in self.plan.units(task) if self._whole(unit))
            if not whole:
                raise MissingRunsError(
                    f"No unit has all its runs; `make report` trains them. Received: {task=}"
                )
            self._units[task] = whole
        return self._units[task]

    def _whole(self, unit: Unit) -> bool:
        """Whether every arm has an outcome in a unit."""
        try:
            for arm in self.arms.values():
                self.outcome(self.plan.run(arm, unit))
        except MissingRunsError:
            return False
        return True

    def outcomes(self, arm: Arm, task: str) -> list[Outcome]:
        """Return the outcomes of an arm, one for each unit of a task."""
        return [self.outcome(self.plan.run(arm, unit)) for unit in self.units(task)]

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
        opened = self.plan.tasks[task]
        rows = [opened.references[unit.fold] for unit in self.units(task)]
        return {name: np.array([row[name][metric or opened.info.metric] for row in rows]) for name in rows[0]}

    def _naive(self, task: str, part: str) -> np.ndarray:
        """Return what a diverged run counts as, (n_units,): the naive reference's error on the test part.

        On another part, which may take part in a choice, it is the error of the training mean or of
        equal probabilities there, so that no choice sees a test figure.
        """
        if part == "test":
            return next(iter(self.references(task).values()))
        opened = self.plan.tasks[task]
        if opened.info.kind == "classification":
            return np.full(len(self.units(task)), np.log(opened.info.n_outputs))
        targets = [getattr(opened.folds[unit.fold], part).y for unit in self.units(task)]
        return np.array([rmse(np.zeros_like(y), y) for y in targets])

    def log_ratios(
        self, arm: Arm, task: str, *, part: str = "test", control: tuple[Arm, str] | None = None
    ) -> np.ndarray:
        """Return ln(error of the arm / error of its control) per unit, (n_units,); negative is better.

        A diverged run enters with the naive error, or with the other run's if that is higher; two
        diverged runs are a tie.

        Args:
            arm: The arm, read as it says.
            task: Name of the task.
            part: Which part's error.
            control: Arm and reading to compare with. Unless given, the baseline read in the same way,
                or at its last epoch where the arm is itself a way to read the baseline.
        """
        reads = arm.technique is not None and arm.technique.is_reading
        against, reading = control or (self.plan.baseline, "last" if reads else arm.reading)
        errors = self.errors(arm, task, part=part)
        other = self.errors(against, task, part=part, reading=reading)
        worst = np.fmax(self._naive(task, part), np.fmax(errors, other))
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
        tasks = [task] if task else list(self.plan.tasks)
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
