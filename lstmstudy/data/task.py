"""What a task is: parts, folds, the facts about it, and the hash of its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt


PARTS = ("train", "validation", "test")  # of a fold


@dataclass(frozen=True, eq=False)
class Part:
    """The samples that one fold trains on, selects by, or tests on; its arrays are read-only.

    Attributes:
        x: Float32 (n, T, F), standardised, padded with zeros at the end of each sequence.
        lengths: Int32 (n,), the valid steps of each sequence; all T where the length is fixed.
        y: Float32 (n, 1), standardised targets of forecasting; or int32 (n,), class labels.
        indices: Int64 (n,), the position of each target in the modelled series (after filling and
            differencing), or of each sample in its source.
    """

    x: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int32]
    y: npt.NDArray[np.float32] | npt.NDArray[np.int32]
    indices: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Freeze the arrays: a run is a pure function, so nobody may change its data in place."""
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of a task.

    A target in its own unit is standardised * `scale` + `center`; for classification these are 1 and 0. An
    input is standardised * `x_scale` + `x_center`, which have one number for each channel or one for all.
    """

    train: Part
    validation: Part
    test: Part
    center: float
    scale: float
    x_center: tuple[float, ...] = (0.0,)
    x_scale: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class TaskInfo:
    """The facts about a task that cost nothing to know.

    Attributes:
        name: The key in the catalog.
        title: The name for readers.
        kind: What is predicted.
        n_folds: Number of folds.
        n_features: Channels F of the input.
        n_outputs: 1 for forecasting, else the number of classes.
        window: Time steps T of the input.
        horizon: Steps from the last input to the target; 0 for classification.
        period: Steps of the season that the seasonal naive reference repeats; 0 for classification.
        unit: Unit of the target.
        source: Where the data come from, one sentence to cite.
        description: What is predicted from what, for readers.
        ar_order: Lags of the autoregression among the references; 0 for classification.
        differenced: Whether the changes of the series are modelled instead of its level.
        variable_length: Whether sequences differ in length.
        realizations: Of a task that compares ways to split: how many series it has, each of which is split in
            every way; 0 for every other task.
        channels: Names of the columns of the input, the one that is forecast first; () where nobody named them.
        classes: Names of the classes, by label; () likewise.
    """

    name: str
    title: str
    kind: Literal["forecasting", "classification"]
    n_folds: int
    n_features: int
    n_outputs: int
    window: int
    horizon: int
    period: int
    unit: str
    source: str
    description: str
    ar_order: int = 0
    differenced: bool = False
    variable_length: bool = False
    realizations: int = 0
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def metric(self) -> Literal["rmse", "cross_entropy"]:
        """The metric that selects and is compared."""
        return "rmse" if self.kind == "forecasting" else "cross_entropy"

    @property
    def secondary(self) -> Literal["mae", "error_rate"]:
        """The metric that is reported beside it."""
        return "mae" if self.kind == "forecasting" else "error_rate"


@dataclass(frozen=True, eq=False)
class Task:
    """A data set with what is predicted, in folds.

    Attributes:
        info: The facts.
        folds: The splits.
        references: Per fold, name of a simple method -> metric -> value on that fold's test part,
            in standardised units, nats or a share, as for the networks; the last method, which is
            linear, also has those on the training part, under names such as ``"train rmse"``.
        floor: Per fold, the best RMSE that any method can expect, in standardised units; None where
            nobody knows it.
        content: SHA-256 (hex) over the name, the facts that shape the network, and all arrays of all folds.
    """

    info: TaskInfo
    folds: tuple[Fold, ...]
    references: tuple[dict[str, dict[str, float]], ...]
    floor: tuple[float, ...] | None
    content: str


def fold_arrays(folds: Iterable[Fold]) -> dict[str, np.ndarray]:
    """Return every array of `folds` by a name such as ``"2_train_x"``."""
    return {
        f"{number}_{part}_{field.name}": getattr(getattr(fold, part), field.name)
        for number, fold in enumerate(folds)
        for part in ("train", "validation", "test")
        for field in fields(Part)
    }


def digest(arrays: dict[str, np.ndarray], prefix: str) -> str:
    """Return the SHA-256 (hex) over `prefix` and the name, dtype, shape and bytes of each array."""
    total = hashlib.sha256(prefix.encode())
    for name, array in arrays.items():
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def content_hash(info: TaskInfo, folds: Iterable[Fold]) -> str:
    """Return the SHA-256 (hex) of all that a network sees of a task.

    Beside the arrays these are the facts that shape the network: the same arrays with padded steps
    masked, or with one class more, train another one.
    """
    facts = (info.name, info.kind, info.n_features, info.n_outputs, info.window, info.variable_length)
    return digest(fold_arrays(folds), " ".join(map(str, facts)))
