"""What arms achieved, unit by unit: outcomes, curves, kept epochs, costs and errors."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.stats.ensembles import Ambiguity, ambiguity, combined
from lstmstudy.store.numbers import taken
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.asked import check_arm, check_curve, check_reading, check_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmstudy.arms import Arm, Unit
    from lstmstudy.data import TaskInfo
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Result, Run


class Measurements:
    """What arms achieved in the units that they share; reads outcomes, trains nothing.

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
        self._fits: dict[tuple[Arm, str], bool] = {}

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

    def fits(self, arm: Arm, task: str) -> bool:
        """Whether an arm makes sense on a task, and it and its control have outcomes in a unit there."""
        if (arm, task) not in self._fits:
            both = [arm] if arm.control is None else [arm, arm.control]
            n, first_seed = min(each.units for each in both), max(each.first_seed for each in both)
            self._fits[arm, task] = not arm.unfit(self.plan.tasks[task].info) and any(
                self._whole(both, unit) for unit in self.plan.units(task, n, first_seed)
            )
        return self._fits[arm, task]

    def units(self, task: str) -> tuple[Unit, ...]:
        """Return the units of a task in which every arm that fits it has an outcome; only these enter a number.

        Raises:
            MissingRunsError: If there is none.
            ParamsError: If the study has no such task.
        """
        check_task(task, self.plan.tasks)
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
        check_arm(arm)
        units, recipes = self.units(task), arm.on(task)
        try:
            return [[self.outcome(self.plan.run(recipe, unit)) for recipe in recipes] for unit in units]
        except MissingRunsError:
            if arm in (*self.arms.values(), *self.controls):
                raise
            raise MissingRunsError(
                f"This arm is not in the comparison, and not all of its runs are stored. Expected one of: "
                f"{', '.join(self.arms)}; or trained by study.ablate(arm). Received: arm={arm.name!r}"
            ) from None

    def outcomes(self, arm: Arm, task: str) -> list[Outcome]:
        """Return the outcomes of an arm, one for each unit of a task; of an ensemble, the first member's."""
        return [models[0] for models in self.members(arm, task)]

    def results(self, arm: Arm, task: str) -> list[Result]:
        """Return the results of an arm, one for each unit of a task."""
        return [outcome.result for outcome in self.outcomes(arm, task)]

    def curves(self, arm: Arm, task: str, part: str, metric: str | None = None) -> np.ndarray:
        """Return a metric on a part (train, validation, test), (n_units, n_epochs); NaN after a divergence."""
        results, info = self.results(arm, task), self.plan.tasks[task].info
        name = metric or info.metric
        check_curve(part, name, info)
        return np.stack([result.curves[f"{part}/{name}"] for result in results])

    def kept(self, arm: Arm, task: str, reading: str | None = None) -> np.ndarray:
        """Return the epoch that the reading keeps in each unit, counted from 1, (n_units,); NaN if there is none."""
        return self._keeps(arm, task, reading)[0] + 1

    def cost(self, arm: Arm, task: str, reading: str | None = None) -> np.ndarray:
        """Return the epochs trained until the reading is known, (n_units,)."""
        return self._keeps(arm, task, reading)[1]

    def _keeps(self, arm: Arm, task: str, reading: str | None) -> np.ndarray:
        """Return kept epochs and costs, (2, n_units); NaN where a run diverged before any epoch was scored."""
        check_reading(reading)
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
        check_arm(arm)
        check_task(task, self.plan.tasks)
        info = self.plan.tasks[task].info
        check_curve(part, metric or info.metric, info)
        check_reading(reading)
        if len(arm.on(task)) > 1:
            return self._ensemble_errors(arm, task, part, metric)
        results = self.results(arm, task)
        return np.array([result.error(reading or arm.reading, part, metric) for result in results])

    def _ensemble_errors(self, arm: Arm, task: str, part: str, metric: str | None) -> np.ndarray:
        opened, how = self.plan.tasks[task], arm.technique.combine if arm.technique else "mean"
        name = metric or opened.info.metric
        errors = []
        for unit, models in zip(self.units(task), self.members(arm, task), strict=True):
            if any(model.result.diverged is not None for model in models):
                errors.append(np.nan)
                continue
            y = getattr(opened.folds[unit.fold], part).y
            error = functools.partial(_error_together, models, arm.reading, part, y, metric=name, how=how)
            errors.append(float(taken(f"{name} of their {how}, {arm.reading}, {part}", models, error)))
        return np.array(errors)

    def references(self, task: str, metric: str | None = None) -> dict[str, np.ndarray]:
        """Return the test error of each simple reference that has it on the fold of each unit, (n_units,)."""
        opened = self.plan.tasks[task]
        rows = [opened.references[unit.fold] for unit in self.units(task)]
        key = metric or opened.info.metric
        return {name: np.array([row[name][key] for row in rows]) for name in rows[0] if key in rows[0][name]}


def _error_together(
    models: Sequence[Outcome], reading: str, part: str, y: np.ndarray, *, metric: str, how: str
) -> float:
    """Return the error of several models' combined predictions."""
    return float(getattr(metrics, metric)(combined(predictions_of(models, reading, part), how), y))


def predictions_of(models: Sequence[Outcome], reading: str, part: str = "test") -> np.ndarray:
    """Return what several models predict for a part at the epochs that they keep, (n_models, n_samples, n_outputs)."""
    return np.stack([model.result.predicted(reading, part) for model in models])


def ambiguity_of(models: Sequence[Outcome], reading: str, y: np.ndarray, info: TaskInfo) -> Ambiguity:
    """Return how far the mean of several models is better than they are on average, on the test part.

    Args:
        models: Their outcomes; none diverged.
        reading: Which epoch of each counts.
        y: Test targets, (n, 1), or labels, (n,).
        info: The task.
    """
    truth = np.eye(info.n_outputs)[y] if info.kind == "classification" else y
    return Ambiguity(
        *taken(f"ambiguity, {reading}", models, lambda: ambiguity(predictions_of(models, reading), truth))
    )


def updates_of(plan: Plan, run: Run) -> int:
    """Return how many updates an epoch of a run has."""
    return -(-len(plan.tasks[run.task].folds[run.fold].train.y) // run.recipe.batch_size)


def parameters_of(outcome: Outcome) -> int:
    """Return how many weights are trained; moving statistics are none."""
    weights = outcome.result.weights
    return int(
        taken(
            "parameters",
            [outcome],
            lambda: sum(w.size for path, w in weights.items() if "/moving_" not in path),
        )
    )
