"""Early stopping: a way to read a trajectory, never a setting of its training."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from lstmstudy.recipe import Technique


@dataclasses.dataclass(frozen=True)
class EarlyStopping(Technique):
    """Keeps the epoch that Keras's ``EarlyStopping(patience, restore_best_weights=True)`` would keep.

    Every trajectory is trained to its full length; where a patience would have stopped it, and which
    epoch it would have kept, is read from the validation metric afterwards. Training and inference
    are those of the baseline.

    Args:
        patience: Epochs without improvement until it stops; 0 is off (the last epoch is kept).

    Reference: Prechelt 1998, "Early stopping, but when?".
    """

    patience: int

    name: ClassVar[str] = "early_stopping"
    title: ClassVar[str] = "early stopping, patience"
    reference: ClassVar[str] = "Prechelt 1998, Early stopping, but when?"
    is_reading: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int) or self.patience < 0:
            msg = (
                "`patience` is the number of epochs without improvement. "
                f"Expected an integer of at least 0. Received: patience={self.patience!r}"
            )
            raise ValueError(msg)

    @property
    def is_off(self) -> bool:
        """Whether training always runs to the last epoch."""
        return self.patience == 0

    @property
    def strength(self) -> float:
        """The patience, in epochs."""
        return self.patience

    @property
    def reading(self) -> str:
        """How a trajectory is scored: ``"last"`` or ``"patience <k>"``."""
        return "last" if self.is_off else f"patience {self.patience}"
