"""Loads the recommended model and repeats its test error; `predict` takes windows as they are in the table."""

import importlib
import json
from pathlib import Path

import keras
import numpy as np

folder = Path(__file__).parent
facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
for package in facts["needs"]:  # layers that do not come with Keras
    importlib.import_module(package)
model = keras.saving.load_model(folder / "model.keras")


def predict(x, lengths=None):
    """Return a forecast for each window (n, steps, columns), or its probabilities of the classes (n, classes).

    Where sequences differ in length, `lengths` says how many of their first steps count.
    """
    x = (x - facts["x_mean"]) / facts["x_deviation"]
    if lengths is not None:
        x = np.where(np.arange(x.shape[1])[:, None] < lengths[:, None, None], x + 1e-20, 0)
    outputs = model.predict(x.astype("float32"), verbose=0)
    return outputs if facts["classes"] else outputs[:, 0] * facts["y_deviation"] + facts["y_mean"]


if __name__ == "__main__":
    test = np.load(folder / "data.npz")
    found, truth = predict(test["x_test"], test.get("lengths_test")), test["y_test"]
    if facts["classes"]:
        error = -np.log(np.maximum(found[np.arange(len(truth)), truth], 1e-7)).mean(dtype=float)
    else:
        error = np.sqrt(np.mean((found - truth) ** 2)) / facts["y_deviation"]
    print(f"{facts['metric']} on the test part: {error:.9g}; in the study: {facts['test_error']:.9g}")
