"""The study's LSTM layer: stock Keras's function, with places for regularizers inside the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Sequence


class CellHook(keras.layers.Layer):
    """A regularizer inside the LSTM cell; a subclass in a file of its own for each.

    In training, `sample` draws once per batch, before the loop over time; at inference no hook is
    asked for anything.
    """

    def sample(self, batch: tf.Tensor | int, steps: tf.Tensor | int, units: int) -> tf.Tensor:
        """Return the noise of one batch, (steps, batch, units), or (1, batch, units) if held over time."""
        raise AttributeError(f"{type(self).__name__} does not say what it draws.")

    def state(self, h: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return what the recurrent kernel sees of the previous hidden state, (batch, units)."""
        del noise
        return h

    def candidate(self, g: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Return what is written into the cell of the candidate ``tanh(z_c)``, (batch, units)."""
        del noise
        return g


@keras.saving.register_keras_serializable(package="lstmstudy")
class LSTM(keras.layers.Layer):
    """LSTM with one input projection for all time steps and hooks inside its cell.

    In training each hook draws its noise once per batch, before the loop over time, and enters the
    cell where it says; at inference, and without hooks, the function is that of
    ``keras.layers.LSTM`` with the same weights: gates in the order i, f, c, o; masked steps hold the
    state and repeat the output. Evaluating advances no random stream.

    Args:
        units: Size of h and c.
        return_sequences: Whether to return the hidden state of every step.
        hooks: Regularizers inside the cell, applied in this order.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.
        training: Whether the hooks act.

    Returns:
        Floats (batch, units), or (batch, time, units) with `return_sequences`.

    Raises:
        ValueError: If `units` is not a positive integer.

    Reference: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget bias 1 as in
    Jozefowicz et al. 2015.
    """

    def __init__(
        self, units: int, *, return_sequences: bool = False, hooks: Sequence[CellHook] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            msg = f"`units` is the size of the state. Expected a positive integer. Received: units={units!r}"
            raise ValueError(msg)
        self.units = units
        self.return_sequences = return_sequences
        self.hooks = list(hooks)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create kernel (features, 4 units), recurrent_kernel (units, 4 units) and bias (4 units,)."""
        u = self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], 4 * u),
            initializer=keras.initializers.GlorotUniform(seed=0),
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            shape=(u, 4 * u), initializer=keras.initializers.Orthogonal(seed=0), name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(4 * u,), initializer=_forget_one, name="bias")
        for hook in self.hooks:
            hook.build((None, u))
        self.built = True

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (batch, units), or (batch, time, units) with `return_sequences`."""
        return (*input_shape[: 2 if self.return_sequences else 1], self.units)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Pass the mask on to the next layer where every step is returned."""
        del inputs
        return previous_mask if self.return_sequences else None

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Return the hidden states; see the class."""
        u = self.units
        batch, steps = (size or tf.shape(inputs)[axis] for axis, size in enumerate(inputs.shape[:2]))
        hooks = self.hooks if training else []
        noise = [hook.sample(batch, steps, u) for hook in hooks]
        # One product over all steps, on a matrix: a batched product would sum its gradient per sample.
        rows = tf.reshape(tf.transpose(inputs, (1, 0, 2)), (-1, inputs.shape[-1]))
        projected = tf.reshape(tf.matmul(rows, self.kernel) + self.bias, (steps, batch, 4 * u))
        counts = None if mask is None else tf.transpose(tf.cast(mask, tf.bool))[:, :, None]
        recurrent_kernel = tf.convert_to_tensor(self.recurrent_kernel)
        zeros = tf.zeros((batch, u), inputs.dtype)
        shape = (inputs.shape[0], u)
        kept = (
            [tf.TensorArray(inputs.dtype, size=steps, element_shape=shape)] if self.return_sequences else []
        )

        def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *kept: tf.TensorArray) -> tuple[Any, ...]:
            now = [drawn[0] if drawn.shape[0] == 1 else drawn[t] for drawn in noise]
            seen = h
            for hook, drawn in zip(hooks, now, strict=True):
                seen = hook.state(seen, drawn)
            z = projected[t] + tf.matmul(seen, recurrent_kernel)
            gates = tf.sigmoid(z)  # one pass for all four is cheaper than three slices; c is not used
            i, f, o = gates[:, :u], gates[:, u : 2 * u], gates[:, 3 * u :]
            g = tf.tanh(z[:, 2 * u : 3 * u])
            for hook, drawn in zip(hooks, now, strict=True):
                g = hook.candidate(g, drawn)
            new_c = f * c + i * g
            new_h = o * tf.tanh(new_c)
            if counts is not None:
                new_c = tf.where(counts[t], new_c, c)
                new_h = tf.where(counts[t], new_h, h)
            return t + 1, new_h, new_c, *(outputs.write(t, new_h) for outputs in kept)

        _, h, _, *kept = tf.while_loop(
            lambda t, *_: t < steps, step, (tf.constant(0), zeros, zeros, *kept), maximum_iterations=steps
        )
        return tf.transpose(kept[0].stack(), (1, 0, 2)) if self.return_sequences else h

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "return_sequences": self.return_sequences,
            "hooks": [keras.saving.serialize_keras_object(hook) for hook in self.hooks],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LSTM:
        """Rebuild a layer, its hooks included."""
        hooks = [keras.saving.deserialize_keras_object(hook) for hook in config.pop("hooks", [])]
        return cls(hooks=hooks, **config)


def _forget_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return the initial bias: 1 for the forget gate, 0 elsewhere."""
    u = shape[0] // 4
    return keras.ops.concatenate(
        [keras.ops.zeros((u,), dtype), keras.ops.ones((u,), dtype), keras.ops.zeros((2 * u,), dtype)]
    )
