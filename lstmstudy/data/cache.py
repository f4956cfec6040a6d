"""Built tasks on disk: one checksummed file each, named by the code and libraries that made it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.data.task import PARTS, Fold, Part, Task, TaskInfo, digest
from lstmstudy.parsing.untrusted import open_plain, read_arrays
from lstmstudy.source import source_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = (  # whatever can change an array or a reference
    "lstmstudy.data.build",
    "lstmstudy.data.cache",
    "lstmstudy.data.catalog",
    "lstmstudy.data.folds",
    "lstmstudy.data.mackey_glass",
    "lstmstudy.data.masking",
    "lstmstudy.data.own.cells",
    "lstmstudy.data.own.columns",
    "lstmstudy.data.own.csv_text",
    "lstmstudy.data.own.gaps",
    "lstmstudy.data.own.parquet",
    "lstmstudy.data.own.section",
    "lstmstudy.data.own.sequences",
    "lstmstudy.data.own.series",
    "lstmstudy.data.own.spacing",
    "lstmstudy.data.own.table",
    "lstmstudy.data.own.task",
    "lstmstudy.data.own.times",
    "lstmstudy.data.realizations",
    "lstmstudy.data.references",
    "lstmstudy.data.schemes",
    "lstmstudy.data.sources",
    "lstmstudy.data.task",
    "lstmstudy.data.ucr",
    "lstmstudy.data.windows",
    "lstmstudy.metrics",
    "lstmstudy.streams",
    "lstmstudy.parsing.untrusted",
)
FIELDS = tuple(field.name for field in fields(Part))
_NAME = re.compile(r"\w{1,100}", re.ASCII)  # of a task; one with a slash would lead out of the folder
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "statsmodels", "aeon", "pyarrow")


def cache_path(folder: Path, name: str) -> Path:
    """Return where the task lies in `folder`, for the code and libraries that are here now."""
    made_by = [source_digest(MODULES), *(f"{library} {version(library)}" for library in LIBRARIES)]
    key = hashlib.sha256("\n".join(made_by).encode()).hexdigest()[:16]
    return folder / f"{name}-{key}.npz"


def task_cache(store: Path) -> Path:
    """Return where prepared tasks lie, beside the outcomes in `store`."""
    return store / "tasks"


def cached_task(folder: Path, info: TaskInfo, build: Callable[[TaskInfo], Task]) -> Task:
    """Return the task from its file in `folder`; make and store it if the file is absent or damaged.

    A damaged file is named on stderr and kept beside the new one, its name ending in ``.damaged``.
    """
    path = cache_path(folder, info.name)
    if path.exists():
        try:
            return read_task(path, info)
        except Exception as error:  # noqa: BLE001 - a damaged archive can fail anywhere in its reader
            aside = path.with_name(f"{path.name}.damaged")
            with contextlib.suppress(OSError):  # another process was faster, or a folder is in the way
                path.replace(aside)
            kind = type(error).__name__
            sys.stderr.write(f"{path.name} is damaged ({kind}): set aside as {aside.name} and made again\n")
    task = build(info)
    write_task(path, task)
    return task


def write_task(path: Path, task: Task) -> None:
    """Write the task so that `path` is whole or not there, whenever the process ends."""
    meta = {
        "scalers": [(fold.center, fold.scale, fold.x_center, fold.x_scale) for fold in task.folds],
        "references": task.references,
        "floor": task.floor,
        "content": task.content,
        "info": asdict(task.info),
    }
    arrays = _joined(task.folds)
    arrays["meta"] = np.array(json.dumps(meta))
    arrays["checksum"] = np.array(digest(arrays, path.stem))  # in the place of another task it does not fit
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def stored_task(folder: Path, name: str) -> Task | None:
    """Return a task from its file in `folder`, with the facts that are stored there; None if it is absent or damaged."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return read_task(cache_path(folder, name))
    except Exception:  # noqa: BLE001 - a damaged archive can fail anywhere in its reader
        return None


def read_task(path: Path, info: TaskInfo | None = None) -> Task:
    """Return the task stored at `path`.

    Args:
        path: Its file.
        info: Its facts; those that are stored if None.

    Raises:
        ValueError: If the checksum inside does not fit; other errors if the file is no whole archive.
    """
    with open_plain(path) as file:
        arrays = read_arrays(file)
    expected = arrays.pop("checksum").item()
    stored = json.loads(arrays["meta"].item())
    info = info or TaskInfo(**{key: _hashable(value) for key, value in stored["info"].items()})
    if digest(arrays, path.stem) != expected:
        msg = f"The checksum of a cached task fits its arrays and its place. Received: checksum={expected}"
        raise ValueError(msg)
    meta: dict[str, Any] = stored
    arrays.pop("meta")
    parts = zip(*(_parts(arrays, part) for part in PARTS), meta["scalers"], strict=True)
    folds = tuple(Fold(*each, *map(_hashable, scaler)) for *each, scaler in parts)
    floor = None if meta["floor"] is None else tuple(meta["floor"])
    return Task(info, folds, tuple(meta["references"]), floor, meta["content"])


def _hashable(value: Any) -> Any:
    """Return a list of JSON as the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value


def _joined(folds: tuple[Fold, ...]) -> dict[str, np.ndarray]:
    """Return the arrays of all folds end to end, and where each ends; a few long arrays are read fast."""
    arrays = {}
    for part in PARTS:
        parts = [getattr(fold, part) for fold in folds]
        arrays[f"{part}_ends"] = np.cumsum([len(each.y) for each in parts])
        for field in FIELDS:
            arrays[f"{part}_{field}"] = np.concatenate([getattr(each, field) for each in parts])
    return arrays


def _parts(arrays: dict[str, np.ndarray], part: str) -> Iterator[Part]:
    """Yield one part of each fold."""
    starts = arrays[f"{part}_ends"][:-1]
    for values in zip(*(np.split(arrays[f"{part}_{field}"], starts) for field in FIELDS), strict=True):
        yield Part(*values)
