"""Decoupled weight decay on every matrix of the network."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class WeightDecay(Technique):
    """Shrinks the weights a little in front of every update.

    Each matrix w loses ``learning_rate * decay * w``, as ``keras.optimizers.AdamW(weight_decay=decay)``
    does; unlike L2 in the loss it is not divided by the size of past gradients. Kernels, recurrent
    kernels and the head's kernel decay, biases and the gains and offsets of normalization do not. At
    inference nothing is different.

    Args:
        decay: Share of a weight that a learning rate of 1 would take off, at least 0; 0 is off.

    Reference: Loshchilov and Hutter 2019, arXiv:1711.05101. Their decay is ``learning_rate * decay`` here.
    """

    decay: float

    name: ClassVar[str] = "weight_decay"
    title: ClassVar[str] = "weight decay"
    reference: ClassVar[str] = "Loshchilov and Hutter 2019, arXiv:1711.05101"
    values: ClassVar[tuple[str, ...]] = ("decay",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.weight_decay",
        "lstmstudy.updates.weight_decay",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.kernels",
    )

    def __post_init__(self) -> None:
        check_amount("decay", self.decay, "the share of a weight that a learning rate of 1 would take off")

    @property
    def is_off(self) -> bool:
        """Whether weights never decay."""
        return self.decay == 0

    @property
    def strength(self) -> float:
        """The decay."""
        return self.decay

    def in_update(self, name: str) -> UpdateHook:
        """Return what shrinks the weights in front of every update."""
        from lstmstudy.updates.weight_decay import WeightDecay as Hook

        return Hook(self.decay, name=name)
