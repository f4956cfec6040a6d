"""Where contrasts are measured: arms as they are read, side by side in the units that they share."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.claims.arms import ClaimArms
from lstmstudy.study.ablation import Ablation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Contrast
    from lstmstudy.plan import Plan
    from lstmstudy.runs import Outcome, Run
    from lstmstudy.training.probing import Probe


class Measured(NamedTuple):
    """A quantity of an arm and of its control on one task, (n_units,) each.

    Attributes:
        arm: Of the arm; NaN where a failed run leaves none.
        control: Of the control.
        failed: Whether a run of the unit diverged.
        folds: Fold of each unit.
        seeds: Seed of each unit.
    """

    arm: np.ndarray
    control: np.ndarray
    failed: np.ndarray
    folds: np.ndarray
    seeds: np.ndarray


class Bench:
    """Where contrasts are measured: the plan, its outcomes, and what several contrasts share.

    Args:
        plan: Tasks, units and arms.
        outcome: Returns the outcome of a run, or raises MissingRunsError.
    """

    def __init__(self, plan: Plan, outcome: Callable[[Run], Outcome]) -> None:
        self.plan = plan
        self.outcome = outcome
        self.arms = ClaimArms(plan)
        self._probes: dict[str, Probe] = {}
        self._searched: dict[str, tuple[float, int]] = {}

    @functools.cache  # noqa: B019 - a bench lives as long as its study is judged
    def ablation(self, *arms: Arm) -> Ablation:
        """Return some arms side by side: only units in which all of them have an outcome count."""
        return Ablation(self.plan, self.outcome, arms)

    def tasks(self, contrast: Contrast) -> list[str]:
        """Return the tasks on which both arms of a contrast are trained and make sense."""
        arms = [self.arms.named(contrast.arm), self.arms.control(contrast)]
        if contrast.task is not None:
            return [contrast.task]
        return [
            task
            for task in arms[0].tasks
            if all(task in arm.tasks and not arm.unfit(self.plan.tasks[task].info) for arm in arms)
            and self.plan.tasks[task].info.realizations != 1  # a real series is an illustration
        ]

    def pair(self, contrast: Contrast, task: str) -> tuple[Arm, Arm]:
        """Return arm and control of a contrast as they are read."""
        return self._fixed(self.arms.named(contrast.arm), contrast.reading, task), self._fixed(
            self.arms.control(contrast), contrast.control_reading, task
        )

    def _fixed(self, arm: Arm, reading: str | None, task: str) -> Arm:
        if reading is None:
            return arm
        return replace(arm, reading=f"epoch {self.searched(task)[1]}" if reading == "fixed" else reading)

    def searched(self, task: str) -> tuple[float, int]:
        """Return the least validation error of the tuned baseline on the seeds of the search, and the best epoch.

        The first is a mean over seeds of each one's least error, the second the epoch, from 1, at which the
        mean over seeds is least.
        """
        if task not in self._searched:
            arm = self.arms.searched_baseline
            curves = self.ablation(arm).curves(arm, task, "validation")
            self._searched[task] = (
                float(np.nanmin(curves, axis=1).mean()),
                int(np.argmin(np.where(np.isnan(curves), np.inf, curves).mean(axis=0))) + 1,
            )
        return self._searched[task]

    def probe(self, task: str) -> Probe:
        """Return the baseline's network on a task, for weights to be put in place."""
        # As in the workers: other kernels round differently.
        os.environ.update({"TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"})
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from lstmstudy.training.probing import Probe  # loads TensorFlow

        if task not in self._probes:
            self._probes[task] = Probe(self.plan.baseline.recipe, self.plan.tasks[task].info)
        return self._probes[task]


def measured(ablation: Ablation, task: str, arms: list[Arm], own: np.ndarray, other: np.ndarray) -> Measured:
    """Return measured values with the units that they belong to."""
    units = ablation.units(task)
    failed = np.zeros(len(units), dtype=bool)
    for arm in arms:
        for number, models in enumerate(ablation.members(arm, task)):
            failed[number] |= any(model.result.diverged is not None for model in models)
    folds, seeds = np.array([(unit.fold, unit.seed) for unit in units]).T
    return Measured(np.asarray(own, float), np.asarray(other, float), failed, folds, seeds)
