"""The networks of a run whose predictions count together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.stages import in_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmstudy.stages import Stages
    from lstmstudy.training.trajectory import Trajectory


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
