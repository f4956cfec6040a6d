"""The smoke study as it is shipped: every chapter of the report, with every technique."""

from __future__ import annotations

import re

import nbformat
import pytest

from lstmstudy import paths
from lstmstudy.params import load_profile
from lstmstudy.techniques import TECHNIQUES

pytest_plugins = ["checkout"]

CHAPTERS = [path.stem for path in sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]


@pytest.mark.timeout(1200)
def test_the_shipped_smoke_study_runs_all_twelve_notebooks(shipped):
    """One command trains every technique in small; no notebook fails or complains, and nothing is left out."""
    assert len(CHAPTERS) == 12
    assert set(load_profile("smoke").techniques) == set(TECHNIQUES)
    finished = shipped.report()
    assert (finished.returncode, finished.stderr) == (0, "")
    executed = re.findall(r"^(\w+): executed, because of ", finished.stdout, flags=re.MULTILINE)
    assert sorted(executed) == CHAPTERS
    assert set(shipped.missing().values()) == {0}
    page = shipped.page()
    assert "This chapter failed." not in page
    assert "This profile has no" not in page
    assert "This profile trains no" not in page
    for name in CHAPTERS:
        notebook = nbformat.read(shipped.root / "reports" / "smoke" / "notebooks" / f"{name}.ipynb", 4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.get("name") == "stderr"], name
        found = [
            output for output in outputs if output.get("metadata", {}).get("lstmstudy", {}).get("finding")
        ]
        assert found, name
    before = shipped.outcomes()
    again = shipped.report()
    assert again.stdout.splitlines()[:2] == [
        f"runs: all {len(before)} are stored",
        "notebooks: nothing changed",
    ]
    assert (shipped.outcomes(), shipped.page()) == (before, page)
