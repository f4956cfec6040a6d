"""Dropout on a sequence, per step or held over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import keras

from lstmstudy.layers.masks import add_rate, dropout_mask
from lstmstudy.settings import check_choice

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="lstmstudy")
class InputDropout(keras.layers.Layer):
    """Drops entries of a sequence.

    In training an entry becomes 0 with probability `rate` and is else divided by ``1 - rate``;
    ``per="step"`` draws anew at every time step, ``per="sequence"`` once per sequence and feature. At
    inference the inputs pass unchanged and no stream advances.

    Args:
        rate: Probability of dropping, in [0, 1).
        per: ``"step"`` or ``"sequence"``.
        seed: Integer of the mask stream; None draws one, as in every Keras layer.

    Call arguments:
        inputs: Floats (batch, time, features).

    Returns:
        Floats (batch, time, features).

    Raises:
        ValueError: If `rate` lies outside [0, 1) or `per` is unknown.

    Example:
        >>> from lstmstudy.layers import InputDropout
        >>> import numpy as np
        >>> layer = InputDropout(0.5, per="sequence", seed=1)
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 5, 3)

    Reference: Zaremba et al. 2014, arXiv:1409.2329 (step); Gal and Ghahramani 2016,
    arXiv:1512.05287 (sequence).
    """

    def __init__(
        self,
        rate: float,
        *,
        per: Literal["step", "sequence"] = "step",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("per", per, ("step", "sequence"))
        self.per = per
        self.seed = seed
        self.initial_rate = rate
        self.rate = add_rate(self, rate)
        self.stream = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return the inputs, masked in training; see the class."""
        if not training:
            return inputs
        batch, steps, features = keras.ops.shape(inputs)
        shape = (batch, steps if self.per == "step" else 1, features)
        return inputs * keras.ops.cast(dropout_mask(shape, self.rate, self.stream), inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "rate": self.initial_rate, "per": self.per, "seed": self.seed}
