"""The stages in which a run is trained: a single one, or several whose networks predict together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Stages:
    """How a run is divided, and how the networks that its stages leave predict together.

    Attributes:
        number: How many stages follow one another.
        epochs: Length of each.
        shrinkage: Where it is given, every stage trains a new network on what the sum of the earlier ones
            leaves, and what a stage leaves enters the sum times this factor. Where it is None one network
            trains on, and what its stages leave is averaged.
        leaves: Which network a stage leaves: that of its ``"selected"`` or of its ``"last"`` epoch. The
            weights that a result keeps are chosen alike.
    """

    number: int
    epochs: int
    shrinkage: float | None = None
    leaves: Literal["selected", "last"] = "selected"

    @property
    def length(self) -> int:
        """Epochs of all stages."""
        return self.number * self.epochs

    @property
    def additive(self) -> bool:
        """Whether networks are summed, each new and trained on what the others leave."""
        return self.shrinkage is not None

    def at(self, epoch: int) -> int:
        """Return the stage of an epoch, both from 0."""
        return epoch // self.epochs

    def starts(self, epoch: int) -> bool:
        """Whether a new network begins with an epoch."""
        return epoch % self.epochs == 0 if self.additive else epoch == 0

    def ends(self, epoch: int) -> bool:
        """Whether a stage ends with an epoch."""
        return (epoch + 1) % self.epochs == 0


def in_stage(stage: int, name: str) -> str:
    """Return a name, such as that of a stream, as it is in a stage; the first one's are plain."""
    return f"stage/{stage}/{name}" if stage else name
