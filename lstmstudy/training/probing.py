"""A network of the study at given weights: its loss on a part, and the size of its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from lstmstudy import metrics
from lstmstudy.streams import generator
from lstmstudy.training.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmstudy.data import Part, TaskInfo
    from lstmstudy.recipe import Recipe


class Probe:
    """The network of a recipe on a task, whose weights are put in place; nothing is trained.

    Args:
        recipe: Gives the network.
        info: The task.
    """

    def __init__(self, recipe: Recipe, info: TaskInfo) -> None:
        self.recipe = recipe
        self.info = info
        self.network = Network(recipe, info)
        self.model = self.network.model
        self._outputs = tf.function(self._infer, reduce_retracing=True)
        self._gradients = tf.function(self._differentiate, reduce_retracing=True)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The trainable weights in place, by path."""
        return {variable.path: variable.numpy() for variable in self.model.trainable_variables}

    def start(self, seed: int) -> None:
        """Put the weights in place with which a run of the recipe starts."""
        self.network.reset(self.recipe, seed)

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Put weights in place, by path."""
        for variable in self.model.trainable_variables:
            variable.assign(weights[variable.path])

    def loss(self, part: Part) -> float:
        """Return the mean loss on a part at inference: squared error, or cross-entropy in nats."""
        outputs = self._outputs(tf.constant(part.x)).numpy().astype(np.float64)
        if self.info.kind == "forecasting":
            return metrics.rmse(outputs, part.y) ** 2
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return metrics.cross_entropy(powers / powers.sum(axis=1, keepdims=True), part.y)

    def gradient_size(self, part: Part, seed: int) -> float:
        """Return the root mean square of a gradient's entries, over the first epoch's whole batches.

        Args:
            part: What is trained on.
            seed: Seed of the run, which gives the batches.
        """
        order = generator(seed, self.recipe.role("batches")).permutation(len(part.y))
        size = min(self.recipe.batch_size, len(order))
        batches = order[: len(order) // size * size].reshape(-1, size)
        squares = [self._gradients(*map(tf.constant, (part.x[rows], part.y[rows]))) for rows in batches]
        return float(np.sqrt(np.mean([float(square) for square in squares])))

    def _infer(self, x: tf.Tensor) -> tf.Tensor:
        return self.model(x, training=False)

    def _differentiate(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Return the mean square of the entries of one batch's gradient."""
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=True)
            if self.info.kind == "forecasting":
                loss = tf.reduce_mean(keras.losses.mean_squared_error(y, outputs))
            else:
                losses = keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True)
                loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        return tf.reduce_mean(tf.square(tf.concat([tf.reshape(each, [-1]) for each in gradients], axis=0)))
