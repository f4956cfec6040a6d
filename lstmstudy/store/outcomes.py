"""The run store: one file per outcome, named after its identity and its content."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy import paths
from lstmstudy.parsing.untrusted import plain_bytes, read_arrays
from lstmstudy.runs import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lstmstudy.runs import Run

_ABANDONED = 3600  # seconds after which a draft is nobody's
_ARRAYS = ("curves", "predictions", "weights")  # members of a result that are arrays by name


class MissingRunsError(RuntimeError):
    """Runs without an outcome, such as one that the machine ended; they enter no number."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: the line of the cell and the message, none of the package's own lines."""
        from lstmstudy.traceback import cell_traceback

        return cell_traceback(self)


class RunStore:
    """Outcomes on disk, keyed by identity.

    A file is ``<identity>-<SHA-256 of identity and bytes>.npz``: whole, unaltered and that of its run, or found
    out. It is written beside its place and moved there once it is on the disk, so that a reader never sees half a
    file and two writers never mix. Nothing read back is ever executed.

    Args:
        folder: Where the files lie; it is created when something is saved.

    Attributes:
        takes_runs: Whether outcomes can be added.
        written: How published outcomes were written; None of whole ones.
    """

    takes_runs = True
    written: Mapping[str, Any] | None = None

    def __init__(self, folder: Path = paths.STORE) -> None:
        self.folder = folder
        self._verified: dict[str, Path] = {}  # by identity

    def files(self) -> dict[str, Path]:
        """Return the file of each identity in the store, by name alone; contents are not read."""
        return {identity: copies[0] for identity, copies in self._copies().items()}

    def check(self, identities: Iterable[str]) -> dict[str, Path]:
        """Return the whole and unaltered files among those of `identities`.

        A damaged file is named on stderr and set aside as ``*.damaged``; its run counts as missing.
        """
        found = dict.fromkeys(identities)
        known = {identity: self._verified[identity] for identity in found if identity in self._verified}
        if len(known) == len(found) and all(map(Path.exists, known.values())):
            return known
        copies = self._copies()
        whole = {
            identity: next((path for path in copies.get(identity, ()) if self._whole(identity, path)), None)
            for identity in found
        }
        return {identity: path for identity, path in whole.items() if path is not None}

    def load(self, identity: str) -> Outcome | None:
        """Return the outcome of a run, or None if it is not stored or its file is damaged."""
        path = self.check([identity]).get(identity)
        if path is None:
            return None
        try:
            return _read(identity, plain_bytes(path))
        except (ValueError, KeyError, TypeError, RecursionError):  # whole, but not written by us
            self._set_aside(path)
            del self._verified[identity]
            return None

    def reader(self, identities: Iterable[str]) -> Callable[[Run], Outcome]:
        """Return a function from a run to its outcome, each read once; the folder is looked through now.

        It raises a MissingRunsError for a run that was not there, however often it is asked.
        """
        there = self.check(identities)

        @functools.cache
        def outcome(run: Run) -> Outcome:
            found = self.load(run.identity) if run.identity in there else None
            if found is None:
                raise MissingRunsError(f"A run has no outcome; `make report` trains it. Received: {run=}")
            return found

        return outcome

    def record(self, identity: str) -> dict[str, Any] | None:
        """Return only how a stored run came about, without reading its arrays."""
        path = self._verified.get(identity) or self.files().get(identity)
        data = b"" if path is None else plain_bytes(path)
        if path is None or not is_whole(path.name, data):
            return None  # `check` names a damaged file
        try:
            return dict(json.loads(str(read_arrays(io.BytesIO(data), ["record"])["record"])))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None  # not written by us; `load` says what is wrong with it

    def save(self, outcome: Outcome) -> Path:
        """Write an outcome, whole or not at all, and return its file."""
        data = _write(outcome)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / file_name(outcome.identity, data)
        handle, draft = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return path

    def sweep(self) -> None:
        """Delete drafts that a killed process left behind; younger ones may belong to one that writes."""
        for draft in self.folder.glob("**/*.tmp"):
            with contextlib.suppress(OSError):  # gone meanwhile, or a folder
                if time.time() - draft.lstat().st_mtime > _ABANDONED:
                    draft.unlink()

    def _copies(self) -> dict[str, list[Path]]:
        """Return the files of each identity, of which one is enough: two machines may have trained one run."""
        copies: dict[str, list[Path]] = {}
        for path in sorted(self.folder.glob("*-*.npz")) if self.folder.is_dir() else ():
            copies.setdefault(path.name.partition("-")[0], []).insert(0, path)
        return copies

    def _whole(self, identity: str, path: Path) -> bool:
        """Whether a file is what its name says; else name it and set it aside."""
        if self._verified.get(identity) == path:
            return True
        if is_whole(path.name, plain_bytes(path)):
            self._verified[identity] = path
            return True
        self._set_aside(path)
        return False

    def _set_aside(self, path: Path) -> None:
        """Name a file that is no outcome, and take it out of the way."""
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(OSError):  # another process was faster, or the folder is read only
            path.replace(aside)
        print(
            f"{paths.relative(path)} is damaged: it was set aside as {aside.name}, and its run is trained again.",
            file=sys.stderr,
        )


def file_name(identity: str, data: bytes) -> str:
    """Return the name of the file of a run with this content; another run's content has another name."""
    return f"{identity}-{hashlib.sha256(identity.encode() + data).hexdigest()}.npz"


def is_whole(name: str, data: bytes) -> bool:
    """Whether the bytes are those that the name of a file promises."""
    return name == file_name(name.partition("-")[0], data)


def result_digest(result: Result) -> str:
    """Return the SHA-256 (hex) over everything in a result: equal digests mean equal bits."""
    digest = hashlib.sha256()
    for name, array in sorted(result_arrays(result).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def result_arrays(result: Result) -> dict[str, np.ndarray]:
    """Return a result as arrays by name."""
    members = {
        f"{kind}/{name}": np.asarray(array)
        for kind in _ARRAYS
        for name, array in getattr(result, kind).items()
    }
    words = {"metric": result.metric, "pairing": result.pairing, "diverged": result.diverged}
    members["epochs"] = result.epochs
    members["result"] = np.array(json.dumps(words, sort_keys=True))
    return members


def _write(outcome: Outcome) -> bytes:
    buffer = io.BytesIO()
    members: dict[str, Any] = result_arrays(outcome.result)
    np.savez_compressed(buffer, record=np.array(json.dumps(outcome.record, sort_keys=True)), **members)
    return buffer.getvalue()


def _read(identity: str, data: bytes) -> Outcome:
    members = read_arrays(io.BytesIO(data))
    arrays: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _ARRAYS}
    for member, array in members.items():
        kind, _, name = member.partition("/")
        if kind in arrays:
            arrays[kind][name] = array
    words = json.loads(str(members["result"]))
    result = Result(
        metric=words["metric"],
        curves=arrays["curves"],
        epochs=members["epochs"],
        predictions=arrays["predictions"],
        weights=arrays["weights"],
        pairing=words["pairing"],
        diverged=words["diverged"],
    )
    return Outcome(identity, result, dict(json.loads(str(members["record"]))))
