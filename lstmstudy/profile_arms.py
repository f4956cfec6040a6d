"""The arms that a profile makes: the baseline, a technique's strengths, what a search found, and designs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.arms import BASELINE, Arm
from lstmstudy.params.design import design_arms, load_design
from lstmstudy.params.grids import load_technique, search_title, settings_of
from lstmstudy.params.profile import grid_of
from lstmstudy.params.search import ends, entry_key
from lstmstudy.params.tuned import load_tuned
from lstmstudy.parsing.sections import placed
from lstmstudy.recipe import Recipe
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.data import Task
    from lstmstudy.params.profile import Profile
    from lstmstudy.params.search import Entry
    from lstmstudy.params.tuned import Best, Tuned
    from lstmstudy.techniques import Technique


@dataclass(frozen=True)
class ProfileArms:
    """The arms of a profile, one technique at a time.

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
            name=f"{search_title(name, entry)}, tuned",
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
