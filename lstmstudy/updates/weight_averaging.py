"""The exponential moving average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lstmstudy.settings import check_factor
from lstmstudy.updates.update_hook import UpdateHook

if TYPE_CHECKING:
    from collections.abc import Sequence


class WeightAveraging(UpdateHook):
    """Follows the weights with an exponential moving average.

    In training the weights stay as the optimizer leaves them; after each update every average becomes
    ``decay * average + (1 - decay) * weight``. The first update sets it to the weight, so that the initial
    weights are not in it. At inference `shown` gives the averages. Keras's optimizers do the same
    with ``use_ema=True, ema_momentum=decay``.

    Args:
        decay: Share of the old average that an update keeps, in [0, 1).

    Raises:
        ValueError: If `decay` lies elsewhere.

    Reference: Polyak and Juditsky 1992, SIAM Journal on Control and Optimization 30.
    """

    def __init__(self, decay: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_factor("decay", decay, "the share of the old average that an update keeps", zero=True)
        initializer = keras.initializers.Constant(decay)
        self.decay = self.add_weight(shape=(), initializer=initializer, trainable=False, name="decay")

    def watch(self, variables: Sequence[keras.Variable]) -> None:
        """Make an average beside each variable."""
        super().watch(variables)
        self.averages = [
            self.add_weight(
                shape=variable.shape, initializer="zeros", trainable=False, name=f"average_{place}"
            )
            for place, variable in enumerate(variables)
        ]

    def after(self, update: tf.Tensor) -> None:
        """Move each average towards its variable, or to it at the first update."""
        kept = tf.where(update == 0, 0.0, tf.convert_to_tensor(self.decay))
        for average, variable in zip(self.averages, self.variables_watched, strict=True):
            average.assign(kept * average + (1.0 - kept) * variable)

    def shown(self) -> list[tf.Tensor]:
        """Return the averages, in the order of the variables."""
        return [tf.convert_to_tensor(average) for average in self.averages]
