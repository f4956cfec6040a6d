"""In a notebook, with a real kernel: names are completed, mistakes are short, work shows, and an interruption is safe."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from engine import RECIPE, made_outcome, made_result, run_of, waves, write_tuned
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel
from planning import parameters
from traitlets.config import Config

from lstmstudy import paths
from lstmstudy.store.outcomes import RunStore
from lstmstudy.study.study import open_study
from lstmstudy.workers.pool import train_all

PROFILE = """\
tasks: [sunspots]
techniques: [dropout]
units: 12
network: {layers: 1, width: 8}
training: {epochs: 40, batch_size: 32, learning_rate: 0.003}
grids: {dropout: {rate: [0.3], per: [step]}}
"""
RUNS = 24  # twelve units of the arm and of its control
OPEN = """
from pathlib import Path
from lstmstudy import Dropout, open_study
folder = Path({folder!r})
study = open_study("mine", store=folder / "store", folder=folder / "params")
"""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the parameters of a study that trains in seconds."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "params").mkdir()
    parameters(folder / "params", PROFILE)
    write_tuned(folder / "params", ["sunspots"])
    return folder


class Kernel:
    """A kernel in which the study is open.

    Attributes:
        manager: Interrupts it.
        client: Talks to it.
        process: Its process.
        log: What it and its workers say on the server's terminal.
    """

    def __init__(self, folder):
        self.log = folder / "kernel.log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(paths.ROOT),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "JUPYTER_PLATFORM_DIRS": "1",
        }
        with self.log.open("w", encoding="utf-8") as log:
            self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment, stderr=log)
        self.process = psutil.Process(self.manager.provisioner.pid)
        assert self.run(OPEN.format(folder=str(folder))) == []

    def run(self, code):
        """Run a cell and return the messages that came of it, as (kind, content)."""
        return self.end(self.client.execute(code))

    def end(self, cell):
        """Wait for a cell and return its messages."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return messages
            if kind not in ("status", "execute_input"):
                messages.append((kind, content))

    def error(self, code):
        """Run a cell that fails, and return the name of its error and the lines that are shown."""
        ((kind, content),) = self.run(code)
        assert kind == "error"
        return content["ename"], COLOURS.sub("", "\n".join(content["traceback"])).splitlines()

    def completions(self, code):
        """Return what a cell can become by the Tab key at its end."""
        asked = self.client.complete(code)
        while True:
            message = self.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == asked:
                content = message["content"]
                return {f"{code[: content['cursor_start']]}{match}" for match in content["matches"]}

    def workers(self):
        """Return the command lines of the processes that train for it."""
        found = []
        for child in self.process.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended meanwhile
                found.append(" ".join(child.cmdline()))
        return [line for line in found if "spawn_main" in line]


@pytest.fixture(scope="module")
def kernel(folder):
    """Return a kernel in which the study is open."""
    kernel = Kernel(folder)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def bars(messages):
    """Return what the widgets of a progress bar came to be: their states by id, with the texts among them."""
    states = {}
    for kind, content in messages:
        if kind in ("comm_open", "comm_msg"):
            states.setdefault(content["comm_id"], {}).update(content["data"].get("state", {}))
    return states


@pytest.mark.parametrize("jedi", [True, False])
def test_ipython_completes_the_names_of_arms(jedi, folder):
    """After the bracket and the quote, with the names that begin so, by jedi or without."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.Completer.use_jedi = jedi
    shell.user_ns["study"] = open_study("mine", store=folder / "store", folder=folder / "params")
    found = {}
    for code in ('study["dropout p', 'study["'):
        with provisionalcompleter():
            completions = list(shell.Completer.completions(code, len(code)))
        found[code] = {f"{code[: each.start]}{each.text}" for each in completions}
    assert found['study["dropout p'] == {
        'study["dropout per step, tuned',
        'study["dropout per sequence, tuned',
    }
    assert found['study["'] == {f'study["{name}' for name in shell.user_ns["study"]}


def test_a_kernel_completes_the_names_of_arms(kernel):
    """What JupyterLab asks for at the Tab key."""
    assert kernel.completions('study["dropout 0') == {'study["dropout 0.3 per step'}
    names = ("baseline", "baseline, tuned", "dropout per step, tuned")
    assert kernel.completions("study['") >= {f"study['{name}" for name in names}


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (
            "x = 1\nstudy.ablate('dropout')",
            "ParamsError",
            r"study\.ablate: Expected an arm.*Received: arm='dropout'",
        ),
        ("x = 1\nstudy['dropuot']", "UnknownArmError", r"No arm of this study.*Received: arm='dropuot'"),
        ("x = 1\nopen_study('defualt')", "ParamsError", r"params/defualt\.yaml: unknown profile.*'defualt'"),
    ],
)
def test_a_mistake_shows_the_cell_and_a_line_and_none_of_our_own_code(code, name, message, kernel):
    """The arrow stands at the line of the cell; the package is not in the traceback."""
    found, lines = kernel.error(code)
    assert found == name
    assert re.fullmatch(rf"{name}: {message}", lines[-1])
    assert any(line.startswith("----> 2 ") for line in lines)
    assert not any("lstmstudy" in line and ".py" in line for line in lines)


def test_outside_of_ipython_a_mistake_has_its_whole_traceback(folder):
    """A script shows where it was raised, as Python does."""
    code = f"{OPEN.format(folder=str(folder))}\nstudy.ablate('dropout')"
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "asked.py" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("Received: arm='dropout'")


def test_a_bar_without_ipywidgets_is_that_of_a_terminal(kernel):
    """It is drawn as text below the cell, up to the last run, and nothing fails."""
    code = """
import sys
kept, sys.modules["ipywidgets"] = sys.modules.get("ipywidgets"), None
from lstmstudy.workers.progress import progress_bar
with progress_bar(2) as bar:
    bar.update(); bar.update()
sys.modules.pop("ipywidgets") if kept is None else sys.modules.update(ipywidgets=kept)
"""
    messages = kernel.run(code)
    assert {kind for kind, _ in messages} == {"stream"}
    text = "".join(content["text"] for _, content in messages)
    assert "2/2" in text.rpartition("\r")[2]


def test_an_interrupted_cell_keeps_what_is_finished_and_goes_on_where_it_was(kernel, folder):
    """Finished runs are whole, the error is one line, no worker is left, and the cell again trains the others alone."""
    store, cell = folder / "other" / "store", "ablation = other.ablate(*other.arms('dropout'))"
    opened = "other = open_study('mine', store=folder / 'other' / 'store', folder=folder / 'params')"
    assert kernel.run(opened) == []
    running = kernel.client.execute(cell)
    deadline = time.monotonic() + 120
    while len(list(store.glob("*-*.npz"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kernel.manager.interrupt_kernel()
    messages = kernel.end(running)
    (error,) = [content for kind, content in messages if kind == "error"]
    files = {path.name: path.stat().st_mtime_ns for path in store.glob("*-*.npz")}
    n = len(files)
    assert 3 <= n < RUNS
    assert error["traceback"] == [
        f"Stopped: {n} of {RUNS} runs are trained and stored. Run the cell again to train the other {RUNS - n}."
    ]
    assert not any(kind == "stream" for kind, _ in messages)
    assert len(RunStore(store).check(RunStore(store).files())) == n
    assert list(store.glob("*.tmp")) == list(store.glob("*.damaged")) == []
    deadline = time.monotonic() + 5
    while kernel.workers():
        assert time.monotonic() < deadline, kernel.workers()
        time.sleep(0.02)
    messages = kernel.run(cell)
    assert [kind for kind, _ in messages if kind in ("error", "stream")] == []
    after = {path.name: path.stat().st_mtime_ns for path in store.glob("*-*.npz")}
    assert len(after) == RUNS
    assert {name: after[name] for name in files} == files
    states = list(bars(messages).values())
    assert [state["bar_style"] for state in states if "bar_style" in state] == ["success"]
    assert any(f"{RUNS - n}/{RUNS - n}" in str(state.get("value", "")) for state in states)
    assert "application/vnd.jupyter.widget-view+json" in json.dumps(
        [content["data"] for kind, content in messages if kind == "display_data"]
    )


def test_an_interruption_while_workers_start_is_one_line_too(kernel, folder):
    """They are not interrupted themselves, which their imports would tell in a page of traceback."""
    running = kernel.client.execute("study.ablate(study.arm(Dropout(0.45)))")
    deadline = time.monotonic() + 60
    while len(kernel.workers()) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    before = len(list((folder / "store").glob("*-*.npz")))
    kernel.manager.interrupt_kernel()
    messages = [(kind, content) for kind, content in kernel.end(running) if kind in ("error", "stream")]
    ((_, error),) = messages
    assert error["ename"] == "TrainingStoppedError"
    assert len(error["traceback"]) == 1
    assert error["traceback"][0].startswith("Stopped: 0 of ")
    assert "Traceback" not in kernel.log.read_text(encoding="utf-8")
    assert len(list((folder / "store").glob("*-*.npz"))) == before


def test_views_are_shown_by_the_kernel(kernel):
    """A study and a comparison come as HTML with a line of text beside it; findings do so too."""
    for name in ("study", "Ablation(study.plan, study.outcome, study.arms('dropout'))", "study.findings()"):
        messages = kernel.run(f"from lstmstudy.study.ablation import Ablation\n{name}")
        ((kind, content),) = messages
        assert kind == "execute_result"
        assert content["data"]["text/html"].startswith("<p>")
        assert content["data"]["text/plain"].startswith("<")
        assert "\n" not in content["data"]["text/plain"]


class Here(Executor):
    """An executor whose runs are finished at once."""

    def submit(self, work, run, cache):
        """Return the outcome of a run."""
        del work, cache
        done = Future()
        done.set_result(made_outcome(run.identity, made_result([1.0, 0.5])))
        return done


class Slow(ProcessPoolExecutor):
    """A process that trains for a minute."""

    def submit(self, work, run, cache):
        """Start a run that will not end."""
        del work, run, cache
        return super().submit(time.sleep, 60)


def test_a_run_whose_saving_was_interrupted_is_saved_all_the_same(tmp_path):
    """It was finished: the interruption goes on once the run is kept."""
    calls = []

    def keep(outcome):
        calls.append(outcome.identity)
        if len(calls) == 2:
            raise KeyboardInterrupt

    runs = [run_of(waves(), seed=seed) for seed in range(4)]
    with pytest.raises(KeyboardInterrupt):
        train_all(runs, tmp_path, keep=keep, lanes=[Here, Here])
    assert len(set(calls)) == 2
    assert calls[1] in calls[2:]


def spawned():
    """Return the processes that this one spawned."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_an_interruption_waits_for_no_run_that_takes_long(tmp_path):
    """A worker in the middle of a run ends at once; until then it hears nothing of Ctrl-C, from its first moment on."""
    found, blocked = set(), []
    slow = Slow(1, multiprocessing.get_context("spawn"))

    def keep(_):
        found.update(spawned())  # the saving that is interrupted is done again
        status = Path(f"/proc/{min(found, key=lambda process: process.pid).pid}/status")
        if status.exists():
            blocked.append(int(re.search(r"SigBlk:\s*(\w+)", status.read_text(encoding="ascii"))[1], 16))
        raise KeyboardInterrupt

    runs = [run_of(waves(), recipe) for recipe in (RECIPE, dataclasses.replace(RECIPE, width=5))]
    with pytest.raises(KeyboardInterrupt):
        train_all(runs, tmp_path, keep=keep, lanes=[lambda: slow, Here])
    assert len(found) == 1
    assert all(mask >> (signal.SIGINT - 1) & 1 for mask in blocked)
    assert psutil.wait_procs(found, timeout=5)[1] == []
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    slow.shutdown(wait=True)
