"""Dropout on the inputs of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_rate

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Dropout(Technique):
    """Drops entries of what enters each LSTM layer.

    In training each entry is zeroed with probability `rate` and the others are divided by
    ``1 - rate``; ``per="step"`` draws anew at every time step, ``per="sequence"`` draws one mask per
    sequence and feature and keeps it over time. At inference nothing is dropped.

    In a model of your own it is `lstmstudy.layers.InputDropout`.

    Args:
        rate: Probability of dropping, in [0, 1); 0 is off.
        per: ``"step"`` (Zaremba) or ``"sequence"`` (what ``keras.layers.LSTM(dropout=rate)`` does).

    Reference: Zaremba, Sutskever, Vinyals 2014, arXiv:1409.2329; Gal and Ghahramani 2016,
    arXiv:1512.05287.
    """

    rate: float
    per: Literal["step", "sequence"] = "step"

    name: ClassVar[str] = "dropout"
    title: ClassVar[str] = "dropout"
    reference: ClassVar[str] = (
        "Zaremba et al. 2014, arXiv:1409.2329; Gal and Ghahramani 2016, arXiv:1512.05287"
    )
    values: ClassVar[tuple[str, ...]] = ("rate",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.dropout",
        "lstmstudy.layers.input_dropout",
        "lstmstudy.layers.masks",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)
        check_choice("per", self.per, ("step", "sequence"))

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
        """How long a mask lives."""
        return f"per {self.per}"

    def before_lstm(self, name: str) -> keras.layers.Layer:
        """Return the layer that drops what enters an LSTM layer."""
        from lstmstudy.layers.input_dropout import InputDropout

        return InputDropout(self.rate, per=self.per, name=name)
