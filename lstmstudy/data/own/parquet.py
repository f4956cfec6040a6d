"""Bytes of a Parquet file as columns of texts; nothing in it is run, and no more is read than is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmstudy.data.own.cells import label
from lstmstudy.data.own.csv_text import too_many
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_LARGEST = 1 << 30  # bytes of the columns that are read, unpacked
_READ = (  # kinds of Arrow that are a number, a text or a time; others are nested or bytes
    "null",
    "boolean",
    "integer",
    "floating",
    "decimal",
    "string",
    "large_string",
    "string_view",
    "date",
    "time",
    "timestamp",
    "duration",
)


def parse_parquet(
    data: bytes,
    where: str,
    *,
    pick: Callable[[list[str], str], list[int]],
    named: Collection[str],
    max_rows: int,
) -> tuple[list[str], dict[str, list[str]], int]:
    """Return the header, the cells of some columns by name, and the number of rows.

    A cell of a number reads back as that number, a time with a zone is in UTC, and what is not there is empty.

    Args:
        data: The whole file.
        where: Its name in messages.
        pick: From the header and its place to the positions of the columns to keep; it raises what is wrong there.
        named: Names of the columns that must hold numbers, texts or times; others that do not are left out.
        max_rows: More are an error, and are not read.

    Raises:
        ParamsError: If the file is no Parquet, too large, or a named column holds something else.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        schema, rows = file.schema_arrow, file.metadata.num_rows
    except Exception as error:  # noqa: BLE001 - a damaged file can fail anywhere in its reader
        raise _unreadable(where, error) from None
    if rows > max_rows:
        raise too_many(where, f"row {max_rows + 1} of {rows}", max_rows)
    header = [name.strip() for name in schema.names]
    kept = []
    for position in pick(header, "the list of columns"):
        kind = _plain(schema.types[position])
        if any(getattr(pa.types, f"is_{name}")(kind) for name in _READ):
            kept.append(position)
        elif (name := header[position]) in named:
            raise ParamsError(
                f"{where}: column `{label(name)}` holds neither numbers nor texts nor times, and nothing else is read. Expected "
                f"one of these in each row: write the column anew, or leave it out. Received: {label(name)}={shown(str(kind))}"
            )
    names = [schema.names[position] for position in kept]
    try:
        size = _unpacked(file.metadata, names)
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(where, error) from None
    if size > _LARGEST:
        raise ParamsError(
            f"{where}: the columns are too large once unpacked. Expected at most {_LARGEST} bytes: take fewer columns or rows. "
            f"Received: bytes={size}"
        )
    try:
        table = file.read(columns=names, use_threads=False)
        cells = {name.strip(): _texts(table.column(name)) for name in names}
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable(where, error) from None
    return header, cells, rows


def _plain(kind: Any) -> Any:
    """Return what a type is made of: that of its values if it is a dictionary, of its storage if it is an extension."""
    import pyarrow as pa

    if isinstance(kind, pa.DictionaryType):
        return _plain(kind.value_type)
    return _plain(kind.storage_type) if isinstance(kind, pa.BaseExtensionType) else kind


def _unpacked(metadata: Any, names: Collection[str]) -> int:
    """Return the bytes of some columns, as the file states them."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names)


def _texts(column: Any) -> list[str]:
    """Return the cells of a column."""
    import pyarrow as pa

    kind = _plain(column.type)
    if pa.types.is_timestamp(kind):  # Python's times know no nanoseconds
        kind = pa.timestamp("us")
    values = column if column.type == kind else column.cast(kind, safe=False)
    return ["" if value is None else str(value) for value in values.to_pylist()]


def _unreadable(where: str, error: Exception) -> ParamsError:
    reason = label(str(error).strip() or type(error).__name__)
    return ParamsError(
        f"{where}: this is no Parquet file that can be read ({reason}). Expected a table: write it anew, or as CSV. Received: "
        f"file={shown(where)}"
    )
