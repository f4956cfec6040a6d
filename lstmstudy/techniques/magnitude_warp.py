"""Magnitude warp of every training sequence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount, check_count
from lstmstudy.techniques.alignment import unfit_beyond_one_step

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class MagnitudeWarp(Technique):
    """Multiplies each channel of a training sequence by a smooth random curve.

    In training the curve is a cubic spline through ``knots + 2`` nodes ``N(1, sd^2)`` for each sample and
    channel, drawn anew for every batch; a target of forecasting counts as the last step. At inference
    nothing is changed.

    In a model of your own it is `lstmstudy.layers.MagnitudeWarp`.

    Args:
        sd: Standard deviation of the nodes; 0 is off.
        knots: Nodes between the two ends.

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    sd: float
    knots: int = 4

    name: ClassVar[str] = "magnitude_warp"
    title: ClassVar[str] = "magnitude warp"
    reference: ClassVar[str] = "Um et al. 2017, arXiv:1706.00527"
    values: ClassVar[tuple[str, ...]] = ("sd",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.magnitude_warp",
        "lstmstudy.layers.magnitude_warp",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.resampling",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("sd", self.sd, "the standard deviation of the nodes of the curve")
        check_count("knots", self.knots, "the number of nodes between the two ends")

    @property
    def is_off(self) -> bool:
        """Whether the curve is 1 everywhere."""
        return self.sd == 0

    @property
    def strength(self) -> float:
        """The standard deviation of the nodes."""
        return self.sd

    @property
    def variant(self) -> str:
        """How many nodes the curve has between its ends."""
        return f"with {self.knots} knots"

    def unfit(self, info: TaskInfo) -> str:
        """Return why it makes no sense to let a curve run over the target of a task, or ""."""
        return unfit_beyond_one_step(info)

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that multiplies training sequences by curves."""
        from lstmstudy.layers.magnitude_warp import MagnitudeWarp as Layer

        return Layer(self.sd, knots=self.knots, name=name)
