"""Weight drop on the recurrent matrix of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_rate

if TYPE_CHECKING:
    from lstmstudy.layers.cell_hook import CellHook


@dataclasses.dataclass(frozen=True)
class WeightDrop(Technique):
    """Drops entries of the recurrent matrix of each LSTM layer.

    In training one mask on the matrix serves all steps and all samples of a batch; kept entries are
    divided by ``1 - rate``. At inference nothing is dropped.

    In a model of your own it is `lstmstudy.layers.WeightDrop`.

    Args:
        rate: Probability of dropping, in [0, 1); 0 is off.

    Reference: Merity, Keskar, Socher 2018, arXiv:1708.02182.
    """

    rate: float

    name: ClassVar[str] = "weight_drop"
    title: ClassVar[str] = "weight drop"
    reference: ClassVar[str] = "Merity et al. 2018, arXiv:1708.02182"
    values: ClassVar[tuple[str, ...]] = ("rate",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.weight_drop",
        "lstmstudy.layers.weight_drop",
        "lstmstudy.layers.masks",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever dropped."""
        return self.rate == 0

    @property
    def strength(self) -> float:
        """The rate."""
        return self.rate

    def in_cell(self, name: str) -> CellHook:
        """Return the regularizer that drops entries of the recurrent matrix of an LSTM cell."""
        from lstmstudy.layers.weight_drop import WeightDrop as Hook

        return Hook(self.rate, name=name)
