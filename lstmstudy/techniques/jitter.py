"""Jitter on every training sequence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class Jitter(Technique):
    """Adds normal noise to every value of a training sequence.

    In training each value becomes ``x + N(0, sd^2)``, drawn anew for every batch; a target of forecasting gets
    no noise. At inference nothing is added.

    In a model of your own it is `lstmstudy.layers.Jitter`.

    Args:
        sd: Standard deviation of the noise, in standard deviations of the training part; 0 is off.

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    sd: float

    name: ClassVar[str] = "jitter"
    title: ClassVar[str] = "jitter"
    reference: ClassVar[str] = "Um et al. 2017, arXiv:1706.00527"
    values: ClassVar[tuple[str, ...]] = ("sd",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.jitter",
        "lstmstudy.layers.jitter",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("sd", self.sd, "the standard deviation of the noise")

    @property
    def is_off(self) -> bool:
        """Whether no noise is added."""
        return self.sd == 0

    @property
    def strength(self) -> float:
        """The standard deviation of the noise."""
        return self.sd

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that adds noise to training sequences."""
        from lstmstudy.layers.jitter import Jitter as Layer

        return Layer(self.sd, name=name)
