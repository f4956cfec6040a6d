"""Validation schemes: ways to split the development part of a series to estimate the error in its future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import streams
from lstmstudy.data.folds import forecasting_part, scaler_of
from lstmstudy.data.task import Fold
from lstmstudy.data.windows import fit_scaler

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmstudy.data.task import TaskInfo

SCHEMES = {"rolling": 5, "expanding": 5, "blocked": 5, "k-fold": 5, "holdout": 1}  # and their splits
FINAL = "final fit"
_ORDER = (*((scheme, number) for scheme, n in SCHEMES.items() for number in range(n)), (FINAL, 0))
FOLDS = len(_ORDER)  # of one realization

TENTHS_ROLLING = 4  # of the development targets are a rolling training part; each held-out block is one


@dataclass(frozen=True)
class Place:
    """Which split of which scheme and realization a fold is."""

    realization: int
    scheme: str
    split: int


@dataclass(frozen=True, eq=False)
class Split:
    """Targets that one training learns from and that it is judged by, positions in the series, ascending."""

    train: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]


def place_of(fold: int) -> Place:
    """Return what a fold of a task of schemes is, from its number alone."""
    realization, offset = divmod(fold, FOLDS)
    return Place(realization, *_ORDER[offset])


def folds_of(realization: int) -> range:
    """Return the folds of one realization: every split of every scheme, and last the final fit."""
    return range(realization * FOLDS, (realization + 1) * FOLDS)


def development(n: int, future: int, info: TaskInfo) -> npt.NDArray[np.int64]:
    """Return the development targets of a series: all that are known when its future begins.

    The very first target is set aside, as validation part of the final fit, which selects nothing.

    Args:
        n: Length of the series.
        future: Number of targets at its end that no scheme sees.
        info: For window and horizon.

    Raises:
        ValueError: If fewer than 40 targets are left, too few for the splits.
    """
    first = info.window + info.horizon
    targets = np.arange(first, n - future - info.horizon + 1)
    if targets.size < 40:
        raise ValueError(
            f"{info.name}: the schemes split at least 40 targets. Received: length={n}, future={future}"
        )
    return targets


def splits(
    scheme: str, targets: npt.NDArray[np.int64], info: TaskInfo, realization: int = 0
) -> tuple[Split, ...]:
    """Return the splits of one scheme.

    rolling: five neighbouring held-out blocks, each a tenth, up to the end; before each a training part of
    fixed size, four tenths. expanding: the same blocks; all that lies before them trains. blocked: five
    blocks cover everything; the rest trains but for window + horizon - 1 targets on both sides, so that no
    value of a training sample is in a held-out one. k-fold: five shuffled parts, nothing left out between
    them, as it is done with samples that do not depend on one another. holdout: the last quarter is held out.
    Training targets end horizon - 1 before a later held-out part, except in k-fold.

    Args:
        scheme: One of `SCHEMES`.
        targets: The development targets, neighbouring positions in the series.
        info: For window and horizon.
        realization: Seed of the shuffling.

    Reference: Racine 2000, Journal of Econometrics 99:39-61, for the gaps of the blocks.
    """
    from sklearn.model_selection import KFold, TimeSeriesSplit

    tenth, known = targets.size // 10, info.horizon - 1
    splitter = {
        "rolling": TimeSeriesSplit(5, max_train_size=TENTHS_ROLLING * tenth, test_size=tenth, gap=known),
        "expanding": TimeSeriesSplit(5, test_size=tenth, gap=known),
        "blocked": KFold(5),
        "k-fold": KFold(5, shuffle=True, random_state=streams.integer_seed(realization, "schemes/k-fold")),
        "holdout": TimeSeriesSplit(2, test_size=targets.size // 4, gap=known),
    }[scheme]
    found = [Split(targets[train], targets[held_out]) for train, held_out in splitter.split(targets)]
    if scheme == "blocked":
        found = [purged(split, info.window + info.horizon - 1) for split in found]
    return tuple(found[-SCHEMES[scheme] :])  # a holdout is the last of two


def purged(split: Split, gap: int) -> Split:
    """Return the split without the training targets that are within `gap` steps of a held-out block."""
    first, last = split.held_out[0], split.held_out[-1]
    return Split(split.train[(split.train < first - gap) | (split.train > last + gap)], split.held_out)


def scheme_folds(
    series: npt.NDArray[np.float64], future: int, info: TaskInfo, realization: int = 0
) -> tuple[Fold, ...]:
    """Return a fold for every split of every scheme, and last the final fit on all development targets.

    Training part: the targets that the split trains on. Validation part: those it holds out. Test part,
    the same in all: the future. Mean and standard deviation come from the values that the training
    samples of the split contain, inputs and targets.

    Args:
        series: Floats (n,), without gaps.
        future: Number of targets at its end that no scheme sees.
        info: For window and horizon.
        realization: Seed of the shuffling.
    """
    targets = development(series.size, future, info)
    found = [split for scheme in SCHEMES for split in splits(scheme, targets, info, realization)]
    found.append(Split(targets, targets[:1] - 1))
    return tuple(_fold(series, split, future, info) for split in found)


def _fold(series: npt.NDArray[np.float64], split: Split, future: int, info: TaskInfo) -> Fold:
    lags = np.concatenate([[0], info.horizon + np.arange(info.window)])
    contained = np.unique(split.train[:, None] - lags)
    center, scale = fit_scaler(series[contained])
    standardised = (series - center) / scale
    targets = (split.train, split.held_out, np.arange(series.size - future, series.size))
    train, validation, test = (forecasting_part(standardised, part, info) for part in targets)
    return Fold(train, validation, test, float(center), float(scale), *scaler_of(center, scale))
