"""Lanes on other machines: each sends its runs to one worker of a Dask cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import warnings
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lstmstudy.data import open_task
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.workers.pool import LanesLostError, local_lanes
from lstmstudy.workers.remote import Reply, train_there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import distributed

    from lstmstudy.data import Task
    from lstmstudy.runs import Outcome, Run

_CONNECTING = 10  # seconds to reach the scheduler, and for the first worker to be there
_PATIENCE = 30  # seconds between two looks at a run that is out; a nanny needs five to restart its worker
_SENT = 4  # times that a run is sent if its data are lost with its workers, as often as Dask itself tries it
_LONGEST = 200  # characters of Dask's own words


def lanes_at(scheduler: str | None) -> contextlib.AbstractContextManager[list[Callable[[], Executor]]]:
    """Give the lanes of a cluster as `cluster_lanes` does, or those of this machine if there is no scheduler."""
    return contextlib.nullcontext(local_lanes()) if scheduler is None else cluster_lanes(scheduler)


@contextlib.contextmanager
def cluster_lanes(scheduler: str) -> Iterator[list[Callable[[], Executor]]]:
    """Give one lane for each worker of a Dask cluster, connected for as long as the context lasts.

    A run goes to the worker that its lane used last, which has compiled its structure; if that one is gone, Dask
    chooses another, and runs that were lost with it are trained again there.

    Args:
        scheduler: Address of the scheduler, such as ``"tcp://127.0.0.1:8786"``.

    Raises:
        ParamsError: If Dask is not installed, the scheduler cannot be reached or has no workers, or a worker has
            more than one thread or other versions of what Dask sends with.
    """
    client = _connected(scheduler)
    try:
        tasks = _Tasks(client)
        yield [_Lane(client, tasks, scheduler, worker) for worker in _workers(client, scheduler)]
    finally:
        with contextlib.suppress(TimeoutError):
            client.close(timeout=_CONNECTING)


def _connected(scheduler: str) -> distributed.Client:
    try:
        import distributed
    except ModuleNotFoundError:
        raise ParamsError(
            "Training on a cluster needs Dask. Expected: `python -m pip install -e '.[dask]'` in this environment "
            f"and in that of every worker. Received: scheduler={scheduler}"
        ) from None
    for name in ("distributed", "distributed.client"):  # this module says what happens
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        asyncio.run(_greet(scheduler))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)  # told below
            return distributed.Client(scheduler, timeout=_CONNECTING, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ParamsError(
            f"No Dask scheduler answers there ({_told(error)}). Expected the address that `dask scheduler` "
            f"prints, such as tcp://127.0.0.1:8786. Received: scheduler={scheduler}"
        ) from None


async def _greet(scheduler: str) -> None:
    """Raise an error unless something of Dask answers soon; a client itself would wait forever for its first word."""
    import distributed
    from distributed.comm.core import connect

    security = distributed.Security().get_connection_args("client")
    async with asyncio.timeout(_CONNECTING):
        comm = await connect(scheduler, timeout=_CONNECTING, **security)
    comm.abort()


def _workers(client: distributed.Client, scheduler: str) -> list[str]:
    """Return the addresses of the workers, all of which are fit to train."""
    try:
        client.wait_for_workers(1, timeout=_CONNECTING)
    except TimeoutError:
        raise ParamsError(
            "The scheduler has no workers. Expected some, each started on its machine by "
            f"`dask worker {scheduler} --host HOST --nworkers N --nthreads 1`. Received: scheduler={scheduler}"
        ) from None
    threads: dict[str, int] = client.nthreads()
    for worker, n_threads in sorted(threads.items()):
        if n_threads > 1:
            raise ParamsError(
                "A process trains one run at a time, as all of its runs share what it compiled; further threads would "
                f"wait. Expected `dask worker {scheduler} --host HOST --nworkers {n_threads} --nthreads 1`. "
                f"Received: threads={n_threads} of {worker}"
            )
    found: Any = client.get_versions()
    here = found["client"]["packages"]
    for place, there in {"the scheduler": found["scheduler"], **found["workers"]}.items():
        differing = [name for name in here if there["packages"].get(name) != here[name]]
        if differing:
            told = ", ".join(
                f"{name} {there['packages'].get(name)} instead of {here[name]}" for name in differing
            )
            raise ParamsError(
                f"Dask needs one environment everywhere. Expected that of requirements.lock. Received: {told} of {place}"
            )
    return sorted(threads)


class _Tasks:
    """The data of tasks, each sent to the cluster once; its workers hand them on to each other."""

    def __init__(self, client: distributed.Client) -> None:
        self.client = client
        self.sent: dict[str, distributed.Future[Task]] = {}  # by content
        self.one_at_a_time = threading.Lock()

    def of(self, run: Run, cache: Path) -> distributed.Future[Task]:
        """Return the data of a run, sent again if every worker that had them is gone."""
        with self.one_at_a_time:
            there = self.sent.get(run.content)
            if there is None or there.cancelled():
                (there,) = self.client.scatter([open_task(run.task, cache)], hash=False, timeout=_PATIENCE)
                self.sent[run.content] = there
            return there


class _Lane:
    """A factory of executors that send runs to one worker."""

    def __init__(self, client: distributed.Client, tasks: _Tasks, scheduler: str, worker: str) -> None:
        self.client, self.tasks, self.scheduler, self.worker = client, tasks, scheduler, worker
        self.used = False

    def __call__(self) -> Executor:
        """Return an executor; the second and later ones begin with a fresh worker process, as those of a core do."""
        executor = _Waiting(self, fresh=self.used)
        self.used = True
        return executor

    def refresh(self) -> None:
        """Restart the worker's process if a nanny watches over it: TensorFlow never gives back what it compiled."""
        known = self.client.scheduler_info()["workers"].get(self.worker)
        if known is not None and known["nanny"]:
            self.client.restart_workers([self.worker], timeout=_PATIENCE, raise_for_error=False)

    def look_around(self) -> None:
        """Raise a TimeoutError if nobody is left who could train, or the scheduler is silent."""
        asked: Any = self.client.scheduler
        if not self.client.sync(asked.ncores, callback_timeout=_PATIENCE):
            raise TimeoutError

    def lost(self, what: str) -> LanesLostError:
        """Return the error that says what happened to the cluster."""
        return LanesLostError(
            f"{what} Expected a scheduler and workers that stay. Received: scheduler={self.scheduler}"
        )


class TrainingError(RuntimeError):
    """What a run raised on a worker, or that it ended several of them."""


class _Waiting(ThreadPoolExecutor):
    """Waits in a thread for the run that a lane has sent."""

    def __init__(self, lane: _Lane, *, fresh: bool) -> None:
        super().__init__(1)
        self.lane, self.fresh = lane, fresh
        self.sent: distributed.Future[Reply] | None = None  # the run that is out
        self.ended = False

    def submit(self, work: Any, run: Run, cache: Path) -> Future[Outcome]:  # type: ignore[override]
        """Send a run; what a worker of this machine would do with it is not asked."""
        del work
        return super().submit(self._train, run, cache)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End, and take back the run that is out; its worker finishes it for nobody."""
        self.ended = True
        if self.sent is not None:
            self.sent.cancel()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)

    def _train(self, run: Run, cache: Path) -> Outcome:
        """Have a run trained.

        Raises:
            MemoryError: If the worker has too little.
            TrainingError: If the run itself failed.
            LanesLostError: If the cluster failed, or a worker refuses to train.
        """
        from distributed import CancelledError, KilledWorker

        try:
            if self.fresh:
                self.fresh = False
                self.lane.refresh()
            reply = self._ask(run, cache)
        except (MemoryError, TrainingError, LanesLostError):
            raise
        except KilledWorker as error:
            raise TrainingError(f"workers ended on it {error.allowed_failures + 1} times") from None
        except CancelledError:
            raise self.lane.lost("The scheduler went away.") from None
        except TimeoutError:
            raise self.lane.lost("No worker is left, or the scheduler is silent.") from None
        except Exception as error:
            raise self.lane.lost(f"Dask failed ({_told(error)}).") from error
        self.lane.worker = reply.worker
        if reply.refusal:
            raise LanesLostError(f"{reply.refusal} of {reply.worker}")
        if reply.outcome is None:
            raise TrainingError(reply.failure)
        return reply.outcome

    def _ask(self, run: Run, cache: Path) -> Reply:
        from distributed import CancelledError

        for _ in range(_SENT):
            try:
                self.sent = self.lane.client.submit(
                    train_there,
                    run,
                    run.decisive,
                    self.lane.tasks.of(run, cache),
                    workers=[self.lane.worker],
                    allow_other_workers=True,
                    pure=False,  # a run that is sent again is trained again
                )
                reply = self._answer(self.sent)
            except (
                CancelledError
            ):  # by us, with the scheduler, or as the data were lost with their last worker
                if self.ended or self.lane.client.status != "running":
                    raise
            else:
                self.sent = None  # lets the cluster forget it
                return reply
        raise TrainingError(f"workers ended on it {_SENT} times")

    def _answer(self, sent: distributed.Future[Reply]) -> Reply:
        while True:
            try:
                return sent.result(timeout=_PATIENCE)
            except TimeoutError:
                self.lane.look_around()


def _told(error: BaseException) -> str:
    """Return what an error says as a part of a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST].rstrip(": ")
