"""The tutorial, top to bottom in a real kernel, as somebody who has just cloned the project would run it."""

from __future__ import annotations

import csv

import nbformat
import pytest
from nbclient import NotebookClient

from lstmstudy import paths

pytest_plugins = ["checkout"]

ADDED = 'study.ablate(study.arm(RecurrentDropout(0.37, "candidate")))'
SMALL = {"units: 6 ": "units: 2 ", "epochs: 30 ": "epochs: 2 "}


@pytest.fixture
def executed(checkout):
    """Return the executed tutorial, one cell more that adds an arm, and the checkout; its study is a smaller one."""
    for old, new in SMALL.items():
        checkout.edit("params/tutorial.yaml", old, new)
    notebook = nbformat.read(paths.NOTEBOOKS / "tutorial.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ADDED, id="added"))
    environment = {**checkout.environment, "JUPYTER_PLATFORM_DIRS": "1"}
    client = NotebookClient(
        notebook,
        timeout=500,
        kernel_name="python3",
        resources={"metadata": {"path": str(checkout.root / "notebooks")}},
    )
    with client.setup_kernel(env=environment):
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
    return notebook, checkout


def shown(cell, kind="text/html"):
    """Return what a cell shows last as a result."""
    return next(
        output.data[kind] for output in reversed(cell.outputs) if output.output_type == "execute_result"
    )


def test_the_tutorial_runs_top_to_bottom(executed):
    """Every cell runs and shows what its prose says: figures, comparisons, numbers, a diagnosis and a study of one's own."""
    notebook, checkout = executed
    cells = {cell.source: cell for cell in notebook.cells if cell.cell_type == "code"}

    def cell(words):
        (found,) = [cells[source] for source in cells if words in source]
        return found

    assert not [each for each in cells.values() for output in each.outputs if output.output_type == "error"]
    figures = [
        each
        for each in cells.values()
        if any("image/png" in output.get("data", {}) for output in each.outputs)
    ]
    assert len(figures) == sum("show(" in source for source in cells)
    assert "Study tutorial" in shown(cell("study = open_study"))
    for name in ("recurrent dropout 0.2 per sequence", "zoneout", "layer norm", "dropout 0.6 per step"):
        assert name in shown(cell("others = study.ablate"))
    for name in ("input noise 0.1", "input noise 0.3", "dropout 0.6 per step"):
        assert name in shown(cell("study.results"))
    assert "epoch" in shown(cell("diagnose(history)"), "text/plain")
    assert "my_data" in shown(cell("first = own.ablate"))
    assert "recurrent dropout 0.37 on the candidate" in shown(cells[ADDED])

    written = {path.name for path in (checkout.root / "notebooks").glob("my_*")}
    assert written == {"my_technique.py", "my_data.csv"}
    with (checkout.root / "notebooks" / "my_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["month", "temperature"]
    assert len(rows) == 1 + 61 * 12
    profile = (checkout.root / "params" / "my_data.yaml").read_text(encoding="utf-8")
    assert "csv: notebooks/my_data.csv" in profile
    assert "period: 12" in profile
