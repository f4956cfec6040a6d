"""`make new` as a user runs it: one file that is never overwritten, three lines, and errors of one line."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from lstmstudy import paths

pytest_plugins = ["checkout"]

# Stands in for Python: it runs, lacks nothing, and repeats what it is told to do.
ECHO = """\
#!/bin/sh
case "$1" in
--version) echo "Python 3.12.1" ;;
-c) ;;
*) printf "%s|" "$@" ;;
esac
"""
SAID = ("PYTHON", "DATA", "NAME", "TARGET", "LABEL", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


@pytest.fixture
def table(checkout):
    """Write a table into a checkout, and return the checkout."""
    steps = np.arange(300)
    load = np.sin(steps / 12 * 2 * np.pi) + 0.2 * np.random.default_rng(0).normal(size=300)
    rows = "\n".join(f"{number:.4f},{-number:.4f}" for number in load)
    (checkout.root / "data.csv").write_text(f'load,"say ""$HOME"", it\'s"\n{rows}\n', encoding="utf-8")
    return checkout


def test_a_table_becomes_a_profile_that_plans(table):
    """Three lines say what was seen, what was written and what comes next; nothing is overwritten, and the profile plans."""
    done = table.study("new", "data.csv")
    assert done.returncode == 0, done.stderr
    seen, _, written = done.stdout.splitlines()
    assert seen.startswith("data.csv: a series of 300 rows, season 12; forecast is `load`")
    assert "make report PROFILE=mine, about" in written
    file = table.root / "params" / "mine.yaml"
    before = file.read_bytes()
    runs = int(written.split(": ")[1].split()[0])
    assert table.missing("mine")["all"] == runs
    again = table.study("new", "data.csv")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "params/mine.yaml: the file is there already" in again.stderr
    assert "NAME=another" in again.stderr
    assert file.read_bytes() == before
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("absent.csv",), "absent.csv: the file is missing"),
        (("data.csv", "--name", "a/b"), "The name of a profile"),
        (("data.csv", "--name", "tuned"), "The name of a profile"),
        (("data.csv", "--name", "smoke"), "params/smoke.yaml: the file is there already"),
        (
            ("data.csv", "--name", "published"),
            "`published` is the study whose runs lie in reports/published/",
        ),
        (("data.csv", "--target", "laod"), "Did you mean `load`"),
        (("--", ""), "DATA=data.csv"),
    ],
)
def test_a_wrong_word_is_one_line_and_writes_nothing(table, words, part):
    """What is wrong ends in one line on stderr and in the exit code, before anything is measured."""
    before = sorted((table.root / "params").iterdir())
    done = table.study("new", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert part in done.stderr
    assert sorted((table.root / "params").iterdir()) == before


def test_make_hands_over_what_stands_on_its_command_line(tmp_path):
    """Columns with quotes arrive as they are, and a NAME of the shell is not taken for that of the profile."""
    script = tmp_path / "python"
    script.write_text(ECHO, encoding="utf-8")
    script.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key not in SAID}
    environment |= {"NAME": "host", "LABEL": "other"}
    target = """say "so", it's"""
    done = subprocess.run(
        ["make", "new", f"PYTHON={script}", "DATA=my data.csv", f"TARGET={target}"],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith(f"-m|lstmstudy|new|--target={target}|--|my data.csv|")
    assert "--name" not in done.stdout
    assert "--label" not in done.stdout
    assert sys.executable not in done.stdout
