"""What make does before any of our code runs, and what the files beside the package promise."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from lstmstudy import paths

MAKEFILE = (paths.ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE)
FROM_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON", "BASE_PYTHON", "PROFILE", "ONLY")

# Stands in for Python 3.12: its environments have a python that notes what it is asked to do.
BASE = """\
#!/bin/sh
case "$1" in
--version) echo "Python 3.12.1" ;;
-c) echo "$0" ;;
-m) mkdir -p "$3/bin" && cp "$(dirname "$0")/inner" "$3/bin/python" ;;
esac
"""
INNER = """\
#!/bin/sh
echo "$@" >>asked.txt
test ! -e fail
"""


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of what make reads, in a folder whose name has a space, without an environment."""
    folder = tmp_path / "with space"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(paths.ROOT / name, folder)
    shutil.copytree(paths.ROOT / ".ci", folder / ".ci")
    return folder


def make(folder, *words):
    """Run make in `folder`, as a user would, and return what came of it."""
    environment = {key: value for key, value in os.environ.items() if key not in FROM_MAKE}
    return subprocess.run(
        ["make", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def own_lines(finished):
    """Return the lines on stderr that are not make's own word about the failed target."""
    return [line for line in finished.stderr.splitlines() if "***" not in line]


def script(path, text):
    """Write an executable script and return its path."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def base(tmp_path):
    """Return an interpreter that creates environments in no time."""
    script(tmp_path / "inner", INNER)
    return script(tmp_path / "python3.12", BASE)


def stamp(folder):
    """Return the file that says for which lock the environment in `folder` was made."""
    digest = hashlib.sha256((folder / "requirements.lock").read_bytes()).hexdigest()
    return folder / ".venv" / f"lock-{digest[:16]}"


def test_help_lists_every_target_in_a_line(checkout):
    """Each target has one line of help, and after an empty line each variable of the head of the Makefile has one."""
    finished = make(checkout, "help")
    assert finished.returncode == 0
    targets, _, variables = finished.stdout.partition("\n\n")
    lines = targets.splitlines()
    assert {line.partition("=")[0] for line in variables.splitlines()} >= {
        "PROFILE",
        "ONLY",
        "PYTHON",
        "DATA",
    }
    assert [line.split()[0] for line in lines] == TARGETS
    assert all(len(line.split()) > 3 for line in lines)
    assert "report" in TARGETS


def test_every_target_is_phony_and_the_first_is_the_report():
    """No file that happens to be called like a target stops it, and plain make builds the report."""
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == sorted(TARGETS)
    assert ".DEFAULT_GOAL := report" in MAKEFILE


def test_the_readme_names_targets_that_exist():
    """Each make command in the documents has a target or only variables."""
    text = "".join(
        (paths.ROOT / name).read_text(encoding="utf-8")
        for name in ("README.md", "CONTRIBUTING.md", "lstmstudy/techniques/README.md")
    )
    words = [word for command in re.findall(r"`make ([^`]+)`", text) for word in command.split()]
    named = {word for word in words if "=" not in word}
    assert {"report", "test", "bench", "plan", "lab"} <= named <= set(TARGETS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "-m lstmstudy report --profile=default"),
        (("report", "PROFILE=smoke"), "-m lstmstudy report --profile=smoke"),
        (("report", "ONLY=01_dropout"), "-m lstmstudy report --profile=default --only=01_dropout"),
        (("report", "SCHEDULER=tcp://h:1"), "-m lstmstudy report --profile=default --scheduler=tcp://h:1"),
        (("plan", "PROFILE=-x"), "-m lstmstudy plan --profile=-x"),
        (("verify",), "-m lstmstudy verify --profile=default --sample=3"),
        (("import", "FILE=my runs.zip"), "-m lstmstudy import -- my runs.zip"),
    ],
)
def test_make_hands_its_variables_to_the_command_line(checkout, base, words, expected):
    """Each verb gets what make was told, or the default, also where the checkout's path has a space."""
    assert make(checkout, *words, f"BASE_PYTHON={base}").returncode == 0
    assert (checkout / "asked.txt").read_text(encoding="utf-8").splitlines()[-1] == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.7.18", "Python 3.11 or newer is needed."),
        ("3.9.2", "Python 3.11 or newer is needed."),
        ("3.10.13", "Python 3.11 or newer is needed."),
        ("3.14.0rc1", "Python 3.13 or older is needed: the pinned TensorFlow has no wheels beyond."),
        ("4.0.0", "Python 3.13 or older is needed: the pinned TensorFlow has no wheels beyond."),
    ],
)
def test_a_python_that_does_not_fit_is_one_line(checkout, tmp_path, version, expected):
    """The line says what is needed, what was found, and how to give another; nothing is created."""
    python = script(tmp_path / "old python", f"#!/bin/sh\necho 'Python {version}'\n")
    finished = make(checkout, "report", f"BASE_PYTHON={python}")
    number = version.removesuffix("rc1")
    assert finished.returncode != 0
    assert own_lines(finished) == [
        f"make: {expected} Received: Python {number} ({python}). Give another: make BASE_PYTHON=python3.11"
    ]
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_not_there_is_one_line(checkout, tmp_path):
    """A BASE_PYTHON that does not exist is named."""
    finished = make(checkout, "report", f"BASE_PYTHON={tmp_path / 'none'}")
    (line,) = own_lines(finished)
    assert line.startswith("make: Python 3.11 or newer is needed. Received: no Python (")


def test_the_environment_is_created_once_from_the_lock(checkout, base):
    """The first call installs the lock with hashes and the package itself; the second does nothing."""
    first = make(checkout, "environment", f"BASE_PYTHON={base}")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("Creating .venv with Python 3.12.1 from requirements.lock: once, about ")
    assert len(first.stdout.splitlines()) == 1
    assert stamp(checkout).exists()
    asked = (checkout / "asked.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 3)[3] for line in asked] == [
        "-qq --no-deps --require-hashes -r requirements.lock",
        "-qq --no-deps --no-build-isolation -e .",
    ]
    second = make(checkout, "environment", "BASE_PYTHON=/nowhere")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")


def test_an_interrupted_creation_is_done_again_from_nothing(checkout, base):
    """An environment whose installation failed is not taken for a whole one, and leaves nothing behind."""
    (checkout / "fail").touch()
    failed = make(checkout, "environment", f"BASE_PYTHON={base}")
    assert failed.returncode != 0
    assert not stamp(checkout).exists()
    (checkout / ".venv" / "left over").touch()
    (checkout / "fail").unlink()
    assert make(checkout, "environment", f"BASE_PYTHON={base}").returncode == 0
    assert stamp(checkout).exists()
    assert not (checkout / ".venv" / "left over").exists()


def test_a_changed_lock_makes_a_new_environment(checkout, base):
    """After a change of requirements.lock the environment is built anew, from nothing."""
    make(checkout, "environment", f"BASE_PYTHON={base}")
    old = stamp(checkout)
    with (checkout / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    finished = make(checkout, "environment", f"BASE_PYTHON={base}")
    assert finished.stdout.startswith("Creating .venv")
    assert stamp(checkout).exists()
    assert not old.exists()


def test_an_environment_of_the_users_own_is_left_alone(checkout, base):
    """A .venv that make did not create is neither used nor deleted, and the line says what to do."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "mine").touch()
    finished = make(checkout, "environment", f"BASE_PYTHON={base}")
    assert finished.returncode != 0
    (line,) = own_lines(finished)
    assert line.startswith("make: .venv was not created by make, so it stays.")
    assert (checkout / ".venv" / "mine").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo 'Python 3.9.2'", "make: Python 3.11 or newer is needed."),
        ("exit 1", "make: PYTHON is the interpreter of an environment that you have."),
        (f'exec "{sys.executable}" -S -I "$@"', "make: The environment lacks: aeon ipykernel "),
    ],
)
def test_an_environment_that_does_not_do_is_one_line(checkout, tmp_path, text, expected):
    """PYTHON= with too old a Python, none, or one without the packages says so, and creates nothing."""
    python = script(tmp_path / "my python", f"#!/bin/sh\n{text}\n")
    finished = make(checkout, "report", f"PYTHON={python}")
    assert finished.returncode != 0
    (line,) = own_lines(finished)
    assert line.startswith(expected)
    assert "Received: " in line
    assert f"PYTHON={python}" in line
    assert not (checkout / ".venv").exists()


def test_an_environment_that_has_everything_is_used_as_it_is(checkout):
    """PYTHON= with the packages passes without a word, and creates nothing."""
    finished = make(checkout, "environment", f"PYTHON={sys.executable}")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert not (checkout / ".venv").exists()


def test_clean_keeps_the_runs_and_forget_deletes_them(checkout):
    """Cleaning deletes everything in reports/ but trained and published runs; forgetting just the trained ones."""
    reports = checkout / "reports"
    for name in ("store", "published", "default"):
        (reports / name).mkdir(parents=True)
        (reports / name / "file").touch()
    (reports / ".gitkeep").touch()
    assert make(checkout, "clean").returncode == 0
    assert sorted(path.name for path in reports.iterdir()) == [".gitkeep", "published", "store"]
    assert (reports / "store" / "file").exists()
    assert (reports / "published" / "file").exists()
    (reports / "default").mkdir()
    assert make(checkout, "forget").returncode == 0
    assert sorted(path.name for path in reports.iterdir()) == [".gitkeep", "default", "published"]


def requirement_names(text):
    """Return the names of the packages in lines of requirements."""
    names = re.findall(r"^([A-Za-z0-9][\w.-]*)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_the_lock_pins_everything_by_hash_and_names_no_index():
    """Each requirement has one exact version and at least one hash, and no line says where to get it."""
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = lock.replace("\\\n", " ").strip().splitlines()
    assert len(entries) > 50
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; [^\\]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+", entry), (
            entry
        )
    assert "://" not in lock


def test_what_the_package_needs_is_what_the_lock_is_made_from():
    """Dependencies in pyproject.toml are the runtime part of requirements.in, and the lock has all of it."""
    wanted, checks = (paths.ROOT / "requirements.in").read_text(encoding="utf-8").split("# checks\n")
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = requirement_names(wanted) - {
        "hatchling",
        "editables",
    }  # they build the package, and run none of it
    assert requirement_names("\n".join(project["dependencies"])) == runtime
    lock = requirement_names((paths.ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert runtime | requirement_names(checks) <= lock


def test_every_exact_version_in_pyproject_is_the_one_in_the_lock():
    """No dependency is pinned to another version than the lock has."""
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
    pins = [name.split(" ")[0] for name in names if "==" in name.split(" ")[0]]
    assert "distributed" in "".join(pins)
    assert all(f"\n{pin} " in lock for pin in pins)


def test_conda_gets_python_and_the_lock():
    """environment.yml has Python, pip and the lock, nothing pinned beside the lock."""
    content = yaml.safe_load((paths.ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["dependencies"] == ["python=3.11", "pip", {"pip": ["-r requirements.lock"]}]


def test_the_version_is_the_same_everywhere():
    """pyproject.toml, CITATION.cff and CHANGELOG.md speak of one version."""
    version = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert f"## {version}" in (paths.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_continuous_integration_runs_the_command_of_the_readme():
    """.ci/run can be executed, and runs the README's test command, the wheel and the published report."""
    run = paths.ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    lines = run.read_text(encoding="utf-8").splitlines()
    made = [" ".join(line.split()[:2]) for line in lines if line.startswith("make ")]
    assert made == ["make test", "make wheel", "make published"]
    assert lines[-1] == "git diff --exit-code --stat -- reports/published"
    assert "`make test`" in Path(paths.ROOT / "README.md").read_text(encoding="utf-8")
