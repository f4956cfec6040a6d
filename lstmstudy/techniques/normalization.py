"""What the normalizations have in common."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_factor

if TYPE_CHECKING:
    from lstmstudy.recipe import Recipe

EPSILON = 0.001  # as Keras sets it; added to every variance
MOMENTUM = 0.99  # as Keras sets it; share of a moving statistic that a batch leaves


@dataclasses.dataclass(frozen=True)
class Normalization(Technique):
    """A technique without a zero: it is there or not, and never off.

    Args:
        epsilon: Added to the variance.
    """

    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        check_factor("epsilon", self.epsilon, "what is added to the variance")

    @property
    def is_off(self) -> bool:
        """Never: what is normalized cannot be left as it is."""
        return False

    @property
    def strength(self) -> float:
        """Always 1."""
        return 1.0

    @property
    def variant(self) -> str:
        """The settings that are not the usual ones."""
        return "" if self.epsilon == EPSILON else f"epsilon {self.epsilon:g}"

    @property
    def label(self) -> str:
        """Title and settings."""
        return ", ".join(part for part in (self.title, self.variant) if part)


def check_between(technique: Technique, recipe: Recipe) -> None:
    """Raise a ValueError in a network that has no place between LSTM layers."""
    if recipe.layers < 2:
        msg = (
            f"{technique.title} stands between LSTM layers. Expected at least two of them. "
            f"Received: layers={recipe.layers}"
        )
        raise ValueError(msg)


@dataclasses.dataclass(frozen=True)
class BatchStatistics(Normalization):
    """A normalization by the statistics of a batch, with running ones for inference.

    Args:
        epsilon: Added to the variance.
        statistics: Where those for inference come from: ``"recomputed"`` over the training part in front
            of each evaluation, or ``"moving"`` averages over the batches with momentum .99.
    """

    statistics: str = "recomputed"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("statistics", self.statistics, ("recomputed", "moving"))

    def structure(self) -> tuple[Any, ...]:
        """Return what must be compiled anew; nothing compiled knows where the statistics come from."""
        return (type(self), self.epsilon)

    @property
    def variant(self) -> str:
        """Where the statistics for inference come from."""
        return ", ".join(part for part in (f"{self.statistics} statistics", super().variant) if part)

    @property
    def recomputes(self) -> bool:
        """Whether the statistics for inference are those of the training part."""
        return self.statistics == "recomputed"

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError in a recipe that predicts with the network in training mode."""
        noisy = [technique.title for technique in recipe.techniques if technique.passes]
        if noisy:
            msg = (
                f"With {noisy[0]} predictions are made in training mode, in which {self.title} normalizes by "
                "the samples that are predicted. Expected one of the two, or layer norm. "
                f"Received: techniques={[technique.name for technique in recipe.techniques]}"
            )
            raise ValueError(msg)
