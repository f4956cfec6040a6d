"""What the installed Keras has under the name of a technique, or that it has nothing."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmstudy.techniques import Technique

_PUBLIC = ("layers", "optimizers", "optimizers.schedules", "regularizers", "constraints", "callbacks")
_ARGUMENTS = (keras.layers.LSTM, keras.optimizers.Optimizer)


@dataclass(frozen=True)
class Counterpart:
    """Something of Keras, as a user would write it, and where it goes in a network.

    Attributes:
        label: As in code, such as ``"layers.Dropout(0.2)"``.
        front: Returns new layers in front of the first LSTM layer.
        between: Returns new layers between the two LSTM layers.
        lstm: Arguments of both LSTM layers.
        optimizer: Returns the optimizer of a learning rate.
        callbacks: Returns what ``fit`` is given.
        series: Whether the layers change whole series, as an augmentation does.
        updates: Whether it acts around the updates of the weights.
    """

    label: str
    front: Callable[[], Sequence[keras.layers.Layer]] = tuple
    between: Callable[[], Sequence[keras.layers.Layer]] = tuple
    lstm: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Callable[[float], keras.optimizers.Optimizer] = keras.optimizers.Adam
    callbacks: Callable[[], Sequence[keras.callbacks.Callback]] = tuple
    series: bool = False
    updates: bool = False


def counterparts(technique: Technique) -> list[Counterpart]:
    """Return what the installed Keras has for a technique, at the same strength; [] is nothing."""
    make = _MAKERS.get(technique.name)
    return make(technique) if make else []


def names_like(name: str) -> list[str]:
    """Return what Keras calls by the name of a technique: classes, functions and arguments of classes.

    Capitals and underscores do not count.
    """
    found = []
    for place in _PUBLIC:
        module = keras
        for part in place.split("."):
            module = getattr(module, part)
        found += [f"{place}.{each}" for each in dir(module) if _bare(each) == _bare(name)]
    for cls in _ARGUMENTS:
        arguments = inspect.signature(cls).parameters
        found += [f"{cls.__name__}({each}=)" for each in arguments if _bare(each) == _bare(name)]
    return found


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _dropout(technique: Any) -> list[Counterpart]:
    rate = technique.rate
    return [
        Counterpart(f"layers.Dropout({rate:g})", front=lambda: [keras.layers.Dropout(rate)]),
        Counterpart(
            f"layers.SpatialDropout1D({rate:g})", front=lambda: [keras.layers.SpatialDropout1D(rate)]
        ),
        Counterpart(f"layers.LSTM(dropout={rate:g})", lstm={"dropout": rate}),
    ]


def _recurrent_dropout(technique: Any) -> list[Counterpart]:
    rate = technique.rate
    return [Counterpart(f"layers.LSTM(recurrent_dropout={rate:g})", lstm={"recurrent_dropout": rate})]


def _penalty(technique: Any) -> list[Counterpart]:
    amounts = technique.amounts
    cls = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}.get("".join(amounts))
    regularizer = (cls or keras.regularizers.L1L2)(**amounts)
    written = ", ".join(f"{name}={amount:g}" for name, amount in amounts.items())
    label = f"regularizers.{type(regularizer).__name__}({written})"
    arguments = _on_matrices(technique, "regularizer", regularizer)
    return [Counterpart(label, lstm=arguments, updates=True)]


def _max_norm(technique: Any) -> list[Counterpart]:
    constraint = keras.constraints.MaxNorm(technique.limit, axis=0)
    arguments = _on_matrices(technique, "constraint", constraint)
    return [Counterpart(f"constraints.MaxNorm({technique.limit:g})", lstm=arguments, updates=True)]


def _on_matrices(technique: Any, what: str, value: Any) -> dict[str, Any]:
    """Return the arguments of ``keras.layers.LSTM`` for the matrices of a technique."""
    names = {"kernel": f"kernel_{what}", "recurrent_kernel": f"recurrent_{what}"}
    return {argument: value for matrix, argument in names.items() if technique.matrices in (matrix, "both")}


def _weight_decay(technique: Any) -> list[Counterpart]:
    def adam(rate: float) -> keras.optimizers.Optimizer:
        return keras.optimizers.AdamW(rate, weight_decay=technique.decay)

    return [Counterpart(f"optimizers.AdamW(weight_decay={technique.decay:g})", optimizer=adam, updates=True)]


def _clipping(technique: Any) -> list[Counterpart]:
    return [
        _adam(global_clipnorm=technique.norm) if technique.per == "global" else _adam(clipnorm=technique.norm)
    ]


def _averaging(technique: Any) -> list[Counterpart]:
    return [_adam(use_ema=True, ema_momentum=technique.decay)]


def _adam(**arguments: Any) -> Counterpart:
    written = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return Counterpart(
        f"optimizers.Adam({written})",
        optimizer=lambda rate: keras.optimizers.Adam(rate, **arguments),
        updates=True,
    )


def _batch_norm(technique: Any) -> list[Counterpart]:
    del technique
    return [Counterpart("layers.BatchNormalization()", between=lambda: [keras.layers.BatchNormalization()])]


def _layer_norm(technique: Any) -> list[Counterpart]:
    del technique
    return [Counterpart("layers.LayerNormalization()", between=lambda: [keras.layers.LayerNormalization()])]


def _jitter(technique: Any) -> list[Counterpart]:
    return [
        Counterpart(
            f"layers.GaussianNoise({technique.sd:g})",
            front=lambda: [keras.layers.GaussianNoise(technique.sd)],
            series=True,
        )
    ]


def _mixup(technique: Any) -> list[Counterpart]:
    def layers() -> list[keras.layers.Layer]:
        """Return the layer for images, on images of one column."""
        image, series = (keras.layers.Reshape(shape) for shape in ((-1, 1, 1), (-1, 1)))
        return [image, keras.layers.MixUp(technique.alpha), series]

    return [Counterpart(f"layers.MixUp({technique.alpha:g})", front=layers, series=True)]


def _early_stopping(technique: Any) -> list[Counterpart]:
    def callbacks() -> list[keras.callbacks.Callback]:
        return [keras.callbacks.EarlyStopping(patience=technique.patience, restore_best_weights=True)]

    label = f"callbacks.EarlyStopping(patience={technique.patience}, restore_best_weights=True)"
    return [Counterpart(label, callbacks=callbacks)]


_MAKERS: dict[str, Callable[[Any], list[Counterpart]]] = {
    "dropout": _dropout,
    "recurrent_dropout": _recurrent_dropout,
    **dict.fromkeys(("l1", "l2", "l1l2"), _penalty),
    "max_norm": _max_norm,
    "weight_decay": _weight_decay,
    "gradient_clipping": _clipping,
    "weight_averaging": _averaging,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "jitter": _jitter,
    "mixup": _mixup,
    "early_stopping": _early_stopping,
}
