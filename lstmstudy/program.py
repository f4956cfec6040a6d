"""One compiled epoch and one compiled evaluation per structure, reused for every seed and strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from lstmstudy.network import Network
from lstmstudy.runs import ENGINE

if TYPE_CHECKING:
    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe


def limit_threads() -> None:
    """Give TensorFlow one thread; two are slower on matrices this small, and change the last bits.

    Raises:
        RuntimeError: If TensorFlow already runs with another number.
    """
    tf.config.threading.set_intra_op_parallelism_threads(ENGINE["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(ENGINE["threads"])


class Program:
    """A network, its optimizer and its two compiled functions.

    Args:
        recipe: Gives the structure; its strengths and learning rate are replaced at every `start`.
        info: The task.
        n_train: Rows of the training arrays, padding included.
    """

    def __init__(self, recipe: Recipe, info: TaskInfo, n_train: int) -> None:
        limit_threads()
        self.network = Network(recipe, info)
        self.model = self.network.model
        self.optimizer = keras.optimizers.Adam(recipe.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        self._fresh = {variable.path: variable.numpy() for variable in self.optimizer.variables}
        self.classifies = info.kind == "classification"
        self.batch_size = recipe.batch_size
        self.n_batches = -(-n_train // recipe.batch_size)
        self.compiled = 0  # how often a function was traced; a test holds it at one each
        self._epoch = tf.function(self._train_one_epoch, jit_compile=ENGINE["jit_compile"])
        self._evaluate = tf.function(self._predict, jit_compile=ENGINE["jit_compile"])

    def start(self, recipe: Recipe, seed: int) -> None:
        """Put every variable where a run starts; nothing of an earlier run is left."""
        self.network.reset(recipe, seed)
        for variable in self.optimizer.variables:
            variable.assign(self._fresh[variable.path])
        self.optimizer.learning_rate.assign(recipe.learning_rate)

    def train_epoch(self, x: tf.Tensor, y: tf.Tensor, order: np.ndarray) -> float:
        """Train on the rows of `order` in batches and return the mean training loss.

        Args:
            x: Floats (n_train, time, features), padding rows included.
            y: Targets (n_train, 1) or labels (n_train,).
            order: The rows in the order of training, (n_rows,); the last batch may be smaller.
        """
        rows = np.zeros(self.n_batches * self.batch_size, np.int32)
        counts = np.zeros(rows.shape, np.float32)
        rows[: len(order)], counts[: len(order)] = order, 1
        shape = (self.n_batches, self.batch_size)
        used = tf.constant(-(-len(order) // self.batch_size))
        total = self._epoch(x, y, tf.constant(rows.reshape(shape)), tf.constant(counts.reshape(shape)), used)
        return float(total) / max(len(order), 1)

    def predict(self, x: tf.Tensor) -> np.ndarray:
        """Return values or class probabilities at inference, (n_samples, n_outputs)."""
        return self._evaluate(x).numpy()

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the trainable weights by path."""
        return {variable.path: variable.numpy().copy() for variable in self.model.trainable_variables}

    def _train_one_epoch(
        self, x: tf.Tensor, y: tf.Tensor, rows: tf.Tensor, counts: tf.Tensor, used: tf.Tensor
    ) -> tf.Tensor:
        self.compiled += 1

        def batch(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            weight = counts[i]
            with tf.GradientTape() as tape:
                outputs = self.model(tf.gather(x, rows[i]), training=True)
                summed = tf.reduce_sum(weight * self._losses(tf.gather(y, rows[i]), outputs))
                loss = summed / tf.reduce_sum(weight)
            variables = self.model.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return i + 1, total + summed

        _, total = tf.while_loop(lambda i, _: i < used, batch, (tf.constant(0), tf.constant(0.0)))
        return total

    def _losses(self, y: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return squared error or cross-entropy per sample, (batch,)."""
        if self.classifies:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        return tf.reduce_sum(tf.square(outputs - y), axis=-1)

    def _predict(self, x: tf.Tensor) -> tf.Tensor:
        self.compiled += 1
        outputs = self.model(x, training=False)
        return tf.nn.softmax(outputs) if self.classifies else outputs
