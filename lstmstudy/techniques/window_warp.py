"""Window warp of every training sequence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_factor
from lstmstudy.techniques.alignment import unfit_beyond_one_step

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class WindowWarp(Technique):
    """Makes a random window of a training sequence half or twice as long, and the whole as long as before.

    In training place and direction are drawn anew for each sample and batch; a target of forecasting counts
    as the last step. At inference nothing is warped.

    In a model of your own it is `lstmstudy.layers.WindowWarp`.

    Args:
        ratio: Share of the steps in the window, in [0, 1); 0 is off.

    Reference: Le Guennec, Malinowski, Tavenard 2016, AALTD workshop.
    """

    ratio: float

    name: ClassVar[str] = "window_warp"
    title: ClassVar[str] = "window warp"
    reference: ClassVar[str] = "Le Guennec, Malinowski, Tavenard 2016, AALTD workshop"
    values: ClassVar[tuple[str, ...]] = ("ratio",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.window_warp",
        "lstmstudy.layers.window_warp",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.resampling",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_factor("ratio", self.ratio, "the share of the steps in the window", zero=True)

    @property
    def is_off(self) -> bool:
        """Whether the window is empty."""
        return self.ratio == 0

    @property
    def strength(self) -> float:
        """The share of the steps in the window."""
        return self.ratio

    def unfit(self, info: TaskInfo) -> str:
        """Return why it makes no sense to warp the time of a task, or ""."""
        return unfit_beyond_one_step(info)

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that warps a window of training sequences."""
        from lstmstudy.layers.window_warp import WindowWarp as Layer

        return Layer(self.ratio, name=name)
