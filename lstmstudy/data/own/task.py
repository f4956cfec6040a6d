"""From a user's own table to a task: facts, folds and simple references."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy import streams
from lstmstudy.data.cache import cache_path, stored_task, write_task
from lstmstudy.data.folds import classification_folds, joined_fold, rolling_origins, stratified_order
from lstmstudy.data.masking import known_steps
from lstmstudy.data.own.cells import label
from lstmstudy.data.own.sequences import read_sequences
from lstmstudy.data.own.series import read_series
from lstmstudy.data.own.table import shown_path
from lstmstudy.data.references import classification_references, forecasting_references
from lstmstudy.data.sources import Sequences
from lstmstudy.data.task import PARTS, Task, TaskInfo, content_hash
from lstmstudy.data.windows import modelled_series
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.parsing.untrusted import open_plain

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.section import OwnTask
    from lstmstudy.data.own.sequences import OwnSequences
    from lstmstudy.data.task import Fold

TEST_SHARE = 0.3  # of labelled sequences, the same in every fold
TRAIN_SHARE = 0.7  # of the others; the rest selects
ENOUGH = 6  # sequences of a class: then it is in each part of each fold
_MOST_LAGS = 24  # of the autoregression among the references


def prepare_own(own: OwnTask, root: Path, cache: Path) -> str:
    """Make the task of a user's own data, where it does not lie in `cache`, and return its name.

    Raises:
        ParamsError: If the table is not as `own` says, or too small.
    """
    name = own_name(own, root)
    if stored_task(cache, name) is None:
        write_task(cache_path(cache, name), build_own(own, name, root))
    return name


def own_name(own: OwnTask, root: Path) -> str:
    """Return the name of a user's task: that of its file, with a hash of its bytes and settings.

    Args:
        own: What the profile says.
        root: The folder that its path is relative to.
    """
    path = own.path(root)
    digest = hashlib.sha256(own.model_dump_json().encode())
    # Reading the table says what is wrong with it.
    with contextlib.suppress(OSError), open_plain(path) as file:
        hashlib.file_digest(file, lambda: digest)
    stem = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:40] or "table"
    return f"own_{stem}_{digest.hexdigest()[:8]}"


def lasting_name(name: str) -> str:
    """Return the name of a task without the hash of a user's table, which changes with every row."""
    return re.sub(r"^(own_.+)_[0-9a-f]{8}$", r"\1", name)


def build_own(own: OwnTask, name: str, root: Path) -> Task:
    """Return the task made from a user's table.

    Args:
        own: What the profile says.
        name: As `own_name` returns it.
        root: The folder that its path is relative to.

    Raises:
        ParamsError: If the table is not as `own` says, or too small.
    """
    return _forecasting(own, name, root) if own.kind == "forecasting" else _classification(own, name, root)


def _forecasting(own: OwnTask, name: str, root: Path) -> Task:
    """Return a task whose targets are split in time, in each series alike; all series share one scale."""
    found = read_series(own, root)
    series = [np.diff(each.values, axis=0) if own.differenced else each.values for each in found]
    if own.window is None:
        raise ValueError(f"A forecast has a window. Received: {own=}")
    shortest = min(len(values) for values in series)
    lags = max(1, min(own.window, max(_MOST_LAGS // 2, own.period or 0), _MOST_LAGS, shortest // 10))
    channels = series[0].shape[1]
    gaps = sum(int((~known_steps(values)).sum()) for values in series)
    what = "several series" if len(series) > 1 else "the series"
    info = TaskInfo(
        name=name,
        title=own.title or own.path(root).name,
        kind="forecasting",
        n_folds=own.folds,
        n_features=channels,
        n_outputs=1,
        window=own.window,
        horizon=own.horizon,
        period=own.period or 0,
        unit=own.unit or "",
        source=f"{own.path(root).name}: {sum(map(len, series))} rows of {what}.",
        description=f"{own.target}{', its changes,' if own.differenced else ''} {_counted(own.horizon, 'step')} ahead from "
        f"{_counted(own.window, 'past step')} of {_counted(channels, 'column')}."
        + (f" {gaps} of them lack a value and are masked." if gaps else ""),
        ar_order=lags,
        differenced=own.differenced,
        channels=(own.target or "", *(own.features or ())),
        variable_length=gaps > 0,
    )
    target = np.concatenate(
        [modelled_series(each.values[:, 0], differenced=own.differenced) for each in found]
    )
    folds, references = [], []
    for number in range(own.folds):
        bounds = [rolling_origins(len(values), own.folds)[number] for values in series]
        fold = joined_fold(series, bounds, info)
        folds.append(fold)
        references.append(forecasting_references(target, fold, info, several=len(series) > 1))
    return Task(info, tuple(folds), tuple(references), None, content_hash(info, folds))


def _classification(own: OwnTask, name: str, root: Path) -> Task:
    """Return a task with one test part for all folds, and a fresh stratified partition of the rest for each."""
    found = read_sequences(own, root)
    order = stratified_order(found.labels, streams.generator(0, f"folds/{name}/test"))
    test = round(TEST_SHARE * len(order))
    pool = np.sort(order[test:])
    train = round(TRAIN_SHARE * len(pool))
    info = TaskInfo(
        name=name,
        title=own.title or own.path(root).name,
        kind="classification",
        n_folds=own.folds,
        n_features=found.x.shape[2],
        n_outputs=len(found.classes),
        window=found.x.shape[1],
        horizon=0,
        period=0,
        unit="class",
        source=f"{own.path(root).name}: {len(order)} sequences of {len(found.classes)} classes.",
        description=f"{own.label} of a sequence from {', '.join(found.features)}.",
        variable_length=_differ(found.lengths),
        channels=found.features,
        classes=found.classes,
    )
    data = Sequences(found.x, found.lengths, found.labels, pool, np.sort(order[:test]))
    folds = partitions(data, info, train, len(pool) - train)
    _check_classes(folds, found, own, shown_path(own.path(root), root))
    references = tuple(classification_references(fold, info.n_outputs) for fold in folds)
    return Task(info, folds, references, None, content_hash(info, folds))


def _check_classes(folds: tuple[Fold, ...], found: OwnSequences, own: OwnTask, where: str) -> None:
    """Raise a ParamsError if a class is in no sequence of some part of some fold."""
    for number, fold in enumerate(folds, 1):
        for part in PARTS:
            absent = np.setdiff1d(np.arange(len(found.classes)), getattr(fold, part).y)
            if absent.size:
                name, n = found.classes[absent[0]], int((found.labels == absent[0]).sum())
                raise ParamsError(
                    f"{where}: column `{label(own.label or '')}`: class `{label(name)}` has {n} sequences, "
                    f"none of them in the {part} part of fold {number}. Expected at least {ENOUGH} of each class, which are "
                    f"enough for all parts: add some, or leave the class out. Received: sequences={n}"
                )


def partitions(data: Sequences, info: TaskInfo, train: int, validation: int) -> tuple[Fold, ...]:
    """Return the folds, each channel with a scale of its own; one scale for all where a channel never changes."""
    try:
        return classification_folds(data, info, train=train, validation=validation, per_channel=True)
    except ValueError:
        return classification_folds(data, info, train=train, validation=validation, per_channel=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _differ(lengths: npt.NDArray[np.int32]) -> bool:
    return bool((lengths != lengths[0]).any())
