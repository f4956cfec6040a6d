"""From the name of a task to its folds, references and floor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import streams
from lstmstudy.data import mackey_glass, realizations, sources
from lstmstudy.data.folds import Bounds, classification_folds, forecasting_fold, forecasting_folds
from lstmstudy.data.references import classification_references, forecasting_references
from lstmstudy.data.schemes import scheme_folds
from lstmstudy.data.task import Fold, Task, content_hash
from lstmstudy.data.windows import modelled_series

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstmstudy.data.sources import Sequences
    from lstmstudy.data.task import Part, TaskInfo

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
CUT = {"japanese_vowels_cut": "japanese_vowels"}  # the same folds, each sequence cut to the window
PER_CHANNEL = {"japanese_vowels"}  # pixels share one scale, cepstrum coefficients do not
MADE_TARGETS = (400, 200, 600)  # training, validation and test of each realization
REALIZED = {"stationary_series": realizations.stationary, "changing_series": realizations.changing}
DEVELOPMENT_TARGETS = 200  # of each of these, split by the validation schemes
FUTURE = {"stationary_series": 100, "changing_series": 100, "sunspots_schemes": 62}  # targets that none sees

Built = tuple[tuple["Fold", ...], tuple[dict[str, dict[str, float]], ...], tuple[float, ...] | None]


def build_task(info: TaskInfo) -> Task:
    """Return the task made from its source, with everything that is computed from the data."""
    if info.name in SERIES:
        folds, references, floor = _real_series(info)
    elif info.name in SEQUENCES or info.name in CUT:
        folds, references, floor = _sequences(info)
    elif info.realizations:
        folds, references, floor = _by_schemes(info)
    else:
        folds, references, floor = _made_series(info)
    return Task(info, folds, references, floor, content=content_hash(info, folds))


def _real_series(info: TaskInfo) -> Built:
    raw = SERIES[info.name]()
    folds = forecasting_folds(raw, info)
    modelled = modelled_series(raw, differenced=info.differenced)
    return folds, tuple(forecasting_references(modelled, fold, info) for fold in folds), None


def _sequences(info: TaskInfo) -> Built:
    source = CUT.get(info.name, info.name)
    train, validation = SIZES[source]
    folds = classification_folds(
        SEQUENCES[source](),
        replace(info, name=source),  # which also names the stream that the folds are drawn from
        train=train,
        validation=validation,
        per_channel=source in PER_CHANNEL,
    )
    if info.name in CUT:
        folds = tuple(_cut(fold, info.window) for fold in folds)
    return folds, tuple(classification_references(fold, info.n_outputs) for fold in folds), None


def _cut(fold: Fold, steps: int) -> Fold:
    """Return a fold whose sequences end after `steps`, standardised as they were."""

    def cut(part: Part) -> Part:
        return replace(part, x=part.x[:, :steps].copy(), lengths=np.minimum(part.lengths, steps))

    return replace(fold, train=cut(fold.train), validation=cut(fold.validation), test=cut(fold.test))


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


def _by_schemes(info: TaskInfo) -> Built:
    """Return for each realization a fold per split of each validation scheme, and one for the final fit."""
    folds: list[Fold] = []
    references: list[dict[str, dict[str, float]]] = []
    for number in range(info.realizations):
        series = scheme_series(info, number)
        folds += scheme_folds(series, FUTURE[info.name], info, number)
        references += [forecasting_references(series, fold, info) for fold in folds[len(references) :]]
    made = info.name in REALIZED
    floor = tuple(realizations.NOISE_SD / fold.scale for fold in folds) if made else None
    return tuple(folds), tuple(references), floor


def scheme_series(info: TaskInfo, number: int) -> npt.NDArray[np.float64]:
    """Return one realization of a series that validation schemes are compared on, (n,).

    Realizations of the same number share their noise and all roots but one.
    """
    if info.name not in REALIZED:
        return sources.sunspots()
    n = info.window + info.horizon + DEVELOPMENT_TARGETS + info.horizon - 1 + FUTURE[info.name]
    return REALIZED[info.name](n, streams.generator(number, "data/realizations/noise"))
