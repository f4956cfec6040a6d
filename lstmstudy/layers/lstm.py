"""The study's LSTM layer: stock Keras's function, with places for regularizers inside the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import keras
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.recurrence import Recurrence

if TYPE_CHECKING:
    from collections.abc import Sequence

_ELSEWHERE = {  # arguments of keras.layers.LSTM that this layer lacks, and what serves instead
    "stateful": "keras.layers.LSTM keeps its state from batch to batch",
    "return_state": "keras.layers.LSTM returns its last state",
    "dropout": "lstmstudy.layers.InputDropout in front of the layer drops what enters it",
    "recurrent_dropout": "hooks=[lstmstudy.layers.StateDropout(rate)] drops what it carries through time",
}


@keras.saving.register_keras_serializable(package="lstmstudy")
class LSTM(keras.layers.Layer):
    """LSTM with one input projection for all time steps and hooks inside its cell.

    In training each hook draws its noise once per batch, before the loop over time, and acts at
    the places in the cell whose methods it overrides; at inference only hooks with `acts_at_inference` do
    (zoneout's expectation, normalization).
    Without hooks the function is that of ``keras.layers.LSTM`` with the same weights: gates in the
    order i, f, c, o; masked steps hold the state and repeat the output. Evaluating advances no random
    stream.

    It serves in ``keras.layers.Bidirectional`` and under every dtype policy; noise is drawn in float32.

    Args:
        units: Size of h and c.
        return_sequences: Whether to return the hidden state of every step.
        go_backwards: Whether to read the sequence from its last step to its first, as the backward
            layer of ``keras.layers.Bidirectional`` does; outputs come in the order of reading.
        hooks: Regularizers inside the cell, applied in this order.

    Call arguments:
        inputs: Floats (batch, time, features).
        mask: Booleans (batch, time), True where a step counts; or None.
        training: Whether the hooks act.

    Returns:
        Floats (batch, units), or (batch, time, units) with `return_sequences`.

    Raises:
        ValueError: If `units` is not a positive integer, a hook is no `CellHook`, the inputs are no
            sequences, or the layer is asked to take, keep or return its state, which it does not do.

    Example:
        >>> from lstmstudy.layers import LSTM, StateDropout, Zoneout
        >>> import numpy as np
        >>> layer = LSTM(8, return_sequences=True, hooks=[StateDropout(0.2), Zoneout(0.1, 0.05)])
        >>> tuple(layer(np.ones((2, 5, 3), "float32"), training=True).shape)
        (2, 5, 8)

    Reference: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget bias 1 as in
    Jozefowicz et al. 2015.
    """

    stateful: ClassVar[bool] = False  # Bidirectional asks for these two
    return_state: ClassVar[bool] = False

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        go_backwards: bool = False,
        hooks: Sequence[CellHook] = (),
        **kwargs: Any,
    ) -> None:
        for name, instead in _ELSEWHERE.items():
            if value := kwargs.pop(name, False):
                msg = f"This layer has no `{name}`; {instead}. Expected it to be left out. Received: {name}={value!r}"
                raise ValueError(msg)
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            msg = f"`units` is the size of the state. Expected a positive integer. Received: units={units!r}"
            raise ValueError(msg)
        if not isinstance(hooks, (list, tuple)) or not all(isinstance(hook, CellHook) for hook in hooks):
            msg = (
                "`hooks` are the regularizers inside the cell. Expected a list of lstmstudy.layers.CellHook, "
                f"such as [StateDropout(0.3)]. Received: hooks={hooks!r}"
            )
            raise ValueError(msg)
        self.units = units
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.hooks = list(hooks)
        self.zero_output_for_mask = False  # Bidirectional sets it, as it adds outputs of both directions
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create kernel (features, 4 units), recurrent_kernel (units, 4 units) and bias (4 units,)."""
        u = self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], 4 * u),
            initializer="glorot_uniform",
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            shape=(u, 4 * u), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(4 * u,), initializer=_forget_one, name="bias")
        for hook in self.hooks:
            hook.build((input_shape[1], u))
        self.built = True

    def compute_output_shape(
        self, inputs_shape: tuple[int | None, ...], initial_state_shape: Any = None
    ) -> tuple[int | None, ...]:
        """Return (batch, units), or (batch, time, units) with `return_sequences`."""
        _check_absent(initial_state_shape)
        return (*inputs_shape[: 2 if self.return_sequences else 1], self.units)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Pass the mask on to the next layer where every step is returned."""
        del inputs
        return previous_mask if self.return_sequences else None

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Return the hidden states; see the class."""
        _check_absent(initial_state)
        u, training = self.units, bool(training)
        batch, steps = (size or tf.shape(inputs)[axis] for axis, size in enumerate(inputs.shape[:2]))
        hooks = [hook for hook in self.hooks if training or hook.acts_at_inference]
        noise = [_drawn(hook, (batch, steps, u), inputs.dtype) if training else None for hook in hooks]
        inputs, counts = self._in_time(inputs, mask)
        # One product over all steps, on a matrix: a batched product would sum its gradient per sample.
        rows, kernel = tf.reshape(inputs, (-1, inputs.shape[-1])), tf.convert_to_tensor(self.kernel)
        if (
            inputs.shape[-1] == 1
        ):  # XLA makes no matrix product of the gradient of a single row, but a slow loop
            rows, kernel = tf.pad(rows, ((0, 0), (0, 1))), tf.pad(kernel, ((0, 1), (0, 0)))
        projected = tf.reshape(tf.matmul(rows, kernel), (steps, batch, 4 * u))
        recurrent_kernel = tf.convert_to_tensor(self.recurrent_kernel)
        for hook, drawn in zip(hooks, noise, strict=True):
            projected = hook.inputs(projected, counts, training=training)
            recurrent_kernel = hook.kernel(recurrent_kernel, drawn)
        recurrence = Recurrence(hooks, noise, counts, training=training)
        bias = tf.convert_to_tensor(self.bias)
        h = recurrence.run(projected, recurrent_kernel, bias, return_sequences=self.return_sequences)
        if not self.return_sequences:
            return h
        if counts is not None and self.zero_output_for_mask:
            h = tf.where(counts, h, 0)
        return tf.transpose(h, (1, 0, 2))

    def _in_time(self, inputs: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return the inputs (time, batch, features) and where they count (time, batch, 1), as they are read."""
        inputs = tf.transpose(inputs, (1, 0, 2))
        counts = None if mask is None else tf.transpose(tf.cast(mask, tf.bool))[:, :, None]
        if self.go_backwards:
            inputs = tf.reverse(inputs, (0,))
            counts = None if counts is None else tf.reverse(counts, (0,))
        return inputs, counts

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "return_sequences": self.return_sequences,
            "go_backwards": self.go_backwards,
            "hooks": [keras.saving.serialize_keras_object(hook) for hook in self.hooks],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LSTM:
        """Rebuild a layer, its hooks included."""
        hooks = [keras.saving.deserialize_keras_object(hook) for hook in config.get("hooks", [])]
        return cls(**{**config, "hooks": hooks})


def _check_absent(initial_state: Any) -> None:
    """Raise a ValueError if an initial state, or the shape of one, is given."""
    if initial_state is not None:
        shapes = [tuple(getattr(state, "shape", state)) for state in initial_state]
        msg = (
            "Every sequence starts from a zero state; keras.layers.LSTM takes another one. "
            f"Expected initial_state=None. Received: initial_state of {shapes=}"
        )
        raise ValueError(msg)


def _drawn(
    hook: CellHook, sizes: tuple[tf.Tensor | int, tf.Tensor | int, int], dtype: Any
) -> tf.Tensor | None:
    """Return the noise of a hook for one batch, in the type that the layer computes in."""
    noise = hook.sample(*sizes)
    return None if noise is None else tf.cast(noise, dtype)


def _forget_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return the initial bias: 1 for the forget gate, 0 elsewhere."""
    u = shape[0] // 4
    return keras.ops.concatenate(
        [keras.ops.zeros((u,), dtype), keras.ops.ones((u,), dtype), keras.ops.zeros((2 * u,), dtype)]
    )
