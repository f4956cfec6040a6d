"""A Dask cluster trains what this machine would have trained, whatever happens to it on the way."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import warnings
from collections import Counter
from concurrent.futures import Executor, Future
from types import SimpleNamespace

import distributed
import numpy as np
import psutil
import pytest
from checkout import LEFT_OUT, wait_until
from engine import RECIPE, run_of, stand_in, train_afresh

from lstmstudy import paths
from lstmstudy.__main__ import main
from lstmstudy.data import open_task
from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.task import prepare_own
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.store.outcomes import RunStore, result_digest
from lstmstudy.workers import cluster
from lstmstudy.workers.cluster import cluster_lanes
from lstmstudy.workers.missing import TrainingStoppedError, train_missing
from lstmstudy.workers.pool import Failure

SMALL = dataclasses.replace(RECIPE, layers=1)
OTHER = dataclasses.replace(SMALL, width=5)  # a structure of its own
# Without the second pair Dask serves pages to every machine, and a worker without the first one takes its orders.
HERE = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
LONG = 400  # epochs of a run that takes seconds


class Cluster:
    """A scheduler and workers, each a process of its own that listens on this machine alone."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(file), *HERE)
        assert wait_until(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"))
        self.address = json.loads(file.read_text(encoding="utf-8"))["address"]

    def start(self, *words, **environment):
        """Start one of Dask's commands, as a user would."""
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(paths.ROOT), **environment},
                stdout=file,
                stderr=file,
            )
        self.processes.append(process)
        return process

    def worker(self, *words, **environment):
        """Start a worker and wait until the scheduler knows it; return its process."""
        n = len(self.workers()) + 1
        words = words or ("--nthreads", "1", "--no-nanny")
        process = self.start(
            "worker",
            self.address,
            "--local-directory",
            str(self.folder),
            *HERE,
            *words,
            **environment,
        )
        assert wait_until(lambda: len(self.workers()) == n)
        return process

    def workers(self):
        """Return what runs on each worker, by address."""
        with self.client() as client:
            return client.processing()

    def pids(self):
        """Return the process of each worker, by address."""
        with self.client() as client:
            return client.run(os.getpid)

    def client(self):
        """Return a client of the test's own."""
        return distributed.Client(self.address, set_as_default=False)

    def end(self):
        """End every process that is left."""
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def small(tmp_path):
    """Return a scheduler without workers."""
    started = Cluster(tmp_path)
    yield started
    started.end()


def own_task(folder):
    """Prepare a task from a table of one's own in `folder`, and return it."""
    wave = np.sin(np.arange(120) / 7 * 2 * np.pi) + 0.1 * np.random.default_rng(0).normal(size=120)
    (folder / "load.csv").write_text("load\n" + "\n".join(f"{value:.6f}" for value in wave), encoding="utf-8")
    own = OwnTask(csv="load.csv", kind="forecasting", target="load", window=6, period=7)
    return open_task(prepare_own(own, folder, folder), folder)


class Counting(RunStore):
    """A store that counts what is saved, and does something after each."""

    def __init__(self, folder, then=lambda _: None):
        super().__init__(folder)
        self.then, self.saved = then, Counter()

    def save(self, outcome):
        """Save an outcome."""
        path = super().save(outcome)
        self.saved[outcome.identity] += 1
        self.then(self)
        return path


def in_the_middle_of_a_run(running, act):
    """Return what a store does to let something happen to the cluster: once two runs are stored and another one is out.

    Args:
        running: The cluster.
        act: Is called with a client and the address of the worker that trains.
    """

    def wait():
        with running.client() as client:
            assert wait_until(lambda: any(client.processing().values()), seconds=20)
            act(client, next(address for address, busy in client.processing().items() if busy))

    return lambda store: len(store.saved) == 2 and threading.Thread(target=wait).start()


class Here(Executor):
    """Trains in this process."""

    def submit(self, work, run, cache):
        """Train a run now."""
        future = Future()
        future.set_result(work(run, cache))
        return future


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Return a cluster of two workers that trained some runs, one of which was killed on the way."""
    folder = tmp_path_factory.mktemp("cluster")
    running = Cluster(folder)
    try:
        workers = {process.pid: process for process in (running.worker(), running.worker())}
        cache = folder / "tasks"
        cache.mkdir()
        waves, own = stand_in(cache, "sunspots"), own_task(cache)
        longer = [dataclasses.replace(recipe, epochs=LONG) for recipe in (SMALL, OTHER)]
        runs = [run_of(waves, SMALL), run_of(waves, longer[0], seed=1)]
        runs += [run_of(waves, SMALL, seed=2), run_of(own, OTHER), run_of(own, longer[1], seed=1)]
        runs += [run_of(own, OTHER, seed=2)]
        killed = []

        def kill_one(client, address):
            workers[client.run(os.getpid)[address]].kill()
            killed.append(address)

        store = Counting(folder / "store", in_the_middle_of_a_run(running, kill_one))
        with cluster_lanes(running.address) as lanes:
            failures = train_missing(runs, store, cache, lanes=lanes)
        yield SimpleNamespace(
            running=running,
            cache=cache,
            tasks={waves.info.name: waves, own.info.name: own},
            runs=runs,
            store=store,
            failures=failures,
            killed=killed,
        )
    finally:
        running.end()


def test_a_killed_worker_costs_no_run(studied):
    """After SIGKILL of a worker in the middle of a run, every run is stored, each once, and none failed."""
    assert len(studied.killed) == 1
    assert studied.killed[0] not in studied.running.workers()
    assert studied.failures == []
    assert studied.store.saved == Counter(run.identity for run in studied.runs)


def test_results_are_those_of_this_machine_bit_for_bit(studied):
    """Whatever worker trained a run, also of a task that only the client has, its result is the local one."""
    assert {run.task for run in studied.runs} == set(studied.tasks)
    for run in studied.runs:
        local = train_afresh(studied.tasks[run.task], run.recipe, seed=run.seed)
        assert result_digest(studied.store.load(run.identity).result) == result_digest(local)


def test_nothing_listens_beyond_this_machine(studied):
    """Started as the README says, scheduler and workers listen on the loopback interface, the client nowhere."""
    processes = [
        psutil.Process(process.pid) for process in studied.running.processes if process.poll() is None
    ]
    heard = [
        each.laddr.ip
        for process in processes
        for each in process.net_connections()
        if each.status == "LISTEN"
    ]
    assert heard
    assert set(heard) == {"127.0.0.1"}


def test_an_interruption_takes_back_what_is_out(studied, tmp_path):
    """Ctrl-C says how far it came, keeps what is finished, and leaves the workers nothing to do."""

    def interrupt(store):
        if store.saved.total() == 1:
            raise KeyboardInterrupt

    runs = [run_of(studied.tasks["sunspots"], SMALL, seed=seed) for seed in range(10, 16)]
    store = Counting(tmp_path, interrupt)
    with cluster_lanes(studied.running.address) as lanes, pytest.raises(TrainingStoppedError) as stopped:
        train_missing(runs, store, studied.cache, lanes=lanes)
    stored = RunStore(tmp_path).check(run.identity for run in runs)
    assert 1 <= len(stored) < len(runs)
    assert str(stopped.value).startswith(f"Stopped: {len(stored)} of 6 runs are trained and stored.")
    assert wait_until(lambda: not any(studied.running.workers().values()), seconds=20)


def test_a_lost_scheduler_is_one_line_and_the_next_training_does_the_rest(tmp_path_factory, studied):
    """After SIGKILL of the scheduler, finished runs are stored and whole, and this machine trains those that are not."""
    folder = tmp_path_factory.mktemp("lost")
    running, task = Cluster(folder), studied.tasks["sunspots"]
    runs = [
        run_of(task, SMALL),
        run_of(task, SMALL, seed=1),
        run_of(task, dataclasses.replace(SMALL, epochs=LONG)),
    ]
    try:
        running.worker()

        kill = in_the_middle_of_a_run(running, lambda *_: running.scheduler.kill())
        store = Counting(folder / "store", kill)
        with pytest.raises(ParamsError) as lost, cluster_lanes(running.address) as lanes:
            train_missing(runs, store, studied.cache, lanes=lanes)
    finally:
        running.end()
    assert str(lost.value) == (
        "Stopped: 2 of 3 runs are trained and stored; the same command goes on. The scheduler went away. "
        f"Expected a scheduler and workers that stay. Received: scheduler={running.address}"
    )
    missing = [
        run for run in runs if run.identity not in RunStore(store.folder).check(r.identity for r in runs)
    ]
    assert missing == runs[2:]
    store.then = lambda _: None
    assert train_missing(missing, store, studied.cache, lanes=[Here]) == []
    assert store.saved == Counter(run.identity for run in runs)
    assert len(RunStore(store.folder).check(run.identity for run in runs)) == 3


def refusal(address):
    """Return the line with which a cluster is refused."""
    with pytest.raises(ParamsError) as caught, cluster_lanes(address):
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert "Expected" in message
    return message


def of_another_code(folder):
    """Copy the package into `folder` and change what every training goes through; return the folder."""
    shutil.copytree(paths.ROOT / "lstmstudy", folder / "lstmstudy", ignore=LEFT_OUT)
    shutil.copytree(paths.ROOT / "params", folder / "params")
    with (folder / "lstmstudy" / "streams.py").open("a", encoding="utf-8") as file:
        file.write("\nANOTHER = 1\n")
    return folder


def of_another_version(folder, package):
    """Put what says that a package has version 0.1 into `folder`; return both folders that Python shall look in."""
    (folder / f"{package}-0.1.dist-info").mkdir()
    words = f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n"
    (folder / f"{package}-0.1.dist-info" / "METADATA").write_text(words, encoding="utf-8")
    return f"{folder}{os.pathsep}{paths.ROOT}"


@pytest.mark.parametrize("wrong", ["code", "keras"])
def test_a_worker_that_would_train_something_else_is_refused(wrong, small, tmp_path):
    """Other code that counts, or another version of a package that does, is named with its worker, and nothing is trained."""
    folder = tmp_path / "worker"
    folder.mkdir()
    place = of_another_code(folder) if wrong == "code" else of_another_version(folder, "keras")
    small.worker(PYTHONPATH=str(place))
    (address,) = small.workers()
    task = stand_in(tmp_path, "sunspots")
    run, store = run_of(task), Counting(tmp_path / "store")
    assert run.identity  # it travels along, and must not be believed
    with cluster_lanes(small.address) as lanes, pytest.raises(ParamsError) as refused:
        train_missing([run], store, tmp_path, lanes=lanes)
    told = {
        "code": "other code of lstmstudy",
        "keras": f"keras 0.1 instead of {run.decisive['versions']['keras']}",
    }
    assert str(refused.value).startswith("Stopped: 0 of 1 runs are trained and stored")
    assert str(refused.value).endswith(f"Received: {told[wrong]} of {address}")
    assert not store.saved


def test_another_version_of_what_dask_sends_with_is_refused(small, tmp_path):
    """A worker with another toolz than the client's is named, with both versions, before anything is sent."""
    folder = tmp_path / "worker"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", distributed.versions.VersionMismatchWarning
        )  # of the test's own clients
        small.worker(PYTHONPATH=of_another_version(folder, "toolz"))
        (address,) = small.workers()
    here = importlib.metadata.version("toolz")
    assert refusal(small.address).endswith(f"Received: toolz 0.1 instead of {here} of {address}")


def test_a_worker_with_several_threads_is_refused(small):
    """Runs of one process share what it compiled, so the line says how to start as many processes."""
    small.worker("--nthreads", "2", "--no-nanny")
    assert f"`dask worker {small.address} --host HOST --nworkers 2 --nthreads 1`" in refusal(small.address)


def test_a_cluster_without_workers_is_refused(small, monkeypatch):
    """The line says how to start one."""
    monkeypatch.setattr(cluster, "_CONNECTING", 1)
    assert f"`dask worker {small.address} --host HOST --nworkers N --nthreads 1`" in refusal(small.address)


def test_when_the_last_worker_is_gone_training_stops(small, tmp_path, monkeypatch):
    """Nobody waits forever for a worker that does not come back."""
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    worker, task = small.worker(), stand_in(tmp_path, "sunspots")
    with cluster_lanes(small.address) as lanes:
        worker.kill()
        with pytest.raises(ParamsError, match=r"No worker is left, .* Received: scheduler="):
            train_missing([run_of(task)], RunStore(tmp_path / "store"), tmp_path, lanes=lanes)


def test_a_lane_renews_its_worker_by_the_nanny(small):
    """The second executor of a lane begins with a fresh process: TensorFlow never gives back what it compiled."""
    small.worker("--nthreads", "1", "--nanny")
    (before,) = small.pids().values()
    with cluster_lanes(small.address) as (lane,):
        lane().shutdown()
        with lane() as executor:
            executor.lane.refresh()
    (after,) = small.pids().values()
    assert before != after


@pytest.mark.parametrize("listens", [False, True], ids=["nobody", "silent"])
def test_an_address_where_no_scheduler_answers_is_one_line(listens, monkeypatch):
    """Refused or left without an answer, the connection is given up, and the line names the address."""
    monkeypatch.setattr(cluster, "_CONNECTING", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if not listens:
            server.close()
        assert refusal(address).endswith(f"Received: scheduler={address}")


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://127.0.0.1:80", "tcp://127.0.0.1:port", ""])
def test_what_is_no_address_is_one_line(address, monkeypatch):
    """The line says what an address looks like."""
    monkeypatch.setattr(cluster, "_CONNECTING", 1)
    assert refusal(address).endswith(f"such as tcp://127.0.0.1:8786. Received: scheduler={address}")


def test_without_dask_the_line_says_what_to_install(monkeypatch):
    """Dask is an extra: who has no cluster needs none."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "`python -m pip install -e '.[dask]'`" in refusal("tcp://127.0.0.1:8786")


def test_the_command_hands_on_the_address(monkeypatch, capsys):
    """`report --scheduler ADDRESS` trains there; a cluster that cannot train is one line and exit code 2."""
    calls = []

    def build(*given):
        calls.append(given)
        raise ParamsError("No Dask scheduler answers there. Received: scheduler=tcp://h:1")

    monkeypatch.setattr("lstmstudy.build.build", build)
    assert main(["report", "--profile", "mine", "--scheduler", "tcp://h:1"]) == 2
    assert main(["report"]) == 2
    assert calls == [("mine", None, "tcp://h:1"), ("default", None, None)]
    assert (
        capsys.readouterr().err.splitlines()
        == ["No Dask scheduler answers there. Received: scheduler=tcp://h:1"] * 2
    )


def test_a_run_that_kills_every_worker_is_reported(small, tmp_path, monkeypatch):
    """It is not tried forever, though the data that went down with the workers can always be sent again."""

    def die(*_):
        os._exit(1)

    monkeypatch.setattr(cluster, "train_there", die)
    monkeypatch.setattr(cluster, "_SENT", 2)
    small.worker("--nthreads", "1", "--nanny")
    run = run_of(stand_in(tmp_path, "sunspots"))
    with cluster_lanes(small.address) as lanes:
        failures = train_missing([run], RunStore(tmp_path / "store"), tmp_path, lanes=lanes)
    assert failures == [Failure(run, "TrainingError: workers ended on it 2 times")]
