"""The stages of a run: one network, or several whose predictions count together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmstudy.recipe import Recipe
    from lstmstudy.trajectory import Trajectory


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


def stages_of(recipe: Recipe) -> Stages:
    """Return the stages of a recipe: those of the technique that has some, or a single one."""
    found = (technique.in_stages(recipe) for technique in recipe.techniques)
    return next((stages for stages in found if stages is not None), Stages(1, recipe.epochs))


def in_stage(stage: int, name: str) -> str:
    """Return a name, such as that of a stream, as it is in a stage; the first one's are plain."""
    return f"stage/{stage}/{name}" if stage else name


class Networks:
    """The networks of a run that predict together: those that earlier stages left, and the present one.

    Args:
        stages: How they predict together.
        classifies: Whether sums are logits that become probabilities.

    Attributes:
        weights: Those of all networks at the epoch that counts, by path; ``"stage/1/lstm_1/kernel"`` is
            from the second one.
    """

    def __init__(self, stages: Stages, *, classifies: bool) -> None:
        self.stages = stages
        self.classifies = classifies
        self.weights: dict[str, np.ndarray] = {}
        self._outputs: list[np.ndarray] = []  # of the networks that earlier stages left
        self._weights: dict[str, np.ndarray] = {}
        self._taken: tuple[np.ndarray, dict[str, np.ndarray]]  # what the present stage leaves so far

    def offset(self, rows: int) -> np.ndarray:
        """Return what the networks so far sum to on the first rows, (rows, n_outputs); zeros before the first."""
        if self.stages.shrinkage is None or not self._outputs:
            return np.zeros((rows, 1), np.float32)
        return self.stages.shrinkage * np.sum(self._outputs, axis=0)[:rows]

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        """Return values or probabilities of all networks together, (n_rows, n_outputs).

        Args:
            outputs: Values or probabilities of the present network; logits where networks are summed.
        """
        if self.stages.shrinkage is None:
            return np.mean([*self._outputs, outputs], axis=0) if self._outputs else outputs
        total = self.offset(len(outputs)) + self.stages.shrinkage * outputs
        return _softmax(total) if self.classifies else total

    def after(
        self,
        epoch: int,
        outputs: np.ndarray,
        weights: Callable[[], dict[str, np.ndarray]],
        trajectory: Trajectory,
    ) -> None:
        """Take the network of an epoch where its stage leaves it so far, and end the stage at its last epoch.

        Args:
            epoch: Which epoch just ended, from 0.
            outputs: As `predict` gets them.
            weights: Returns the weights of the present network.
            trajectory: The scores so far.
        """
        stage, ends = self.stages.at(epoch), self.stages.ends(epoch)
        begin = stage * self.stages.epochs
        last = self.stages.leaves == "last"
        if ends if last else trajectory.is_best(epoch, since=begin):
            self._taken = outputs, {in_stage(stage, path): weight for path, weight in weights().items()}
            if last or trajectory.is_best(epoch):
                self.weights = self._weights | self._taken[1]
        if ends:
            self._outputs.append(self._taken[0])
            self._weights |= self._taken[1]


def _softmax(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told as a divergence
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
