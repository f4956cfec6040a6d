"""The loop of the LSTM over time, and the way back through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook

if TYPE_CHECKING:
    from collections.abc import Sequence

    Gradients = tuple[tf.Tensor | None, ...]


class Recurrence:
    """Runs the cell over the steps of a batch, one after the other.

    Left to itself, automatic differentiation would sum the gradient of the recurrent kernel in as many
    small products as there are steps, and keep every value between. Here each step is differentiated by
    itself, hooks included, from the gates and the state it began with; one product over all steps then
    gives the gradient of the kernel. There are only first derivatives.

    Args:
        hooks: The hooks that act.
        noise: What each of them drew for this batch, its first axis time; or None.
        mask: True where a step counts, (time, batch, 1); or None.
        training: Whether this is training.
    """

    def __init__(
        self,
        hooks: Sequence[CellHook],
        noise: Sequence[tf.Tensor | None],
        mask: tf.Tensor | None,
        *,
        training: bool,
    ) -> None:
        self.hooks, self.noise, self.mask, self.training = hooks, noise, mask, training
        self.collecting = [hook for hook in hooks if training and hook.collects]
        # What hooks keep in variables enters the loops as tensors: a loop has gradients only for those.
        self.variables = [variable for hook in hooks for variable in hook.weights]

    def run(
        self, projected: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *, return_sequences: bool
    ) -> tf.Tensor:
        """Return the last hidden state (batch, u), or with `return_sequences` all of them (time, batch, u).

        Args:
            projected: x W, (time, batch, 4 u).
            kernel: The recurrent kernel, (u, 4 u).
            bias: (4 u,).
            return_sequences: Which of the two.
        """

        @tf.custom_gradient
        def differentiable(*tensors: tf.Tensor) -> tuple[tf.Tensor, object]:
            projected, kernel, bias, *values = tensors
            given = _Given(projected, kernel, bias, values)
            h, past = self._forward(given)
            for hook in self.collecting:
                hook.collect(past.products, past.cells, self.mask)

            def gradient(upstream: tf.Tensor) -> Gradients:
                return self._backward(given, past, upstream, each_step=return_sequences)

            return past.h[1:] if return_sequences else h, gradient

        return differentiable(projected, kernel, bias, *map(tf.convert_to_tensor, self.variables))

    def _forward(self, given: _Given) -> tuple[tf.Tensor, _Past]:
        """Return the last hidden state, and what the way back needs."""
        keeps_product = bool(self._changes("recurrent") or self.collecting)
        sizes = [given.u] * 4 + [4 * given.u] * keeps_product + [given.u] * bool(self.collecting)

        def step(
            t: tf.Tensor,
            h: tf.Tensor,
            c: tf.Tensor,
            hs: tf.TensorArray,
            cs: tf.TensorArray,
            *kept: tf.TensorArray,
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            product = tf.matmul(self._seen(t, h), given.kernel)
            gates = _gates(self._summed(t, given.projected[t], product, given.bias))
            h, c, cell = self._state(t, gates, h, c)
            values = [*gates, *[product] * keeps_product, *[cell] * bool(self.collecting)]
            kept = tuple(array.write(t, value) for array, value in zip(kept, values, strict=True))
            return (t + 1, h, c, hs.write(t + 1, h), cs.write(t + 1, c), *kept)

        states = (given.array(given.u, more=1), given.array(given.u, more=1))  # before and after each step
        with self._reading(given):
            _, h, _, *arrays = tf.while_loop(
                lambda t, *_: t < given.steps,
                step,
                (tf.constant(0), given.zeros, given.zeros, *states, *map(given.array, sizes)),
                maximum_iterations=given.steps,
            )
        hs, cs, i, f, g, o, *more = [array.stack() for array in arrays]
        return h, _Past(hs, cs, (i, f, g, o), *more)

    def _backward(self, given: _Given, past: _Past, upstream: tf.Tensor, *, each_step: bool) -> Gradients:
        """Return the gradients of x W, kernel, bias and the hooks' variables."""
        transposed = tf.transpose(given.kernel)
        trained = [
            value for value, variable in zip(given.values, self.variables, strict=True) if variable.trainable
        ]

        def step(
            t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, *carried: tf.Tensor | tf.TensorArray
        ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            dproducts, dsums, seens, *dtrained = carried
            h, c, gates = past.h[t], past.c[t], [gate[t] for gate in past.gates]
            dh = dh + upstream[t] if each_step else dh
            with tf.GradientTape() as tape, self._reading(given):
                tape.watch([h, c, *gates, *trained])
                after = self._state(t, gates, h, c)[:2]
            dh, dc, di, df, dg, do, *more = _pulled(tape, after, [h, c, *gates, *trained], [dh, dc])
            dsum = dproduct = _through_gates(gates, (di, df, dg, do))
            dtrained = _added(dtrained, more)
            if self._changes("recurrent"):
                product = past.products[t]
                with tf.GradientTape() as tape, self._reading(given):
                    tape.watch([product, *trained])
                    summed = self._summed(t, given.projected[t], product, given.bias)
                dproduct, *more = _pulled(tape, summed, [product, *trained], dsum)
                dtrained = _added(dtrained, more)
                dsums = dsums.write(t, dsum)
            dseen = tf.matmul(dproduct, transposed)
            if self._changes("state"):
                with tf.GradientTape() as tape, self._reading(given):
                    tape.watch([h, *trained])
                    seen = self._seen(t, h)
                dseen, *more = _pulled(tape, seen, [h, *trained], dseen)
                dtrained = _added(dtrained, more)
                seens = seens.write(t, seen)
            return (t - 1, dh + dseen, dc, dproducts.write(t, dproduct), dsums, seens, *dtrained)

        _, _, _, dproducts, dsums, seens, *dtrained = tf.while_loop(
            lambda t, *_: t >= 0,
            step,
            (
                tf.constant(given.steps - 1),
                given.zeros if each_step else upstream,
                given.zeros,
                *map(given.array, (4 * given.u, 4 * given.u, given.u)),
                *map(tf.zeros_like, trained),
            ),
            maximum_iterations=given.steps,
        )
        dproduct = dproducts.stack()
        dsum = dsums.stack() if self._changes("recurrent") else dproduct
        seen = seens.stack() if self._changes("state") else past.h[:-1]
        dkernel = tf.matmul(
            tf.reshape(seen, (-1, given.u)), tf.reshape(dproduct, (-1, 4 * given.u)), transpose_a=True
        )
        left = iter(dtrained)
        dvalues = [next(left) if variable.trainable else None for variable in self.variables]
        return (dsum, dkernel, tf.reduce_sum(dsum, (0, 1)), *dvalues)

    def _changes(self, method: str) -> bool:
        """Whether a hook overrides a method."""
        return any(getattr(type(hook), method) is not getattr(CellHook, method) for hook in self.hooks)

    def _reading(self, given: _Given) -> keras.StatelessScope:
        """Return a scope in which the hooks' variables have the values of the tensors that were given."""
        return keras.StatelessScope(state_mapping=list(zip(self.variables, given.values, strict=True)))

    def _seen(self, t: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        """Return what the recurrent kernel sees of h."""
        for hook, drawn in self._drawn(t):
            h = hook.state(h, drawn)
        return h

    def _summed(self, t: tf.Tensor, projected: tf.Tensor, product: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        """Return what enters the gates, x W + h U + b."""
        for hook in self.hooks:
            product = hook.recurrent(product, t, self._counts(t), training=self.training)
        return projected + product + bias

    def _state(
        self, t: tf.Tensor, gates: Sequence[tf.Tensor], h: tf.Tensor, c: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return h and c after a step, and the cell before any hook held it back."""
        i, f, g, o = gates
        for hook, drawn in self._drawn(t):
            g = hook.candidate(g, drawn)
        new_c = shown = cell = f * c + i * g
        counts = self._counts(t)
        for hook in self.hooks:
            shown = hook.cell(shown, t, counts, training=self.training)
        new_h = o * tf.tanh(shown)
        for hook, drawn in self._drawn(t):
            new_h, new_c = hook.carry((new_h, new_c), (h, c), drawn)
        if counts is not None:
            new_h, new_c = tf.where(counts, new_h, h), tf.where(counts, new_c, c)
        return new_h, new_c, cell

    def _counts(self, t: tf.Tensor) -> tf.Tensor | None:
        """Return where a step counts, (batch, 1)."""
        return None if self.mask is None else self.mask[t]

    def _drawn(self, t: tf.Tensor) -> list[tuple[CellHook, tf.Tensor | None]]:
        """Return each hook with its noise of one step."""
        return [(hook, _at(t, noise)) for hook, noise in zip(self.hooks, self.noise, strict=True)]


class _Given(NamedTuple):
    """What the loops are differentiated by; the values are those of the hooks' variables."""

    projected: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor
    values: list[tf.Tensor]

    @property
    def u(self) -> int:
        return self.kernel.shape[0]

    @property
    def steps(self) -> int | tf.Tensor:
        return self.projected.shape[0] or tf.shape(self.projected)[0]

    @property
    def zeros(self) -> tf.Tensor:
        return tf.zeros((self.projected.shape[1] or tf.shape(self.projected)[1], self.u), self.kernel.dtype)

    def array(self, size: int, *, more: int = 0) -> tf.TensorArray:
        """Return room for (batch, `size`) at every step, and `more`."""
        shape = (self.projected.shape[1], size)
        return tf.TensorArray(self.kernel.dtype, size=self.steps + more, element_shape=shape)


class _Past(NamedTuple):
    """What happened: h and c from before the first step on; gates, h U and cells of every step."""

    h: tf.Tensor
    c: tf.Tensor
    gates: tuple[tf.Tensor, ...]
    products: Any = None
    cells: Any = None


def _gates(summed: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return i, f, g, o, (batch, u) each, of x W + h U + b."""
    u = summed.shape[-1] // 4
    # The logistic function is a stretched tanh, so that one pass serves all four.
    stretched = tf.constant([0.5] * 2 * u + [1.0] * u + [0.5] * u, summed.dtype)
    i, f, g, o = tf.split(tf.tanh(stretched * summed), 4, axis=-1)
    return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5


def _through_gates(gates: Sequence[tf.Tensor], upstream: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the gradient of what enters the gates, (batch, 4 u)."""
    i, f, g, o = gates
    slopes = i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)
    return tf.concat([slope * each for slope, each in zip(slopes, upstream, strict=True)], axis=-1)


def _pulled(
    tape: tf.GradientTape, target: object, sources: list[tf.Tensor], upstream: object
) -> list[tf.Tensor]:
    """Return the gradients of all sources, 0 where the target does not depend on one."""
    return tape.gradient(target, sources, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _added(one: Sequence[tf.Tensor], other: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _at(t: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor | None:
    """Return the noise of one step; noise that is held over time has one step."""
    if noise is None:
        return None
    return noise[0] if noise.shape[0] == 1 else noise[t]
