"""Folds: rolling origins for forecasting, stratified partitions for classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import streams
from lstmstudy.data.masking import compressed, known_steps, padded, predictable
from lstmstudy.data.task import Fold, Part
from lstmstudy.data.windows import cut_windows, fit_scaler, modelled_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstmstudy.data.sources import Sequences
    from lstmstudy.data.task import TaskInfo

TEST_SHARE = 0.12  # of a real series, for each test part
VALIDATION_SHARE = 0.15


@dataclass(frozen=True)
class Bounds:
    """Positions in a series at which the targets of the validation and test parts begin, and the end."""

    validation: int
    test: int
    stop: int


def rolling_origins(n: int, n_folds: int) -> tuple[Bounds, ...]:
    """Return the bounds of each fold: test parts follow one another up to the end of the series.

    The training part grows from fold to fold; the validation part lies right before the test part.
    """
    test, validation = round(TEST_SHARE * n), round(VALIDATION_SHARE * n)
    starts = [n - test * later for later in range(n_folds, 0, -1)]
    return tuple(Bounds(start - validation, start, start + test) for start in starts)


def forecasting_fold(series: npt.NDArray[np.float64], bounds: Bounds, info: TaskInfo) -> Fold:
    """Return the fold of a modelled series whose targets are split at `bounds`; see `joined_fold`.

    Args:
        series: Floats (n,), without gaps.
        bounds: Where the parts begin.
        info: For its window and horizon.

    Raises:
        ValueError: If the series is too short for one target in each part.
    """
    return joined_fold([series[:, None]], [bounds], info)


def joined_fold(series: Sequence[npt.NDArray[np.float64]], bounds: Sequence[Bounds], info: TaskInfo) -> Fold:
    """Return the fold of several modelled series, each split at its own bounds; the first channel is forecast.

    Inputs may reach back over a border, never forward. The targets of a part end horizon - 1 steps before
    the next part begins: later ones are not known yet when the first forecast of that part is made. Mean
    and standard deviation of each channel come from the values up to the last training target of each series.
    A step with a NaN is masked: it enters neither these nor an input, and is no target where the first channel
    is missing. A target without any known step in its window is left out.

    Args:
        series: Floats (n, F) each, NaN where missing. Positions of targets count through all of them, end to end.
        bounds: Where the parts of each begin.
        info: For its window, its horizon, and whether steps are masked.

    Raises:
        ValueError: If a series is too short for one target in each part.
    """
    parts: list[list[npt.NDArray[np.int64]]] = [[], [], []]
    known, start = [], 0
    for values, bound in zip(series, bounds, strict=True):
        targets = part_targets(bound, info.window, info.horizon)
        if not all(part.size for part in targets):
            msg = (
                f"{info.name}: each part needs at least one target after a window of {info.window} values. "
                f"Take a longer series or a shorter window. Received: length={len(values)}"
            )
            raise ValueError(msg)
        learned = values[: targets[0][-1] + 1]
        known.append(learned[known_steps(learned)])
        for part, own in zip(parts, targets, strict=True):
            part.append(predictable(values, own, info.window, info.horizon) + start)
        start += len(values)
    everything, seen = np.concatenate(series), np.concatenate(known)
    several = info.n_features > 1
    center, scale = fit_scaler(seen if several else seen.ravel(), per_channel=several)
    standardised = (everything - center) / scale
    train, validation, test = (forecasting_part(standardised, np.concatenate(part), info) for part in parts)
    of_target = float(center.flat[0]), float(scale.flat[0])
    return Fold(train, validation, test, *of_target, *scaler_of(center, scale))


def part_targets(bounds: Bounds, window: int, horizon: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the positions of the targets of the training, validation and test part of a series.

    Args:
        bounds: Where the parts begin.
        window: Steps of the input.
        horizon: Steps from the last input to the target.
    """
    purge, first = horizon - 1, window + horizon - 1
    return (
        np.arange(first, bounds.validation - purge),
        np.arange(bounds.validation, bounds.test - purge),
        np.arange(bounds.test, bounds.stop),
    )


def forecasting_part(
    standardised: npt.NDArray[np.float64], targets: npt.NDArray[np.int64], info: TaskInfo
) -> Part:
    """Return the samples of some targets of a standardised series: the window before each, and its value.

    Args:
        standardised: Floats (n,) or (n, F), of which the first channel is forecast, NaN where missing.
        targets: Positions in it.
        info: For its window, its horizon, and whether steps are masked.
    """
    channels = standardised.reshape(len(standardised), -1)
    windows = [cut_windows(channel, targets, info.window, info.horizon) for channel in channels.T]
    x = np.concatenate(windows, axis=2)
    whole = np.full(targets.size, info.window, dtype=np.int32)
    inputs, lengths = compressed(x) if info.variable_length else (x.astype(np.float32), whole)
    return Part(
        x=inputs,
        lengths=lengths,
        y=channels[targets, :1].astype(np.float32),
        indices=targets.astype(np.int64),
    )


def forecasting_folds(series: npt.NDArray[np.float64], info: TaskInfo) -> tuple[Fold, ...]:
    """Return all folds of a raw series, gaps as NaN: filled, differenced if `info` says so, and split."""
    modelled = modelled_series(series, differenced=info.differenced)
    bounds = rolling_origins(modelled.size, info.n_folds)
    return tuple(forecasting_fold(modelled, bound, info) for bound in bounds)


def stratified_order(labels: npt.NDArray[np.int32], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return a random order of the samples of which every stretch holds all classes in proportion.

    Each class is shuffled and spread evenly over the order; shares are exact to one sample at each end.
    """
    rank = np.empty(labels.size)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        rank[members] = (np.arange(members.size) + rng.random()) / members.size
    return np.argsort(rank, kind="stable")


def classification_folds(
    data: Sequences, info: TaskInfo, *, train: int, validation: int, per_channel: bool
) -> tuple[Fold, ...]:
    """Return folds with a fresh stratified partition of the pool each, and the same test samples in all.

    Args:
        data: The labelled sequences.
        info: For its name, which also names the random stream, and number of folds.
        train: Samples of the training part.
        validation: Samples of the validation part.
        per_channel: Standardise each channel by itself instead of all by one mean and deviation.

    Raises:
        ValueError: If the pool is too small.
    """
    if train + validation > data.pool.size:
        msg = (
            f"{info.name}: training and validation part fit into the pool of {data.pool.size} samples. "
            f"Received: train={train}, validation={validation}"
        )
        raise ValueError(msg)
    folds = []
    for number in range(info.n_folds):
        rng = streams.generator(number, f"folds/{info.name}")
        order = data.pool[stratified_order(data.labels[data.pool], rng)]
        learned, selecting = np.sort(order[:train]), np.sort(order[train : train + validation])
        scaler = fit_scaler(data.x[learned][_valid(data, learned)], per_channel=per_channel)
        parts = [_labelled_part(data, samples, info, *scaler) for samples in (learned, selecting, data.test)]
        folds.append(Fold(parts[0], parts[1], parts[2], 0.0, 1.0, *scaler_of(*scaler)))
    return tuple(folds)


def scaler_of(
    center: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of the input as a fold has them: for each channel, or for all."""
    return tuple(np.ravel(center).tolist()), tuple(np.ravel(scale).tolist())


def _valid(data: Sequences, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return the mask (n, T) of the steps before each sequence's end."""
    return np.arange(data.x.shape[1]) < data.lengths[samples, None]


def _labelled_part(
    data: Sequences,
    samples: npt.NDArray[np.int64],
    info: TaskInfo,
    center: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
) -> Part:
    x, lengths = (data.x[samples] - center) / scale, data.lengths[samples]
    return Part(
        x=padded(x, lengths) if info.variable_length else x.astype(np.float32),
        lengths=lengths,
        y=data.labels[samples],
        indices=samples.astype(np.int64),
    )
