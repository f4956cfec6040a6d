"""The numbers behind a figure: a plot function keeps them with its axes, and a reader gets them as CSV."""

from __future__ import annotations

import csv
import io
import math
from numbers import Integral, Real
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMULA = ("=", "+", "-", "@")  # a spreadsheet computes a cell that begins so
_kept: WeakKeyDictionary[Axes, list[dict[str, object]]] = WeakKeyDictionary()


def keep(ax: Axes, rows: Iterable[Mapping[str, object]]) -> None:
    """Keep with `ax` the numbers that are drawn on it, for as long as it lives; a second call adds rows.

    Args:
        ax: What they are drawn on.
        rows: One for each thing drawn: by column, with its unit in the name, a number or a text.

    Raises:
        ValueError: If the rows of one call have different columns, or the same in another order.
    """
    fresh = [dict(row) for row in rows]
    columns = {tuple(row) for row in fresh}
    if len(columns) > 1:
        msg = f"Expected rows with the same columns in the same order. Received: columns={sorted(columns)}"
        raise ValueError(msg)
    _kept.setdefault(ax, []).extend(fresh)


def points(columns: Mapping[str, Iterable[object]], **same: object) -> list[dict[str, object]]:
    """Return a row for each point of something drawn, such as a line.

    Args:
        columns: Entries by column, (n_points,) each.
        **same: What is the same for all points, such as the name of the line; these columns come first.
    """
    return [{**same, **dict(zip(columns, row, strict=True))} for row in zip(*columns.values(), strict=True)]


def as_csv(figure: Figure) -> str:
    """Return what is kept with the axes of `figure`, in the order in which they were made; "" if nothing is.

    There is a column for every name, the first one seen first; where several axes have rows, the first
    column is `panel`, their title. Floats have six significant digits, and a cell is empty where there is
    no number. A line break in a text, made for the drawing, becomes a space. A text that a spreadsheet
    would take for a formula begins with a single quote.

    Args:
        figure: The figure; ``ax.figure`` of what a plot function returned.
    """
    panels = [(ax, _kept[ax]) for ax in figure.axes if _kept.get(ax)]
    rows = [{"panel": _title(ax), **row} if len(panels) > 1 else row for ax, kept in panels for row in kept]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if not columns:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _title(ax: Axes) -> str:
    return ax.get_title("left") or ax.get_title("center") or ax.get_title("right")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Integral):
        return str(value)
    if isinstance(value, Real):
        number = float(value) + 0.0  # zero has no sign
        return "" if math.isnan(number) else f"{number:.6g}"
    text = " ".join(str(value).split())
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
