"""From a recipe to a Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from lstmstudy.layers.lstm import LSTM
from lstmstudy.stages import in_stage
from lstmstudy.streams import integer_seed

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.layers.augmentation import Augmentation
    from lstmstudy.recipe import Recipe
    from lstmstudy.updates import UpdateHook

_INITIALIZERS = {
    "kernel": keras.initializers.GlorotUniform,
    "recurrent_kernel": keras.initializers.Orthogonal,
}


class Network:
    """A model and the places of its techniques.

    Layers are named ``lstm_1``, ``lstm_2``, ..., ``head``; a technique's layer is named after the
    technique and the LSTM layer that it belongs to, such as ``dropout_1``. Equal names and shapes
    mean equal roles: such variables start equal in every recipe.

    Args:
        recipe: What to build.
        info: The task, for its shapes; padded steps of variable-length tasks are masked.

    Attributes:
        model: (batch, time, features) -> (batch, outputs); logits for classification.
        placed: Per technique name, the layers and hooks made for it.
        augmentations: Those of them that change training batches.
        updates: Those that act around an update of the weights.
    """

    def __init__(self, recipe: Recipe, info: TaskInfo) -> None:
        self.placed: dict[str, list[keras.layers.Layer]] = {
            technique.name: [] for technique in recipe.techniques
        }
        inputs = keras.Input((info.window, info.n_features))
        x = keras.layers.Masking(name="masking")(inputs) if info.variable_length else inputs
        for number in range(1, recipe.layers + 1):
            hooks = []
            for technique in recipe.techniques:
                name = f"{technique.name}_{number}"
                if (layer := technique.before_lstm(name)) is not None:
                    self.placed[technique.name].append(layer)
                    x = layer(x)
                if (hook := technique.in_cell(name)) is not None:
                    self.placed[technique.name].append(hook)
                    hooks.append(hook)
            last = number == recipe.layers
            x = LSTM(recipe.width, return_sequences=not last, hooks=hooks, name=f"lstm_{number}")(x)
            for technique in recipe.techniques if not last else ():
                if (layer := technique.after_lstm(f"{technique.name}_{number}")) is not None:
                    self.placed[technique.name].append(layer)
                    x = layer(x)
        outputs = keras.layers.Dense(info.n_outputs, name="head")(x)
        self.model = keras.Model(inputs, outputs)
        self.augmentations: list[Augmentation] = []
        self.updates: list[UpdateHook] = []
        for technique in recipe.techniques:
            if (augmentation := technique.on_batch(technique.name)) is not None:
                self.placed[technique.name].append(augmentation)
                self.augmentations.append(augmentation)
            if (update := technique.in_update(technique.name)) is not None:
                self.placed[technique.name].append(update)
                self.updates.append(update)
                update.watch(self.model.trainable_variables)
        self.variables = [
            *self.model.variables,
            *(variable for hook in self.augmentations for variable in hook.variables),
            *(variable for hook in self.updates for variable in hook.variables),
        ]
        self._built = [variable.numpy() for variable in self.variables]

    def reset(self, recipe: Recipe, seed: int, stage: int = 0) -> None:
        """Put every variable where a run of `recipe` with `seed` starts, or one of its stages.

        Kernels come from the streams ``init/<path>``, the streams of masks and augmentation from
        ``masks/<layer>``, strengths from the recipe; every other variable returns to the value it was built
        with.
        """
        for variable, built in zip(self.variables, self._built, strict=True):
            initializer = _INITIALIZERS.get(variable.name)
            if initializer is None:
                variable.assign(built)
            else:
                draw = initializer(
                    seed=integer_seed(seed, recipe.role(in_stage(stage, f"init/{variable.path}")))
                )
                variable.assign(draw(variable.shape, dtype=variable.dtype))
        for technique in recipe.techniques:
            # A technique that places nothing may use the network of a recipe without it.
            for layer in self.placed.get(technique.name, ()):
                for field in technique.values:
                    getattr(layer, field).assign(getattr(technique, field))
                if (stream := noise_stream(layer)) is not None:
                    stream.state.assign(
                        [integer_seed(seed, recipe.role(in_stage(stage, f"masks/{layer.name}"))), 0]
                    )


def noise_stream(layer: keras.layers.Layer) -> keras.random.SeedGenerator | None:
    """Return the stream that a placed layer or hook draws from: the study's `stream`, or Keras's `seed_generator`."""
    return getattr(layer, "stream", getattr(layer, "seed_generator", None))
