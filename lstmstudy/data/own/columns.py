"""Columns of a user's table: their numbers, and the rows that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.own.cells import (
    MISSING_WORDS,
    is_infinite,
    is_missing,
    is_number,
    label,
    may_have_thousands,
)
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstmstudy.data.own.section import Missing
    from lstmstudy.data.own.table import Table


_LARGEST = 1e100  # its square is finite
_SAME = 1e-10  # of the largest number: smaller differences are rounding, as of a line that is differenced


def constant(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return for each column whether its numbers are all equal, but for rounding.

    Args:
        values: Floats (n, n_columns), NaN where missing.

    Returns:
        Booleans (n_columns,).
    """
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    return np.asarray(spread <= np.maximum(_SAME * np.nanmax(np.abs(values), axis=0), 1 / _LARGEST))


def numbers(table: Table, column: str, *, infinity: bool = False) -> npt.NDArray[np.float64]:
    """Return the numbers of a column, floats (n,), NaN where missing.

    If a number of the column has a decimal comma, all of them have: a point is then an error.

    Args:
        table: The table.
        column: Its column.
        infinity: Whether an infinite number counts as missing instead of being an error.

    Raises:
        ParamsError: If a cell is text, infinite or too large, or nobody can tell whether a comma separates thousands.
    """
    texts = [text.strip() for text in table.cells[column]]
    mark, example = _decimal_mark(table, column, texts)
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        if is_missing(text):
            values[row] = np.nan
        elif is_number(text, mark):
            values[row] = float(text.replace(",", "."))
        elif is_infinite(text):
            values[row] = np.inf
        elif is_number(text):
            expected = (
                f"a decimal comma in every number, as in {table.line(example)}: write all of them alike"
            )
            raise table.fault(row, column, "there is a decimal point", expected)
        else:
            expected = f"numbers such as 1.5 without unit or thousands separators; {MISSING_WORDS}"
            raise table.fault(row, column, "this is no number", expected)
        if infinity and np.isinf(values[row]):
            values[row] = np.nan
        if abs(values[row]) > _LARGEST:
            problem = "infinity" if np.isinf(values[row]) else "too large a number"
            expected = (
                f"numbers up to {_LARGEST:g}: correct it, or leave the cell empty if the value is not known"
            )
            raise table.fault(row, column, problem, expected)
    return values


def _decimal_mark(table: Table, column: str, texts: list[str]) -> tuple[str, int]:
    """Return the decimal mark of a column, and a row that has it."""
    commas = [row for row, text in enumerate(texts) if "," in text and is_number(text, ",")]
    if not commas:
        return ".", 0
    if table.delimiter != ";" and all(may_have_thousands(texts[row]) for row in commas):
        expected = "a decimal point and no thousands separators: write 1.234 or 1234"
        raise table.fault(commas[0], column, "the comma may separate thousands or decimals", expected)
    return ",", commas[0]


def check_known(
    table: Table, columns: Sequence[str], values: npt.NDArray[np.float64], missing: Missing
) -> None:
    """Raise a ParamsError if a column has no number at all, or lacks one where that is refused.

    Args:
        table: For the message.
        columns: Names of the columns.
        values: Floats (n, n_columns).
        missing: What is done about a missing number.
    """
    for column, gaps in zip(columns, np.isnan(values).T, strict=True):
        if gaps.all():
            raise ParamsError(
                f"{table.where}: column `{label(column)}`: all {gaps.size} cells are missing. Expected numbers: name "
                f"another column. Received: {label(column)}={shown(table.cells[column][0])}"
            )
        if missing == "refuse" and gaps.any():
            expected = (
                "a number in each row: fill it in, or set `missing: fill` to repeat the last known one, "
                "`missing: mask` to skip such rows"
            )
            raise table.fault(int(gaps.argmax()), column, "the number is missing", expected)


def grouped(table: Table, column: str, what: str) -> dict[str, npt.NDArray[np.int64]]:
    """Return the rows of each name in a column, the names in the order in which they first appear.

    Args:
        table: The table.
        column: Its column of names.
        what: What they name.

    Raises:
        ParamsError: If a cell is empty.
    """
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(table.cells[column]):
        name = text.strip()
        if not name:
            raise table.fault(
                row, column, "the cell is empty", f"the name of a {what} in each row: fill it in"
            )
        rows.setdefault(name, []).append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}
