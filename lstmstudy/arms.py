"""Arms and units: what is trained, and what an arm shares with its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe
    from lstmstudy.techniques import Technique


BASELINE = "baseline"  # the arm with every technique off


@dataclass(frozen=True)
class Arm:
    """A named recipe inside an ablation, how its trajectories are read, and where it is trained.

    Attributes:
        name: Label, unique in the study.
        recipe: What is trained.
        reading: Which epoch counts.
        technique: The technique whose strength the arm varies; None for a baseline or a combination.
        control: What it is compared with; None for a control.
        tasks: Names of the tasks on which it is trained.
        units: Units of each task.
        first_seed: Seed of the first unit; those of a search are higher than all that are judged.
        recipes: What is trained instead on single tasks, by name: the tuned recipes.
        group: What arms of one line in a figure share, such as the technique with a batch size on the axis.

    Raises:
        ValueError: If a recipe cannot be read in this way.
    """

    name: str
    recipe: Recipe
    reading: str = "selected"
    technique: Technique | None = None
    control: Arm | None = None
    tasks: tuple[str, ...] = ()
    units: int = 1
    first_seed: int = 0
    recipes: tuple[tuple[str, Recipe], ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        self.recipe.check_reading(self.reading)

    def on(self, task: str) -> tuple[Recipe, ...]:
        """Return the recipes of the models that are trained on a task: one, or those of an ensemble."""
        recipe = dict(self.recipes).get(task, self.recipe)
        return (self.technique.members(recipe) if self.technique is not None else ()) or (recipe,)

    def searched_apart(self, other: Arm, task: str) -> bool:
        """Whether two arms learn at different rates on a task, which is taken as the sign of searches of their own."""
        rates = [{recipe.learning_rate for recipe in each.on(task)} for each in (self, other)]
        return rates[0] != rates[1]

    def unfit(self, info: TaskInfo) -> str:
        """Return why the arm makes no sense on a task, or ""."""
        techniques = [
            *self.on(info.name)[0].techniques,
            *([self.technique] if self.technique is not None else []),
        ]
        return next((reason for technique in techniques if (reason := technique.unfit(info))), "")


@dataclass(frozen=True)
class Unit:
    """What an arm and its control share: task, fold and seed."""

    task: str
    fold: int
    seed: int
