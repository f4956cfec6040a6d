"""Window slicing of every training sequence."""

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
class WindowSlicing(Technique):
    """Takes a random slice of a training sequence and stretches it to the length of the whole.

    In training a share `cut` of the steps is left out at the ends, drawn anew for each sample and batch; a
    target of forecasting counts as the last step. At inference nothing is cut.

    In a model of your own it is `lstmstudy.layers.WindowSlicing`.

    Args:
        cut: Share of the steps that is cut away, in [0, 1); 0 is off. The published slice of 90 % is 0.1.

    Reference: Le Guennec, Malinowski, Tavenard 2016, AALTD workshop.
    """

    cut: float

    name: ClassVar[str] = "window_slicing"
    title: ClassVar[str] = "window slicing"
    reference: ClassVar[str] = "Le Guennec, Malinowski, Tavenard 2016, AALTD workshop"
    values: ClassVar[tuple[str, ...]] = ("cut",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.window_slicing",
        "lstmstudy.layers.window_slicing",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.resampling",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_factor("cut", self.cut, "the share of the steps that is cut away", zero=True)

    @property
    def is_off(self) -> bool:
        """Whether the slice is the whole."""
        return self.cut == 0

    @property
    def strength(self) -> float:
        """The share that is cut away."""
        return self.cut

    def unfit(self, info: TaskInfo) -> str:
        """Return why it makes no sense to warp the time of a task, or ""."""
        return unfit_beyond_one_step(info)

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that slices training sequences."""
        from lstmstudy.layers.window_slicing import WindowSlicing as Layer

        return Layer(self.cut, name=name)
