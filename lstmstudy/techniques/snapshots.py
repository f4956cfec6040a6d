"""One training in cycles of the learning rate, and the mean of what each cycle ends with."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count
from lstmstudy.stages import Stages

if TYPE_CHECKING:
    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Snapshots(Technique):
    """Averages the predictions that one network makes at the ends of cycles of its learning rate.

    In training the learning rate of update t of T falls along half a cosine from its full value nearly
    to 0 in each of `cycles` equal parts, and starts again: the factor is
    ``(cos(pi * mod(t, T / cycles) / (T / cycles)) + 1) / 2``, t counted from 0. The number of updates is
    the baseline's. At inference the mean of values, or of class probabilities, over the ends of all cycles
    counts. In between the curves show the mean over the cycles that are over and the present network, so
    that only the last epoch is the ensemble: the schedule is planned ahead, and no earlier epoch can be read.

    Args:
        cycles: Number of cycles, a divisor of the number of epochs; at least 1. 0 is off.

    Raises:
        ValueError: If `cycles` is no such number, or another technique of the recipe has stages.

    Reference: Huang et al. 2017, Snapshot ensembles, arXiv:1704.00109.
    """

    cycles: int

    name: ClassVar[str] = "snapshots"
    title: ClassVar[str] = "snapshots"
    reference: ClassVar[str] = "Huang et al. 2017, arXiv:1704.00109"
    modules: ClassVar[tuple[str, ...]] = ("lstmstudy.techniques.snapshots",)
    replayable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("cycles", self.cycles, "the number of cycles of the learning rate", least=0)

    @property
    def is_off(self) -> bool:
        """Whether the learning rate stays as it is."""
        return self.cycles == 0

    @property
    def strength(self) -> float:
        """The number of cycles."""
        return self.cycles

    @property
    def label(self) -> str:
        """Name of an arm, such as "snapshots of 5 cycles"."""
        return f"{self.title} of {self.cycles} cycles"

    def structure(self) -> tuple[Any, ...]:
        """Return (): the compiled epoch is the baseline's."""
        return ()

    def in_stages(self, recipe: Recipe) -> Stages:
        """Return a stage for each cycle, in which one network trains on."""
        cycles = max(self.cycles, 1)
        return Stages(cycles, recipe.epochs // cycles, leaves="last")

    def learning_rate(self, update: np.ndarray, updates: int) -> np.ndarray | None:
        """Return the factor on the learning rate at each update, nearly 0 at the end of a cycle."""
        if not self.cycles:
            return None
        length = updates // self.cycles
        return (np.cos(np.pi * (update % length) / length) + 1) / 2

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError if a cycle is no whole number of epochs, or another technique has stages."""
        if self.cycles and recipe.epochs % self.cycles:
            raise ValueError(
                "A cycle ends with an epoch. Expected a number of cycles that divides the "
                f"{recipe.epochs} epochs. Received: cycles={self.cycles}"
            )
        for other in recipe.techniques:
            if other is not self and type(other).in_stages is not Technique.in_stages:
                raise ValueError(f"A recipe has one kind of stages. Received: {self!r}, {other!r}")
