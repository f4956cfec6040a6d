"""Which matrices a hook on the weights acts on, and the settings of such a hook as variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

MATRICES = {
    "kernel": ("kernel",),
    "recurrent_kernel": ("recurrent_kernel",),
    "both": ("kernel", "recurrent_kernel"),
}


def lstm_matrices(variables: Sequence[keras.Variable], matrices: str) -> list[keras.Variable]:
    """Return the matrices of the LSTM layers that `matrices` names; biases and the head are never among them."""
    return [
        variable
        for variable in variables
        if variable.path.startswith("lstm_") and variable.name in MATRICES[matrices]
    ]


def add_number(hook: keras.layers.Layer, value: float, name: str) -> keras.Variable:
    """Give `hook` a non-trainable variable for one of its settings or counters."""
    return hook.add_weight(
        shape=(), initializer=keras.initializers.Constant(value), trainable=False, name=name, dtype="float32"
    )
