"""A running mean of the weights, which is evaluated instead of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from lstmstudy.recipe import Technique
from lstmstudy.settings import check_factor

if TYPE_CHECKING:
    from lstmstudy.updates import UpdateHook


@dataclasses.dataclass(frozen=True)
class WeightAveraging(Technique):
    """Evaluates an exponential moving average of the weights.

    In training the weights are those of the baseline, update for update; after each update the average
    becomes ``decay * average + (1 - decay) * weights``, and after the first one the weights themselves. At
    inference the average predicts: every metric and every kept weight is its own. It is what
    ``keras.optimizers.Adam(use_ema=True, ema_momentum=decay)`` holds.

    Args:
        decay: Share of the old average that an update keeps, in [0, 1); 0 is off.

    Raises:
        ValueError: If `decay` lies elsewhere.

    Reference: Polyak and Juditsky 1992, SIAM Journal on Control and Optimization 30; of weights along one
    training: Izmailov et al. 2018, arXiv:1803.05407.
    """

    decay: float

    name: ClassVar[str] = "weight_averaging"
    title: ClassVar[str] = "weight averaging"
    reference: ClassVar[str] = (
        "Polyak and Juditsky 1992, SIAM Journal on Control and Optimization 30; "
        "Izmailov et al. 2018, arXiv:1803.05407"
    )
    values: ClassVar[tuple[str, ...]] = ("decay",)
    modules: ClassVar[tuple[str, ...]] = (
        "lstmstudy.techniques.weight_averaging",
        "lstmstudy.updates.update_hook",
        "lstmstudy.updates.weight_averaging",
    )

    def __post_init__(self) -> None:
        check_factor("decay", self.decay, "the share of the old average that an update keeps", zero=True)

    @property
    def is_off(self) -> bool:
        """Whether the average is always the weights."""
        return self.decay == 0

    @property
    def strength(self) -> float:
        """The decay."""
        return self.decay

    def in_update(self, name: str) -> UpdateHook:
        """Return what averages the weights after every update."""
        from lstmstudy.updates.weight_averaging import WeightAveraging as Hook

        return Hook(self.decay, name=name)
