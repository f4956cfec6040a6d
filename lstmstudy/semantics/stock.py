"""A piece of the installed Keras, in a network of stock layers that is trained a little by ``fit``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmstudy.semantics.bench import EPOCHS, RECIPE, SEED, STEPS, STREAM, tiny_task, undisturbed
from lstmstudy.semantics.evidence import Evidence, drawn_word, same
from lstmstudy.semantics.noise import masks_noise, network_noise, series_noise
from lstmstudy.streams import generator, integer_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lstmstudy.semantics.counterparts import Counterpart

_LAYERS = ("lstm_1", "lstm_2", "head")
_GETTERS = {"dropout": "get_dropout_mask", "recurrent_dropout": "get_recurrent_dropout_mask"}


@undisturbed()
def measured(counterpart: Counterpart) -> dict[str, str]:
    """Train a tiny stock network with a piece of Keras, and return the cells that this fills."""
    stock = _Stock(counterpart)
    stock.fit()
    model, part = stock.model, tiny_task("forecasting").folds[0].validation
    predicted, trained = model.predict_on_batch(part.x), stock.trained
    plain = _without(trained).predict_on_batch(part.x)
    before = _values(model.variables)
    again = model.predict_on_batch(part.x)
    moved = not same(before, _values(model.variables)) or not same(predicted, again)
    called = tuple(model(part.x, training=False).numpy() for _ in range(2))
    shown = not same(_row(trained), _row(_weights(model)))
    evidence = Evidence(
        predicted=predicted,
        plain=plain,
        called=called,
        shown=shown,
        several=False,
        reported=stock.reported,
        figures=(_mse(predicted, part.y), _mse(plain, part.y)),
        moved=moved,
        drawn=stock.drawn(),
        expected=lambda: False,
        noise=_noise(counterpart),
        biases=stock.moves_biases() if counterpart.updates else None,
    )
    return evidence.words()


class _Stock:
    """Two stock LSTM layers and a head, with a piece of Keras in its place.

    Args:
        counterpart: What is placed.

    Attributes:
        trained: What the LSTM layers and the head held at the end of the last epoch of `fit`.
        reported: Its last ``val_loss``.
    """

    def __init__(self, counterpart: Counterpart) -> None:
        self.counterpart = counterpart
        self.model = _model(counterpart.front(), counterpart.between(), counterpart.lstm)
        self._built = [variable.numpy() for variable in self.model.variables]

    def fit(self) -> None:
        """Train as a user would."""
        self._start()
        fold = tiny_task("forecasting").folds[0]
        callbacks = self.counterpart.callbacks()
        last = _Last()
        history = self.model.fit(
            fold.train.x,
            fold.train.y,
            batch_size=RECIPE.batch_size,
            epochs=EPOCHS if callbacks else 1,
            shuffle=False,
            validation_data=(fold.validation.x, fold.validation.y),
            callbacks=[last, *callbacks],
            verbose=0,
        )
        self.trained = last.weights
        self.reported = history.history["val_loss"][-1]

    def drawn(self) -> str:
        """Return how long what the training draws lives."""
        streams = [variable for variable in self.model.variables if variable.name == STREAM]
        first = self._updated()
        again = self._updated([stream.numpy() for stream in streams])
        return drawn_word(first, again, lambda: self._updated([[SEED + 1, 0]] * len(streams)))

    def _updated(self, streams: Sequence[Any] | None = None) -> np.ndarray:
        """Return the weights after two updates: the first step of Adam knows only the signs of a gradient."""
        self._start(streams)
        train = tiny_task("forecasting").folds[0].train
        for _ in range(2):
            self.model.train_on_batch(train.x, train.y)
        return _row(_weights(self.model))

    def moves_biases(self) -> bool:
        """Whether biases move in an update on targets that the network already meets."""
        self._start()
        biases = [variable for variable in self.model.trainable_variables if variable.name == "bias"]
        before = _values(biases)
        x = tiny_task("forecasting").folds[0].train.x[: RECIPE.batch_size]
        self.model.train_on_batch(x, self.model.predict_on_batch(x))
        return not same(before, _values(biases))

    def _start(self, streams: Sequence[Any] | None = None) -> None:
        """Put every variable where all trainings begin, with a new optimizer."""
        for variable, built in zip(self.model.variables, self._built, strict=True):
            variable.assign(built)
        for name in _LAYERS:
            for variable in self.model.get_layer(name).trainable_variables:
                if variable.name != "bias":
                    rng = generator(SEED, f"semantics/{name}/{variable.name}")
                    variable.assign(rng.normal(scale=0.5, size=variable.shape))
        states = [variable for variable in self.model.variables if variable.name == STREAM]
        for place, state in enumerate(states):
            state.assign([integer_seed(SEED, f"semantics/{place}"), 0] if streams is None else streams[place])
        self.model.compile(self.counterpart.optimizer(RECIPE.learning_rate), "mse", run_eagerly=True)


class _Last(keras.callbacks.Callback):
    """Keeps the weights that the last epoch ended with."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Take the weights as they are."""
        del epoch, logs
        self.weights = _weights(self.model)


def _model(
    front: Sequence[keras.layers.Layer], between: Sequence[keras.layers.Layer], lstm: Mapping[str, Any]
) -> keras.Model:
    first, second = (
        keras.layers.LSTM(RECIPE.width, return_sequences=more, use_cudnn=False, name=name, **lstm)
        for name, more in (("lstm_1", True), ("lstm_2", False))
    )
    head = keras.layers.Dense(1, name="head")
    return keras.Sequential(
        [keras.Input((STEPS, 1)), *front, first, *between, second, head], name="semantics"
    )


def _without(weights: Mapping[str, list[np.ndarray]]) -> keras.Model:
    """Return stock layers with nothing else, at some weights."""
    model = _model((), (), {})
    for name, values in weights.items():
        model.get_layer(name).set_weights(values)
    model.compile(loss="mse", run_eagerly=True)
    return model


def _weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return what the LSTM layers and the head hold, by layer."""
    return {name: [each.numpy() for each in model.get_layer(name).trainable_variables] for name in _LAYERS}


def _row(weights: Mapping[str, list[np.ndarray]]) -> np.ndarray:
    return np.concatenate([value.ravel() for values in weights.values() for value in values])


def _values(variables: Sequence[keras.Variable]) -> np.ndarray:
    """Return all numbers of some variables in a row."""
    return np.concatenate([np.zeros(0), *(np.ravel(variable.numpy()) for variable in variables)])


def _mse(predictions: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.square(predictions - y)))


def _noise(counterpart: Counterpart) -> list[dict[str, str]]:
    """Return the noise of layers, or of the masks of an LSTM layer, by column."""
    layers = [*counterpart.front(), *counterpart.between()]
    if counterpart.series:
        return series_noise(functools.partial(_through, layers))
    found = network_noise(layers) if layers else []
    for argument, getter in _GETTERS.items():
        if argument in counterpart.lstm:
            found += masks_noise(_mask_source(counterpart.lstm, getter))
    return found


def _through(layers: Sequence[keras.layers.Layer], series: np.ndarray) -> np.ndarray:
    """Return series after layers in training."""
    for layer in layers:
        series = layer(series, training=True)
    return np.asarray(series)


def _mask_source(arguments: Mapping[str, Any], getter: str) -> Callable[[], np.ndarray]:
    """Return a function that returns the masks of a batch, as the cell is given them, (steps, samples, gates, units)."""
    layer = keras.layers.LSTM(8, use_cudnn=False, **arguments)
    layer.build((8, STEPS, 8))
    usual, given = getattr(layer.cell, getter), []

    def remembering(values: Any) -> Any:
        given.append(usual(values))
        return given[-1]

    setattr(layer.cell, getter, remembering)

    def draw() -> np.ndarray:
        layer(np.ones((8, STEPS, 8), np.float32), training=True)
        steps = [
            np.stack([np.asarray(mask) for mask in _per_gate(masks)], axis=1) for masks in given[-STEPS:]
        ]
        return np.stack(steps)

    return draw


def _per_gate(masks: Any) -> list[Any]:
    """Return a mask for each gate; a single one meets the product that serves all four."""
    return masks if isinstance(masks, list) else [masks] * 4
