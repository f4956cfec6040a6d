"""Plain Keras: stock layers and `fit`, as a guide writes them, or with the options that make it faster."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from peer import serve


def run(work: str, arm: str, *, jit: bool = False, whole_epochs: bool = False) -> dict[str, Any]:
    """Build, compile and fit one model; train, validation and test part are evaluated after every epoch.

    Args:
        work: File with data and first weights.
        arm: Name of the regularizer.
        jit: Whether XLA compiles.
        whole_epochs: Whether one call makes a whole epoch of updates.
    """
    import keras

    given = np.load(work, allow_pickle=False)
    classes, width = int(given["classes"]), given["lstm_1/recurrent_kernel"].shape[0]
    began = time.perf_counter()
    options = {"dropout": {"dropout": 0.3}, "recurrent dropout": {"recurrent_dropout": 0.3}}.get(arm, {})
    layers = [
        keras.Input(given["x_train"].shape[1:]),
        keras.layers.LSTM(width, return_sequences=True, **options),
    ]
    if arm == "layer norm":
        layers.append(keras.layers.LayerNormalization())
    model = keras.Sequential([*layers, keras.layers.LSTM(width, **options), keras.layers.Dense(classes or 1)])
    for layer, name in zip(
        [layer for layer in model.layers if not isinstance(layer, keras.layers.LayerNormalization)],
        ("lstm_1", "lstm_2", "head"),
        strict=True,
    ):
        names = ("kernel", "bias") if name == "head" else ("kernel", "recurrent_kernel", "bias")
        layer.set_weights([given[f"{name}/{each}"] for each in names])
    n_batches = -(-len(given["y_train"]) // 32)
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True) if classes else "mse",
        jit_compile=jit,
        steps_per_execution=n_batches if whole_epochs else 1,
    )
    parts = _Parts(given)
    model.fit(
        given["x_train"],
        given["y_train"],
        batch_size=32,
        epochs=len(given["orders"]),
        validation_data=(given["x_validation"], given["y_validation"]),
        validation_batch_size=4096,
        callbacks=[parts.callback()],
        verbose=0,
    )
    seconds = time.perf_counter() - began
    keras.utils.clear_session()
    root = (lambda value: value) if classes else np.sqrt
    return {
        "seconds": seconds,
        "loss": float(root(parts.losses["train"][-1])),
        "test": float(root(min(parts.losses["test"]))),
    }


class _Parts:
    """What `validation_data` leaves out: the loss of the train and the test part after every epoch."""

    def __init__(self, given: Any) -> None:
        self.given = given
        self.losses: dict[str, list[float]] = {"train": [], "test": []}

    def callback(self) -> Any:
        """Return the callback."""
        import keras

        def evaluate(epoch: int, logs: dict[str, float]) -> None:
            del epoch, logs
            for part, losses in self.losses.items():
                x, y = self.given[f"x_{part}"], self.given[f"y_{part}"]
                losses.append(callback.model.evaluate(x, y, batch_size=4096, verbose=0))

        callback = keras.callbacks.LambdaCallback(on_epoch_end=evaluate)
        return callback


if __name__ == "__main__":
    serve(run=run)
