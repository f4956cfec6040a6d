"""The script that trains a recipe anew, as one would write it by hand in Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.export.lines import Lines, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lstmstudy.data import TaskInfo
    from lstmstudy.recipe import Recipe

_TOP = '''"""Trains the network that the study `{profile}` recommends: {arm}.

`data.npz` has windows and targets as they are in the table, `model.json` their scale, both beside this file;
put your own in their place. It needs {needs}.
"""
'''
_DATA = """\
folder = Path(__file__).parent
facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
data = np.load(folder / "data.npz")


def part(name):
    \"\"\"Return inputs and targets of a part (train, validation, test) as the network gets them.\"\"\"
    # Mean and deviation of what is learned from; for other data compute them anew.
    x = (data[f"x_{name}"] - facts["x_mean"]) / facts["x_deviation"]
"""
_PADDED = """\
    # The network skips steps that are zero in each channel: those behind the end of a sequence.
    valid = np.arange(x.shape[1])[:, None] < data[f"lengths_{name}"][:, None, None]
    x = np.where(valid, x + 1e-20, 0)
"""
_VALUES = """\
    y = (data[f"y_{name}"][:, None] - facts["y_mean"]) / facts["y_deviation"]
    return x.astype("float32"), y.astype("float32")
"""
_LABELS = """\
    return x.astype("float32"), data[f"y_{name}"]
"""


def training_script(recipe: Recipe, info: TaskInfo, *, profile: str, arm: str, reading: str) -> str:
    """Return a Python script that trains a recipe on ``data.npz`` and says its test error.

    Layers, strengths, learning rate, batch size and epochs are the recipe's; the random numbers are Keras's
    own, so that its error differs from those of the study as those of two seeds do.

    Args:
        recipe: What is trained.
        info: Its task.
        profile: Name of the study.
        arm: Name of the recipe for readers.
        reading: Which epoch counts, such as ``"selected"`` or ``"patience 3"``.

    Raises:
        NoScriptError: If the recipe is no single model in ``compile`` and ``fit``.
    """
    lines = lines_of(recipe)
    classifies, augments = info.kind == "classification", bool(lines.augment)
    imports = ["import json", "from pathlib import Path", "", "import keras", "import numpy as np"]
    if augments:
        imports.append("import tensorflow as tf")
    if lines.imports:
        imports += [
            "",
            f"from lstmstudy.layers import {', '.join(sorted(set(lines.imports), key=str.lower))}",
        ]
    body = [
        *imports,
        "",
        _DATA + (_PADDED if info.variable_length else "") + (_LABELS if classifies else _VALUES),
        "",
        "keras.utils.set_random_seed(0)",
        '(x_train, y_train), validation, test = part("train"), part("validation"), part("test")',
        "model = keras.Sequential(",
        "    [",
        *(f"        {layer}," for layer in _layers(recipe, info, lines)),
        "    ]",
        ")",
        *_compiled(recipe, lines, classifies=classifies),
        *_fitted(recipe, info, lines, reading),
        'print("test error:", model.evaluate(*test, verbose=0, return_dict=True))',
        'model.save(folder / "trained.keras")',
    ]
    needs = "Keras, NumPy and lstmstudy" if lines.imports else "Keras and NumPy alone"
    return "\n".join([_TOP.format(profile=profile, arm=arm, needs=needs), *body, ""])


def _layers(recipe: Recipe, info: TaskInfo, lines: Lines) -> Iterable[str]:
    """Yield the layers of the network, the first one first."""
    yield f"keras.Input(({info.window}, {info.n_features}))"
    if info.variable_length:
        yield "keras.layers.Masking()"
    for number in range(1, recipe.layers + 1):
        last = number == recipe.layers
        arguments = [str(recipe.width), *lines.lstm]
        if lines.hooks:
            arguments.append(f"hooks=[{', '.join(lines.hooks)}]")
        if not last:
            arguments.append("return_sequences=True")
        yield from lines.before
        yield f"{'LSTM' if lines.hooks else 'keras.layers.LSTM'}({', '.join(arguments)})"
        yield from () if last else lines.between
    softmax = ', activation="softmax"' if info.kind == "classification" else ""
    yield f"keras.layers.Dense({info.n_outputs}{softmax})"


def _compiled(recipe: Recipe, lines: Lines, *, classifies: bool) -> list[str]:
    """Return the lines up to ``compile``."""
    cls = (lines.optimizer or ("keras.optimizers.Adam",))[0]
    optimizer = f"{cls}({', '.join([f'{recipe.learning_rate:.6g}', *lines.arguments])})"
    found = [f"optimizer = {optimizer}"]
    if lines.optimizer:
        found.append('optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])')
    found += [f"optimizer = {around.format('optimizer')}" for around in lines.around]
    if not classifies:
        loss, metrics = '"mse"', '[keras.metrics.RootMeanSquaredError(name="rmse")]'
    elif lines.augment:  # labels may be mixed
        loss, metrics = '"categorical_crossentropy"', '["categorical_crossentropy", "accuracy"]'
    else:
        loss, metrics = '"sparse_categorical_crossentropy"', '["sparse_categorical_crossentropy", "accuracy"]'
    return [*found, f"model.compile(optimizer, loss={loss}, metrics={metrics})"]


def _fitted(recipe: Recipe, info: TaskInfo, lines: Lines, reading: str) -> list[str]:
    """Return the lines from the training data to ``fit``."""
    classifies, batch = info.kind == "classification", recipe.batch_size
    metric = "categorical_crossentropy" if lines.augment else "sparse_categorical_crossentropy"
    monitor = metric if classifies else "rmse"
    word, _, number = reading.partition(" ")
    patience = number if word == "patience" else recipe.epochs  # else only the best epoch is taken
    stop = (
        f'keras.callbacks.EarlyStopping("val_{monitor}", patience={patience}, mode="min", '
        "restore_best_weights=True)"
    )
    found, data, size = [], "x_train, y_train, ", f"batch_size={batch}, "
    if lines.augment:
        if classifies:
            one_hot = f"tf.one_hot(y, {info.n_outputs})"
            found += [
                "validation, test = (",
                f"    (x, keras.utils.to_categorical(y, {info.n_outputs})) for x, y in (validation, test)",
                ")",
            ]
        mask = "tf.reduce_any(x != 0, axis=-1)" if info.variable_length else "None"
        how = f"augment.batch(x, {one_hot}, {mask})" if classifies else f"augment.joined(x, y, {mask})"
        found += [
            f"augment = {lines.augment[0]}",
            "batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(len(x_train))",
            f"batches = batches.batch({batch}).map(lambda x, y: {how})",
        ]
        data, size = "batches, ", "shuffle=False, "
    callbacks = ", ".join([*lines.callbacks, "best"])
    return [
        *found,
        f"best = {stop}",
        f"model.fit({data}{size}epochs={recipe.epochs}, validation_data=validation, callbacks=[{callbacks}], verbose=2)",
    ]
