"""The look of every figure of the study: sizes, fonts, markers and lines.

Colours stand in `colour`. An arm keeps its colour, marker and line in every figure, and colour is
never the only difference between two things.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib import pyplot as plt

from lstmstudy.figures.colour import GRID, INK, INK_SOFT, PAPER, oklch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2  # inches; the report's column
NOTE_SIZE = 8.5  # points, of direct labels and notes

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class SplitStyle(NamedTuple):
    """How the curve of one part of a fold is drawn."""

    label: str
    colour: str
    line: str


SPLITS = {
    "train": SplitStyle("training", "#6b7682", ":"),
    "validation": SplitStyle("validation", oklch(0.58, 0.11, 80), "--"),
    "test": SplitStyle("test", oklch(0.48, 0.09, 200), "-"),
}

_MARKERS = {"": "o", "per step": "o", "per sequence": "s", "on the candidate": "D"}
_LINES = {"": "-", "per step": "-", "per sequence": "--", "on the candidate": "-."}
_SPARE_MARKERS = ("^", "v", "P", "X", "p", "h")
_SPARE_LINES = ((0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 2)), (0, (4, 1, 1, 1, 1, 1)))

_RC = {
    "figure.dpi": 100,
    "figure.facecolor": PAPER,
    "savefig.facecolor": "auto",
    "axes.facecolor": "none",
    "axes.edgecolor": INK_SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name of a user's column is a dollar
    "xtick.color": INK_SOFT,
    "ytick.color": INK_SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "font.size": 9.5,
    "font.family": ["sans-serif"],
    # Comes with matplotlib and is wider than what readers have, so what fits here fits there.
    "font.sans-serif": ["DejaVu Sans"],
    "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
    "svg.hashsalt": "lstmstudy",  # the same figure gives the same bytes
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures have the look of the study; outside it nothing changes."""
    return mpl.rc_context(_RC)  # type: ignore[arg-type]  # the stub knows no union of values


def styled(plot: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Make a plot function draw in `style` without changing anybody's settings."""

    @functools.wraps(plot)
    def wrapper(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with style():
            return plot(*args, **kwargs)

    return wrapper


def new_axes(ax: Axes | None, *, height: float = 3.8) -> Axes:
    """Return `ax`, or the axes of a new figure of the report's width and `height` inches."""
    if ax is not None:
        return ax
    _, fresh = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    return fresh


@styled
def panels(titles: Sequence[str], *, columns: int = 2, height: float = 2.7) -> tuple[Figure, list[Axes]]:
    """Return a figure with one titled panel per entry of `titles`, and its axes in the same order.

    Args:
        titles: What each panel shows, such as the name of a task. At least one.
        columns: Panels in a row.
        height: Inches per row.

    Raises:
        ValueError: If there is no title.
    """
    if not titles:
        msg = f"A figure has at least one panel. Received: titles={titles!r}"
        raise ValueError(msg)
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    width = WIDTH if columns == 1 else 4.7 * columns
    size = (width, height * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    axes = list(grid.flat)
    for spare in axes[len(titles) :]:
        spare.remove()
    for title, ax in zip(titles, axes, strict=False):
        ax.set_title(title)
    return figure, axes[: len(titles)]


def marker(variant: str) -> str:
    """Return the marker of a variant, the same in every figure."""
    return _MARKERS.get(variant) or _SPARE_MARKERS[_place(variant, len(_SPARE_MARKERS))]


def line(variant: str) -> str | tuple[int, tuple[int, ...]]:
    """Return the line style of a variant, the same in every figure."""
    return _LINES.get(variant) or _SPARE_LINES[_place(variant, len(_SPARE_LINES))]


def _place(name: str, size: int) -> int:
    # Not Python's hash(), which differs from process to process.
    return hashlib.sha256(name.encode()).digest()[0] % size
