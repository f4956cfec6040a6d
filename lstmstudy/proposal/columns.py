"""What each column of a user's table holds: numbers, times, names, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.cells import is_missing, is_number, is_time
from lstmstudy.data.own.columns import constant, numbers
from lstmstudy.data.own.table import read_table
from lstmstudy.data.own.times import read_times
from lstmstudy.parsing.strict_yaml import ParamsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.table import Table
    from lstmstudy.data.own.times import Times

_LONGEST = 200  # characters of a name that a profile may have
_COMPACT_DAY = 8  # digits of a date such as 20240331, which no measured number looks like throughout


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        name: As in the header.
        kind: What its cells are, where they are not missing.
        missing: Cells without a value.
        names: The text of each cell without blanks around it, (n,).
        numbers: Floats (n,), NaN where missing; None unless the kind is number.
        times: Dates or numbers (n,) to sort by; None if the column cannot be a time.
        problem: Why a column that begins like numbers or times is neither; else None.
    """

    name: str
    kind: Literal["number", "time", "text", "empty"]
    missing: int
    names: npt.NDArray[np.str_]
    numbers: npt.NDArray[np.float64] | None = None
    times: Times | None = None
    problem: ParamsError | None = None

    def told_apart(self, rows: npt.NDArray[np.int64] | slice = slice(None)) -> bool:
        """Whether some rows have a time each, no two of them the same."""
        return self.times is not None and len(np.unique(self.times[rows])) == len(self.times[rows])

    @property
    def distinct(self) -> int:
        """How many different texts there are."""
        return len(set(self.names.tolist()))

    @property
    def whole(self) -> bool:
        """Whether all cells are there and are whole numbers or texts, so that they can name something."""
        if self.missing or self.kind not in ("number", "text"):
            return False
        return self.numbers is None or bool((self.numbers == np.rint(self.numbers)).all())

    def varies(self, rows: npt.NDArray[np.int64] | slice = slice(None)) -> bool:
        """Whether the numbers of some rows differ by more than rounding."""
        if self.numbers is None:
            return False
        known = self.numbers[rows]
        known = known[~np.isnan(known)]
        return known.size > 1 and not bool(constant(known[:, None])[0])

    def counts(self, groups: Sequence[npt.NDArray[np.int64]]) -> bool:
        """Whether whole numbers never fall in any group and grow somewhere, as identifiers and years do."""
        gaps = self._gaps(groups)
        return gaps.size > 0 and bool((gaps >= 0).all() and (gaps > 0).any())

    def steps(self, groups: Sequence[npt.NDArray[np.int64]]) -> bool:
        """Whether whole numbers grow by one and the same step everywhere."""
        gaps = self._gaps(groups)
        return gaps.size > 0 and bool(gaps[0] > 0 and (gaps == gaps[0]).all())

    def _gaps(self, groups: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
        """Return the changes from row to row in all groups; none unless all cells are whole numbers."""
        values = self.numbers
        if values is None or not self.whole:
            return np.zeros(0)
        return np.concatenate([np.diff(values[rows]) for rows in groups])


def read_columns(
    data: Path, root: Path, *, target: str | None, label: str | None
) -> tuple[Table, dict[str, Column]]:
    """Return a table and what each of its columns holds, by name; columns without a name are left out.

    Args:
        data: The file, CSV or Parquet.
        root: The root of the checkout.
        target: A column that must be there, or None.
        label: The same.

    Raises:
        ParamsError: If it is no table, or a column is not there.
    """
    known: dict[str, Any] = {"target": target, "label": label, **table_key(data, root)}
    # All columns are read, as for sequences; which column plays which role is not known yet.
    table = read_table(OwnTask.model_construct(kind="classification", **known), root)
    return table, {name: _column(table, name) for name in table.cells if name and len(name) <= _LONGEST}


def table_key(data: Path, root: Path) -> dict[str, str]:
    """Return the key by which a profile names a file, and its path: from the root if it lies inside."""
    path = data.parent.resolve() / data.name  # a link to a file keeps its name
    inside = path.is_relative_to(root.resolve())
    key = "parquet" if path.suffix.casefold() in (".parquet", ".pq") else "csv"
    return {key: path.relative_to(root.resolve()).as_posix() if inside else path.as_posix()}


def _column(table: Table, name: str) -> Column:
    texts = [text.strip() for text in table.cells[name]]
    missing = sum(map(is_missing, texts))
    first = next((text for text in texts if not is_missing(text)), None)
    names = np.array(texts, dtype=str)
    if first is None:
        return Column(name, "empty", missing, names)
    try:
        if is_number(first):  # before times, as 1707.4 could be a month
            values = numbers(table, name, infinity=True)
            missing = int(np.isnan(values).sum())
            times = None if missing else read_times(table, name)
            dated = times is not None and times.dtype.kind == "M" and len(first) == _COMPACT_DAY
            return Column(
                name, "time" if dated else "number", missing, names, None if dated else values, times
            )
        if is_time(first):
            return Column(name, "time", missing, names, times=read_times(table, name))
    except ParamsError as error:
        return Column(name, "text", missing, names, problem=error)
    return Column(name, "text", missing, names)
