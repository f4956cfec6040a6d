"""Time warp of every training sequence."""

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
class TimeWarp(Technique):
    """Reads a training sequence at a speed that changes smoothly and at random.

    In training the speed is a cubic spline through ``knots + 2`` nodes ``N(1, sd^2)`` for each sample, drawn
    anew for every batch; both ends stay where they are, and a target of forecasting counts as the last
    step. At inference nothing is warped.

    In a model of your own it is `lstmstudy.layers.TimeWarp`.

    Args:
        sd: Standard deviation of the speed at the nodes; 0 is off.
        knots: Nodes between the two ends.

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    sd: float
    knots: int = 4

    name: ClassVar[str] = "time_warp"
    title: ClassVar[str] = "time warp"
    reference: ClassVar[str] = "Um et al. 2017, arXiv:1706.00527"
    values: ClassVar[tuple[str, ...]] = ("sd",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.time_warp",
        "lstmstudy.layers.time_warp",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.resampling",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("sd", self.sd, "the standard deviation of the speed at the nodes")
        check_count("knots", self.knots, "the number of nodes between the two ends")

    @property
    def is_off(self) -> bool:
        """Whether the speed is 1 throughout."""
        return self.sd == 0

    @property
    def strength(self) -> float:
        """The standard deviation of the speed at the nodes."""
        return self.sd

    @property
    def variant(self) -> str:
        """How many nodes the curve has between its ends."""
        return f"with {self.knots} knots"

    def unfit(self, info: TaskInfo) -> str:
        """Return why it makes no sense to warp the time of a task, or ""."""
        return unfit_beyond_one_step(info)

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that warps the time of training sequences."""
        from lstmstudy.layers.time_warp import TimeWarp as Layer

        return Layer(self.sd, knots=self.knots, name=name)
