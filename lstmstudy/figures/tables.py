"""Tables that a screen reader can walk through, from data frames."""

from __future__ import annotations

import math
import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from lstmstudy.figures.labels import MINUS, NOT_AVAILABLE, effect_text
from lstmstudy.figures.show import publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lstmstudy.stats.effects import Effect

_NOTEBOOK = re.compile(r"[\w-]+\.ipynb(#[\w-]+)?")
_SHORT, _LONG = 24, 50  # characters; an estimate with its interval stays on one line


class Cell(NamedTuple):
    """A cell that is more than its text.

    Attributes:
        text: What it shows.
        sort: The number by which the report sorts its column; None for the text itself.
        notebook: File name of the notebook to which it leads; the report leads to its chapter.
        kind: A word by which the report's style marks it, such as a verdict.
    """

    text: str
    sort: float | None = None
    notebook: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return self.text


def effect_cell(effect: Effect) -> Cell:
    """Return an effect in percent with its interval, sorted by its estimate."""
    return Cell(effect_text(effect), effect.estimate)


def table(
    frame: pd.DataFrame, *, caption: str, filters: Sequence[str] = (), ids: Sequence[str] | None = None
) -> None:
    """Display `frame` as an HTML table with a caption, a scope on every header and escaped cells.

    Numbers stand at the right, floats with four significant digits; a missing value reads "not
    available". Where the index is only a count of rows, the first column names the rows. In the report
    every table can be sorted by each column and saved as CSV.

    Args:
        frame: The table, of numbers, texts and cells. Several levels of columns or of the index are not
            supported.
        caption: What it shows.
        filters: Columns by whose values, and by words, the report can filter the rows.
        ids: An id for each row, to which a link may lead.

    Raises:
        ValueError: If the caption is empty, the frame has no column or lacks one of `filters`, a header has
            several levels, or there are more or fewer ids than rows.
    """
    if not caption.strip():
        msg = f"`caption` says what the table shows. Expected a sentence. Received: caption={caption!r}"
        raise ValueError(msg)
    if frame.columns.nlevels > 1 or frame.index.nlevels > 1 or not len(frame.columns):
        msg = (
            "A table has one level of headers and at least one column. Received: "
            f"columns={list(frame.columns)}, levels of the index={frame.index.nlevels}"
        )
        raise ValueError(msg)
    if not set(filters) <= set(frame.columns) or (ids is not None and len(ids) != len(frame)):
        msg = (
            "Filters are columns of the table, and ids are as many as its rows. Received: "
            f"filters={list(filters)}, columns={list(frame.columns)}, ids={ids}, rows={len(frame)}"
        )
        raise ValueError(msg)
    html = table_html(frame, caption=caption.strip(), filters=filters, ids=ids)
    publish(
        {"text/html": html, "text/plain": f"{caption.strip()}\n{frame.map(_text).to_string()}"},
        raw=True,
        metadata={"lstmstudy": {"table": caption.strip()}},
    )


def table_html(
    frame: pd.DataFrame, *, caption: str, filters: Sequence[str] = (), ids: Sequence[str] | None = None
) -> str:
    """Return what `table` displays, as HTML."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.rename_axis(index=str(frame.index.name or "")).reset_index()
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    numeric = [
        (is_numeric_dtype(column) and not is_bool_dtype(column))
        or any(isinstance(value, Cell) and value.sort is not None for value in column)
        for column in columns
    ]
    head = "".join(
        f'<th scope="col" style="text-align:{"right" if right else "left"}">{escape(str(column.name))}</th>'
        if str(column.name)
        else "<td></td>"  # an empty header would be announced as one
        for column, right in zip(columns, numeric, strict=True)
    )
    body = []
    for number, row in enumerate(zip(*columns, strict=True)):
        wrap = _width(len(_text(row[0])))
        cells = [f'<th scope="row" style="text-align:left{wrap}"{_marks(row[0])}>{_content(row[0])}</th>']
        for value, right in zip(row[1:], numeric[1:], strict=True):
            side = "right" if right else "left"
            wrap = _width(len(_text(value)))
            cells.append(f'<td style="text-align:{side}{wrap}"{_marks(value)}>{_content(value)}</td>')
        place = f' id="{escape(ids[number])}"' if ids is not None else ""
        body.append(f"<tr{place}>{''.join(cells)}</tr>")
    places = " ".join(str(place) for place, column in enumerate(columns) if column.name in filters)
    filtered = f' data-filters="{places}"' if places else ""
    return (
        f'<table class="study-table"{filtered}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _width(length: int) -> str:
    """Return the style by which a short text stays on one line, and a long one on not too many."""
    if length <= _SHORT:
        return ";white-space:nowrap"
    return f";min-width:{13 if length > _LONG else 9}em"


def _marks(value: object) -> str:
    """Return the attributes of a cell by which the report sorts and styles it."""
    number = value.sort if isinstance(value, Cell) else value
    exact = isinstance(number, float) and math.isfinite(number)
    sort = f' data-sort="{number:.6g}"' if exact else ""
    return sort + (f' data-kind="{escape(value.kind)}"' if isinstance(value, Cell) and value.kind else "")


def _content(value: object) -> str:
    """Return what stands in a cell, as HTML."""
    text = escape(_text(value))
    if isinstance(value, Cell) and _NOTEBOOK.fullmatch(value.notebook):
        return f'<a href="{escape(value.notebook)}">{text}</a>'
    return text


def _text(value: object) -> str:
    import pandas as pd

    if isinstance(value, Cell):
        return value.text
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return NOT_AVAILABLE
    if isinstance(value, float):
        text = f"{value:.4g}"
        return text.replace("-", MINUS) if math.isfinite(value) else text.replace("inf", "infinite")
    return str(value)
