"""Where runs execute: lanes, each anything that is a concurrent.futures.Executor."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import signal
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstmstudy.processes import end_with_parent
from lstmstudy.runs import ENGINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lstmstudy.data import Task
    from lstmstudy.runs import Outcome, Run

_ATTEMPTS = 2  # a run whose worker died is tried once more
_MOST_COMPILED = 40  # structures of one process: TensorFlow keeps what it compiled, about 36 MiB each
_WORTH_COMPILING = 8  # runs left of a structure that make it pay to compile it on a second lane


@dataclass(frozen=True)
class Failure:
    """A run that has no outcome, and why."""

    run: Run
    reason: str


_Flying = dict["Future[Outcome]", tuple["_Lane", "Run"]]  # runs on their way, with their lane


def local_lanes() -> list[Callable[[], Executor]]:
    """Return one lane per core that this process may use: a spawned process with one thread."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [_spawn] * cores


def train_all(
    runs: Sequence[Run],
    cache: Path,
    *,
    keep: Callable[[Outcome], object],
    lanes: Sequence[Callable[[], Executor]] | None = None,
) -> list[Failure]:
    """Train every run and hand each outcome to `keep` as soon as it is there.

    A lane has one run in flight, so that a dead worker names the run it died on; that run is tried
    once more on a fresh worker. Runs of one structure stay on one lane where they can, which compiles
    the structure once.

    Args:
        runs: What to train.
        cache: Folder of the prepared tasks.
        keep: Called in this process, in the order of completion.
        lanes: Factories of executors; the cores of this machine unless given.

    Returns:
        The runs without an outcome, with the reason.

    Raises:
        KeyboardInterrupt: If it is interrupted; finished runs are kept and workers have ended.
    """
    places = [_Lane(factory) for factory in (lanes or local_lanes())[: max(len(runs), 1)]]
    flying: _Flying = {}
    try:
        return _train(_Queue(runs), cache, keep, places, flying)
    except KeyboardInterrupt:
        for lane in places:
            lane.stop()
        for future in flying:
            if future.done() and future.exception() is None:
                keep(future.result())  # it was finished; an interrupted saving is done again
        raise
    finally:
        for lane in places:
            lane.close()


def _train(
    queue: _Queue, cache: Path, keep: Callable[[Outcome], object], places: Sequence[_Lane], flying: _Flying
) -> list[Failure]:
    """Train what is in the queue; `flying` always has the runs that are not kept so far."""
    failures: list[Failure] = []
    tries: Counter[str] = Counter()
    while True:
        busy = [lane for lane, _ in flying.values()]
        for lane in places:
            if lane not in busy and (run := queue.take(lane.group, alone=not flying)) is not None:
                flying[lane.submit(run, cache)] = (lane, run)
        if not flying:
            return failures
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            lane, run = flying[future]
            try:
                keep(future.result())
            except (BrokenExecutor, MemoryError) as error:
                lane.renew()
                tries[run.identity] += 1
                if tries[run.identity] < _ATTEMPTS:
                    queue.put_back(run)
                else:
                    failures.append(Failure(run, f"its worker ended twice ({type(error).__name__})"))
            except Exception as error:  # noqa: BLE001 - whatever one run raises, the others go on
                failures.append(Failure(run, f"{type(error).__name__}: {error}".splitlines()[0]))
            del flying[future]


class _Lane:
    """One executor and the structure that it compiled last."""

    def __init__(self, factory: Callable[[], Executor]) -> None:
        self.factory = factory
        self.executor: Executor | None = None
        self.group: tuple[Any, ...] | None = None
        self.compiled = 0  # structures, one that came back counted again

    def submit(self, run: Run, cache: Path) -> Future[Outcome]:
        if run.group != self.group:
            if self.compiled == _MOST_COMPILED:
                self.renew()
            self.compiled += 1
        self.executor = self.executor or self.factory()
        with _interrupts_held():
            try:
                future = self.executor.submit(train_here, run, cache)
            except BrokenExecutor:  # its worker died while it had nothing to do
                self.renew()
                self.executor = self.factory()
                future = self.executor.submit(train_here, run, cache)
        self.group = run.group
        return future

    def renew(self) -> None:
        """Forget an executor whose worker died or grew large; the next run gets a fresh one."""
        self.close()
        self.executor = self.group = None
        self.compiled = 0

    def stop(self) -> None:
        """End the worker at once, whatever it trains; an executor without processes goes on."""
        for process in tuple((getattr(self.executor, "_processes", None) or {}).values()):
            process.kill()

    def close(self) -> None:
        if self.executor is not None:
            with contextlib.suppress(BrokenExecutor):
                self.executor.shutdown(wait=False, cancel_futures=True)


class _Queue:
    """The runs that wait, by structure."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.groups: defaultdict[tuple[Any, ...], list[Run]] = defaultdict(list)
        self.started: set[tuple[Any, ...]] = set()
        for run in runs:
            self.groups[run.group].append(run)

    def take(self, group: tuple[Any, ...] | None, *, alone: bool) -> Run | None:
        """Return the next run: of the lane's own structure, else of an untouched one, else of the fullest.

        Args:
            group: The structure that the lane has compiled.
            alone: Whether no other lane has work; else a few runs are left to the lane that compiled them.
        """
        waiting = {key: len(runs) for key, runs in self.groups.items() if runs}
        if not waiting:
            return None
        if group not in waiting:
            untouched = [key for key in waiting if key not in self.started]
            group = max(untouched or waiting, key=lambda key: waiting[key])
            if not (untouched or alone) and waiting[group] < _WORTH_COMPILING:
                return None
        self.started.add(group)
        return self.groups[group].pop(0)

    def put_back(self, run: Run) -> None:
        """Let a run wait again, first of its structure."""
        self.groups[run.group].insert(0, run)
        self.started.discard(run.group)


def train_here(run: Run, cache: Path) -> Outcome:
    """Train one run in this process."""
    return _trainer()(run, _task(run.task, cache))


@functools.cache
def _trainer() -> Callable[[Run, Task], Outcome]:
    from lstmstudy.training import train

    gc.collect()
    gc.freeze()  # the million objects of TensorFlow live on: looking through them slows down every tracing
    return train


@functools.cache
def _task(name: str, cache: Path) -> Task:
    from lstmstudy.data import open_task

    return open_task(name, cache)


def _spawn() -> Executor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_prepare_process)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a process that is started here never be interrupted, which its first imports would say in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_process() -> None:
    """Set up a spawned worker before TensorFlow is imported in it."""
    settings = {
        "TF_CPP_MIN_LOG_LEVEL": "3",  # no start-up lines between the progress bar's
        "CUDA_VISIBLE_DEVICES": "-1",  # results on machines with and without an accelerator are the same
        "OMP_NUM_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels round differently from one processor to the next
        "XLA_FLAGS": str(ENGINE["xla_flags"]),
    }
    os.environ.update(settings)
    # Every structure compiles functions of its own, which TensorFlow takes for one that is traced too often.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    end_with_parent()
