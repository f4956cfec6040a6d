"""Gradient noise: an optimizer that adds noise of a falling size to every gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lstmstudy.layers.random import normal
from lstmstudy.settings import check_amount

if TYPE_CHECKING:
    from collections.abc import Sequence


@keras.saving.register_keras_serializable(package="lstmstudy")
class GradientNoise(keras.optimizers.Optimizer):
    """Optimizer that hands noisy gradients to another one.

    In training each entry of each gradient gets normal noise of variance ``eta / (1 + t)^gamma``, drawn
    anew at every update t = 0, 1, ...; at inference there is nothing to do. The noise comes after the
    clipping of the other optimizer and is not clipped itself; weight decay, schedules, accumulation of
    gradients, averages of weights and the step are those of the other optimizer, which from then on
    belongs to this one. A sparse gradient becomes a dense one.

    For mixed precision put ``keras.optimizers.LossScaleOptimizer`` around this optimizer, as
    ``model.compile`` does by itself.

    Args:
        optimizer: Any Keras optimizer that is not itself made of others, or the name of one.
        eta: Variance at the first update, at least 0, in squared units of the gradient; 0 is off.
        gamma: How fast the variance falls, at least 0.
        seed: Integer of the noise stream; None draws one, as in every Keras layer.
        name: Name of this optimizer.

    Raises:
        ValueError: If `eta` or `gamma` is not a finite number of at least 0, or if `optimizer` itself
            wraps others.

    Example:
        >>> import keras
        >>> from lstmstudy.layers import GradientNoise
        >>> model = keras.Sequential([keras.Input((24, 1)), keras.layers.LSTM(8), keras.layers.Dense(1)])
        >>> model.compile(GradientNoise(keras.optimizers.Adam(0.5, global_clipnorm=1.0), eta=0.3), "mse")
        >>> float(model.optimizer.learning_rate)
        0.5

    Reference: Neelakantan et al. 2015, arXiv:1511.06807.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        eta: float = 0.01,
        gamma: float = 0.55,
        *,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)
        check_amount("eta", eta, "the variance of the noise at the first update")
        check_amount("gamma", gamma, "how fast the variance falls")
        inner = keras.optimizers.get(optimizer)
        if hasattr(inner, "inner_optimizer") or hasattr(inner, "optimizers"):
            raise ValueError(
                "`optimizer` clips the gradients and makes the step. Expected one that wraps no other; a "
                f"LossScaleOptimizer goes around this one. Received: optimizer={type(inner).__name__}"
            )
        self.inner_optimizer = inner
        self.eta, self.gamma, self.seed = eta, gamma, seed
        self.stream = keras.random.SeedGenerator(seed)
        # The only place between clipping and step; Keras is pinned, and a test holds the order.
        clip = inner._clip_gradients  # noqa: SLF001

        def clip_and_disturb(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
            return add_noise(clip(gradients), inner.iterations, eta, gamma, self.stream)

        inner._clip_gradients = clip_and_disturb  # noqa: SLF001

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the other optimizer's variables."""
        self.inner_optimizer.build(variables)
        super().build(variables)

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Make one update; see the class."""
        if not self.built and trainable_variables is not None:
            self.build(list(trainable_variables))
        self.inner_optimizer.apply(grads, trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that a saved model keeps: the noise stream and the other optimizer's variables."""
        return [*super().variables, self.stream.state, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> keras.Variable | tf.Tensor:
        """Updates so far."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The other optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def loss_scale_factor(self) -> float | None:
        """The other optimizer's factor on the loss."""
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: float | None) -> None:
        if hasattr(self, "inner_optimizer"):  # Keras sets it before there is one
            self.inner_optimizer.loss_scale_factor = factor

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """Return the loss times the other optimizer's factor."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Put averaged weights in place at the end of training, where the other optimizer has them."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this optimizer."""
        return {
            "optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "eta": self.eta,
            "gamma": self.gamma,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> GradientNoise:
        """Rebuild an optimizer, the other one included."""
        inner = keras.saving.deserialize_keras_object(config["optimizer"], custom_objects=custom_objects)
        return cls(**{**config, "optimizer": inner})


def add_noise(
    gradients: Sequence[tf.Tensor],
    update: tf.Tensor,
    eta: tf.Tensor | float,
    gamma: tf.Tensor | float,
    stream: keras.random.SeedGenerator,
) -> list[tf.Tensor]:
    """Return the gradients, each with normal noise of variance ``eta / (1 + update)^gamma``.

    Args:
        gradients: Floats of any shapes.
        update: How many updates came before, an integer.
        eta: Variance at update 0.
        gamma: How fast it falls.
        stream: Advanced once for each gradient.
    """
    deviation = tf.sqrt(eta / (1.0 + tf.cast(update, tf.float32)) ** gamma)
    noisy = []
    for gradient in map(tf.convert_to_tensor, gradients):
        noise = deviation * normal(keras.ops.shape(gradient), stream)
        noisy.append(gradient + tf.cast(noise, gradient.dtype))
    return noisy
