"""From any trained run to one Keras model that predicts what the run predicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lstmstudy.export.stock import acts_in_cell, assign, to_keras
from lstmstudy.stages import in_stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras
    import numpy as np

    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe


class NoModelError(ValueError):
    """Predictions that no weights repeat."""


def trained_model(recipe: Recipe, info: TaskInfo, weights: Mapping[str, np.ndarray]) -> keras.Model:
    """Return a model that predicts what a trained run predicts: of stock Keras layers wherever they can.

    What acts inside the cell at inference stays a layer of this package, so that loading the saved model
    needs ``import lstmstudy.layers``; networks that predict together stand in one model.

    Args:
        recipe: How the run was trained.
        info: Its task.
        weights: `Result.weights`.

    Returns:
        Standardised inputs (batch, window, features), padded with zeros where lengths vary -> standardised
        values (batch, 1), or class probabilities (batch, classes).

    Raises:
        NoModelError: If predictions are made with noise, so that no weights repeat them.
        ValueError: If `weights` are not those of the recipe.
    """
    import keras

    if any(technique.passes for technique in recipe.techniques):
        names = [technique.name for technique in recipe.techniques]
        raise NoModelError(
            "Predictions that are made with noise are other ones each time. Expected a recipe without "
            f"Monte Carlo dropout. Received: techniques={names}"
        )
    stages = recipe.stages
    single = replace(
        recipe, techniques=tuple(each for each in recipe.techniques if not each.in_stages(recipe))
    )
    if len(single.techniques) == len(recipe.techniques):
        return _network(recipe, info, weights)
    inputs = keras.Input((info.window, info.n_features))
    outputs = []
    for number, own in enumerate(_by_stage(weights, stages.number), start=1):
        network = _network(single, info, own, logits=stages.additive)
        network.name = f"network_{number}"
        outputs.append(network(inputs))
    together = outputs[0]
    if len(outputs) > 1:
        layer = keras.layers.Add if stages.additive else keras.layers.Average
        together = layer()(outputs)
    if stages.shrinkage is not None:
        together = keras.layers.Rescaling(stages.shrinkage)(together)
        if info.kind == "classification":
            together = keras.layers.Softmax()(together)
    return keras.Model(inputs, together, name=info.name)


def _by_stage(weights: Mapping[str, np.ndarray], number: int) -> list[dict[str, np.ndarray]]:
    """Return the weights of the network that each stage left, as far as there are some."""
    found = []
    for stage in range(number):
        start = in_stage(stage, "")
        own = {path.removeprefix(start): weight for path, weight in weights.items() if path.startswith(start)}
        found.append(own if stage else {path: weight for path, weight in own.items() if not _later(path)})
    return [own for own in found if own]


def _later(path: str) -> bool:
    return path.startswith("stage/")


def _network(
    recipe: Recipe, info: TaskInfo, weights: Mapping[str, np.ndarray], *, logits: bool = False
) -> keras.Model:
    """Return one network: of stock layers, or the study's own where something acts inside the cell."""
    import keras

    from lstmstudy.training.network import Network

    network = Network(recipe, info)
    if not any(acts_in_cell(layer) for layers in network.placed.values() for layer in layers):
        return to_keras(recipe, info, weights, logits=logits)
    assign(network, recipe, weights)
    if info.kind != "classification" or logits:
        return network.model
    inputs = keras.Input((info.window, info.n_features))
    return keras.Model(inputs, keras.layers.Softmax()(network.model(inputs)), name=info.name)
