"""From a trained run to a model of stock Keras layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe
    from lstmstudy.training.network import Network

_TOLERANCE = 1e-5


def to_keras(
    recipe: Recipe, info: TaskInfo, weights: Mapping[str, np.ndarray], *, logits: bool = False
) -> keras.Model:
    """Return a model of stock Keras layers that predicts what a trained run predicts.

    What acts in training only is left out: dropouts, weight drop, augmentation, penalties, gradient noise,
    clipping. Saved, it is loaded by Keras alone. That both predict the same is checked on made inputs.

    Args:
        recipe: How the run was trained.
        info: Its task.
        weights: `Result.weights`, those of the selected epoch, by path such as ``"lstm_1/kernel"``.
        logits: Whether classes are told by logits, which can be summed, instead of probabilities.

    Returns:
        Standardised inputs (batch, window, features), padded with zeros where lengths vary -> standardised
        values (batch, 1), or class probabilities (batch, classes).

    Raises:
        ValueError: If inference is no plain LSTM with stock layers around it (zoneout, normalization
            inside the cell, Monte Carlo dropout, several networks), or `weights` are not those of the recipe.
    """
    import keras

    from lstmstudy.training.network import Network

    network = Network(recipe, info)
    _check(recipe, network)
    assign(network, recipe, weights)
    softmax = info.kind == "classification" and not logits
    x = inputs = keras.Input((info.window, info.n_features))
    for layer in network.model.layers[1:]:
        if (stock := _stock(layer, softmax=softmax)) is not None:
            x = stock(x)
    model = keras.Model(inputs, x, name=info.name)
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(weights[f"{layer.name}/{variable.name}"])
    _compare(model, network, recipe, info, softmax=softmax)
    return model


def assign(network: Network, recipe: Recipe, weights: Mapping[str, np.ndarray]) -> None:
    """Give a network the weights of a trained run, and its techniques their strengths.

    Raises:
        ValueError: If `weights` are not those of the recipe.
    """
    trained = {
        variable.path: variable
        for variable in network.model.variables
        if variable.trainable or variable.name.startswith("moving_")
    }
    shapes = {path: tuple(weight.shape) for path, weight in weights.items()}
    expected = {path: tuple(variable.shape) for path, variable in trained.items()}
    if shapes != expected:
        msg = f"`weights` are those of a run of this recipe. Expected shapes {expected}. Received: weights={shapes}"
        raise ValueError(msg)
    network.reset(recipe, seed=0)
    for path, variable in trained.items():
        variable.assign(weights[path])


def _stock(layer: keras.layers.Layer, *, softmax: bool) -> keras.layers.Layer | None:
    """Return the layer of Keras that takes the place of one of the study's, or None where none is needed."""
    import keras

    from lstmstudy.layers.lstm import LSTM

    if isinstance(layer, LSTM):
        return keras.layers.LSTM(layer.units, return_sequences=layer.return_sequences, name=layer.name)
    if not type(layer).__module__.startswith("keras."):
        return None
    config = layer.get_config()
    if layer.name == "head" and softmax:
        config["activation"] = "softmax"
    return type(layer).from_config(config)


def _check(recipe: Recipe, network: Network) -> None:
    """Raise a ValueError that says which technique needs more at inference than stock layers, and what serves."""
    for technique in recipe.techniques:
        hooks = {type(hook).__name__ for hook in network.placed[technique.name] if acts_in_cell(hook)}
        if hooks:
            needs = "acts inside the cell at inference too, where keras.layers.LSTM has no place for it"
            use = " and ".join(f"lstmstudy.layers.{name}" for name in sorted(hooks))
            use = f"lstmstudy.layers.LSTM with hooks of {use}"
        elif technique.passes:
            needs = "averages predictions that are made with the noise of training on"
            noisy = {type(layer).__name__ for layer in network.placed[technique.name]}
            use = f"a model with lstmstudy.layers.{' and '.join(sorted(noisy))}, called with training=True"
        elif technique.in_stages(recipe) is not None:
            needs = "combines several networks"
            use = "the recipe without it, and the weights of one network at a time"
        else:
            continue
        msg = f"{technique.title.capitalize()} {needs}. Expected a recipe without it; use {use}. Received: {recipe=}"
        raise ValueError(msg)


def acts_in_cell(layer: keras.layers.Layer) -> bool:
    """Whether a part is a hook that acts at inference."""
    return bool(getattr(layer, "acts_at_inference", False))


def _compare(model: keras.Model, network: Network, recipe: Recipe, info: TaskInfo, *, softmax: bool) -> None:
    """Raise a ValueError unless both predict the same on made inputs."""
    import keras

    x = np.random.default_rng(0).normal(size=(8, info.window, info.n_features)).astype(np.float32)
    if info.variable_length:
        x *= np.arange(info.window)[:, None] < 1 + np.arange(8)[:, None, None] % info.window
    ours = network.model(x, training=False)
    if softmax:
        ours = keras.ops.softmax(ours)
    difference = float(np.abs(model(x, training=False) - ours).max() / max(1.0, np.abs(ours).max()))
    if not difference <= _TOLERANCE:
        names = [technique.name for technique in recipe.techniques]
        msg = (
            "A technique acts at inference in a way that stock layers do not. Expected predictions within "
            f"{_TOLERANCE:g} of the study's network, found {difference:.3g}. Received: techniques={names}"
        )
        raise ValueError(msg)
