"""Dropout on the recurrent connections of every LSTM layer."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_choice, check_rate

if TYPE_CHECKING:
    from lstmstudy.layers.cell_hook import CellHook

_VARIANTS = {"step": "per step", "sequence": "per sequence", "candidate": "on the candidate"}


@dataclasses.dataclass(frozen=True)
class RecurrentDropout(Technique):
    """Drops entries of the recurrent path of each LSTM layer.

    In training: ``form="step"`` drops entries of the previous hidden state, drawn anew at every step;
    ``"sequence"`` keeps one mask over all steps, the same for the four gates (variational dropout,
    tied); ``"candidate"`` drops entries of the cell update, anew at every step, so that what the cell
    already holds is never lost. Kept entries are divided by ``1 - rate``. At inference nothing is
    dropped.

    In a model of your own it is `lstmstudy.layers.StateDropout`, or `CandidateDropout` for the third form.

    Args:
        rate: Probability of dropping, in [0, 1); 0 is off.
        form: ``"step"``, ``"sequence"`` or ``"candidate"``.

    Reference: Gal and Ghahramani 2016, arXiv:1512.05287; Semeniuta, Severyn, Barth 2016,
    arXiv:1603.05118 (candidate).
    """

    rate: float
    form: Literal["step", "sequence", "candidate"] = "sequence"

    name: ClassVar[str] = "recurrent_dropout"
    title: ClassVar[str] = "recurrent dropout"
    reference: ClassVar[str] = (
        "Gal and Ghahramani 2016, arXiv:1512.05287; Semeniuta et al. 2016, arXiv:1603.05118"
    )
    values: ClassVar[tuple[str, ...]] = ("rate",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.recurrent_dropout",
        "lstmstudy.layers.recurrent_dropout",
        "lstmstudy.layers.candidate_dropout",
        "lstmstudy.layers.masks",
        "lstmstudy.layers.random",
    )

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)
        check_choice("form", self.form, tuple(_VARIANTS))

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
        """Where and how long a mask lives."""
        return _VARIANTS[self.form]

    def in_cell(self, name: str) -> CellHook:
        """Return the regularizer that drops entries inside an LSTM cell."""
        if self.form == "candidate":
            from lstmstudy.layers.candidate_dropout import CandidateDropout

            return CandidateDropout(self.rate, name=name)
        from lstmstudy.layers.recurrent_dropout import StateDropout

        return StateDropout(self.rate, per=self.form, name=name)
