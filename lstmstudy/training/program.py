"""One compiled epoch and one compiled evaluation per structure, reused for every seed and strength."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from lstmstudy.runs import ENGINE
from lstmstudy.training.network import Network, noise_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """A network, its optimizer and its compiled functions.

    Args:
        recipe: Gives the structure; its strengths and learning rate are replaced at every `start`.
        info: The task.
        n_train: Rows of the training arrays, padding included.
    """

    def __init__(self, recipe: Recipe, info: TaskInfo, n_train: int) -> None:
        limit_threads()
        self.info = info
        self.network = Network(recipe, info)
        self.model = self.network.model
        self.optimizer = keras.optimizers.Adam(recipe.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        self._fresh = {variable.path: variable.numpy() for variable in self.optimizer.variables}
        self.classifies = info.kind == "classification"
        self.batch_size = recipe.batch_size
        self.n_batches = -(-n_train // recipe.batch_size)
        # What the earlier networks of a run add to the present one, row by row.
        self.offset = tf.Variable(tf.zeros((n_train, info.n_outputs))) if recipe.stages.additive else None
        self.passes = max((technique.passes for technique in recipe.techniques), default=0)
        self._normalizers: list[keras.layers.Layer] = []  # whose statistics the present run recomputes
        # Statistics of a batch must not count the rows that fill its last places.
        self._masks_rows = any(variable.name.startswith("moving_") for variable in self.model.variables)
        self.model.supports_masking = True  # or Keras warns that the mask of these rows ends at the outputs
        self.compiled = 0  # how often a function was traced; a test holds it at one each
        jit = ENGINE["jit_compile"]
        self._epoch = tf.function(self._train_one_epoch, jit_compile=jit, autograph=False)
        self._evaluate = tf.function(self._predict, jit_compile=jit, autograph=False)
        self._recompute = tf.function(self._recompute_statistics, jit_compile=jit, autograph=False)

    @property
    def model_layers(self) -> list[keras.layers.Layer]:
        """All layers and hooks that techniques placed."""
        return [layer for placed in self.network.placed.values() for layer in placed]

    def start(self, recipe: Recipe, seed: int, stage: int = 0, offset: np.ndarray | float = 0.0) -> None:
        """Put every variable where a run or one of its stages starts; nothing of an earlier one is left.

        Args:
            recipe: Strengths and the learning rate.
            seed: Seed of the run.
            stage: Which stage starts, from 0.
            offset: What earlier networks add to the outputs in training, (n_train, n_outputs), where
                networks are summed.
        """
        self.network.reset(recipe, seed, stage)
        self._normalizers = [
            layer
            for technique in recipe.techniques
            if technique.recomputes
            for layer in self.network.placed[technique.name]
        ]
        if self.offset is not None:
            self.offset.assign(tf.broadcast_to(tf.cast(offset, tf.float32), self.offset.shape))
        for variable in self.optimizer.variables:
            variable.assign(self._fresh[variable.path])
        self.optimizer.learning_rate.assign(recipe.learning_rate)

    def train_epoch(self, x: tf.Tensor, y: tf.Tensor, order: np.ndarray, rates: np.ndarray) -> float:
        """Train on the rows of `order` in batches and return the mean training loss, without penalties.

        Args:
            x: Floats (n_train, time, features), padding rows included.
            y: Targets (n_train, 1) or labels (n_train,).
            order: The rows in the order of training, (n_rows,); the last batch may be smaller.
            rates: The learning rate of each update, (n_batches,).
        """
        rows = np.zeros(self.n_batches * self.batch_size, np.int32)
        counts = np.zeros(rows.shape, np.float32)
        rows[: len(order)], counts[: len(order)] = order, 1
        shape = (self.n_batches, self.batch_size)
        used = tf.constant(-(-len(order) // self.batch_size))
        rates = np.resize(rates, self.n_batches).astype(np.float32)
        batches = (rows.reshape(shape), counts.reshape(shape), rates)
        total = self._epoch(x, y, used, tuple(map(tf.constant, batches)))
        return float(total) / max(len(order), 1)

    def figures(self) -> dict[str, float]:
        """Return what the techniques measured in the epoch that just ended, by the name of its curve."""
        return {name: value for hook in self.network.updates for name, value in hook.figures().items()}

    def recompute_statistics(self, x: tf.Tensor, n_rows: int) -> None:
        """Set moving statistics to those of the first `n_rows` rows of `x`, where a technique asks for it."""
        if self._normalizers:
            with self._shown_weights(), self._unmoved_streams():
                self._recompute(x, tf.constant(n_rows))

    def predict(self, x: tf.Tensor) -> np.ndarray:
        """Return values or class probabilities at inference, (n_samples, n_outputs); logits where networks are summed.

        With `passes` they are the mean of that many predictions with the noise of training on.
        """
        with self._shown_weights():
            if not self.passes:
                return self._evaluate(x).numpy()
            with self._unmoved_streams():
                return np.mean([self._evaluate(x).numpy() for _ in range(self.passes)], axis=0)

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of the weights that are evaluated, by path; moving statistics are among them."""
        with self._shown_weights():
            return {
                variable.path: variable.numpy().copy()
                for variable in self.model.variables
                if variable.trainable or variable.name.startswith("moving_")
            }

    @contextlib.contextmanager
    def _shown_weights(self) -> Iterator[None]:
        """Put the weights in place that a technique wants evaluated, such as their running mean."""
        shown = [weights for hook in self.network.updates if (weights := hook.shown()) is not None]
        variables = self.model.trainable_variables
        trained = [variable.numpy() for variable in variables] if shown else []
        for weights in shown:
            for variable, value in zip(variables, weights, strict=True):
                variable.assign(value)
        yield
        for variable, value in zip(variables, trained, strict=bool(shown)):
            variable.assign(value)

    @contextlib.contextmanager
    def _unmoved_streams(self) -> Iterator[None]:
        """Put all streams of noise back afterwards: evaluating advances none."""
        found = map(noise_stream, self.model_layers)
        streams = [stream.state for stream in found if stream is not None]
        before = [state.numpy() for state in streams]
        yield
        for state, value in zip(streams, before, strict=True):
            state.assign(value)

    def _train_one_epoch(
        self, x: tf.Tensor, y: tf.Tensor, used: tf.Tensor, batches: tuple[tf.Tensor, ...]
    ) -> tf.Tensor:
        self.compiled += 1
        rows, counts, rates = batches
        variables = self.model.trainable_variables

        def batch(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            weight = counts[i]
            inputs, targets = self._batch(tf.gather(x, rows[i]), tf.gather(y, rows[i]))
            update = tf.convert_to_tensor(self.optimizer.iterations)
            with tf.GradientTape() as tape:
                outputs = self._outputs(inputs, weight)
                if self.offset is not None:
                    outputs += tf.gather(self.offset, rows[i])
                summed = tf.reduce_sum(weight * self._losses(targets, outputs))
                loss = summed / tf.reduce_sum(weight)
                for hook in self.network.updates:
                    loss += hook.penalty()
            gradients = tape.gradient(loss, variables)
            for hook in self.network.updates:
                gradients = hook.gradients(gradients, update)
            self.optimizer.learning_rate.assign(rates[i])
            for hook in self.network.updates:
                hook.before(rates[i])
            self.optimizer.apply(gradients, variables)
            for hook in self.network.updates:
                hook.after(update)
            return i + 1, total + summed

        _, total = tf.while_loop(lambda i, _: i < used, batch, (tf.constant(0), tf.constant(0.0)))
        return total

    def _batch(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a training batch as the augmentations leave it; labels become one-hot."""
        if self.classifies:
            y = tf.one_hot(y, self.info.n_outputs)
        mask = tf.reduce_any(x != 0, axis=-1) if self.info.variable_length else None
        for augmentation in self.network.augmentations:
            change = augmentation.batch if self.classifies else augmentation.joined
            x, y = change(x, y, mask)
        return x, y

    def _outputs(self, x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Return what the model gives for a training batch, (batch, n_outputs)."""
        if not self._masks_rows:
            return self.model(x, training=True)
        counting = weight > 0
        if self.info.variable_length:  # the network masks what is zero
            return self.model(tf.where(counting[:, None, None], x, 0.0), training=True)
        return self.model(x, training=True, mask=tf.repeat(counting[:, None], x.shape[1], axis=1))

    def _losses(self, y: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return squared error or cross-entropy per sample, (batch,)."""
        if self.classifies:
            return tf.nn.softmax_cross_entropy_with_logits(y, outputs)
        return tf.reduce_sum(tf.square(outputs - y), axis=-1)

    def _predict(self, x: tf.Tensor) -> tf.Tensor:
        self.compiled += 1
        outputs = self.model(x, training=bool(self.passes))
        return tf.nn.softmax(outputs) if self.classifies and self.offset is None else outputs

    def _recompute_statistics(self, x: tf.Tensor, n_rows: tf.Tensor) -> None:
        """Run all rows as one batch whose statistics replace the moving ones."""
        self.compiled += 1
        usual = [layer.momentum for layer in self._normalizers]
        _set_momentum(self._normalizers, [0.0] * len(usual))  # counts while this function is traced
        self._outputs(x, tf.cast(tf.range(tf.shape(x)[0]) < n_rows, tf.float32))
        _set_momentum(self._normalizers, usual)


def _set_momentum(layers: list[Any], values: list[float]) -> None:
    for layer, value in zip(layers, values, strict=True):
        layer.momentum = value
