"""An installed package gives its users the parameters and the notebooks, and works in their folder."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys

import pytest

from lstmstudy import paths
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.start import start

SHOW = "from lstmstudy import paths; print(paths.ROOT); from lstmstudy.provenance import written_now; print(written_now()['commit'])"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder with the package as a wheel leaves it: no checkout around, and what it ships inside."""
    site = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.CODE, site / "lstmstudy", ignore=ignored)
    for name in ("params", "notebooks"):
        shutil.copytree(paths.ROOT / name, site / "lstmstudy" / "shipped" / name)
    return site


def call(installed, folder, *arguments):
    """Return what a process of the installed package did in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_started_folder_plans_the_same_study(installed, tmp_path):
    """`start` writes what `plan` needs, and the plan counts the runs of this checkout."""
    started = call(installed, tmp_path, "-m", "lstmstudy", "start", "study")
    assert started.returncode == 0, started.stderr
    assert "lstmstudy report --profile smoke" in started.stdout
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == ["notebooks", "params"]
    plans = [
        call(root, folder, "-m", "lstmstudy", "plan", "--profile", "smoke")
        for root, folder in ((installed, tmp_path / "study"), (paths.ROOT, tmp_path))
    ]
    tables = [plan.stdout.split("distinct runs")[0] for plan in plans]
    assert plans[0].returncode == 0, plans[0].stderr
    assert tables[0].splitlines()[-1] == tables[1].splitlines()[-1]
    assert not (installed / "reports").exists()


def test_a_notebook_finds_the_folder_that_it_lies_in(installed, tmp_path):
    """A kernel that starts in notebooks/ works on the same parameters as a command beside it; elsewhere is no study."""
    call(installed, tmp_path, "-m", "lstmstudy", "start", "study")
    inside = call(installed, tmp_path / "study" / "notebooks", "-c", SHOW).stdout.splitlines()
    assert inside[0] == str(tmp_path / "study")
    assert call(installed, tmp_path, "-c", SHOW).stdout.splitlines()[0] == str(tmp_path)


def test_an_installed_package_names_its_release_and_no_foreign_commit(installed, tmp_path):
    """A repository of the user's around the folder says nothing about the code that ran."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shown = call(installed, tmp_path, "-c", SHOW).stdout.splitlines()[1]
    assert shown == f"release {importlib.metadata.version('lstmstudy')}"


def test_without_a_study_a_command_says_how_to_get_one(installed, tmp_path):
    """In an empty folder the error is one line, and names the command that helps."""
    done = call(installed, tmp_path, "-m", "lstmstudy", "plan", "--profile", "smoke")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "python -m lstmstudy start" in done.stderr


def test_nothing_is_overwritten(tmp_path):
    """A folder that has parameters already is refused, and stays as it is."""
    (tmp_path / "params").mkdir()
    with pytest.raises(ParamsError, match=r"Expected a new folder\. Received: folder="):
        start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["params"]
