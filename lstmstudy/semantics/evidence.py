"""What was seen of one regularizer in one network, and the words that it comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.semantics.noise import merged
from lstmstudy.semantics.words import (
    BIASES,
    BY_PREDICTIONS,
    DRAWN,
    EXPECTATION,
    INFERENCE,
    METRIC,
    NO,
    NOTHING,
    ONCE,
    OTHER_WEIGHTS,
    PASSES,
    REPEATABLE,
    SEVERAL,
    YES,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOSE = 1e-5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a training and an evaluation showed.

    Attributes:
        predicted: What counts as the prediction on the validation part, (n, outputs).
        plain: What a network without the regularizer predicts with the weights that were trained.
        called: What the trained network itself gives at inference, twice, where it is one network.
        shown: Whether the weights that predict are other ones than those that were trained.
        several: Whether several networks predict together.
        reported: The validation figure that training reports.
        figures: That of `predicted` and that of `plain`.
        moved: Whether evaluating changes a variable, such as a stream, or comes out otherwise the second time.
        drawn: What the training draws: `YES` if anew for each batch, `NO` if kept, `ONCE` or `NOTHING`.
        expected: Says whether the network at inference is the mean of what it is in training.
        noise: The noise on each path, by column.
        biases: Whether biases move in an update to which the data give no reason; None if that says nothing.
    """

    predicted: np.ndarray
    plain: np.ndarray
    called: tuple[np.ndarray, ...]
    shown: bool
    several: bool
    reported: float
    figures: tuple[float, float]
    moved: bool
    drawn: str
    expected: Callable[[], bool]
    noise: list[dict[str, str]]
    biases: bool | None

    def words(self) -> dict[str, str]:
        """Return the cells of the card by column; a column that says nothing here is left out."""
        words = merged(self.noise) | {
            DRAWN: self.drawn,
            INFERENCE: self._inference(),
            METRIC: self._metric(),
            REPEATABLE: said(not self.moved),
        }
        return words if self.biases is None else words | {BIASES: said(self.biases)}

    def _inference(self) -> str:
        if self.several:
            return SEVERAL
        if same(self.predicted, self.plain):
            return NO
        if self.shown:
            return OTHER_WEIGHTS
        if all(same(each, self.plain) for each in self.called):
            return PASSES
        return EXPECTATION if self.drawn == YES and self.expected() else YES

    def _metric(self) -> str:
        own, plain = self.figures
        if math.isclose(self.reported, plain, rel_tol=_CLOSE):
            return NO
        return BY_PREDICTIONS if math.isclose(self.reported, own, rel_tol=_CLOSE) else YES


def drawn_word(
    first: np.ndarray, again: np.ndarray, other_seed: Callable[[], np.ndarray], *, rows: bool = False
) -> str:
    """Return how long what is drawn lives, from the weights of three trainings that begin alike.

    Args:
        first: After a training.
        again: After a second one whose streams go on where the first left them.
        other_seed: Returns those after one whose streams have another seed; asked if the two agree.
        rows: Whether the samples of a run are drawn.
    """
    if not same(first, again):
        return YES
    if rows:
        return ONCE
    return NOTHING if same(first, other_seed()) else NO


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays agree but for rounding."""
    return bool(np.allclose(one, other, rtol=_CLOSE, atol=_CLOSE))
