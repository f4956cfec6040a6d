"""Tables that a screen reader can walk through, from data frames."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from lstmstudy.figures.labels import MINUS, NOT_AVAILABLE
from lstmstudy.figures.show import publish

if TYPE_CHECKING:
    import pandas as pd

_SHORT = 18  # characters; an interval in brackets stays on one line


def table(frame: pd.DataFrame, *, caption: str) -> None:
    """Display `frame` as an HTML table with a caption, a scope on every header and escaped cells.

    Numbers stand at the right, floats with four significant digits; a missing value reads "not
    available". Where the index is only a count of rows, the first column names the rows.

    Args:
        frame: The table. Several levels of columns or of the index are not supported.
        caption: What it shows.

    Raises:
        ValueError: If the caption is empty, the frame has no column, or a header has several levels.
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
    publish(
        {"text/html": _html(frame, caption.strip()), "text/plain": f"{caption.strip()}\n{frame.to_string()}"},
        raw=True,
        metadata={"lstmstudy": {"table": caption.strip()}},
    )


def _html(frame: pd.DataFrame, caption: str) -> str:
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.rename_axis(index=str(frame.index.name or "")).reset_index()
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    numeric = [is_numeric_dtype(column) and not is_bool_dtype(column) for column in columns]
    head = "".join(
        f'<th scope="col" style="text-align:{"right" if right else "left"}">{escape(str(column.name))}</th>'
        if str(column.name)
        else "<td></td>"  # an empty header would be announced as one
        for column, right in zip(columns, numeric, strict=True)
    )
    body = []
    for row in zip(*columns, strict=True):
        cells = [f'<th scope="row" style="text-align:left">{escape(_text(row[0]))}</th>']
        for value, right in zip(row[1:], numeric[1:], strict=True):
            text = _text(value)
            side = "right" if right else "left"
            wrap = ";white-space:nowrap" if len(text) <= _SHORT else ""
            cells.append(f'<td style="text-align:{side}{wrap}">{escape(text)}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table class="study-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _text(value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return NOT_AVAILABLE
    if isinstance(value, float):
        text = f"{value:.4g}"
        return text.replace("-", MINUS) if math.isfinite(value) else text.replace("inf", "infinite")
    return str(value)
