"""Networks that are trained one after the other, each on what the others leave."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count, check_factor
from lstmstudy.stages import Stages

if TYPE_CHECKING:
    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Boosting(Technique):
    """Sums networks, each trained on the loss that the sum of the earlier ones leaves.

    In training stage m starts a new network f_m on streams of its own and minimises the loss of
    F_(m-1) + f_m. For squared errors that is fitting residuals; for classification the sums are logits,
    and each stage is one of additive logistic regression. Then F_m = F_(m-1) + shrinkage * f_m, with
    f_m as it was at the epoch of its stage whose F_m has the lowest validation metric. The curves cover
    all stages and show F_m; the curve of the training loss shows what each stage minimises. Every stage is
    as long as a baseline, so that the cost is that of `stages` baselines. At inference the sum predicts.

    Args:
        stages: Number of networks; 1 with a shrinkage of 1 is off.
        shrinkage: Factor on each network in the sum, above 0 and up to 1.

    Raises:
        ValueError: If a setting is outside its range, or a recipe has a technique that needs more than the
            earlier networks' outputs on the training samples: one that changes batches, predicts with
            noise or has stages of its own.

    Reference: Friedman, Hastie and Tibshirani 2000, Additive logistic regression, Annals of Statistics 28;
    Friedman 2001, Greedy function approximation, Annals of Statistics 29.
    """

    stages: int
    shrinkage: float

    name: ClassVar[str] = "boosting"
    title: ClassVar[str] = "boosting"
    reference: ClassVar[str] = (
        "Friedman et al. 2000, Annals of Statistics 28; Friedman 2001, Annals of Statistics 29"
    )
    values: ClassVar[tuple[str, ...]] = ("stages", "shrinkage")
    modules: ClassVar[tuple[str, ...]] = ("lstmstudy.techniques.boosting",)

    def __post_init__(self) -> None:
        check_count("stages", self.stages, "the number of networks that are trained one after the other")
        check_factor("shrinkage", self.shrinkage, "the factor on each network in the sum")

    @property
    def is_off(self) -> bool:
        """Whether one network predicts as it is."""
        return self.stages == 1 and self.shrinkage == 1

    @property
    def strength(self) -> float:
        """The number of stages."""
        return self.stages

    @property
    def variant(self) -> str:
        """The factor on each network."""
        return f"shrinkage {self.shrinkage:g}"

    @property
    def label(self) -> str:
        """Name of an arm, such as "boosting in 5 stages, shrinkage 0.5"."""
        return f"{self.title} in {self.stages} stages, {self.variant}"

    def in_stages(self, recipe: Recipe) -> Stages:
        """Return stages as long as a baseline, whose networks are summed."""
        return Stages(self.stages, recipe.epochs, self.shrinkage)

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError if another technique needs more than outputs on the training samples."""
        for other in recipe.techniques:
            augments = type(other).on_batch is not Technique.on_batch
            staged = type(other).in_stages is not Technique.in_stages
            if other is not self and (augments or staged or other.passes):
                raise ValueError(
                    "Boosting knows what its earlier networks give for the training samples, once. Expected no "
                    f"technique that changes batches, predicts with noise or has stages. Received: {other!r}"
                )
