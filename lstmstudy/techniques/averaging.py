"""Several models that differ only in their random streams, averaged."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_count

if TYPE_CHECKING:
    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Averaging(Technique):
    """Combines the predictions of models that start and shuffle differently.

    In training every member is the baseline on random streams of its own; the first is the baseline's own
    run. At inference values, or class probabilities, are combined over members, each at its own selected
    epoch; median probabilities are divided by their sum. The cost is that of `models` baselines.

    Args:
        models: Number of members; 1 is off.
        combine: ``"mean"`` or ``"median"``.

    Raises:
        ValueError: If a setting is outside its range, or the technique stands in a recipe, which is one model.

    Reference: Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474 (mean); Hewamalage, Bergmeir
    and Bandara 2021, International Journal of Forecasting 37 (median).
    """

    models: int
    combine: Literal["mean", "median"] = "mean"

    name: ClassVar[str] = "averaging"
    title: ClassVar[str] = "model averaging"
    reference: ClassVar[str] = (
        "Lakshminarayanan et al. 2017, arXiv:1612.01474; "
        "Hewamalage et al. 2021, International Journal of Forecasting 37"
    )

    def __post_init__(self) -> None:
        check_count("models", self.models, "the number of models that are averaged")
        check_choice("combine", self.combine, ("mean", "median"))

    @property
    def is_off(self) -> bool:
        """Whether there is one model only."""
        return self.models == 1

    @property
    def strength(self) -> float:
        """The number of models."""
        return self.models

    @property
    def variant(self) -> str:
        """How the models are combined."""
        return self.combine

    @property
    def label(self) -> str:
        """Name of an arm, such as "mean of 5 models"."""
        return f"{self.combine} of {self.models} models"

    def members(self, recipe: Recipe) -> tuple[Recipe, ...]:
        """Return the recipe once for each member; only the random streams differ."""
        return tuple(dataclasses.replace(recipe, member=member) for member in range(self.models))

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError: several models are no single recipe."""
        raise ValueError(
            f"{self.title.capitalize()} trains several models. Expected the recipes of its `members`, "
            f"each by itself. Received: technique={self!r}"
        )
