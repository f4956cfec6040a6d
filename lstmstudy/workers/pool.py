"""Where runs execute: lanes, each anything that is a concurrent.futures.Executor."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstmstudy.runs import ENGINE
from lstmstudy.workers.limits import UNKNOWN
from lstmstudy.workers.processes import end_with_parent, interrupts_held, kill_processes
from lstmstudy.workers.progress import minutes
from lstmstudy.workers.waiting import Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lstmstudy.data import Task
    from lstmstudy.runs import Outcome, Run

_ATTEMPTS = 2  # a run whose worker died or hung is tried once more
_MOST_COMPILED = 40  # structures of one process: TensorFlow keeps what it compiled, about 36 MiB each
ENVIRONMENT = {  # what TensorFlow must find when it is imported
    "CUDA_VISIBLE_DEVICES": "-1",  # results on machines with and without an accelerator are the same
    "OMP_NUM_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels round differently from one processor to the next
    "XLA_FLAGS": str(ENGINE["xla_flags"]),
}


class LanesLostError(RuntimeError):
    """No lane trains any more, and the message says why; it is nothing that one run did."""


@dataclass(frozen=True)
class Failure:
    """A run that has no outcome, and why."""

    run: Run
    reason: str


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
    limit: Callable[[Run], float] = lambda _: UNKNOWN,
) -> list[Failure]:
    """Train every run and hand each outcome to `keep` as soon as it is there.

    A lane has one run in flight, so that a dead worker names the run it died on; that run is tried
    once more on a fresh worker, and so is one that exceeds its time, whose worker is ended. Runs of
    one structure stay on one lane where they can, which compiles the structure once.

    Args:
        runs: What to train.
        cache: Folder of the prepared tasks.
        keep: Called in this process, in the order of completion.
        lanes: Factories of executors; the cores of this machine unless given.
        limit: Seconds that a run may take, asked anew as others finish.

    Returns:
        The runs without an outcome, with the reason.

    Raises:
        KeyboardInterrupt: If it is interrupted; finished runs are kept and workers have ended.
        LanesLostError: If a lane says so of all; finished runs are kept.
        Exception: Whatever `keep` raises; what cannot be kept is not trained, and workers have ended.
    """
    places = [_Lane(factory) for factory in (lanes or local_lanes())[: max(len(runs), 1)]]
    training = _Training(Queue(runs), cache, keep, limit)
    try:
        training.finish(places)
    except BaseException as stopped:
        for lane in places:
            lane.stop()
        if isinstance(stopped, (KeyboardInterrupt, LanesLostError)):
            training.keep_finished()
        raise
    finally:
        for lane in places:
            lane.close(wait=True)  # an executor that is still closing can disturb the end of this process
    return training.failures


@dataclass(frozen=True)
class _Flight:
    """A run on its way, its lane, and since when."""

    lane: _Lane
    run: Run
    began: float


@dataclass
class _Training:
    """What waits, what is on its way and what failed; `flying` always has the runs that are not kept so far."""

    queue: Queue
    cache: Path
    keep: Callable[[Outcome], object]
    limit: Callable[[Run], float]
    flying: dict[Future[Outcome], _Flight] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)

    def finish(self, places: Sequence[_Lane]) -> None:
        """Train what is in the queue."""
        while True:
            busy = [flight.lane for flight in self.flying.values()]
            for lane in places:
                if (
                    lane not in busy
                    and (run := self.queue.take(lane.group, alone=not self.flying)) is not None
                ):
                    self.flying[lane.submit(run, self.cache)] = _Flight(lane, run, time.monotonic())
            if not self.flying:
                return
            ends = {future: each.began + self.limit(each.run) for future, each in self.flying.items()}
            left = max(min(ends.values()) - time.monotonic(), 0)
            done = wait(self.flying, timeout=left, return_when=FIRST_COMPLETED).done
            for future in done:
                self._take(future)
            for future in ends.keys() - done:
                if time.monotonic() >= ends[future]:
                    self._give_up(future)

    def keep_finished(self) -> None:
        """Keep what was finished when an interruption came; an interrupted saving is done again."""
        for future in self.flying:
            if future.done() and future.exception() is None:
                self.keep(future.result())

    def _take(self, future: Future[Outcome]) -> None:
        flight = self.flying[future]
        try:
            outcome = future.result()
        except (BrokenExecutor, MemoryError) as error:
            self._lose(flight, f"its worker ended twice ({type(error).__name__})")
        except LanesLostError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one run raises, the others go on
            self.failures.append(Failure(flight.run, f"{type(error).__name__}: {error}".splitlines()[0]))
        else:
            self.keep(outcome)
        del self.flying[future]

    def _give_up(self, future: Future[Outcome]) -> None:
        flight = self.flying.pop(future)
        flight.lane.stop()
        self._lose(flight, f"its worker hung, and was ended twice after {minutes(self.limit(flight.run))}")

    def _lose(self, flight: _Flight, reason: str) -> None:
        """Let a run wait for its second attempt, or count it as failed."""
        flight.lane.renew()
        self.tries[flight.run.identity] += 1
        if self.tries[flight.run.identity] < _ATTEMPTS:
            self.queue.put_back(flight.run)
        else:
            self.failures.append(Failure(flight.run, reason))


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
        with interrupts_held():
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
        self.close(wait=False)
        self.executor = self.group = None
        self.compiled = 0

    def stop(self) -> None:
        """End the worker at once, whatever it trains; an executor without processes goes on."""
        kill_processes(self.executor)

    def close(self, *, wait: bool) -> None:
        """Let the worker end once it has nothing to do."""
        if self.executor is not None:
            with contextlib.suppress(BrokenExecutor):
                self.executor.shutdown(wait=wait, cancel_futures=True)


@contextlib.contextmanager
def _want_of_memory_told() -> Iterator[None]:
    """Raise MemoryError where TensorFlow has an error of its own for it, which only TensorFlow can read."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":
            raise
        raise MemoryError(str(error)) from None


def train_here(run: Run, cache: Path) -> Outcome:
    """Train one run in this process, as `train_on` does."""
    return train_on(run, _task(run.task, cache))


@_want_of_memory_told()
def train_on(run: Run, task: Task) -> Outcome:
    """Train one run on its task in this process.

    Raises:
        MemoryError: If there is too little memory for it.
    """
    return _trainer()(run, task)


@functools.cache
def _trainer() -> Callable[[Run, Task], Outcome]:
    from lstmstudy.training.train import train

    gc.collect()
    gc.freeze()  # the million objects of TensorFlow live on: looking through them slows down every tracing
    return train


@functools.cache
def _task(name: str, cache: Path) -> Task:
    from lstmstudy.data import open_task

    return open_task(name, cache)


def _spawn() -> Executor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_prepare_process)


def _prepare_process() -> None:
    """Set up a spawned worker."""
    prepare_engine()
    end_with_parent()


def prepare_engine() -> None:
    """Set up this process before TensorFlow is imported in it."""
    os.environ.update(ENVIRONMENT)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # no start-up lines between the progress bar's
    # Every structure compiles functions of its own, which TensorFlow takes for one that is traced too often.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
