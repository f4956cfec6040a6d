"""The whole study as a list of runs, from the parameters alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.arms import Arm, Unit
from lstmstudy.claims.arms import claim_arms
from lstmstudy.data import open_task
from lstmstudy.data.own.task import prepare_own
from lstmstudy.data.ucr import prepare_ucr
from lstmstudy.params.design import design_arms, load_design
from lstmstudy.params.grids import load_technique, search_title, settings_of
from lstmstudy.params.profile import grid_of, load_profile
from lstmstudy.params.search import ends, entry_key
from lstmstudy.params.tuned import load_tuned
from lstmstudy.parsing.sections import placed
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Run
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lstmstudy.data import Task
    from lstmstudy.params.profile import Profile
    from lstmstudy.params.search import Entry
    from lstmstudy.params.tuned import Best, Tuned
    from lstmstudy.techniques import Technique

BASELINE = "baseline"
OVERFITTING = "00_overfitting"  # needs the baseline alone
METHODS = "98_methods"  # needs what does nothing
COMPARISON = "99_comparison"  # needs every arm


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
        """The arm with every technique off, at the profile's learning rate."""
        size, training = self.profile.network, self.profile.training
        recipe = Recipe(size.layers, size.width, training.epochs, training.batch_size, training.learning_rate)
        return Arm(BASELINE, recipe, tasks=self.profile.tasks, units=self.profile.units)

    @functools.cached_property
    def tuned_baseline(self) -> Arm:
        """The arm with every technique off, at the learning rate that was tuned for each task."""
        recipes = tuple((task, self._tuned(BASELINE, {}, task)) for task in self.profile.tasks)
        return replace(self.baseline, name=f"{BASELINE}, tuned", recipes=recipes)

    def arm(self, technique: Technique) -> Arm:
        """Return the arm that switches one technique on, where and as often as strengths are described.

        A way to read trajectories costs no training; it is compared wherever the baseline is, with the
        baseline at its last epoch.
        """
        if technique.is_reading:
            control = replace(self.baseline, reading="last")
            name, reading = technique.label, technique.reading
            return replace(control, name=name, reading=reading, technique=technique, control=control)
        scope = self.profile.described
        base = replace(self.baseline, tasks=scope.tasks, units=scope.units)
        return replace(
            base,
            name=technique.label,
            recipe=base.recipe if technique.members(base.recipe) else base.recipe.adding(technique),
            reading=technique.reading,
            technique=technique,
            control=base,
        )

    def arms(self, technique: str) -> tuple[Arm, ...]:
        """Return the arms of a technique: one for each point of its grid.

        Raises:
            ParamsError: If a point cannot be trained with the profile's network and training.
        """
        grid = grid_of(self.profile, technique, self.folder)
        with placed(self.place(technique)):
            return tuple(self.arm(settings) for settings in grid)

    def place(self, technique: str) -> str:
        """Return where the profile names a technique, for messages."""
        return f"{paths.relative(self.folder / f'{self.profile.name}.yaml')}: techniques: {technique}"

    def tuned(self, technique: str) -> tuple[Arm, ...]:
        """Return the tuned arms of a technique that are compared: a recipe for each task, of an entry of its search."""
        return tuple(self.tuned_arms(technique).values())

    def tuned_arms(self, technique: str) -> dict[str, Arm]:
        """Return the tuned arms of a technique that are compared, by key of their search."""
        entries = {
            entry_key(technique, entry): entry for entry in load_technique(technique, self.folder).tuned
        }
        return {
            key: self._tuned_arm(technique, entry)
            for key, entry in entries.items()
            if self.profile.compares(technique, key)
        }

    def ensemble(self, technique: str) -> Arm:
        """Return an ensemble of tuned baselines, as the first point of a technique's grid makes it."""
        settings = grid_of(self.profile, technique, self.folder)[0]
        control = self.tuned_baseline
        return replace(
            control,
            name=f"{settings.label}, tuned",
            reading=settings.reading,
            technique=settings,
            control=control,
        )

    def _tuned_arm(self, name: str, entry: Entry) -> Arm:
        lowest = TECHNIQUES[name](**ends(entry)[0])
        fitting = [task for task in self.profile.tasks if not lowest.unfit(self.tasks[task].info)]
        recipes = tuple((task, self._tuned(name, entry, task)) for task in fitting)
        technique = self._settings(name, entry, fitting[0]) if fitting else lowest
        return replace(
            self.tuned_baseline,
            name=f"{search_title(technique, entry)}, tuned",
            reading=technique.reading,
            technique=technique,
            control=self.tuned_baseline,
            recipe=self.baseline.recipe.adding(technique),
            recipes=recipes,
        )

    def _tuned(self, name: str, entry: Entry, task: str) -> Recipe:
        """Return the tuned recipe of an entry on a task."""
        recipe = replace(self.baseline.recipe, learning_rate=self._best(name, entry, task).learning_rate)
        if name == BASELINE:
            return recipe
        with placed(self.place(name)):
            return recipe.adding(self._settings(name, entry, task))

    def _settings(self, name: str, entry: Entry, task: str) -> Technique:
        where = f"{paths.relative(self.folder / 'tuned.yaml')}: {task}.{entry_key(name, entry)}"
        return settings_of(name, self._best(name, entry, task).settings, where)

    @functools.cached_property
    def tuned_notes(self) -> dict[str, str]:
        """Where the tuned baseline's learning rate comes from, by task; "" where that task was tuned at this size."""
        return {task: self._best(BASELINE, {}, task).note for task in self.profile.tasks}

    def _best(self, name: str, entry: Entry, task: str) -> Best:
        size = self.profile.network
        return self._tuned_file.best(entry_key(name, entry), task, layers=size.layers, width=size.width)

    @functools.cached_property
    def _tuned_file(self) -> Tuned:
        return load_tuned(self.folder)

    @functools.cached_property
    def n_trials(self) -> int:
        """From how many trials of random search, on each task, the tuned baseline was chosen; the fewest of all tasks."""
        return min(self._best(BASELINE, {}, task).trials for task in self.profile.tasks)

    @property
    def single_techniques(self) -> dict[str, Arm]:
        """The tuned arms that are compared and consist of one technique, by key of their search."""
        return {
            key: arm
            for name in self.profile.techniques
            if not TECHNIQUES[name].is_reading
            for key, arm in self.tuned_arms(name).items()
            if len(arm.recipe.techniques) == 1 and not arm.recipe.techniques[0].streams
        }

    @property
    def trials(self) -> dict[str, dict[str, tuple[float, ...]]]:
        """The validation metric of every trial at this size, by task of the profile and compared arm."""
        size = self.profile.network
        found = self._tuned_file.sizes.get(f"{size.layers}x{size.width}", {})
        keys = [BASELINE, *(key for key, arm in self.single_techniques.items())]
        return {
            task: {
                key: tuple(trial.validation for trial in found[task][key].trials)
                for key in keys
                if key in found[task]
            }
            for task in self.profile.tasks
            if task in found
        }

    def gain_in_search(self, key: str, task: str) -> float:
        """Return ln(validation metric of a search's best trial / that of the baseline's)."""
        size = self.profile.network
        return self._tuned_file.gain(key, task, layers=size.layers, width=size.width)

    def design(self, name: str) -> tuple[Arm, ...]:
        """Return the arms of a design: combinations, batch sizes or tasks that one technique's grid lacks."""
        design = load_design(name, self.folder)
        return design_arms(self.baseline, design, self.profile.designs[name], self.folder)

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


def task_cache(store: Path) -> Path:
    """Return where prepared tasks lie, beside the outcomes."""
    return store / "tasks"
