"""A greatest length for the weights that go into each gate of each unit."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_limit

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class MaxNorm(Technique):
    """Shortens columns of the LSTM layers' matrices that have grown too long.

    After every update a column (the weights into one gate of one unit) longer than `limit` is scaled
    down to it, as ``keras.constraints.MaxNorm(limit, axis=0)`` does. At inference nothing is different.

    Args:
        limit: Greatest Euclidean norm of a column, above 0; ``math.inf`` is off. Smaller is stronger.
        matrices: Which matrices: ``"kernel"``, ``"recurrent_kernel"`` or ``"both"``.

    Reference: Srebro and Shraibman 2005; Hinton et al. 2012, arXiv:1207.0580.
    """

    limit: float
    matrices: Literal["kernel", "recurrent_kernel", "both"] = "both"

    name: ClassVar[str] = "max_norm"
    title: ClassVar[str] = "max-norm"
    reference: ClassVar[str] = "Srebro and Shraibman 2005; Hinton et al. 2012, arXiv:1207.0580"
    values: ClassVar[tuple[str, ...]] = ("limit",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.max_norm",
        "lstmstudy.updates.max_norm",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.kernels",
    )

    def __post_init__(self) -> None:
        check_limit("limit", self.limit, "the greatest norm of a column")
        check_choice("matrices", self.matrices, ("kernel", "recurrent_kernel", "both"))

    @property
    def is_off(self) -> bool:
        """Whether no column is ever too long."""
        return self.limit == math.inf

    @property
    def strength(self) -> float:
        """The limit."""
        return self.limit

    @property
    def variant(self) -> str:
        """The matrices."""
        return f"on {self.matrices.replace('_', ' ')}"

    def in_update(self, name: str) -> UpdateHook:
        """Return what shortens columns after every update."""
        from lstmstudy.updates.max_norm import MaxNorm as Hook

        return Hook(self.limit, matrices=self.matrices, name=name)
