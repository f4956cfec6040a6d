"""A trained run becomes a model of stock Keras layers that predicts the same, wherever there is one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from engine import RECIPE, SYLLABLES, WAVES, forced, syllables, train_afresh, waves

from lstmstudy.export import to_keras
from lstmstudy.techniques import (
    TECHNIQUES,
    BatchNorm,
    Boosting,
    CellLayerNorm,
    Dropout,
    LayerNorm,
    MonteCarloDropout,
    RecurrentBatchNorm,
    RecurrentDropout,
    Snapshots,
    WeightDrop,
    Zoneout,
)
from lstmstudy.training.network import Network
from lstmstudy.training.program import limit_threads

limit_threads()

# Keras 3.15 reads variables in a way that NumPy 2 finds old-fashioned when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
STOCK = {  # recipes whose inference is stock Keras
    "baseline": RECIPE,
    "dropouts": RECIPE.adding(Dropout(0.3), RecurrentDropout(0.3, "candidate"), WeightDrop(0.2)),
    "normalized": RECIPE.adding(LayerNorm(), BatchNorm(), Dropout(0.2, "sequence")),
    "three layers": dataclasses.replace(RECIPE, layers=3).adding(LayerNorm()),
}
NEEDS_MORE = {  # what inference needs beside stock layers
    Zoneout(0.1, 0.1): "acts inside the cell at inference too.*lstmstudy.layers.Zoneout",
    CellLayerNorm(): "acts inside the cell at inference too.*lstmstudy.layers.CellLayerNorm",
    RecurrentBatchNorm(): "acts inside the cell at inference too.*lstmstudy.layers.RecurrentBatchNorm",
    MonteCarloDropout(0.3): "noise of training on.*lstmstudy.layers.InputDropout.*training=True",
    Boosting(2, 0.5): "combines several networks.*weights of one network",
    Snapshots(3): "combines several networks.*weights of one network",
}
ALONE = """
import json, sys
import keras
import numpy as np

model = keras.saving.load_model("model.keras")
outputs = model.predict(np.load("x.npy"), verbose=0).tolist()
assert not [module for module in sys.modules if module.startswith("lstmstudy")]
print(json.dumps(outputs))
"""


def with_weights(recipe, info, seed=3):
    """Return a network with weights and statistics that were drawn, and these by path."""
    network = Network(recipe, info)
    network.reset(recipe, seed)
    rng = np.random.default_rng(seed)
    weights = {}
    for variable in network.model.variables:
        if variable.trainable or variable.name.startswith("moving_"):
            scale = np.abs if variable.name == "moving_variance" else np.asarray
            weights[variable.path] = scale(rng.normal(size=variable.shape)).astype(np.float32)
            variable.assign(weights[variable.path])
    return network, weights


def shown(network, info, x):
    """Return what the study predicts: values or probabilities."""
    outputs = network.model(x, training=False)
    return (keras.ops.softmax(outputs) if info.kind == "classification" else outputs).numpy()


@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("task", [waves, syllables], ids=["fixed length", "padded"])
def test_the_model_predicts_what_the_network_predicts(task, name):
    """With any weights, predictions agree to 1e-5; every layer comes with Keras, and none is a dropout."""
    info, x = task().info, task().folds[0].test.x
    network, weights = with_weights(STOCK[name], info)
    model = to_keras(STOCK[name], info, weights)
    np.testing.assert_allclose(model(x), shown(network, info, x), atol=1e-5)
    assert np.ptp(model(x).numpy()) > 0.01
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    assert not [layer for layer in model.layers if "Dropout" in type(layer).__name__]
    assert sum(isinstance(layer, keras.layers.LSTM) for layer in model.layers) == STOCK[name].layers


def test_keras_alone_loads_it_and_predicts_what_the_run_predicted(tmp_path):
    """Saved, loaded in a process without this package: the predictions of the selected epoch, to 1e-5."""
    task = syllables()
    recipe = dataclasses.replace(RECIPE, epochs=2).adding(BatchNorm(), Dropout(0.3), WeightDrop(0.3))
    result = train_afresh(task, recipe)
    to_keras(recipe, task.info, result.weights).save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", task.folds[0].test.x)
    finished = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    expected = result.predicted("selected")
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(json.loads(finished.stdout.splitlines()[-1]), expected, atol=1e-5)


@pytest.mark.parametrize("technique", NEEDS_MORE, ids=lambda technique: technique.name)
def test_what_stock_layers_cannot_do_is_an_error_that_says_what_can(technique):
    """The error names the technique, why it stays, and what of this package serves instead."""
    recipe = RECIPE.adding(technique)
    _, weights = with_weights(recipe, WAVES)
    with pytest.raises(
        ValueError, match=rf"(?i){technique.title}.*{NEEDS_MORE[technique]}.*Received: recipe=Recipe"
    ):
        to_keras(recipe, WAVES, weights)


@dataclasses.dataclass(frozen=True)
class Loud(Dropout):
    """A technique whose layer acts at inference although nothing about it says so."""

    name = "loud"

    def before_lstm(self, name):
        """Return the layer."""
        return Doubling(name=name)


class Doubling(keras.layers.Layer):
    """Doubles what comes in, always."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rate = self.add_weight(shape=(), trainable=False, name="rate")

    def call(self, inputs):
        """Return twice the inputs."""
        return 2 * inputs


def test_a_model_that_would_predict_something_else_is_never_returned():
    """A layer that quietly acts at inference is found by its predictions."""
    recipe = RECIPE.adding(Loud(0.3))
    _, weights = with_weights(recipe, WAVES)
    with pytest.raises(
        ValueError, match=r"Expected predictions within 1e-05.*Received: techniques=\['loud'\]"
    ):
        to_keras(recipe, WAVES, weights)


def test_weights_of_another_recipe_are_refused():
    """Weights that are missing, as after a divergence, or of another shape are an error that says which."""
    _, weights = with_weights(RECIPE, WAVES)
    for wrong in ({}, {**weights, "more": np.zeros(1)}, {**weights, "head/bias": np.zeros(2)}):
        with pytest.raises(
            ValueError, match=r"`weights` are those of a run of this recipe.*Received: weights="
        ):
            to_keras(RECIPE, WAVES, wrong)
    with pytest.raises(ValueError, match=r"Received: weights="):
        to_keras(RECIPE, SYLLABLES, weights)


def test_every_technique_is_exported_or_refused():
    """Whatever the package has: the network's own predictions, or an error where stock layers cannot give them."""
    refused = set()
    for name, cls in TECHNIQUES.items():
        settings = {
            field.name: 0.3 if field.type == "float" else 2
            for field in dataclasses.fields(cls)
            if field.default is dataclasses.MISSING
        }
        recipe = forced(cls(**settings))
        _, weights = with_weights(recipe, WAVES)
        try:
            to_keras(recipe, WAVES, weights)
        except ValueError:
            refused.add(name)
    assert refused == {technique.name for technique in NEEDS_MORE}
