"""What L1, L2 and both together have in common."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount, check_choice

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class WeightPenalty(Technique):
    """Adds a price on large weights to the loss that is differentiated.

    The price is ``l1 * sum(|w|) + l2 * sum(w^2)`` over the matrices of the LSTM layers, as Keras's
    regularizers add it, without a half; biases and the head cost nothing. No reported loss and no
    metric contains it. At inference nothing is different.

    A subclass has a field for each coefficient that it uses, `l1` or `l2`, and names it in `values`.

    Args:
        matrices: Which matrices: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.
    """

    matrices: Literal["kernel", "recurrent_kernel", "both"] = dataclasses.field(default="both", kw_only=True)

    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.weight_penalty",
        "lstmstudy.updates.weight_penalty",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.kernels",
    )

    def __post_init__(self) -> None:
        for name, amount in self.amounts.items():
            what = {"l1": "absolute values", "l2": "squares"}[name]
            check_amount(name, amount, f"the coefficient of the sum of {what}")
        check_choice("matrices", self.matrices, ("kernel", "recurrent_kernel", "both"))

    @property
    def amounts(self) -> dict[str, float]:
        """The coefficients by name."""
        return {name: getattr(self, name) for name in self.values}

    @property
    def is_off(self) -> bool:
        """Whether weights cost nothing."""
        return not any(self.amounts.values())

    @property
    def strength(self) -> float:
        """The sum of the coefficients."""
        return sum(self.amounts.values())

    @property
    def variant(self) -> str:
        """The matrices."""
        return f"on {self.matrices.replace('_', ' ')}"

    @property
    def label(self) -> str:
        """Name of an arm, such as "L2 0.01 on kernel"."""
        amounts = " + ".join(f"{amount:g}" for amount in self.amounts.values())
        return f"{self.title} {amounts} {self.variant}"

    def in_update(self, name: str) -> UpdateHook:
        """Return what adds the price to the loss of every update."""
        from lstmstudy.updates.weight_penalty import WeightPenalty as Hook

        return Hook(
            self.amounts.get("l1", 0.0), self.amounts.get("l2", 0.0), matrices=self.matrices, name=name
        )
