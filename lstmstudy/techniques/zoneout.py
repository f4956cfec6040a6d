"""Zoneout on the state of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_rate

if TYPE_CHECKING:
    from lstmstudy.layers.cell_hook import CellHook


@dataclasses.dataclass(frozen=True)
class Zoneout(Technique):
    """Keeps entries of the state of each LSTM layer at their previous value.

    In training an entry of c keeps its old value with probability `rate_cell` and an entry of h with
    probability `rate_hidden`, anew at every step; at inference the state is the expectation of that.

    In a model of your own it is `lstmstudy.layers.Zoneout`.

    Args:
        rate_cell: Probability of keeping an entry of c, in [0, 1].
        rate_hidden: Probability of keeping an entry of h, in [0, 1]; both 0 is off.

    Reference: Krueger et al. 2017, arXiv:1606.01305.
    """

    rate_cell: float
    rate_hidden: float

    name: ClassVar[str] = "zoneout"
    title: ClassVar[str] = "zoneout"
    reference: ClassVar[str] = "Krueger et al. 2017, arXiv:1606.01305"
    values: ClassVar[tuple[str, ...]] = ("rate_cell", "rate_hidden")
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.zoneout",
        "lstmstudy.layers.zoneout",
        "lstmstudy.layers.masks",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_rate("rate_cell", self.rate_cell, of="keeping the old value of c", closed=True)
        check_rate("rate_hidden", self.rate_hidden, of="keeping the old value of h", closed=True)

    @property
    def is_off(self) -> bool:
        """Whether the state is always the new one."""
        return self.rate_cell == self.rate_hidden == 0

    @property
    def strength(self) -> float:
        """The rate on the cell."""
        return self.rate_cell

    @property
    def variant(self) -> str:
        """The rate on the hidden state."""
        return f"hidden {self.rate_hidden:g}"

    def in_cell(self, name: str) -> CellHook:
        """Return the regularizer that keeps entries of the state inside an LSTM cell."""
        from lstmstudy.layers.zoneout import Zoneout as Hook

        return Hook(self.rate_cell, self.rate_hidden, name=name)
