"""Scaling of every training sequence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class Scaling(Technique):
    """Multiplies each channel of a training sequence by one random factor.

    In training the factor is ``N(1, sd^2)`` for each sample and channel, drawn anew for every batch, and a
    target of forecasting gets that of its window. At inference nothing is scaled.

    In a model of your own it is `lstmstudy.layers.Scaling`.

    Args:
        sd: Standard deviation of the factor; 0 is off.

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    sd: float

    name: ClassVar[str] = "scaling"
    title: ClassVar[str] = "scaling"
    reference: ClassVar[str] = "Um et al. 2017, arXiv:1706.00527"
    values: ClassVar[tuple[str, ...]] = ("sd",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.scaling",
        "lstmstudy.layers.scaling",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("sd", self.sd, "the standard deviation of the factor")

    @property
    def is_off(self) -> bool:
        """Whether every factor is 1."""
        return self.sd == 0

    @property
    def strength(self) -> float:
        """The standard deviation of the factor."""
        return self.sd

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that scales training sequences."""
        from lstmstudy.layers.scaling import Scaling as Layer

        return Layer(self.sd, name=name)
