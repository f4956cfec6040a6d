"""Dropout that stays on at inference, over which predictions are averaged."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_count, check_rate

if TYPE_CHECKING:
    import keras

    from lstmstudy.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class MonteCarloDropout(Technique):
    """Drops entries of what enters each LSTM layer, in training and in every prediction.

    Training is that of `Dropout` with the same rate, mask for mask. At inference `passes` predictions
    are made with fresh masks, and the mean of their values, or of their class probabilities, counts;
    with 0 passes nothing is dropped there. Any other noise of the network is on in the passes too.
    Evaluating takes `passes` times as long and moves no stream of training.

    Args:
        rate: Probability of dropping, in [0, 1); 0 is off.
        per: Whether a mask lives for a ``"step"`` or a ``"sequence"``.
        passes: Predictions that are averaged.

    Raises:
        ValueError: If a setting is outside its range, or the recipe has plain dropout too.

    Reference: Gal and Ghahramani 2016, arXiv:1506.02142; for recurrent networks arXiv:1512.05287.
    """

    rate: float
    per: Literal["step", "sequence"] = "sequence"
    passes: int = 10

    name: ClassVar[str] = "monte_carlo_dropout"
    title: ClassVar[str] = "Monte Carlo dropout"
    reference: ClassVar[str] = "Gal and Ghahramani 2016, arXiv:1506.02142 and arXiv:1512.05287"
    values: ClassVar[tuple[str, ...]] = ("rate",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.monte_carlo_dropout",
        "lstmstudy.layers.input_dropout",
        "lstmstudy.layers.masks",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)
        check_choice("per", self.per, ("step", "sequence"))
        check_count("passes", self.passes, "the number of predictions that are averaged", least=0)

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever dropped."""
        return self.rate == 0

    @property
    def strength(self) -> float:
        """The rate."""
        return self.rate

    @property
    def variant(self) -> str:
        """How long a mask lives, and how many predictions are averaged."""
        return f"per {self.per}, {self.passes} passes"

    def before_lstm(self, name: str) -> keras.layers.Layer:
        """Return the layer of `Dropout`, under its name and so with its masks."""
        from lstmstudy.layers.input_dropout import InputDropout

        return InputDropout(self.rate, per=self.per, name=name.replace(self.name, "dropout"))

    def check(self, recipe: Recipe) -> None:
        """Raise a ValueError beside plain dropout."""
        for other in recipe.techniques:
            if other.name == "dropout":
                raise ValueError(
                    "Monte Carlo dropout drops in training as dropout does. Expected one of the two. "
                    f"Received: {other!r}"
                )
