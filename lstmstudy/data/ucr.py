"""Any classification problem of the UCR and UEA archives by its name, through aeon."""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.data.cache import cache_path, stored_task, write_task
from lstmstudy.data.own.cells import label
from lstmstudy.data.own.sequences import FEWEST, class_codes
from lstmstudy.data.own.task import TRAIN_SHARE, partitions
from lstmstudy.data.references import classification_references
from lstmstudy.data.sources import Sequences, stacked
from lstmstudy.data.task import Task, TaskInfo, content_hash
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FOLDS = 12  # as the labelled tasks of the catalog have
_MOST_NUMBERS = 1 << 28  # in the inputs of all folds: 1 GiB
_NEAR = 3  # names that a message suggests


def ucr_name(problem: str) -> str:
    """Return the name of the task made from a problem."""
    return f"ucr_{problem.lower()}"


def prepare_ucr(problem: str, cache: Path, where: str) -> str:
    """Make the task of a problem, where it does not lie in `cache`, and return its name.

    The archive's own test part is that of each fold; its training part is split freshly for each. A problem that
    does not come with aeon is downloaded by it into a folder ``ucr`` beside `cache`, once.

    Args:
        problem: Its name in the archive, such as ``"GunPoint"``.
        cache: Where prepared tasks lie.
        where: File and key that name the problem, for messages.

    Raises:
        ParamsError: If there is no such problem, it cannot be reached, or it does not fit.
    """
    name = ucr_name(problem)
    if stored_task(cache, name) is None:
        write_task(cache_path(cache, name), _build(problem, name, cache.parent / "ucr", where))
    return name


def _build(problem: str, name: str, folder: Path, where: str) -> Task:
    train, train_labels = _loaded(problem, "train", folder, where)
    test, test_labels = _loaded(problem, "test", folder, where)
    received = f"Received: ucr={shown(problem)}"
    _check_labels(train_labels, test_labels, where, received)
    x, lengths = stacked([*train, *test])
    if np.isnan(x).any():
        raise ParamsError(
            f"{where}: sequences lack values, and the archive has no version that is filled. Expected another problem, or the "
            f"data as a `task` with `missing: mask`. {received}"
        )
    if x.size * FOLDS > _MOST_NUMBERS:
        raise ParamsError(
            f"{where}: {len(x)} sequences of up to {x.shape[1]} steps of {x.shape[2]} channels in {FOLDS} folds do not fit "
            f"into memory. Expected at most {_MOST_NUMBERS // FOLDS} numbers: take a smaller problem. Received: "
            f"numbers={x.size}"
        )
    classes, codes = class_codes(np.concatenate([train_labels, test_labels]))
    learned = round(TRAIN_SHARE * len(train))
    variable = bool((lengths != lengths[0]).any())
    steps = f"{lengths.min()} to {lengths.max()}" if variable else f"{lengths[0]}"
    channels = f"{x.shape[2]} channel{'s' if x.shape[2] > 1 else ''}"
    info = TaskInfo(
        name=name,
        title=problem,
        kind="classification",
        n_folds=FOLDS,
        n_features=x.shape[2],
        n_outputs=len(classes),
        window=x.shape[1],
        horizon=0,
        period=0,
        unit="class",
        source=f"{problem} of the UCR and UEA archives of time series, timeseriesclassification.com, from aeon.",
        description=f"Which of {len(classes)} classes a sequence of {steps} steps and {channels} has, after "
        f"{learned} training sequences.",
        variable_length=variable,
        classes=classes,
    )
    data = Sequences(x, lengths, codes, np.arange(len(train)), np.arange(len(train), len(x)))
    folds = partitions(data, info, learned, len(train) - learned)
    references = tuple(classification_references(fold, info.n_outputs) for fold in folds)
    return Task(info, folds, references, None, content_hash(info, folds))


def _loaded(
    problem: str, part: str, folder: Path, where: str
) -> tuple[Sequence[npt.NDArray[np.float64]], npt.NDArray[np.str_]]:
    """Return the sequences of a part, each (channels, steps), and their labels; missing values filled by the archive."""
    from aeon import datasets

    bundled = Path(datasets.__file__).parent / "data"
    if problem in _problems(bundled):
        folder = bundled
    elif problem not in _problems(folder):
        _fetch(problem, folder, _problems(bundled), where)
    try:
        x, y = datasets.load_classification(
            problem, split=part, extract_path=str(folder), load_no_missing=True
        )
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes of a parser
        raise ParamsError(
            f"{where}: aeon cannot read the problem ({_reason(error)}). Expected a problem of classification; if its files "
            f"are damaged, delete the folder {folder.name}/{problem} beside the stored tasks. Received: "
            f"ucr={shown(problem)}"
        ) from None
    return [np.asarray(each, dtype=np.float64) for each in x], np.asarray(y, dtype=str)


def _problems(folder: Path) -> list[str]:
    """Return the names of the problems that lie in a folder, sorted."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        each.name
        for each in found
        if all((each / f"{each.name}_{part}.ts").is_file() for part in ("TRAIN", "TEST"))
    ]


def _fetch(problem: str, folder: Path, bundled: Sequence[str], where: str) -> None:
    """Download a problem into `folder`: afterwards it lies there whole, or not at all."""
    from aeon import datasets
    from aeon.datasets.tsc_datasets import tsc_zenodo

    usable = [
        name for name in bundled if name in tsc_zenodo
    ]  # the others are for tests, or no classification
    offline = f"without a network one of {', '.join(usable)}"
    if problem not in tsc_zenodo:
        by_fold = {name.casefold(): name for name in (*tsc_zenodo, *usable)}
        near = difflib.get_close_matches(problem.casefold(), by_fold, n=_NEAR)
        mean = f"Did you mean {' or '.join(f'`{by_fold[name]}`' for name in near)}? " if near else ""
        raise ParamsError(
            f"{where}: unknown problem `{label(problem)}`. Expected one of the {len(tsc_zenodo)} problems of the UCR and UEA "
            f"archives that aeon knows, {offline}. {mean}Received: ucr={shown(problem)}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as draft:
        try:
            datasets.load_classification(problem, split="train", extract_path=draft, load_no_missing=True)
        except Exception as error:  # noqa: BLE001 - whatever a network, a server or a parser raises
            raise ParamsError(
                f"{where}: `{problem}` does not come with aeon, and the archive cannot be reached ({_reason(error)}). Expected "
                f"a network to zenodo.org, or {offline}. Received: ucr={shown(problem)}"
            ) from None
        (Path(draft) / problem).replace(folder / problem)


def _reason(error: Any) -> str:
    """Return what an error says at its root, cut when long."""
    while error.__cause__ is not None:
        error = error.__cause__
    return label(str(error).strip() or type(error).__name__)


def _check_labels(train: npt.NDArray[np.str_], test: npt.NDArray[np.str_], where: str, received: str) -> None:
    """Raise a ParamsError if a class cannot be in the training and validation part of each fold."""
    names, counts = np.unique(train, return_counts=True)
    if len(names) < 2:
        raise ParamsError(
            f"{where}: there is one class only. Expected a problem with two or more. {received}"
        )
    rarest = int(counts.argmin())
    if counts[rarest] < FEWEST:
        raise ParamsError(
            f"{where}: class `{label(str(names[rarest]))}` has {counts[rarest]} of {len(train)} training sequences. Expected "
            f"at least {FEWEST} of each class, as training and validation part are drawn from them: take another "
            f"problem. {received}"
        )
    for name in np.setdiff1d(test, names):
        raise ParamsError(
            f"{where}: class `{label(str(name))}` is in the test part alone. Expected every class in the training part: take "
            f"another problem. {received}"
        )
