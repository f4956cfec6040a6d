"""The reference grid: what every side trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import paths
from lstmstudy.data import open_task
from lstmstudy.recipe import Recipe
from lstmstudy.runs import Run
from lstmstudy.streams import generator
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from pathlib import Path

    from lstmstudy.data import Task

TASKS = ("sunspots", "digits_rows")
GRID = ("none", "dropout", "recurrent dropout", "layer norm")
PYTHON_CELLS = ("recurrent dropout", "zoneout", "cell layer norm")  # PyTorch's own LSTM has no place for them
SEEDS = (1, 2, 3, 4, 5)
WIDTH, EPOCHS = 64, 60
CACHE = paths.STORE / "tasks"
_TECHNIQUES = {
    "none": (),
    "dropout": (TECHNIQUES["dropout"](rate=0.3, per="sequence"),),
    "recurrent dropout": (TECHNIQUES["recurrent_dropout"](rate=0.3, form="sequence"),),
    "layer norm": (TECHNIQUES["layer_norm"](),),
    "zoneout": (TECHNIQUES["zoneout"](0.1, 0.05),),
    "cell layer norm": (TECHNIQUES["cell_layer_norm"](),),
}


def task_of(name: str) -> Task:
    """Return a task, prepared once for all processes."""
    return open_task(name, CACHE)


def run_of(task: str, arm: str, seed: int, width: int = WIDTH, epochs: int = EPOCHS) -> Run:
    """Return a run of the study: two layers, batches of 32, Adam with 0.003."""
    recipe = Recipe(2, width, epochs, 32, 0.003, _TECHNIQUES[arm])
    return Run(recipe, task, task_of(task).content, 0, seed)


def write_work(task: str, seed: int, path: Path) -> None:
    """Write what the other sides need to do the same work: data, first weights and the order of batches."""
    from lstmstudy.training.network import Network

    run, opened = run_of(task, "none", seed), task_of(task)
    network = Network(run.recipe, opened.info)
    network.reset(run.recipe, seed)
    fold = opened.folds[0]
    rng = generator(seed, "batches")
    orders = np.stack([rng.permutation(len(fold.train.y)) for _ in range(run.recipe.epochs)])
    parts = {
        f"{key}_{part}": getattr(getattr(fold, part), key)
        for part in ("train", "validation", "test")
        for key in ("x", "y")
    }
    weights = {variable.path: variable.numpy() for variable in network.model.variables}
    classes = opened.info.n_outputs if opened.info.kind == "classification" else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, orders=orders, classes=classes, **parts, **weights)


def flops_of_epoch(task: str, width: int = WIDTH) -> int:
    """Return the floating-point operations of an epoch's matrix products, forward and backward.

    Forward x W and h U of both layers; backward twice as many, but for the gradient of the data.
    """
    info, n = task_of(task).info, len(task_of(task).folds[0].train.y)
    inputs = 2 * info.n_features * 4 * width
    others = 2 * 3 * width * 4 * width  # h U of both layers and x W of the second
    return n * info.window * (3 * others + 2 * inputs)
