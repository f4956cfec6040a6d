"""Several techniques under one name, as guides recommend them together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_count
from lstmstudy.techniques.dropout import Dropout
from lstmstudy.techniques.early_stopping import EarlyStopping
from lstmstudy.techniques.l2 import L2

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo


@dataclasses.dataclass(frozen=True)
class Combination(Technique):
    """Switches several techniques on at once, early stopping among them.

    In a recipe its parts stand by themselves, so that a combination and the same techniques one by one are
    one run. Training and inference are those of the parts; as it stops by itself, its trajectories are read
    at its patience.

    Args:
        rate: Of `Dropout` per step, in [0, 1).
        l2: Of `L2` on the input kernels, at least 0.
        patience: Of `EarlyStopping`, at least 1.
    """

    rate: float
    l2: float
    patience: int

    def __post_init__(self) -> None:
        check_count("patience", self.patience, "the number of epochs without improvement")
        self.parts()  # they check their own settings

    def parts(self) -> tuple[Technique, ...]:
        """Return the techniques that are switched on together; stopping is the reading."""
        return (Dropout(self.rate), L2(self.l2, matrices="kernel"))

    @property
    def is_off(self) -> bool:
        """Whether all of its parts are off; stopping does not train anything else."""
        return all(part.is_off for part in self.parts())

    @property
    def reading(self) -> str:
        """Where early stopping ends a trajectory."""
        return EarlyStopping(self.patience).reading

    @property
    def strength(self) -> float:
        """The number of parts that are on, stopping included."""
        return 1 + sum(not part.is_off for part in self.parts())

    @property
    def label(self) -> str:
        """Name of an arm, such as "bundle of dropout 0.3 per step, L2 0.01 on kernel, patience 3"."""
        labels = [part.label for part in self.parts() if not part.is_off]
        return f"{self.title} of {', '.join(labels)}, {self.reading}"

    def unfit(self, info: TaskInfo) -> str:
        """Return why one of the parts makes no sense on a task, or ""."""
        return next((reason for part in self.parts() if (reason := part.unfit(info))), "")
