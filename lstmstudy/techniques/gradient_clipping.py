"""A greatest length for the gradients."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_limit

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class GradientClipping(Technique):
    """Scales gradients that are too long down to a norm.

    In training ``per="global"`` takes one norm over all variables and keeps the direction of the joint
    step (Keras's ``global_clipnorm``); ``per="variable"`` treats each variable alone (``clipnorm``). The
    gradient of a weight penalty is inside the clip, weight decay outside it. The share of clipped updates
    is kept as the curve ``"clipped share"``. At inference nothing is different.

    Args:
        norm: Greatest Euclidean norm, above 0; ``math.inf`` is off. Smaller is stronger.
        per: ``"global"`` or ``"variable"``.

    Reference: Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063 (global).
    """

    norm: float
    per: Literal["global", "variable"] = "global"

    name: ClassVar[str] = "gradient_clipping"
    title: ClassVar[str] = "gradient clipping"
    reference: ClassVar[str] = "Pascanu et al. 2013, arXiv:1211.5063"
    values: ClassVar[tuple[str, ...]] = ("norm",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.gradient_clipping",
        "lstmstudy.updates.gradient_clipping",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.kernels",
    )

    def __post_init__(self) -> None:
        check_limit("norm", self.norm, "the greatest norm of a gradient")
        check_choice("per", self.per, ("global", "variable"))

    @property
    def is_off(self) -> bool:
        """Whether no gradient is ever too long."""
        return self.norm == math.inf

    @property
    def strength(self) -> float:
        """The norm."""
        return self.norm

    @property
    def variant(self) -> str:
        """What one norm is taken over."""
        return "over all variables" if self.per == "global" else "per variable"

    def in_update(self, name: str) -> UpdateHook:
        """Return what clips the gradients of every update."""
        from lstmstudy.updates.gradient_clipping import GradientClipping as Hook

        return Hook(self.norm, per=self.per, name=name)
