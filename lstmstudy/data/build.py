"""From the name of a task to its folds, references and floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy import streams
from lstmstudy.data import mackey_glass, sources
from lstmstudy.data.folds import Bounds, classification_folds, forecasting_fold, forecasting_folds
from lstmstudy.data.references import classification_references, forecasting_references
from lstmstudy.data.task import Task, content_hash
from lstmstudy.data.windows import modelled_series

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from lstmstudy.data.sources import Sequences
    from lstmstudy.data.task import Fold, TaskInfo

SERIES: dict[str, Callable[[], npt.NDArray[np.float64]]] = {
    "sunspots": sources.sunspots,
    "elnino": sources.elnino,
    "co2": sources.co2,
}
SEQUENCES: dict[str, Callable[[], Sequences]] = {
    "digits_rows": sources.digits_rows,
    "japanese_vowels": sources.japanese_vowels,
}
SIZES = {  # training and validation samples
    "digits_rows": (200, 200),  # few, as with more of them every method is near its ceiling
    "japanese_vowels": (180, 90),  # all of the official training part
}
PER_CHANNEL = {"japanese_vowels"}  # pixels share one scale, cepstrum coefficients do not
MADE_TARGETS = (400, 200, 600)  # training, validation and test of each realization

Built = tuple[tuple["Fold", ...], tuple[dict[str, dict[str, float]], ...], tuple[float, ...] | None]


def build_task(info: TaskInfo) -> Task:
    """Return the task made from its source, with everything that is computed from the data."""
    if info.name in SERIES:
        folds, references, floor = _real_series(info)
    elif info.name in SEQUENCES:
        folds, references, floor = _sequences(info)
    else:
        folds, references, floor = _made_series(info)
    return Task(info, folds, references, floor, content=content_hash(info, folds))


def _real_series(info: TaskInfo) -> Built:
    raw = SERIES[info.name]()
    folds = forecasting_folds(raw, info)
    modelled = modelled_series(raw, differenced=info.differenced)
    return folds, tuple(forecasting_references(modelled, fold, info) for fold in folds), None


def _sequences(info: TaskInfo) -> Built:
    train, validation = SIZES[info.name]
    folds = classification_folds(
        SEQUENCES[info.name](),
        info,
        train=train,
        validation=validation,
        per_channel=info.name in PER_CHANNEL,
    )
    return folds, tuple(classification_references(fold, info.n_outputs) for fold in folds), None


def _made_series(info: TaskInfo) -> Built:
    """Return a fresh realization per fold; no method can beat the noise that enters each step."""
    train, validation, test = MADE_TARGETS
    start = info.window + info.horizon - 1 + train
    bounds = Bounds(start, start + validation, start + validation + test)
    folds, references = [], []
    for number in range(info.n_folds):
        rng = streams.generator(number, f"data/{info.name}/noise")
        series = mackey_glass.realization(bounds.stop, rng)
        folds.append(forecasting_fold(series, bounds, info))
        references.append(forecasting_references(series, folds[-1], info))
    floor = tuple(mackey_glass.NOISE_SD / fold.scale for fold in folds)
    return tuple(folds), tuple(references), floor
