"""Bytes of a CSV file as columns of texts, or one line that says what is wrong with it."""

from __future__ import annotations

import csv
import io
import itertools
import re
from typing import TYPE_CHECKING

from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DELIMITERS = ("\t", ";", ",")  # where several fit, the comma may be a decimal mark
_LOOKED_AT = 100  # rows that tell the delimiter
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+\s*", re.ASCII)
_NO_TEXT = {  # how files begin that are often taken for CSV, and what to do
    b"PK\x03\x04": "a spreadsheet or archive: save the table as `CSV UTF-8`",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save the table as `CSV UTF-8`",
    b"\x1f\x8b": "compressed: unpack it",
    b"PAR1": "a Parquet file: name it by `parquet`",
    b"\xff\xfe": "UTF-16: convert it by `iconv -f UTF-16 -t UTF-8`",
    b"\xfe\xff": "UTF-16: convert it by `iconv -f UTF-16 -t UTF-8`",
}
_CONVERT = "save it as `CSV UTF-8`, or convert it by `iconv -f WINDOWS-1252 -t UTF-8`"


def check_text(data: bytes, where: str) -> None:
    """Raise a ParamsError unless `data` is UTF-8 text with something in it.

    Args:
        data: The whole file.
        where: Its name in messages.
    """
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise ParamsError(
            f"{where}: the file is empty. Expected a header and rows. Received: bytes={len(data)}"
        )
    for start, what in _NO_TEXT.items():
        if data.startswith(start):
            raise ParamsError(
                f"{where}: the file is {what}. Expected CSV as UTF-8 text. Received: first_bytes={shown(data[:4])}"
            )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ParamsError(
            f"{where}: line {line}: the file is not UTF-8 text at byte {error.start}. Expected UTF-8: {_CONVERT}. "
            f"Received: byte_{error.start}=0x{data[error.start]:02x}"
        ) from None
    if (zero := data.find(b"\0")) >= 0:
        raise ParamsError(
            f"{where}: the file has a zero byte at byte {zero}, as UTF-16 and binary files do. "
            f"Expected CSV as UTF-8 text: convert it by `iconv -f UTF-16 -t UTF-8`. Received: byte_{zero}=0x00"
        )


def _records(data: bytes, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each record begins, counted from 1, and its cells: none for a blank line."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ParamsError(
            f"{where}: line {line}: a quoted cell is not closed, or goes on after its quote ({error}). Expected cells "
            f'such as "a, b", each quote inside doubled. Received: line={line}'
        ) from None


def delimiter_of(data: bytes) -> str:
    r"""Return what separates cells, one of tab, `;` and `,`: what most rows have as often as the header.

    A single column is read with `;` if its numbers have decimal commas, as they would not fit into it else.
    """
    best, best_share = "", -1.0
    for delimiter in _DELIMITERS:
        widths = _widths(data, delimiter)
        share = sum(width == widths[0] for width in widths) / len(widths)
        if widths[0] > 1 and share > best_share:
            best, best_share = delimiter, share
    if best:
        return best
    with io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig") as lines:
        rows = [line for line in itertools.islice(lines, 1, _LOOKED_AT) if "," in line]
    return ";" if rows and all(_DECIMAL_COMMA.fullmatch(row) for row in rows) else ","


def _widths(data: bytes, delimiter: str) -> list[int]:
    """Return how many cells the header and each of the first rows have; 0 where a record breaks."""
    widths = []
    try:
        for _, cells in itertools.islice(_records(data, delimiter, ""), _LOOKED_AT):
            if cells:
                widths.append(len(cells))
    except ParamsError:
        widths.append(0)
    return widths or [0]


def parse_csv(
    data: bytes, where: str, *, pick: Callable[[list[str], str], list[int]], max_rows: int
) -> tuple[list[str], dict[str, list[str]], list[int], str]:
    """Return the header, the cells of some columns by name, the line at which each row begins, and the delimiter.

    Blank lines are left out, but those between the rows of a single column, which are missing cells. So are
    rows without any content at the end.

    Args:
        data: The whole file, checked by `check_text`.
        where: Its name in messages.
        pick: From the header and its line to the positions of the columns to keep; it raises what is wrong there.
        max_rows: More are an error.

    Raises:
        ParamsError: If a row has more or fewer cells than the header, a quote is not closed, or rows are too many.
    """
    delimiter = delimiter_of(data)
    records = _records(data, delimiter, where)
    blank: tuple[int, list[str]] = (1, [""])
    first, names = next((record for record in records if any(record[1])), blank)
    header = [name.strip().replace("\r\n", "\n") for name in names]
    kept = pick(header, f"line {first}")
    columns: list[list[str]] = [[] for _ in kept]
    lines: list[int] = []
    stop = 0  # behind the last row with any content
    for line, found in records:
        cells = found or [""]
        if cells == [""] and len(header) > 1:
            continue
        if len(cells) != len(header):
            raise _ragged(where, line, cells, header, delimiter)
        lines.append(line)
        for column, position in zip(columns, kept, strict=True):
            column.append(cells[position])
        if any(cell.strip() for cell in cells):
            stop = len(lines)
            if stop > max_rows:
                raise too_many(where, f"line {line}", max_rows)
    cells_of = {header[position]: column[:stop] for position, column in zip(kept, columns, strict=True)}
    return header, cells_of, lines[:stop], delimiter


def _ragged(where: str, line: int, cells: list[str], header: list[str], delimiter: str) -> ParamsError:
    """Return the error for a row that does not fit the header."""
    fix = (
        "quote a cell that holds the separator" if len(cells) > len(header) else "complete or delete the row"
    )
    if len(cells) > len(header) and delimiter == ",":
        fix += "; where the comma is a decimal mark, separate cells by `;`"
    name = {"\t": "tab"}.get(delimiter, f"`{delimiter}`")
    return ParamsError(
        f"{where}: line {line} has {len(cells)} cells and the header {len(header)}, separated by {name}. "
        f"Expected as many: {fix}. Received: line_{line}={shown(cells)}"
    )


def too_many(where: str, place: str, max_rows: int) -> ParamsError:
    """Return the error for a table that goes on at `place` after as many rows as are read."""
    return ParamsError(
        f"{where}: {place} comes after {max_rows} rows. Expected at most that many: take a shorter table, or raise "
        f"`max_rows` if there is memory for more. Received: max_rows={max_rows}"
    )
