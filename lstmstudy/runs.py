"""A run, its identity and its outcome; nothing here trains or touches a disk."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lstmstudy.readings import Kept, Validation, read
from lstmstudy.source import source_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from lstmstudy.recipe import Recipe

# What every training goes through; the modules of a technique join where it is on.
CORE = (
    "lstmstudy.streams",
    "lstmstudy.metrics",
    "lstmstudy.readings",
    "lstmstudy.layers.lstm",
    "lstmstudy.layers.cell_hook",
    "lstmstudy.layers.recurrence",
    "lstmstudy.training.network",
    "lstmstudy.training.program",
    "lstmstudy.training.staging",
    "lstmstudy.training.trajectory",
    "lstmstudy.training.train",
    "lstmstudy.stages",
    "lstmstudy.recipe",  # says which runs share a compiled epoch, and which settings are values of it
)
# What changes the last bits of a result. Code of LLVM's first level runs as fast as that of its third here, and
# compiles in six sevenths of the time; a processor without vectors of 512 bits takes those that it has.
ENGINE = {
    "jit_compile": True,
    "threads": 1,
    "onednn": False,
    "xla_flags": "--xla_backend_optimization_level=1 --xla_cpu_prefer_vector_width=512",
}


def short(identity: str) -> str:
    """Return the first part of an identity, by which tables name a run."""
    return identity[:16]


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions that an identity counts, read without importing the packages."""
    return {
        "tensorflow": _tensorflow_version(),
        **{name: metadata.version(name) for name in ("keras", "numpy")},
    }


def _tensorflow_version() -> str:
    """Return TensorFlow's version, whichever of its distributions is installed."""
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    raise ModuleNotFoundError(
        "TensorFlow is missing from this environment. Expected: `make` creates one that has it."
    )


@dataclass(frozen=True)
class Run:
    """One training: a recipe on one fold of a task with one seed.

    Attributes:
        recipe: How the model is built and trained.
        task: Name of the task.
        content: Hash of the task's arrays.
        fold: Which fold, from 0.
        seed: The seed that all randomness of the run comes from.
    """

    recipe: Recipe
    task: str
    content: str
    fold: int
    seed: int

    @property
    def decisive(self) -> dict[str, Any]:
        """All that decides the result, as plain values."""
        modules = [*CORE, *(module for technique in self.recipe.techniques for module in technique.modules)]
        return {
            "recipe": self.recipe.describe(),
            "task": self.task,
            "content": self.content,
            "fold": self.fold,
            "seed": self.seed,
            "engine": ENGINE,
            "versions": versions(),
            "code": source_digest(modules),
        }

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256 (hex) over all that decides the result: two runs with one identity have one result."""
        return hashlib.sha256(json.dumps(self.decisive, sort_keys=True).encode()).hexdigest()

    @property
    def group(self) -> tuple[Any, ...]:
        """What runs must share to use one compiled epoch."""
        return (self.task, self.recipe.structure())


@dataclass(frozen=True)
class Result:
    """What training produced; the same identity gives the same bits.

    Attributes:
        metric: Name of the primary metric, which selects: ``"rmse"`` or ``"cross_entropy"``.
        curves: By ``"<part>/<metric>"`` with part train, validation or test, ``"loss"`` (the training-mode
            loss without penalties), and what techniques measure, such as ``"clipped share"``: one number
            per epoch, (n_epochs,); NaN after a divergence.
        epochs: The epochs whose predictions are kept, ascending, (n_kept,).
        predictions: By part (validation, test): (n_kept, n_samples, n_outputs); standardised values
            or class probabilities.
        weights: Weights of the selected epoch, moving statistics included, by path such as
            ``"lstm_1/kernel"``.
        pairing: Hashes of the initial weights by path, and of the batch order as ``"batches"``.
        diverged: Why training ended early, or None.
    """

    metric: str
    curves: dict[str, np.ndarray]
    epochs: np.ndarray
    predictions: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    pairing: dict[str, str]
    diverged: str | None

    @property
    def validation(self) -> Validation:
        """What choices may see."""
        return Validation(self.curves[f"validation/{self.metric}"])

    def keeps(self, reading: str) -> Kept:
        """Return the epoch that `reading` keeps, chosen by the validation metric alone."""
        return read(self.validation, reading)

    def error(self, reading: str, part: str = "test", metric: str | None = None) -> float:
        """Return the error on a part at the epoch that `reading` keeps; NaN if the run diverged."""
        if self.diverged is not None:
            return float("nan")
        return float(self.curves[f"{part}/{metric or self.metric}"][self.keeps(reading).epoch])

    def predicted(self, reading: str, part: str = "test") -> np.ndarray:
        """Return the predictions for a part (validation, test) at the epoch that `reading` keeps.

        Standardised values or class probabilities, (n_samples, n_outputs).
        """
        (place,) = (self.epochs == self.keeps(reading).epoch).nonzero()[0]
        return self.predictions[part][place]


@dataclass(frozen=True)
class Outcome:
    """A result and the record of how it came about (seconds, memory, machine; never compared).

    Attributes:
        identity: That of the run.
        result: What training produced.
        record: How it came about.
        numbers: Of a published run, whose predictions and weights are left away, what was taken from them, by name;
            None where they are there.
    """

    identity: str
    result: Result
    record: dict[str, Any]
    numbers: Mapping[str, Any] | None = None
