"""Arms beside their control, unit by unit: pairs, effects, and the choice by validation."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.stats.effects import TINY, Effect, improvement_share, log_ratio
from lstmstudy.stats.luck import FEWEST, luck_between
from lstmstudy.stats.sample import Sample
from lstmstudy.stats.tested import interval
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.asked import check_arm, check_name
from lstmstudy.study.measurements import Measurements
from lstmstudy.study.views import ablation_html, ablation_text
from lstmstudy.techniques import TECHNIQUES, Sham

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.plan import Plan
    from lstmstudy.recipe import Recipe
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.stats.luck import Luck

ALL_TASKS = "all tasks"


def single(arm: Arm, recipe: Recipe) -> Arm:
    """Return one model of an ensemble as an arm."""
    return dataclasses.replace(arm, recipe=recipe, recipes=(), technique=None)


class Ablation(Measurements):
    """Arms beside their control, unit by unit; reads outcomes, trains nothing.

    Args:
        plan: Tasks, units and the baseline.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
        arms: The arms, the baseline first.
        luck: Of the search, by task, as far as it is known: intervals of arms that were searched apart have it in them.
    """

    def __init__(
        self,
        plan: Plan,
        outcome: Callable[[Run], Outcome],
        arms: Sequence[Arm],
        luck: Mapping[str, Luck] | None = None,
    ) -> None:
        super().__init__(plan, outcome, arms)
        self._luck = luck or {}

    def __repr__(self) -> str:
        return ablation_text(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the effect of each arm on each task."""
        return ablation_html(self, self.effect)

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
        check_arm(arm)
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
        check_arm(arm)
        tasks = [task] if task else [info.name for info in self.infos if self.fits(arm, info.name)]
        if not tasks:
            raise MissingRunsError(
                f"No unit of any task has all its runs; `make report` trains them. Received: arm={arm.name!r}"
            )
        values = {name: self.log_ratios(arm, name, part=part, control=control) for name in tasks}
        other = control or arm.control or arm
        known = self._luck if part == "test" else {}
        luck = {name: each for name, each in known.items() if arm.searched_apart(other, name)}
        return self.effect_of(values, arm, task or ALL_TASKS, luck)

    def effect_of(
        self,
        values: dict[str, np.ndarray],
        arm: Arm,
        task: str = ALL_TASKS,
        luck: Mapping[str, Luck] | None = None,
    ) -> Effect:
        """Return log ratios of each unit by task, (n_units,) each, as an effect with equal weight of the tasks."""
        folds = {name: [unit.fold for unit in self.units(name)] for name in values}
        low, high = interval(Sample.of(values, folds), luck or {})
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
        """Return the arms of one technique; none if it exists and the comparison lacks it."""
        found = [arm for arm in self.compared if arm.technique and arm.technique.name == technique]
        if not found:
            check_name("ablation.arms_of", "technique", technique, TECHNIQUES, self.arms)
        return found

    def chosen(self, technique: str) -> Arm:
        """Return the arm of a technique with the lowest validation error, over all tasks; no test is seen."""
        arms = self.arms_of(technique)
        if not arms:
            raise MissingRunsError(
                f"Nothing can be chosen: no arm of the technique is in the comparison with its runs. Expected one of: "
                f"{', '.join(self.arms)}. Received: technique={technique!r}"
            )
        return min(arms, key=lambda arm: self.effect(arm, part="validation").estimate)

    @property
    def finalists(self) -> list[Arm]:
        """The arms to set side by side: every tuned one, and of other techniques the one that validation chooses."""
        names = dict.fromkeys(arm.technique.name for arm in self.compared if arm.technique)
        finalists = []
        for name in names:
            tuned = [arm for arm in self.arms_of(name) if arm.recipes]
            finalists += tuned or [self.chosen(name)]
        return finalists


def search_luck(plan: Plan, outcome: Callable[[Run], Outcome]) -> dict[str, Luck]:
    """Return the luck of the search in the test errors of a study, by task: from the runs of arms that do nothing.

    A sham technique counts if it has runs on every task; with fewer than five of them there is no luck to tell.

    Args:
        plan: The study.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
    """
    control, tasks = plan.tuned_baseline, plan.profile.tasks
    shams = plan.tuned(Sham.name) if Sham.name in plan.profile.techniques else ()
    there = Ablation(plan, outcome, shams)
    shams = tuple(arm for arm in shams if all(there.fits(arm, task) for task in tasks))
    if len(shams) + 1 < FEWEST:
        return {}
    ablation, found = Ablation(plan, outcome, shams), {}
    for task in tasks:
        errors = [ablation.paired(arm, control, task)[0] for arm in (control, *shams)]
        if len(errors[0]) > 1:
            found[task] = luck_between(np.log(np.maximum(errors, TINY)))
    return found
