"""The figures of every epoch of one run, and the result that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import metrics
from lstmstudy.readings import Validation, kept_epochs, read
from lstmstudy.runs import Result

if TYPE_CHECKING:
    from lstmstudy.data import Fold, TaskInfo

PARTS = ("train", "validation", "test")


class Trajectory:
    """Collects the figures of every epoch of one run.

    Args:
        info: The task.
        fold: Has the targets.
        epochs: How many there will be.
    """

    def __init__(self, info: TaskInfo, fold: Fold, epochs: int) -> None:
        self.info = info
        self.fold = fold
        self.curves = {"loss": np.full(epochs, np.nan)}
        for part in PARTS:
            for metric in (info.metric, info.secondary):
                self.curves[f"{part}/{metric}"] = np.full(epochs, np.nan)
        self.outputs: list[np.ndarray] = []
        self.diverged: str | None = None

    def add(self, epoch: int, loss: float, outputs: np.ndarray, figures: dict[str, float]) -> bool:
        """Score one epoch; return False, with the reason kept, if a figure is not finite.

        Args:
            epoch: Which epoch, from 0.
            loss: Mean loss over the epoch's updates, in training mode.
            outputs: Values or probabilities of all parts, (n_rows, n_outputs).
            figures: What techniques measured, by the name of the curve.
        """
        ends = np.cumsum([0, *(len(getattr(self.fold, part).y) for part in PARTS)])
        if not np.isfinite(loss):
            self.diverged = f"training loss {loss} in epoch {epoch + 1}"
            return False
        if not np.isfinite(outputs[: ends[-1]]).all():
            self.diverged = f"predictions not finite after epoch {epoch + 1}"
            return False
        self.curves["loss"][epoch] = loss
        for name, value in figures.items():
            self.curves.setdefault(name, np.full(len(self.curves["loss"]), np.nan))[epoch] = value
        for part, begin, end in zip(PARTS, ends[:-1], ends[1:], strict=True):
            for metric in (self.info.metric, self.info.secondary):
                score = getattr(metrics, metric)(outputs[begin:end], getattr(self.fold, part).y)
                self.curves[f"{part}/{metric}"][epoch] = score
        self.outputs.append(outputs[: ends[-1]])
        return True

    @property
    def validation(self) -> Validation:
        """What choices may see."""
        return Validation(self.curves[f"validation/{self.info.metric}"])

    def is_best(self, epoch: int, *, since: int = 0) -> bool:
        """Whether this is the selected epoch so far, of those from `since` on."""
        return since + read(Validation(self.validation.metric[since:]), "selected").epoch == epoch

    def result(self, weights: dict[str, np.ndarray], pairing: dict[str, str]) -> Result:
        """Return everything, with the predictions of the epochs that some reading keeps."""
        epochs = kept_epochs(self.validation)
        n_train, n_validation = len(self.fold.train.y), len(self.fold.validation.y)
        n_rows = n_train + n_validation + len(self.fold.test.y)
        kept = (
            np.stack([self.outputs[e] for e in epochs])
            if epochs
            else np.zeros((0, n_rows, self.info.n_outputs))
        )
        kept = kept.astype(np.float32)
        predictions = {
            "validation": kept[:, n_train : n_train + n_validation],
            "test": kept[:, n_train + n_validation :],
        }
        return Result(
            self.info.metric,
            self.curves,
            np.array(epochs, np.int64),
            predictions,
            weights,
            pairing,
            self.diverged,
        )
