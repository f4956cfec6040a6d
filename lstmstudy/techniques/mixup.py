"""Mixup of every training batch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from lstmstudy.layers.augmentation import Augmentation


@dataclasses.dataclass(frozen=True)
class Mixup(Technique):
    """Mixes each training sample with another one of its batch, inputs and targets by the same weights.

    In training the weights of a pair are ``v`` and ``1 - v`` with ``v ~ Beta(alpha, alpha)``, drawn anew for
    each sample and batch, the larger one for the sample itself, whose length the mixture has. At inference
    nothing is mixed.

    In a model of your own it is `lstmstudy.layers.Mixup`.

    Args:
        alpha: Both parameters of the beta distribution; 0 is off.

    Reference: Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412.
    """

    alpha: float

    name: ClassVar[str] = "mixup"
    title: ClassVar[str] = "mixup"
    reference: ClassVar[str] = "Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412"
    values: ClassVar[tuple[str, ...]] = ("alpha",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.mixup",
        "lstmstudy.layers.mixup",
        "lstmstudy.layers.augmentation",
        "lstmstudy.layers.resampling",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_amount("alpha", self.alpha, "both parameters of the beta distribution")

    @property
    def is_off(self) -> bool:
        """Whether nothing is mixed."""
        return self.alpha == 0

    @property
    def strength(self) -> float:
        """Both parameters of the beta distribution."""
        return self.alpha

    def on_batch(self, name: str) -> Augmentation:
        """Return the layer that mixes the samples of training batches."""
        from lstmstudy.layers.mixup import Mixup as Layer

        return Layer(self.alpha, name=name)
