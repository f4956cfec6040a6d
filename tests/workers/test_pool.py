"""Workers train every run once, survive the death of any of them, and end with their parent."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest
from engine import RECIPE, made_outcome, made_result, run_of, stand_in, train_afresh, waves

from lstmstudy import paths
from lstmstudy.store.outcomes import result_digest
from lstmstudy.workers import pool as workers
from lstmstudy.workers.pool import train_all

STRUCTURES = [RECIPE, *(dataclasses.replace(RECIPE, width=width) for width in (5, 6, 7, 8))]


class Here(Executor):
    """An executor that does the work at once, in this process, and notes what it was given."""

    def __init__(self, *deaths):
        self.deaths = set(deaths)  # identities at which this worker dies
        self.dead = False
        self.runs = []
        self.ended = False

    def submit(self, work, run, cache):
        """Do the work, or die of it."""
        assert not self.ended
        assert not self.dead
        self.runs.append(run)
        future = Future()
        if run.identity in self.deaths:
            self.dead = True
            future.set_exception(BrokenProcessPool())
            return future
        try:
            future.set_result(work(run, cache))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Note the end."""
        del wait, cancel_futures
        self.ended = True


class Lanes:
    """Factories of executors, which keep what they made."""

    def __init__(self, number, *deaths):
        self.made = [[] for _ in range(number)]
        self.deaths = deaths
        self.factories = [lambda lane=lane: self.make(lane) for lane in self.made]

    def make(self, lane):
        """Start a worker on a lane; each death of the list happens to every worker."""
        lane.append(Here(*self.deaths))
        return lane[-1]

    @property
    def everything(self):
        """All executors that were made."""
        return [executor for lane in self.made for executor in lane]

    def structures(self):
        """Return, per lane, the structures in the order in which its workers trained them."""
        return [[run.group for executor in lane for run in executor.runs] for lane in self.made]


@pytest.fixture
def trainer(monkeypatch):
    """Replace training by something instant; return how often each run was trained."""
    trained = Counter()

    def train_here(run, cache):
        del cache
        trained[run.identity] += 1
        if run.seed >= 1000:
            raise ValueError("first line\nsecond line")
        return made_outcome(run.identity, made_result([1.0]))

    monkeypatch.setattr(workers, "train_here", train_here)
    return trained


def runs_of(*counts):
    """Return `counts[k]` runs of structure k."""
    return [
        run_of(waves(), recipe, seed=seed)
        for recipe, count in zip(STRUCTURES, counts, strict=False)
        for seed in range(count)
    ]


def train(runs, lanes, cache):
    """Train on fake lanes; return the identities kept, in order, and the failures."""
    kept = []
    failures = train_all(
        runs, cache, keep=lambda outcome: kept.append(outcome.identity), lanes=lanes.factories
    )
    return kept, failures


@pytest.mark.parametrize("n_lanes", [1, 2, 3, 7])
@pytest.mark.parametrize("counts", [(), (1,), (12,), (5, 5), (1, 2, 3, 4, 5), (9, 1, 1)], ids=str)
def test_every_run_is_trained_and_kept_once(counts, n_lanes, trainer, tmp_path):
    """Whatever the structures and lanes, each outcome arrives exactly once, and every worker is let go."""
    runs, lanes = runs_of(*counts), Lanes(n_lanes)
    kept, failures = train(runs, lanes, tmp_path)
    assert Counter(kept) == Counter(run.identity for run in runs) == trainer
    assert failures == []
    assert all(executor.ended for executor in lanes.everything)
    assert len(lanes.everything) <= n_lanes


def test_runs_of_one_structure_stay_on_one_lane(trainer, tmp_path):
    """With as many structures as lanes, each is compiled once, on a lane of its own."""
    lanes = Lanes(2)
    train(runs_of(6, 6), lanes, tmp_path)
    assert [len(set(groups)) for groups in lanes.structures()] == [1, 1]
    assert sum(trainer.values()) == 12


@pytest.mark.parametrize("n_lanes", [1, 2])
def test_a_lane_finishes_a_structure_before_it_begins_another(n_lanes, trainer, tmp_path):
    """No lane comes back to a structure that it left."""
    lanes = Lanes(n_lanes)
    train(runs_of(5, 3, 4, 2, 1), lanes, tmp_path)
    assert sum(trainer.values()) == 15
    for groups in lanes.structures():
        changes = sum(one != other for one, other in itertools.pairwise(groups))
        assert changes + 1 == len(set(groups))


def test_many_runs_of_one_structure_are_shared(trainer, tmp_path):
    """Lanes without work of their own help where enough is left, and leave a few runs where they are."""
    many, few = Lanes(2), Lanes(2)
    train(runs_of(20), many, tmp_path)
    train(runs_of(3), few, tmp_path)
    assert min(len(groups) for groups in many.structures()) >= 5
    assert sorted(len(groups) for groups in few.structures()) == [0, 3]
    assert max(trainer.values()) == 2


def test_a_worker_that_compiled_much_makes_room_for_a_fresh_one(trainer, tmp_path, monkeypatch):
    """Between two structures, so that none is compiled twice; memory stays bounded in long studies."""
    monkeypatch.setattr(workers, "_MOST_COMPILED", 2)
    lanes = Lanes(1)
    kept, failures = train(runs_of(3, 1, 2, 4, 1), lanes, tmp_path)
    assert failures == []
    assert Counter(kept) == trainer
    assert [len({run.group for run in worker.runs}) for worker in lanes.everything] == [2, 2, 1]
    assert all(worker.ended for worker in lanes.everything)


def test_a_run_that_kills_its_worker_is_tried_once_more_and_then_reported(trainer, tmp_path):
    """Two workers die of it; the others are trained, on fresh workers where theirs died."""
    runs = runs_of(6, 6)
    fatal = runs[2]
    lanes = Lanes(2, fatal.identity)
    kept, failures = train(runs, lanes, tmp_path)
    assert [failure.run for failure in failures] == [fatal]
    assert "its worker ended twice" in failures[0].reason
    assert Counter(kept) == Counter(run.identity for run in runs if run is not fatal)
    assert sum(executor.dead for executor in lanes.everything) == 2
    assert all(executor.ended for executor in lanes.everything)
    assert fatal.identity not in trainer


def test_a_run_whose_worker_died_by_chance_is_trained(trainer, tmp_path):
    """Where the second attempt goes well, nothing is missing."""
    runs = runs_of(3)
    unlucky = runs[1]
    made = []

    def factory():
        made.append(Here(*([] if made else [unlucky.identity])))
        return made[-1]

    kept = []
    failures = train_all(runs, tmp_path, keep=lambda outcome: kept.append(outcome.identity), lanes=[factory])
    assert failures == []
    assert Counter(kept) == Counter(run.identity for run in runs) == trainer
    assert len(made) == 2


def test_an_exception_in_one_run_is_reported_and_the_others_go_on(trainer, tmp_path):
    """The reason is one line; the worker is not replaced and the run not tried again."""
    runs = [*runs_of(4), run_of(waves(), seed=1000)]
    lanes = Lanes(2)
    kept, failures = train(runs, lanes, tmp_path)
    assert [(failure.run, failure.reason) for failure in failures] == [(runs[-1], "ValueError: first line")]
    assert len(kept) == 4
    assert trainer[runs[-1].identity] == 1
    assert len(lanes.everything) <= 2


def test_where_outcomes_cannot_be_kept_nothing_else_is_trained(trainer, tmp_path):
    """What is raised at a full disk ends the training, and every worker is let go."""
    runs, kept = runs_of(4), []

    def keep(outcome):
        if outcome.identity == runs[1].identity:
            raise OSError("no space left")
        kept.append(outcome.identity)

    lanes = Lanes(1)
    with pytest.raises(OSError, match="no space left"):
        train_all(runs, tmp_path, keep=keep, lanes=lanes.factories)
    assert kept == [runs[0].identity]
    assert sum(trainer.values()) == 2
    assert all(executor.ended for executor in lanes.everything)


def test_an_interruption_lets_every_worker_go(trainer, tmp_path):
    """Ctrl-C in the middle leaves no executor open."""
    lanes = Lanes(2)

    def keep(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_all(runs_of(6, 6), tmp_path, keep=keep, lanes=lanes.factories)
    assert lanes.everything
    assert all(executor.ended for executor in lanes.everything)
    assert sum(trainer.values()) < 12


def test_a_worker_that_dies_between_two_runs_costs_nothing(trainer, tmp_path):
    """An executor that refuses the next run, as its worker is gone, is replaced."""
    runs, made = runs_of(3), []

    class Refusing(Here):
        def submit(self, work, run, cache):
            if self.runs and len(made) == 1:
                raise BrokenProcessPool
            return super().submit(work, run, cache)

    def factory():
        made.append(Refusing())
        return made[-1]

    kept = []
    failures = train_all(runs, tmp_path, keep=lambda outcome: kept.append(outcome.identity), lanes=[factory])
    assert failures == []
    assert Counter(kept) == Counter(run.identity for run in runs) == trainer
    assert len(made) == 2


def test_a_killed_worker_is_replaced_and_its_run_trained_to_the_same_bits(tmp_path):
    """SIGKILL hits a spawned worker with a run in flight; a fresh one trains it, as this process does."""
    task = stand_in(tmp_path, "sunspots")
    runs = [run_of(task, dataclasses.replace(RECIPE, layers=1), seed=seed) for seed in (0, 1)]
    made, kept = [], {}

    def factory():
        executor = workers._spawn()
        made.append(executor)
        submit, submitted = executor.submit, []

        def submit_and_kill(*work):
            future = submit(*work)
            submitted.append(work)
            if len(made) == 1 and len(submitted) == 2:
                (pid,) = executor._processes
                os.kill(pid, signal.SIGKILL)
            return future

        executor.submit = submit_and_kill
        return executor

    def keep(outcome):
        assert outcome.identity not in kept
        kept[outcome.identity] = result_digest(outcome.result)

    assert train_all(runs, tmp_path, keep=keep, lanes=[factory]) == []
    assert len(made) == 2
    assert kept == {
        run.identity: result_digest(train_afresh(task, run.recipe, seed=run.seed)) for run in runs
    }


PARENT = """
import dataclasses, pathlib, sys
from engine import RECIPE, run_of, stand_in
from lstmstudy.workers import pool as workers

if __name__ == "__main__":
    cache = pathlib.Path(sys.argv[1])
    task = stand_in(cache, "sunspots")
    recipe = dataclasses.replace(RECIPE, layers=1)
    runs = [run_of(task, dataclasses.replace(recipe, epochs=epochs)) for epochs in (2, 200_000)]
    say = lambda outcome: print("kept", flush=True)
    workers.train_all(runs, cache, keep=say, lanes=[workers._spawn])
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    """After SIGKILL of a process that trains, its worker, in the middle of a run, is gone within seconds."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{paths.ROOT}{os.pathsep}{paths.ROOT / 'tests'}"}
    with subprocess.Popen(
        [sys.executable, script, tmp_path], env=environment, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "kept\n"
        time.sleep(0.5)  # into the long run
        children = psutil.Process(parent.pid).children(recursive=True)
        assert any(child.cpu_times().user > 1 for child in children)
        assert parent.poll() is None
        parent.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    left = [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    for child in left:
        child.kill()
    assert children
    assert left == []


def test_there_is_a_lane_for_every_core_that_may_be_used(monkeypatch):
    """A process that is held to three cores has three lanes; where no system says so, all cores count."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert len(workers.local_lanes()) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert len(workers.local_lanes()) == 8
