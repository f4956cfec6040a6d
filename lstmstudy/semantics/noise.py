"""The noise that a technique draws, as the network meets it: what it has in common, and its mean."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from lstmstudy.layers.cell_hook import CellHook
from lstmstudy.layers.lstm import LSTM
from lstmstudy.semantics.words import GATES, MEAN, NO, NOISE, NOT_APPLICABLE, SAMPLES, STEPS, YES, said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras

    from lstmstudy.updates import UpdateHook

DRAWS = 16
_FIRST = 2  # so many draws that are alike are enough to see that there is no noise
_ERRORS = 4.0  # standard errors that a mean may lie from its promise
_CLOSE = 1e-4
_SAMPLES, _STEPS, _UNITS = 8, 3, 8
_AXES = {STEPS: 1, SAMPLES: 2, GATES: 3}


def network_noise(front: Sequence[keras.layers.Layer], hook: CellHook | None = None) -> list[dict[str, str]]:
    """Return the noise on each path of an LSTM layer, by column; a path without noise is left out.

    The layer gets ones and matrices that pass everything on to each gate, so that what a path carries with
    noise, over what it carries without, is the noise that each sample, step, gate and unit meets.

    Args:
        front: Layers through which the inputs go, in training.
        hook: What acts inside the cell.
    """
    before, after = _Spy(name="before"), _Spy(name="after")
    layer = LSTM(_UNITS, hooks=[before, *([hook] if hook is not None else []), after])
    ones = tf.ones((_SAMPLES, _STEPS, _UNITS))
    layer.build(ones.shape)
    for matrix in (layer.kernel, layer.recurrent_kernel):
        matrix.assign(np.tile(np.eye(_UNITS), 4))
    layer.bias.assign(np.ones(4 * _UNITS))
    drawn = defaultdict(list)
    for draw in range(DRAWS):
        before.log.seen.clear()
        after.log.seen.clear()
        x = ones
        for each in front:
            x = each(x, training=True)
        layer(x, training=True)
        for path, values in _paths(before.log.seen, after.log.seen).items():
            drawn[path].append(values)
        noisy = {path: np.stack([noise for noise, _ in pairs]) for path, pairs in drawn.items()}
        noisy = {path: values for path, values in noisy.items() if _varies(values)}
        if draw >= _FIRST and not noisy:
            return []
    means = {path: np.array([mean for _, mean in drawn[path]]) for path in noisy}
    return [_described(values, means[path]) for path, values in noisy.items()]


def masks_noise(draw: Callable[[], np.ndarray]) -> list[dict[str, str]]:
    """Return the noise of masks that multiply, by column.

    Args:
        draw: Returns those of a batch, (steps, samples, gates, units).
    """
    values = np.stack([draw() for _ in range(DRAWS)])
    return [_described(values, values.mean(axis=(1, 2, 3, 4)))] if _varies(values) else []


def series_noise(change: Callable[[np.ndarray], Any]) -> list[dict[str, str]]:
    """Return the noise of what changes whole series, by column.

    A change is the same at every step if it adds one number or multiplies by one; of a series of ones the
    mean must be kept.

    Args:
        change: Returns changed series, (samples, steps, 1), of given ones.
    """
    wave = 2 + np.sin(np.arange(3 * _STEPS))
    series = np.stack([wave, wave + 1] * (_SAMPLES // 2))[..., None].astype(np.float32)
    drawn = np.stack([np.asarray(change(series)) for _ in range(DRAWS)])[..., 0]
    if not _varies(drawn):
        return []
    added, factor = drawn - series[..., 0], drawn / series[..., 0]
    over_time = np.minimum(np.ptp(added, axis=2), np.ptp(factor, axis=2))
    equal = [np.ptp(drawn[:, first::2], axis=1).max() for first in (0, 1)]  # those that began equal
    ones = np.ones_like(series)
    means = np.array([np.asarray(change(ones)).mean() for _ in range(DRAWS)])
    return [
        {
            STEPS: said(bool(over_time.max() < _CLOSE)),
            GATES: NOT_APPLICABLE,
            SAMPLES: said(max(equal) < _CLOSE),
            MEAN: _mean_kept(means),
        }
    ]


def gradient_noise(hook: UpdateHook, variables: Sequence[keras.Variable]) -> list[dict[str, str]]:
    """Return the noise on the gradient of the first kernel, which is one for all steps and samples."""
    gradients = [tf.ones(variable.shape) for variable in variables]
    place = next(place for place, variable in enumerate(variables) if variable.name == "kernel")
    first = tf.constant(0, tf.int64)
    values = np.stack([hook.gradients(gradients, first)[place].numpy() for _ in range(DRAWS)])
    by_gate = values.reshape(DRAWS, values.shape[1], 4, -1).swapaxes(1, 2)
    values = by_gate.reshape(DRAWS, 1, 1, 4, -1)
    return [_described(values, values.mean(axis=(1, 2, 3, 4)))] if _varies(values) else []


def merged(noises: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return what all noise of a technique has in common: "yes" where each noise says so."""
    words = {column: {noise[column] for noise in noises} - {NOT_APPLICABLE} for column in NOISE}
    return {
        column: NOT_APPLICABLE if not found else NO if NO in found else YES for column, found in words.items()
    }


def _described(values: np.ndarray, means: np.ndarray) -> dict[str, str]:
    """Return the words for noise (draws, steps, samples, gates, units); an axis of 1 is none."""
    ties = {
        column: said(_equal_along(values, axis)) if values.shape[axis] > 1 else NOT_APPLICABLE
        for column, axis in _AXES.items()
    }
    return {**ties, MEAN: _mean_kept(means)}


def _equal_along(values: np.ndarray, axis: int) -> bool:
    """Whether values are the same along an axis, wherever they are known."""
    known = np.isfinite(values)
    most = np.where(known, values, -np.inf).max(axis=axis)
    least = np.where(known, values, np.inf).min(axis=axis)
    return bool((most - least <= _CLOSE).all())


def _varies(values: np.ndarray) -> bool:
    return not _equal_along(values, 0)


def _mean_kept(means: np.ndarray) -> str:
    """Whether the means of independent draws lie around 1."""
    error = means.std(ddof=1) / np.sqrt(means.size)
    return said(bool(abs(means.mean() - 1) <= _ERRORS * error + _CLOSE))


def _paths(
    before: dict[str, list[np.ndarray]], after: dict[str, list[np.ndarray]]
) -> dict[str, tuple[np.ndarray, float]]:
    """Return by path the noise (steps, samples, gates, units) and what the path carries, relative to none."""
    found = {}
    inputs = after["inputs"][0].reshape(_STEPS, _SAMPLES, 4, _UNITS)
    found["inputs"] = (inputs, float(inputs.mean()))
    state = np.stack(before["state"])[1:, :, None]  # before the first step there is none
    product = np.stack(after["recurrent"])[1:].reshape(_STEPS - 1, _SAMPLES, 4, _UNITS)
    found["recurrent"] = _relative(product, np.broadcast_to(state, product.shape))
    for path in ("candidate", "cell"):
        found[path] = _relative(*(np.stack(seen[path])[:, :, None] for seen in (after, before)))
    for path in ("h", "c"):
        kept, new, old = (
            np.stack(seen)[:, :, None] for seen in (after[path], before[path], before[f"old {path}"])
        )
        share = _relative(kept - new, old - new)[0]
        found[path] = (share, float(kept.mean() / new.mean()) if abs(new.mean()) > _CLOSE else 1.0)
    return found


def _relative(values: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, float]:
    """Return values over what they were, NaN where that was nothing, and the mean of it."""
    known = np.abs(base) > _CLOSE
    ratio = np.where(known, values / np.where(known, base, 1), np.nan)
    return ratio, float(ratio[known].mean()) if known.any() else 1.0


@dataclass
class _Log:
    """What passed by in one batch, by path; Keras would copy a bare dictionary."""

    seen: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))


class _Spy(CellHook):
    """Changes nothing and remembers what passes by in training."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log = _Log()

    def _remember(self, **values: tf.Tensor) -> None:
        for path, value in values.items():
            self.log.seen[path.replace("_", " ")].append(np.asarray(value))

    def inputs(self, projected: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Remember x W of all steps."""
        self._remember(inputs=projected)
        return projected

    def state(self, h: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Remember h of a step."""
        self._remember(state=h)
        return h

    def recurrent(
        self, product: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool
    ) -> tf.Tensor:
        """Remember h U of a step."""
        self._remember(recurrent=product)
        return product

    def candidate(self, g: tf.Tensor, noise: tf.Tensor | None) -> tf.Tensor:
        """Remember the candidate of a step."""
        self._remember(candidate=g)
        return g

    def cell(self, c: tf.Tensor, step: tf.Tensor, mask: tf.Tensor | None, *, training: bool) -> tf.Tensor:
        """Remember what the output sees of the cell at a step."""
        self._remember(cell=c)
        return c

    def carry(
        self, new: tuple[tf.Tensor, tf.Tensor], old: tuple[tf.Tensor, tf.Tensor], noise: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Remember the state in front of a step and after it."""
        self._remember(h=new[0], c=new[1], old_h=old[0], old_c=old[1])
        return new
