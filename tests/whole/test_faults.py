"""Whatever ends or damages a build, no finished run is lost, no number is wrong, and somebody is told."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import multiprocessing
import shutil
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from checkout import wait_until
from engine import RECIPE, made_outcome, made_result, run_of, stand_in, waves
from faults import (
    CLOCK,
    REPORT,
    Stuck,
    damages,
    emptied,
    may_mount,
    mount,
    mounted,
    small,
    stopped,
    swapped,
    truncated,
)

from lstmstudy import paths
from lstmstudy.__main__ import main
from lstmstudy.data import open_task
from lstmstudy.data.cache import cache_path, stored_task
from lstmstudy.execution import Execution, execute_all
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.store.outcomes import RunStore, result_digest
from lstmstudy.workers import pool as workers
from lstmstudy.workers.limits import UNKNOWN, TimeLimit
from lstmstudy.workers.missing import given_up, train_missing
from lstmstudy.workers.pool import Failure, train_all

CHAPTER = ("--only", "01_dropout")
LARGE = made_result(np.random.default_rng(0).random(500))  # about 25 KB as a file


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the small study, of which one chapter was built undisturbed; read only."""
    study = small(tmp_path_factory.mktemp("built") / "checkout")
    finished = study.report(*CHAPTER)
    assert (finished.returncode, finished.stderr) == (0, "")
    return study


@pytest.fixture
def study(built, tmp_path):
    """Return a copy of it that a test may disturb."""
    study = built.copy(tmp_path / "study")
    yield study
    study.end()


def forgotten(study):
    """Take away all that was trained and written, and leave the prepared task."""
    for path in study.store.glob("*.npz"):
        path.unlink()
    shutil.rmtree(study.root / REPORT)


def test_a_build_that_is_killed_and_stopped_gives_the_same_as_one_that_is_not(built, study):
    """A worker is killed, then the build is stopped twice over, then terminated; each time what was stored stays."""
    forgotten(study)
    building = study.begin()
    assert wait_until(lambda: len(study.outcomes()) >= 2)
    study.workers()[0].kill()
    seen = len(study.outcomes())
    assert wait_until(lambda: len(study.outcomes()) >= seen + 1)
    code, _, error = stopped(building, signal.SIGINT, signal.SIGINT)
    line = "stopped: everything trained so far is stored, and the same command goes on from there\n"
    assert (code, error) == (130, line)
    assert study.quiet()
    kept = study.outcomes()
    assert set(RunStore(study.store).check(RunStore(study.store).files())) == {
        name.partition("-")[0] for name in kept
    }
    assert list(study.store.glob("*.tmp")) == list(study.store.glob("*.damaged")) == []

    building = study.begin()
    assert wait_until(study.workers)
    time.sleep(1)
    code, _, error = stopped(building, signal.SIGTERM)
    assert (code, error) == (130, line)
    assert study.quiet()
    assert kept.items() <= study.outcomes().items()

    kept = study.outcomes()
    finished = study.report(*CHAPTER)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert kept.items() <= study.outcomes().items()
    assert len(study.outcomes()) == len(built.outcomes())
    assert study.found() == built.found()


def test_whatever_becomes_of_stored_files_the_report_is_the_same(built, study):
    """Damaged, exchanged, misplaced files and things that are none are named and trained again; no other is."""
    files = sorted(study.store.glob("*.npz"))
    harmed = damages(files)
    whole = {name: when for name, when in built.outcomes().items() if name not in harmed}
    assert len(whole) >= 2
    damaged_task = next((study.store / "tasks").glob("sunspots-*.npz"))
    truncated(damaged_task)
    truncated(study.root / REPORT / "findings.json")
    (study.root / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    finished = study.report(*CHAPTER)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stderr.splitlines()
    named = [line for line in lines if "is damaged: it was set aside" in line]
    assert sorted(Path(line.partition(" is ")[0]).name.partition("-")[0] for line in named) == sorted(
        name.partition("-")[0] for name in harmed
    )
    assert [line for line in lines if line not in named and not line.startswith(damaged_task.name)] == []
    assert whole.items() <= study.outcomes().items()
    assert len(study.outcomes()) == len(built.outcomes())
    assert study.found() == built.found()


def another_number(path):
    """Change a number in a document that stays valid, as that of another study is."""
    text = path.read_text(encoding="utf-8")
    assert text.count("0.") > 3
    path.write_text(text.replace("0.", "1."), encoding="utf-8")


@pytest.mark.parametrize(
    "harms", [{"findings.json": another_number}, {"units.csv": emptied, "runs.csv": truncated}], ids=list
)
def test_altered_findings_or_tables_are_told_and_made_again(harms, built, study):
    """Also where the document stays one: what a report is drawn from is what was computed."""
    for name, harm in harms.items():
        harm(study.root / REPORT / name)
    finished = study.report(*CHAPTER)
    assert finished.stderr == "reports/small/: findings or tables were altered; computed again\n"
    assert finished.returncode == 0
    assert study.found() == built.found()
    for name in harms:
        assert (study.root / REPORT / name).read_bytes() == (built.root / REPORT / name).read_bytes()


def test_a_store_that_somebody_empties_is_told_and_no_notebook_trains_what_is_gone(study):
    """The runs are named as missing; two notebooks that need one would else train it at the same time."""
    forgotten(study)
    building = study.begin(*CHAPTER)
    assert wait_until(lambda: len(study.outcomes()) >= 2)
    gone = set()
    for path in study.store.glob("*.npz"):
        path.unlink()
        gone.add(path.name.partition("-")[0])
    _, error = building.communicate(timeout=120)
    assert building.returncode == 1
    assert f"missing: {len(gone)} runs were stored and vanished from reports/store/" in error
    stored = [name.partition("-")[0] for name in study.outcomes()]
    assert stored
    assert not gone & set(stored)
    assert len(set(stored)) == len(stored)
    assert "it vanished from reports/store/" in study.page("01_dropout", "small")


def test_a_second_build_waits_for_the_first(study):
    """It says so in a line, and goes on as soon as the other has ended."""
    with (study.root / REPORT / ".turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        building = study.begin()
        assert building.stderr.readline() == "another build writes reports/small/: waiting for its end\n"
        time.sleep(0.5)
        assert building.poll() is None
    building.send_signal(signal.SIGINT)
    building.communicate(timeout=60)


class Instant(ProcessPoolExecutor):
    """A worker that trains nothing and returns outcomes of some size."""

    def submit(self, work, run, cache):
        """Return an outcome at once."""
        del work, cache
        return super().submit(made_outcome, run.identity, LARGE)


def instant():
    """Start such a worker."""
    return Instant(1, multiprocessing.get_context("spawn"))


@pytest.fixture
def instantly(monkeypatch):
    """Let what is missing be trained in no time."""
    monkeypatch.setattr(workers, "local_lanes", lambda: [instant] * 2)


@pytest.mark.usefixtures("instantly")
@pytest.mark.parametrize(
    ("options", "freed", "why"),
    [
        ("size=200k", "size=8m", "No space left on device"),
        ("size=8m,nr_inodes=6", "nr_inodes=999", "No space left on device"),
        ("size=8m", "rw", "Read-only file system"),
    ],
)
def test_a_store_that_takes_no_more_ends_the_training_in_one_line(options, freed, why, tmp_path):
    """Full, without inodes or read-only: what is stored is whole, nothing else is trained in vain, and it goes on later."""
    folder = tmp_path / "disk"
    if not may_mount(folder):
        pytest.skip("this user may not mount a small disk")
    runs = [run_of(waves(), seed=seed) for seed in range(24)]
    with mounted(folder, options):
        store = RunStore(folder / "store")
        for run in runs[:2]:
            store.save(made_outcome(run.identity, LARGE))
        if freed == "rw":
            assert mount("-o", "remount,ro", str(folder)) == 0
        with pytest.raises(ParamsError, match=why) as raised:
            train_missing(runs[2:], store, tmp_path)
        n = len(list(store.folder.glob("*.npz")))
        assert f" {n - 2} of 22 runs are trained and stored" in str(raised.value)
        assert "the same command then goes on" in str(raised.value)
        assert len(RunStore(store.folder).check(run.identity for run in runs)) == n < 24
        assert list(store.folder.glob("*.tmp")) == []
        assert mount("-o", f"remount,{freed}", str(folder)) == 0
        missing = [run for run in runs if run.identity not in store.check(run.identity for run in runs)]
        assert train_missing(missing, store, tmp_path) == []
        assert len(store.check(run.identity for run in runs)) == 24


def test_a_run_that_hangs_or_wants_too_much_memory_is_named_and_the_others_go_on(tmp_path):
    """In real workers: each of them is tried twice, ended, and counted as missing; what waits behind it is trained."""
    task = stand_in(tmp_path, "sunspots")
    recipe = dataclasses.replace(RECIPE, layers=1)
    unlucky = {how: run_of(task, recipe.adding(Stuck(how))) for how in ("sleep", "memory")}
    sound = [run_of(task, recipe, seed=seed) for seed in (0, 1)]
    kept = []

    def limit(run):
        return 4 if run is unlucky["sleep"] else 120

    failures = train_all(
        [sound[0], *unlucky.values(), sound[1]],
        tmp_path,
        keep=lambda outcome: kept.append(outcome.identity),
        lanes=[workers._spawn],
        limit=limit,
    )
    assert sorted(kept) == sorted(run.identity for run in sound)
    assert {failure.run.identity: failure.reason for failure in failures} == {
        unlucky["sleep"].identity: "its worker hung, and was ended twice after 4 s",
        unlucky["memory"].identity: "its worker ended twice (MemoryError)",
    }
    assert wait_until(
        lambda: (
            not [child for child in psutil.Process().children() if "spawn_main" in " ".join(_command(child))]
        )
    )


def test_the_time_limit_follows_the_slowest_run_of_the_same_task():
    """Minutes at least, twenty times the slowest where that is more, and hours as long as nothing is known."""
    limit, run = TimeLimit(), run_of(waves())
    assert limit(run) == UNKNOWN
    limit.learn(run, {"seconds": 0.5})
    assert limit(run) == 600
    limit.learn(run, {"seconds": 90.0})
    limit.learn(run, {"seconds": 1.0})
    longer = run_of(waves(), dataclasses.replace(RECIPE, epochs=2 * RECIPE.epochs))
    assert limit(longer) == 2 * limit(run) == pytest.approx(2 * 20 * 90)
    assert limit(dataclasses.replace(run, task="another")) == UNKNOWN


@pytest.mark.usefixtures("instantly")
def test_what_a_build_gave_up_no_notebook_of_it_tries_again(tmp_path):
    """Its kernels have the reason at once; afterwards the run is tried as ever."""
    store, run = RunStore(tmp_path / "store"), run_of(waves())
    with given_up([Failure(run, "its worker hung")]):
        assert train_missing([run], store, tmp_path) == [Failure(run, "its worker hung")]
    assert train_missing([run], store, tmp_path) == []
    assert store.load(run.identity) is not None


def test_one_whole_copy_of_a_run_is_enough(tmp_path, capsys):
    """Trained twice, a run is stored as long as one of its files is whole, whichever that is."""
    for number in (0, 1):
        store = RunStore(tmp_path / str(number))
        for seconds in (1.0, 2.0):
            store.save(made_outcome("1f" * 32, made_result([3.0, 1.0]), seconds))
        emptied(sorted(store.folder.glob("*.npz"))[number])
        fresh = RunStore(store.folder)
        assert set(fresh.check(["1f" * 32])) == {"1f" * 32}
        assert result_digest(fresh.load("1f" * 32).result) == result_digest(made_result([3.0, 1.0]))
        assert len(fresh.check(["1f" * 32])) == 1
    assert capsys.readouterr().err.count("is damaged") <= 2


def test_a_prepared_task_in_the_place_of_another_is_found_out(tmp_path, capsys):
    """Exchanged files of tasks are made again; a user's task, which nothing else makes, counts as absent."""
    for name in ("sunspots", "elnino"):
        stand_in(tmp_path, name)
    swapped(*(cache_path(tmp_path, name) for name in ("sunspots", "elnino")))
    assert stored_task(tmp_path, "sunspots") is None
    assert open_task("sunspots", tmp_path).content == open_task("sunspots").content
    assert "is damaged" in capsys.readouterr().err


def write_notebook(path, cell):
    """Write a notebook with one cell."""
    import nbformat

    parameters = nbformat.v4.new_code_cell("profile = ''", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return Execution(path, path.parent / "out" / path.name, {"profile": "small"}, {"a": "1"})


KILLS = """
import os, pathlib, psutil, signal
mark = pathlib.Path({mark!r})
if not mark.exists():
    mark.touch()
    os.kill({process}, signal.SIGKILL)
    import time; time.sleep(30)
"""


def test_a_notebook_whose_process_dies_is_executed_once_more(tmp_path):
    """Whether that of its kernel or that which started it: all of them end well."""
    every = {
        name: write_notebook(
            tmp_path / f"{name}.ipynb", KILLS.format(mark=str(tmp_path / name), process=f"os.get{name}()")
        )
        for name in ("pid", "ppid")
    }
    assert dict(execute_all(every)) == {"pid": None, "ppid": None}
    assert (tmp_path / "pid").exists()
    assert (tmp_path / "ppid").exists()
    assert [each.stale() for each in every.values()] == [[], []]


def test_an_interruption_waits_for_no_notebook(tmp_path):
    """What executes ends at once, with its kernel."""
    mark = tmp_path / "mark"
    waits = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(300)"
    executing = execute_all(
        {
            "quick": write_notebook(tmp_path / "quick.ipynb", "1"),
            "slow": write_notebook(tmp_path / "slow.ipynb", waits),
        }
    )
    assert next(executing) == ("quick", None)
    assert wait_until(mark.exists)
    children = psutil.Process().children(recursive=True)
    assert any("ipykernel_launcher" in " ".join(child.cmdline()) for child in children)
    with pytest.raises(KeyboardInterrupt):
        executing.throw(KeyboardInterrupt)
    ours = [child for child in children if "resource_tracker" not in " ".join(_command(child))]
    assert psutil.wait_procs(ours, timeout=20)[1] == []


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "stopped: No space left on device; "),
        (
            OSError(errno.EROFS, "Read-only file system", str(paths.REPORTS / "x" / "report.html")),
            "stopped: reports/x/report.html: Read-only file system; ",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", paths.REPORTS / "x" / "units.csv"),
            "stopped: reports/x/units.csv: No such file or directory; ",
        ),
    ],
)
def test_what_a_machine_refuses_is_one_line(error, line, monkeypatch, capsys):
    """A full disk, or a folder that somebody deletes, is no mistake of ours that a traceback would lead to."""

    def refused(*_):
        raise error

    monkeypatch.setattr("lstmstudy.build.build", refused)
    assert main(["report", "--profile", "smoke"]) == 1
    assert capsys.readouterr().err.startswith(line)


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    """A file that is missing elsewhere is one."""

    def mistaken(*_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere")

    monkeypatch.setattr("lstmstudy.build.build", mistaken)
    with pytest.raises(FileNotFoundError):
        main(["report", "--profile", "smoke"])
