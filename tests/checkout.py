"""Fixtures for tests of the build: copies of this checkout, each with commands, runs and reports of its own.

A test module has them by ``pytest_plugins = ["checkout"]``, so that the smoke study is trained once for all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from lstmstudy import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDERS = ("lstmstudy", "notebooks", "params")
FILES = ("requirements.lock", "CITATION.cff")
MARK = "CHECKOUT_UNDER_TEST"  # an environment variable by which the processes of a copy are found
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
LEFT_AWAY = (
    "keras.Sequential",
    "semantics_card(",
    "cost_table(",
)  # cells that take long, or show measured seconds
PLANNED = """
import json, sys
from lstmstudy.plan import make_plan
plan = make_plan(sys.argv[1])
print(json.dumps([
    [arm.name, task, unit.seed, plan.run(recipe, unit).identity]
    for arms in plan.notebooks.values() for arm in arms
    for task in arm.tasks for unit in plan.units(task, arm.units, arm.first_seed)
    for recipe in arm.on(task)
]))
"""
# The shipped smoke study trains every technique; most of what a build does shows with three.
SMOKE = """\
tasks:
  - sunspots # one forecasting task
  - digits_rows # one classification task
techniques:
  - dropout # a layer in front of each LSTM layer
  - recurrent_dropout # a regularizer inside the cell
  - early_stopping # a reading
units: 2
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.3]}
  recurrent_dropout: {rate: [0.3]}
  early_stopping: {patience: [1, 3]}
"""


class Checkout:
    """A working copy of the checkout; what is done in it touches no other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = root / "reports" / "store"
        # Every process that is started with this environment, a kernel's too, imports this copy.
        self.environment = {**os.environ, "PYTHONPATH": str(root), MARK: str(root)}

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python with some arguments, in the root of the copy unless told otherwise."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def study(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of the command line, as make does."""
        return self.run("-m", "lstmstudy", *words)

    def report(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Build the smoke report, or what `words` say of it."""
        return self.study("report", "--profile", "smoke", *words)

    def started(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a verb of the command line, and wait neither for it nor for what it says."""
        return subprocess.Popen(
            [sys.executable, "-m", "lstmstudy", *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def processes(self) -> list[psutil.Process]:
        """Return every process that was started, directly or not, from this copy and still runs."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def missing(self, profile: str = "smoke") -> dict[str, int]:
        """Return the number of missing runs per notebook, and of the whole study, as `plan` prints them."""
        planned = self.study("plan", "--profile", profile)
        assert planned.returncode == 0, planned.stderr
        _, *rows, total = planned.stdout.splitlines()
        counts = {row.split()[0]: int(row.split()[-1]) for row in rows}
        return {**counts, "all": int(total.split(" missing")[0].split()[-1])}

    def files(self, profile: str = "smoke") -> dict[tuple[str, str, int], Path]:
        """Return the file of each stored run of a profile, by arm, task and seed."""
        rows = json.loads(self.run("-c", PLANNED, profile).stdout)
        return {
            (arm, task, seed): path
            for arm, task, seed, identity in rows
            for path in self.store.glob(f"{identity}-*.npz")
        }

    def outcomes(self) -> dict[str, int]:
        """Return the files of the run store with the time of their last change."""
        return {path.name: path.stat().st_mtime_ns for path in self.store.glob("*.npz")}

    def page(self, name: str = "report", profile: str = "smoke") -> str:
        """Return a built page: the report, or that of a notebook."""
        place = name if name == "report" else f"notebooks/{name}"
        return (self.root / "reports" / profile / f"{place}.html").read_bytes().decode()

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that is there once in a file."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times: {old}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def copy(self, root: Path) -> Checkout:
        """Return a copy in another place, with all that was built here."""
        shutil.copytree(self.root, root, ignore=LEFT_OUT)
        return Checkout(root)


def wait_until(condition: Callable[[], object], *, seconds: float = 120) -> bool:
    """Return whether `condition` came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="session")
def wait() -> Callable[..., bool]:
    """Return the function that waits for something."""
    return wait_until


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout whose tasks are prepared and in which nothing was trained; read only."""
    fresh = _fresh(tmp_path_factory.mktemp("planned") / "checkout")
    assert fresh.missing()["all"] > 0
    return fresh


@pytest.fixture
def checkout(planned: Checkout, tmp_path: Path) -> Iterator[Checkout]:
    """Return a checkout of the test's own in which nothing was trained."""
    yield from _own(planned, tmp_path / "checkout")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, subprocess.CompletedProcess[str]]:
    """Return a checkout whose smoke study was built once for all tests, and what the command said; read only."""
    built = _fresh(tmp_path_factory.mktemp("smoke") / "checkout")
    return built, built.report()


@pytest.fixture
def trained(smoke: tuple[Checkout, subprocess.CompletedProcess[str]], tmp_path: Path) -> Iterator[Checkout]:
    """Return a checkout of the test's own, with the smoke study built in another place."""
    built, finished = smoke
    assert finished.returncode == 0, finished.stderr
    yield from _own(built, tmp_path / "trained")


@pytest.fixture(scope="session")
def shipped(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Checkout, subprocess.CompletedProcess[str]]]:
    """Return a checkout with the smoke study as it is shipped, built once, and what the command said; read only."""
    fresh = Checkout(copy_sources(tmp_path_factory.mktemp("shipped") / "checkout"))
    yield fresh, fresh.report()
    _end(fresh)


def copy_sources(root: Path) -> Path:
    """Copy what a build needs of this checkout, in which nothing was trained, and return the folder."""
    for name in FOLDERS:
        shutil.copytree(paths.ROOT / name, root / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy(paths.ROOT / name, root)
    (root / "reports").mkdir()
    return root


def leave_away(notebook: Path, *words: str) -> None:
    """Take the cells out of a notebook in which one of some words stands."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    kept = [cell for cell in content["cells"] if not any(word in "".join(cell["source"]) for word in words)]
    notebook.write_text(json.dumps({**content, "cells": kept}), encoding="utf-8")


def _fresh(root: Path) -> Checkout:
    """Return a checkout with the small smoke study, whose notebooks lack what takes long."""
    fresh = Checkout(copy_sources(root))
    (root / "params" / "smoke.yaml").write_text(SMOKE, encoding="utf-8")
    for path in (root / "notebooks").glob("[0-9]*.ipynb"):
        leave_away(path, *LEFT_AWAY)
    return fresh


def _own(source: Checkout, root: Path) -> Iterator[Checkout]:
    """Yield a copy; then end the processes that a failed test left behind."""
    copied = source.copy(root)
    yield copied
    _end(copied)


def _end(checkout: Checkout) -> None:
    for process in checkout.processes():
        with contextlib.suppress(psutil.Error):
            process.kill()
