"""Noise of a falling size on every gradient."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook

PUBLISHED = 0.55  # the exponent of the paper


@dataclasses.dataclass(frozen=True)
class GradientNoise(Technique):
    """Adds normal noise to the gradients of every update.

    In training each entry of each gradient gets noise of variance ``eta / (1 + t)^gamma``, where t counts
    updates from 0, after any clipping. At inference nothing is different.

    In a model of your own it is `lstmstudy.layers.GradientNoise`.

    Args:
        eta: Variance at the first update, at least 0; 0 is off.
        gamma: How fast the variance falls, at least 0.

    Reference: Neelakantan et al. 2015, arXiv:1511.06807.
    """

    eta: float
    gamma: float = PUBLISHED

    name: ClassVar[str] = "gradient_noise"
    title: ClassVar[str] = "gradient noise"
    reference: ClassVar[str] = "Neelakantan et al. 2015, arXiv:1511.06807"
    values: ClassVar[tuple[str, ...]] = ("eta", "gamma")
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.gradient_noise",
        "lstmstudy.updates.gradient_noise",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.kernels",
        "lstmstudy.layers.gradient_noise",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("eta", self.eta, "the variance of the noise at the first update")
        check_amount("gamma", self.gamma, "how fast the variance falls")

    @property
    def is_off(self) -> bool:
        """Whether gradients stay as they are."""
        return self.eta == 0

    @property
    def strength(self) -> float:
        """The variance at the first update."""
        return self.eta

    @property
    def variant(self) -> str:
        """How fast the variance falls, where it is not the published way."""
        return "" if self.gamma == PUBLISHED else f"gamma {self.gamma:g}"

    def in_update(self, name: str) -> UpdateHook:
        """Return what makes the gradients of every update noisy."""
        from lstmstudy.updates.gradient_noise import GradientNoise as Hook

        return Hook(self.eta, self.gamma, name=name)
