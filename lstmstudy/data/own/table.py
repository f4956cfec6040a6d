"""A user's table as columns of texts; a fault in it is one line that names file, row and column."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.own.cells import is_missing, is_number, is_time, label
from lstmstudy.data.own.csv_text import check_text, parse_csv
from lstmstudy.data.own.parquet import parse_parquet
from lstmstudy.parsing.sections import unknown
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.section import OwnTask

_LARGEST = 1 << 30  # bytes of a file
_LISTED = 30  # columns that a message names


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of texts by column; nothing in them is evaluated.

    Attributes:
        where: The file as messages name it.
        header: Names of all columns.
        cells: Column -> text of each row, as it stands in the file, for the columns that are used.
        lines: Int64 (n,), where each row begins: a line of a CSV file, or a row of a Parquet file, from 1.
        delimiter: What separates cells in a CSV file.
    """

    where: str
    header: tuple[str, ...]
    cells: dict[str, list[str]]
    lines: npt.NDArray[np.int64]
    delimiter: str = ""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def line(self, row: int) -> str:
        """Return where a row stands, such as ``"line 7"``.

        Args:
            row: Its position, from 0.
        """
        return f"{'line' if self.delimiter else 'row'} {self.lines[row]}"

    def fault(self, row: int, column: str, problem: str, expected: str) -> ParamsError:
        """Return the error for one cell.

        Args:
            row: Its position, from 0.
            column: Its column.
            problem: What is wrong, without a full stop.
            expected: What should be there and what to do, without a full stop.
        """
        received = f"{label(column)}={shown(self.cells[column][row])}"
        return ParamsError(
            f"{self.where}: {self.line(row)}, column `{label(column)}`: {problem}. Expected {expected}. "
            f"Received: {received}"
        )


def read_table(own: OwnTask, root: Path) -> Table:
    """Return the columns of a user's table that the task uses, all of them where it takes all features.

    Args:
        own: What the profile says.
        root: The folder that its path is relative to.

    Raises:
        ParamsError: If the file cannot be read as a table, has no header, or a named column is absent.
    """
    path, where = own.path(root), shown_path(own.path(root), root)
    data = _read_bytes(path, where)
    every = own.kind == "classification" and own.features is None

    def pick(header: list[str], place: str) -> list[int]:
        _check_header(header, where, place)
        _check_columns(header, own, where)
        used = {name for _, name in own.columns()}
        return [position for position, name in enumerate(header) if name in used or (every and name)]

    if own.csv is not None:
        check_text(data, where)
        header, cells, lines, delimiter = parse_csv(data, where, pick=pick, max_rows=own.max_rows)
    else:
        named = {name for _, name in own.columns()}
        header, cells, rows = parse_parquet(data, where, pick=pick, named=named, max_rows=own.max_rows)
        lines, delimiter = list(range(1, rows + 1)), ""
    if not lines:
        raise ParamsError(
            f"{where}: no row follows the header. Expected a row for each time step. Received: rows=0"
        )
    return Table(where, tuple(header), cells, np.array(lines, dtype=np.int64), delimiter)


def shown_path(path: Path, root: Path) -> str:
    """Return a file as messages name it: relative to the root, or else without its folders."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _read_bytes(path: Path, where: str) -> bytes:
    """Return the content of a file, or raise a ParamsError that says why it cannot be read."""
    wanted, received = "Expected a table", f"Received: file={shown(where)}"
    try:
        if path.is_dir():
            raise ParamsError(f"{where}: this is a folder. {wanted}: name the file in it. {received}")
        if not path.exists():
            raise ParamsError(
                f"{where}: the file is missing. {wanted} there, the path being relative to the root of the "
                f"checkout. {_near(path)}{received}"
            )
        if not path.is_file():
            raise ParamsError(f"{where}: this is a device or a pipe. {wanted} in a plain file. {received}")
        if (size := path.stat().st_size) > _LARGEST:
            raise ParamsError(
                f"{where}: the file is too large. Expected at most {_LARGEST} bytes: take fewer columns or rows. "
                f"Received: bytes={size}"
            )
        return path.read_bytes()
    except OSError as error:
        raise ParamsError(
            f"{where}: {error.strerror or 'it cannot be read'}. {wanted} that can be read: look at the path and its "
            f"permissions. {received}"
        ) from None


def _near(path: Path) -> str:
    """Return a sentence that names a file of a similar name beside `path`, or nothing."""
    siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f"Did you mean `{label(near[0])}`? " if near else ""


def _check_header(header: list[str], where: str, place: str) -> None:
    """Raise a ParamsError if the first line has values, or a name twice; names may be empty."""
    received = f"Received: header={shown(header)}"
    names = [name for name in header if name]
    if not names:
        raise ParamsError(
            f"{where}: {place} has no name. Expected a header, a name for each column. {received}"
        )
    if all(is_number(name) or is_missing(name) or is_time(name) for name in names):
        raise ParamsError(
            f"{where}: {place} has values where names are expected. Expected a header, a name for each column: write "
            f"one above the values. {received}"
        )
    for name, count in Counter(names).items():
        if count > 1:
            places = " and ".join(str(number) for number, each in enumerate(header, 1) if each == name)
            raise ParamsError(
                f"{where}: {place}: the name `{label(name)}` is there twice, in columns {places}. Expected each name "
                f"once: rename or delete one of them. {received}"
            )


def _check_columns(header: list[str], own: OwnTask, where: str) -> None:
    """Raise a ParamsError, with the nearest name, if a column of the profile is not there."""
    for key, name in own.columns():
        if name not in header:
            names = [each for each in header if each]
            near = difflib.get_close_matches(name, names, n=2)
            listed = dict.fromkeys(label(each) for each in (*names[:_LISTED], *near))
            more = len(names) - len(listed)
            note = f"There are {more} more columns. " if more > 0 else ""
            if len(header) == 1:
                note = "Cells are separated by comma, `;` or tab, and the header has none of them. "
            raise ParamsError(unknown("column", label(name), listed, note, f"{where}: {key}"))
