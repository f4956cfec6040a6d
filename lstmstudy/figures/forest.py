"""A forest: every technique in a row, its effect over all tasks and on each."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from matplotlib import pyplot as plt

from lstmstudy.figures.colour import INK, INK_SOFT, PAPER, technique_colour
from lstmstudy.figures.data import keep
from lstmstudy.figures.labels import (
    NOT_AVAILABLE,
    no_difference_band,
    percent,
    percent_axis,
    right_text,
    signed,
)
from lstmstudy.figures.style import styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FURTHEST = math.log(2.5)  # an axis reaches no further than a factor of 2.5; what lies beyond is an arrow
_PER_TASK, _OVERALL, _ROW = 1.25, 2.1, 0.29  # inches
_LEAST = 9.4  # inches, for the words beneath
_TITLE = 13  # characters that a narrow panel has room for


class Interval(NamedTuple):
    """A mean log ratio with its 95 % interval; NaN where there is none."""

    estimate: float
    low: float
    high: float


class ForestRow(NamedTuple):
    """A technique and its effects.

    Attributes:
        name: Label of the row.
        technique: The technique that gives the row its colour.
        overall: Over all tasks.
        tasks: On each task; None where the technique makes no sense or has no run.
    """

    name: str
    technique: str
    overall: Interval
    tasks: Sequence[Interval | None]


@styled
def plot_forest(rows: Sequence[ForestRow], tasks: Sequence[str]) -> Figure:
    """Draw effects on the test error, the best on top: over all tasks at the left, on each of several beside it.

    The axes are log ratios, labelled in percent; the tasks share one scale. A marker is filled where the interval
    excludes no change, and an arrow where the effect lies beyond the axis.

    Args:
        rows: The techniques, in any order; those without a finite estimate come last.
        tasks: Titles of the tasks, in the order of each row's effects.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        msg = f"A forest has at least one row. Received: rows={rows!r}"
        raise ValueError(msg)
    ranked = sorted(rows, key=_rank)
    titles = list(tasks) if len(tasks) == 1 else ["All tasks", *tasks]  # a single task is all of them
    widths = [_OVERALL, *[_PER_TASK] * (len(titles) - 1)]
    size = (max(3.5 + sum(widths), _LEAST), 1.25 + _ROW * len(ranked))
    figure, grid = plt.subplots(
        1, len(widths), figsize=size, layout="constrained", sharey=True, width_ratios=widths, squeeze=False
    )
    overall = _limits([row.overall for row in ranked])
    each = _limits([found for row in ranked for found in row.tasks if found is not None])
    for place, (ax, title) in enumerate(zip(grid[0], titles, strict=True)):
        ax.set_title(fill(title, _TITLE if place else 3 * _TITLE), fontsize=8.8)
        low, high = overall if place == 0 else each
        percent_axis(ax, "x", low, high, apart=0.18 if place == 0 else 0.3)
        no_difference_band(ax, "x")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        for height, row in enumerate(ranked):
            found = row.overall if place == 0 else row.tasks[place - 1]
            ax.axhline(height, color=INK_SOFT, lw=0.4, alpha=0.35, zorder=0)
            if found is not None and math.isfinite(found.estimate):
                _draw(ax, height, found, technique_colour(row.technique))
        keep(ax, [_kept(row, place) for row in ranked])
    first = grid[0][0]
    first.set_yticks(range(len(ranked)), [row.name for row in ranked])
    first.set_ylim(len(ranked) - 0.4, -0.6)
    for height, row in enumerate(ranked):
        right_text(first, height, _words(row.overall))
    figure.supxlabel(
        "change of test error (%), left is better · bars: 95 % intervals · filled: interval excludes no change",
        fontsize=9.5,
        color=INK,
    )
    return figure


def _rank(row: ForestRow) -> tuple[bool, float, str]:
    known = math.isfinite(row.overall.estimate)
    return not known, row.overall.estimate if known else 0.0, row.name  # NaN would upset the sorting


def _limits(found: Sequence[Interval]) -> tuple[float, float]:
    """Return limits that show every interval, but no further than `_FURTHEST`."""
    ends = [end for each in found for end in each if math.isfinite(end)]
    low, high = min([*ends, -0.1]), max([*ends, 0.1])
    return max(1.08 * low, -_FURTHEST), min(1.08 * high, _FURTHEST)


def _draw(ax: Axes, height: int, found: Interval, colour: str) -> None:
    low, high = ax.get_xlim()
    if math.isfinite(found.low) and math.isfinite(found.high):
        ends = [max(found.low, low), min(found.high, high)]
        if ends[0] < ends[1]:
            ax.plot(ends, [height, height], color=colour, lw=2.0, zorder=3, solid_capstyle="round")
    if not low <= found.estimate <= high:
        edge, arrow = (high, ">") if found.estimate > high else (low, "<")
        ax.plot(edge, height, marker=arrow, ms=8, color=colour, ls="none", clip_on=False, zorder=4)
        return
    clear = found.high < 0 or found.low > 0  # never with NaN
    ax.plot(
        found.estimate,
        height,
        marker="o",
        ms=7,
        mec=colour,
        mew=1.6,
        mfc=colour if clear else PAPER,
        ls="none",
        zorder=4,
    )


def _kept(row: ForestRow, place: int) -> dict[str, object]:
    found = row.overall if place == 0 else row.tasks[place - 1]
    ends = (math.nan,) * 3 if found is None else found
    names = ("change of test error (%)", "lower end (%)", "upper end (%)")
    return {"technique": row.name, **dict(zip(names, map(percent, ends), strict=True))}


def _words(found: Interval) -> str:
    if not math.isfinite(found.estimate):
        return NOT_AVAILABLE
    text = f"{signed(percent(found.estimate), 1)} %"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return text
    return f"{text} [{signed(percent(found.low), 1)}, {signed(percent(found.high), 1)}]"
