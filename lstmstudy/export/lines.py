"""How each technique is written in Keras: the lines of a script that it adds or changes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lstmstudy.recipe import Recipe
    from lstmstudy.techniques import Technique


class NoScriptError(ValueError):
    """A recipe that takes more than lines in ``compile`` and ``fit``."""


@dataclass(frozen=True)
class Lines:
    """What is written where, as source text.

    Attributes:
        imports: Names that come from ``lstmstudy.layers``.
        before: Layers in front of each LSTM layer.
        lstm: Arguments of each ``keras.layers.LSTM``.
        hooks: Hooks inside each LSTM layer, which is then ``lstmstudy.layers.LSTM``.
        between: Layers between one LSTM layer and the next.
        optimizer: Its class, where it is not Adam.
        arguments: Of the optimizer, beside the learning rate.
        around: What the optimizer is wrapped in, with ``{}`` in its place.
        augment: The layer that changes training batches.
        callbacks: Callbacks of ``fit``.
    """

    imports: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    lstm: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    optimizer: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    augment: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()


def lines_of(recipe: Recipe) -> Lines:
    """Return the lines of all techniques of a recipe.

    Raises:
        NoScriptError: If a technique takes more than other lines in ``compile`` and ``fit``, such as several
            networks or noisy predictions, or if two of them cannot stand in one script.
    """
    parts = [_lines(technique) for technique in recipe.techniques]
    together = {field.name: sum((getattr(each, field.name) for each in parts), ()) for field in fields(Lines)}
    found = Lines(**together)
    clash = [each for each in (found.optimizer, found.augment) if len(each) > 1]
    if clash or (found.hooks and found.lstm):
        names = [technique.name for technique in recipe.techniques]
        raise NoScriptError(f"These stand in no script together. Received: techniques={names}")
    return found


def _lines(technique: Technique) -> Lines:
    if technique.streams:  # a sham: it has random streams of its own and does nothing
        return Lines()
    if technique.name not in _WRITERS:
        raise NoScriptError(
            f"{technique.title.capitalize()} is more than other lines in `compile` and `fit`. Expected one of: "
            f"{', '.join(_WRITERS)}. Received: technique={technique.name!r}"
        )
    return _WRITERS[technique.name](technique)


def _number(value: float) -> str:
    """Return a number with the six digits that matter of a drawn strength."""
    return f"{value:.6g}"


def _dropout(technique: Any) -> Lines:
    # One mask for all steps of a sequence is what this layer for channels of an image draws.
    layer = "SpatialDropout1D" if technique.per == "sequence" else "Dropout"
    return Lines(before=(f"keras.layers.{layer}({_number(technique.rate)})",))


def _recurrent_dropout(technique: Any) -> Lines:
    if technique.form == "candidate":
        return _hook("CandidateDropout", _number(technique.rate))
    return _hook("StateDropout", _number(technique.rate), f'per="{technique.form}"')


def _hook(name: str, *arguments: str) -> Lines:
    return Lines(imports=("LSTM", name), hooks=(f"{name}({', '.join(arguments)})",))


def _zoneout(technique: Any) -> Lines:
    return _hook("Zoneout", _number(technique.rate_cell), _number(technique.rate_hidden))


def _weight_drop(technique: Any) -> Lines:
    return _hook("WeightDrop", _number(technique.rate))


def _cell_layer_norm(technique: Any) -> Lines:
    return _hook("CellLayerNorm", f"epsilon={_number(technique.epsilon)}")


def _recurrent_batch_norm(technique: Any) -> Lines:
    return _hook("RecurrentBatchNorm", f"epsilon={_number(technique.epsilon)}")


def _layer_norm(technique: Any) -> Lines:
    return Lines(between=(f"keras.layers.LayerNormalization(epsilon={_number(technique.epsilon)})",))


def _batch_norm(technique: Any) -> Lines:
    return Lines(between=(f"keras.layers.BatchNormalization(epsilon={_number(technique.epsilon)})",))


def _penalty(technique: Any) -> Lines:
    amounts = ", ".join(f"{name}={_number(amount)}" for name, amount in technique.amounts.items())
    return Lines(lstm=_on_matrices(technique, "regularizer", f"keras.regularizers.L1L2({amounts})"))


def _max_norm(technique: Any) -> Lines:
    value = f"keras.constraints.MaxNorm({_number(technique.limit)}, axis=0)"
    return Lines(lstm=_on_matrices(technique, "constraint", value))


def _on_matrices(technique: Any, what: str, value: str) -> tuple[str, ...]:
    arguments = {"kernel": f"kernel_{what}", "recurrent_kernel": f"recurrent_{what}"}
    return tuple(
        f"{argument}={value}"
        for matrix, argument in arguments.items()
        if technique.matrices in (matrix, "both")
    )


def _weight_decay(technique: Any) -> Lines:
    return Lines(
        optimizer=("keras.optimizers.AdamW",), arguments=(f"weight_decay={_number(technique.decay)}",)
    )


def _clipping(technique: Any) -> Lines:
    name = "global_clipnorm" if technique.per == "global" else "clipnorm"
    return Lines(arguments=(f"{name}={_number(technique.norm)}",))


def _gradient_noise(technique: Any) -> Lines:
    arguments = f"eta={_number(technique.eta)}, gamma={_number(technique.gamma)}"
    return Lines(imports=("GradientNoise",), around=(f"GradientNoise({{}}, {arguments})",))


def _weight_averaging(technique: Any) -> Lines:
    return Lines(
        arguments=("use_ema=True", f"ema_momentum={_number(technique.decay)}"),
        callbacks=("keras.callbacks.SwapEMAWeights(swap_on_epoch=True)",),
    )


def _augmentation(name: str) -> Callable[[Any], Lines]:
    def lines(technique: Any) -> Lines:
        arguments: Sequence[str] = [f"{key}={value:.6g}" for key, value in technique.settings().items()]
        return Lines(imports=(name,), augment=(f"{name}({', '.join(arguments)})",))

    return lines


_WRITERS: dict[str, Callable[[Any], Lines]] = {
    "dropout": _dropout,
    "recurrent_dropout": _recurrent_dropout,
    "zoneout": _zoneout,
    "weight_drop": _weight_drop,
    "layer_norm": _layer_norm,
    "cell_layer_norm": _cell_layer_norm,
    "batch_norm": _batch_norm,
    "recurrent_batch_norm": _recurrent_batch_norm,
    **dict.fromkeys(("l1", "l2", "l1l2"), _penalty),
    "max_norm": _max_norm,
    "weight_decay": _weight_decay,
    "gradient_clipping": _clipping,
    "gradient_noise": _gradient_noise,
    "weight_averaging": _weight_averaging,
    "jitter": _augmentation("Jitter"),
    "scaling": _augmentation("Scaling"),
    "magnitude_warp": _augmentation("MagnitudeWarp"),
    "time_warp": _augmentation("TimeWarp"),
    "window_slicing": _augmentation("WindowSlicing"),
    "window_warp": _augmentation("WindowWarp"),
    "permutation": _augmentation("Permutation"),
    "mixup": _augmentation("Mixup"),
}
