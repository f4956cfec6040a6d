"""README.md can be believed: its examples run, and print what it shows."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from lstmstudy import paths
from lstmstudy.plan import make_plan

README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", README, flags=re.DOTALL)


@pytest.mark.parametrize(("code", "shown"), EXAMPLES)
def test_an_example_runs_and_prints_what_is_shown(code, shown):
    """Each block of Python works by itself, and what stands below it is its output."""
    assert len(EXAMPLES) == 2
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown


@pytest.mark.parametrize(
    ("profile", "said"), re.findall(r"`make(?: report PROFILE=(\w+))?` \|[^\n]*?, (\d[\d ]*) runs", README)
)
def test_a_study_has_as_many_runs_as_is_said(profile, said):
    """The counts in the table of commands are those of the plans."""
    assert len(make_plan(profile or "default").all_runs) == int(said.replace(" ", ""))
