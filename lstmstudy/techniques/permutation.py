"""Permutation of every training sequence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class Permutation(Technique):
    """Cuts a training sequence into segments and puts them in random order.

    In training the number of segments, from 1 to `segments`, and their order are drawn anew for each sample and
    batch. At inference the order stays as it is. It is for classification only.

    In a model of your own it is `lstmstudy.layers.Permutation`.

    Args:
        segments: The largest number of segments; 1 is off.

    Reference: Um et al. 2017, arXiv:1706.00527.
    """

    segments: int

    name: ClassVar[str] = "permutation"
    title: ClassVar[str] = "permutation"
    reference: ClassVar[str] = "Um et al. 2017, arXiv:1706.00527"
    values: ClassVar[tuple[str, ...]] = ("segments",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.permutation",
        "lstmstudy.layers.permutation",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_count("segments", self.segments, "the largest number of segments")

    @property
    def is_off(self) -> bool:
        """Whether there is only one segment."""
        return self.segments == 1

    @property
    def strength(self) -> float:
        """The largest number of segments."""
        return self.segments

    def unfit(self, info: TaskInfo) -> str:
        """Return why it makes no sense to permute the windows of a task, or ""."""
        return (
            "A forecast is made from the order of the steps, and the target must follow its window."
            if info.kind == "forecasting"
            else ""
        )

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that permutes training sequences."""
        from lstmstudy.layers.permutation import Permutation as Layer

        return Layer(self.segments, name=name)
