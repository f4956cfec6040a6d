"""Several models, each trained on blocks of samples drawn with repetition."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Bagging(Technique):
    """Averages models that are each trained on a bootstrap sample of the training part.

    In training a model sees as many samples in an epoch as the baseline, drawn once with repetition: for
    forecasting as blocks of consecutive windows, which keep neighbours together, for classification one
    by one. At inference the predictions of the models are averaged, each at its own selected epoch. With
    one model it is that model alone, which is what a member's recipe holds.

    Args:
        models: Number of members.
        block: Consecutive windows in a block; 0 draws nothing, so that each sample is there once, and is
            off with one model.

    Raises:
        ValueError: If a setting is outside its range, or several models stand in a recipe, which is one model.

    Reference: Breiman 1996, Bagging predictors, Machine Learning 24; blocks: Bergmeir, Hyndman and
    Benitez 2016, International Journal of Forecasting 32.
    """

    models: int
    block: int

    name: ClassVar[str] = "bagging"
    title: ClassVar[str] = "bagging"
    reference: ClassVar[str] = (
        "Breiman 1996, Machine Learning 24; Bergmeir et al. 2016, International Journal of Forecasting 32"
    )
    modules: ClassVar[tuple[str, ...]] = ("lstmstudy.techniques.bagging",)

    def __post_init__(self) -> None:
        check_count("models", self.models, "the number of models that are averaged")
        check_count("block", self.block, "the number of windows in a block", least=0)

    @property
    def is_off(self) -> bool:
        """Whether there is one model, trained on every sample once."""
        return self.models == 1 and self.block == 0

    @property
    def strength(self) -> float:
        """The number of models."""
        return self.models

    @property
    def variant(self) -> str:
        """The length of a block."""
        return f"blocks of {self.block}"

    @property
    def label(self) -> str:
        """Name of an arm, such as "bagging of 5 models, blocks of 24"."""
        return f"{self.title} of {self.models} models, {self.variant}"

    def structure(self) -> tuple[Any, ...]:
        """Return (): the compiled epoch is the baseline's."""
        return ()

    def members(self, recipe: Recipe) -> tuple[Recipe, ...]:
        """Return a recipe for each member: one model on a sample of its own."""
        single = dataclasses.replace(self, models=1)
        return tuple(
            dataclasses.replace(recipe, member=member).adding(single) for member in range(self.models)
        )

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError if there are several models, which are no single recipe."""
        if self.models > 1:
            raise ValueError(
                f"{self.title.capitalize()} trains several models. Expected the recipes of its `members`, "
                f"each by itself. Received: technique={self!r}"
            )

    def rows(self, n: int, info: TaskInfo, rng: np.random.Generator) -> np.ndarray | None:
        """Return `n` rows in blocks whose starts are drawn with repetition; the last block may be cut."""
        if self.block == 0:
            return None
        block = 1 if info.kind == "classification" else min(self.block, n)
        starts = rng.integers(n - block + 1, size=-(-n // block))
        return (starts[:, None] + np.arange(block)).ravel()[:n]
