"""The whole study as a list of runs, from the parameters alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.arms import Arm, Unit
from lstmstudy.claims.arms import claim_arms
from lstmstudy.data import open_task
from lstmstudy.data.cache import task_cache
from lstmstudy.data.own.task import prepare_own
from lstmstudy.data.ucr import prepare_ucr
from lstmstudy.params.design import load_design
from lstmstudy.params.grids import load_technique
from lstmstudy.params.profile import load_profile
from lstmstudy.profile_arms import ProfileArms
from lstmstudy.runs import Run
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lstmstudy.recipe import Recipe

OVERFITTING = "00_overfitting"  # needs the baseline alone
METHODS = "98_methods"  # needs what does nothing
COMPARISON = "99_comparison"  # needs every arm


@dataclass(frozen=True)
class Plan(ProfileArms):
    """The arms of each notebook and the runs that they need."""

    @functools.cached_property
    def notebooks(self) -> dict[str, tuple[Arm, ...]]:
        """The arms that each notebook needs, the baseline first."""
        chapters: dict[str, list[Arm]] = {
            OVERFITTING: [self.baseline],
            METHODS: [self.tuned_baseline],
            COMPARISON: [self.tuned_baseline],
        }
        for name in self.profile.techniques:
            chapter = chapters.setdefault(load_technique(name, self.folder).notebook, [self.baseline])
            chapter += [*self.arms(name), *self.tuned(name)]
            chapters[COMPARISON] += self.compared(name)
        chapters[COMPARISON] += claim_arms(self)
        for width in self.profile.widths:
            arms = claim_arms(self.at_width(width))
            chapters[COMPARISON] += [replace(arm, name=f"{arm.name}, width {width}") for arm in arms]
        for name in self.profile.designs:
            design = load_design(name, self.folder)
            chapters.setdefault(design.notebook, [self.baseline]).extend(self.design(name))
        return {name: tuple(dict.fromkeys(arms)) for name, arms in sorted(chapters.items())}

    def compared(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms of a technique that are compared on every task: tuned ones, and ways to read."""
        if TECHNIQUES[technique].is_reading:
            return self.arms(technique)
        return self.tuned(technique)

    @property
    def compared_arms(self) -> tuple[Arm, ...]:
        """The arms of every technique that are compared on every task, but for those that do nothing."""
        arms = (arm for name in self.profile.techniques for arm in self.compared(name))
        return tuple(arm for arm in arms if arm.technique is None or not arm.technique.streams)

    def at_width(self, width: int) -> Plan:
        """Return the plan of what is compared on every task, with LSTM layers of another width."""
        network = self.profile.network.model_copy(update={"width": width})
        techniques = tuple(name for name in self.profile.techniques if self.compared(name))
        changed = {"network": network, "techniques": techniques, "designs": {}, "widths": ()}
        return replace(self, profile=self.profile.model_copy(update=changed))

    @functools.cached_property
    def all_runs(self) -> dict[str, Run]:
        """The distinct runs of the whole study, by identity."""
        return self.runs(arm for arms in self.notebooks.values() for arm in arms)

    def units(self, task: str, n: int, first_seed: int = 0) -> tuple[Unit, ...]:
        """Return `n` units of a task: unit k has fold k mod F and a seed of its own, from `first_seed` on.

        Where series are split in many ways, unit k has all folds of series k.
        """
        info = self.tasks[task].info
        if info.realizations:
            size = info.n_folds // info.realizations
            n = min(n, info.realizations)
            return tuple(Unit(task, seed * size + fold, seed) for seed in range(n) for fold in range(size))
        return tuple(Unit(task, k % info.n_folds, first_seed + k) for k in range(n))

    def run(self, recipe: Recipe, unit: Unit) -> Run:
        """Return the run of a recipe in a unit."""
        return Run(recipe, unit.task, self.tasks[unit.task].content, unit.fold, unit.seed)

    def runs(self, arms: Iterable[Arm]) -> dict[str, Run]:
        """Return the distinct runs of some arms and their controls, by identity."""
        both = [each for arm in arms for each in (arm, arm.control) if each is not None]
        runs = (
            self.run(recipe, unit)
            for arm in dict.fromkeys(both)
            for task in arm.tasks
            if not arm.unfit(self.tasks[task].info)
            for unit in self.units(task, arm.units, arm.first_seed)
            for recipe in arm.on(task)
        )
        return {run.identity: run for run in runs}


def make_plan(profile: str, *, store: Path = paths.STORE, folder: Path = paths.PARAMS) -> Plan:
    """Check the parameters of a profile, open its tasks and return its plan.

    Raises:
        ParamsError: If anything in the parameters is wrong.
    """
    checked, cache = load_profile(profile, folder), task_cache(store)
    own = [prepare_own(checked.task, paths.ROOT, cache)] if checked.task is not None else []
    if checked.ucr is not None:
        own.append(prepare_ucr(checked.ucr, cache, f"{paths.relative(folder / f'{profile}.yaml')}: ucr"))
    checked = checked.model_copy(update={"tasks": (*checked.tasks, *own)})
    names = [*checked.tasks, *checked.described.tasks]
    for name, scope in checked.designs.items():
        names += scope.tasks or load_design(name, folder).tasks or ()
    return Plan(checked, {name: open_task(name, cache) for name in dict.fromkeys(names)}, folder)
