"""Training what is not stored, with one progress bar; an interruption keeps what is finished."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.workers.limits import TimeLimit
from lstmstudy.workers.pool import Failure, LanesLostError, train_all
from lstmstudy.workers.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from lstmstudy.runs import Outcome, Run
    from lstmstudy.store.outcomes import RunStore

_GIVEN_UP = (
    "LSTMSTUDY_GIVEN_UP"  # environment variable: a file with runs that the build around failed to train
)
_SAMPLE = 5  # stored runs of a task that say how long its runs take


class TrainingStoppedError(KeyboardInterrupt):
    """Training that somebody interrupted; all that it finished is stored, and its workers have ended.

    A notebook shows the message alone: there is no mistake that a traceback would lead to.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback."""
        return [str(self)]


def train_missing(
    runs: Sequence[Run],
    store: RunStore,
    cache: Path,
    known: Iterable[Run] = (),
    *,
    lanes: Sequence[Callable[[], Executor]] | None = None,
) -> list[Failure]:
    """Train runs, saving each outcome as it comes, and return those that have none, with the reason.

    Args:
        runs: What to train.
        store: Where outcomes go.
        cache: Folder of the prepared tasks.
        known: Stored runs, by which one that hangs is told from one that takes long.
        lanes: Where to train; the cores of this machine unless given.

    Raises:
        TrainingStoppedError: If it is interrupted; a KeyboardInterrupt that says how far it came.
        ParamsError: If the store takes no more, such as on a full disk, or a cluster is lost; what is stored stays.
    """
    if not store.takes_runs:
        return [Failure(run, "it is not published") for run in runs]
    tried = _given_up()
    failures = [Failure(run, tried[run.identity]) for run in runs if run.identity in tried]
    runs = [run for run in runs if run.identity not in tried]
    if not runs:
        return failures
    kept = set[str]()
    limit = _limit(runs, known, store)
    by_identity = {run.identity: run for run in runs}
    try:
        with progress_bar(len(runs)) as bar:

            def keep(outcome: Outcome) -> None:
                try:
                    store.save(outcome)
                except OSError as error:
                    raise ParamsError(_full(store, len(kept), len(runs), error)) from None
                limit.learn(by_identity[outcome.identity], outcome.record)
                if outcome.identity not in kept:  # it may be saved again where saving was interrupted
                    kept.add(outcome.identity)
                    bar.update()

            return failures + train_all(runs, cache, keep=keep, lanes=lanes, limit=limit)
    except KeyboardInterrupt:
        n, all_runs = len(kept), len(runs)
        raise TrainingStoppedError(
            f"Stopped: {n} of {all_runs} runs are trained and stored. Run the cell again to train the other {all_runs - n}."
        ) from None
    except LanesLostError as error:
        raise ParamsError(
            f"Stopped: {len(kept)} of {len(runs)} runs are trained and stored; the same command goes on. {error}"
        ) from None


@contextlib.contextmanager
def given_up(failures: Sequence[Failure]) -> Iterator[None]:
    """Let no process that is started meanwhile try these runs again: every chapter would wait for the same end."""
    if not failures:
        yield
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as file:
        json.dump({failure.run.identity: failure.reason for failure in failures}, file)
        file.flush()
        os.environ[_GIVEN_UP] = file.name
        try:
            yield
        finally:
            del os.environ[_GIVEN_UP]


def _given_up() -> dict[str, str]:
    """Return the reasons of runs that the build around this process failed to train, by identity."""
    try:
        return dict(json.loads(Path(os.environ[_GIVEN_UP]).read_text(encoding="utf-8")))
    except (KeyError, OSError):
        return {}


def _limit(runs: Sequence[Run], known: Iterable[Run], store: RunStore) -> TimeLimit:
    """Return how long runs may take, judged by a few stored ones of each of their tasks."""
    limit = TimeLimit()
    left = dict.fromkeys((run.task for run in runs), _SAMPLE)
    for run in known:
        if left.get(run.task) and (record := store.record(run.identity)) is not None:
            limit.learn(run, record)
            left[run.task] -= 1
    return limit


def _full(store: RunStore, stored: int, wanted: int, error: OSError) -> str:
    return (
        f"{paths.relative(store.folder)}/ takes no more: {error.strerror}. {stored} of {wanted} runs are trained and "
        f"stored. Expected a folder with room that this user may change; the same command then goes on. "
        f"Received: {paths.relative(store.folder)}"
    )
