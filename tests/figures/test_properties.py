"""The numbers behind a figure as CSV, whatever the names and numbers are."""

from __future__ import annotations

import csv
import io
import math

from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lstmstudy.figures.data import as_csv, keep

FORMULA = ("=", "+", "-", "@", "\t", "\r")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELLS = st.one_of(
    TEXTS, st.sampled_from(["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1"]), st.floats(), st.integers()
)


@st.composite
def tables(draw):
    """Return rows with the same columns in the same order."""
    columns = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    row = st.tuples(*[CELLS] * len(columns)).map(lambda cells: dict(zip(columns, cells, strict=True)))
    return draw(st.lists(row, min_size=1, max_size=4))


@given(tables())
@example([{"=1": "-nan", "-": "\r=1"}])
def test_a_spreadsheet_computes_nothing_and_every_number_is_there(rows):
    """Read back there are all rows, numbers with six digits; no text begins as a formula, and none has a line break."""
    ax = Figure().add_subplot()
    keep(ax, rows)
    header, *found = list(csv.reader(io.StringIO(as_csv(ax.figure)), strict=True))
    assert len(header) == len(rows[0])
    assert len(found) == len(rows)
    for cell in (*header, *(cell for row in found for cell in row)):
        assert "\n" not in cell
        assert not cell.startswith(FORMULA) or _is_number(cell)
    for row, cells in zip(rows, found, strict=True):
        for value, cell in zip(row.values(), cells, strict=True):
            if isinstance(value, float) and math.isfinite(value):
                assert math.isclose(float(cell), value, rel_tol=1e-5, abs_tol=1e-300)
            elif isinstance(value, int):
                assert int(cell) == value
            elif isinstance(value, str):
                assert cell.removeprefix("'") == _text(value).removeprefix("'")


def _text(value):
    """Return a value as a cell shows it, but for the quote before a formula."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return " ".join(str(value).split())


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
