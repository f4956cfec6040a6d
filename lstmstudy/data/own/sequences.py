"""Labelled sequences from a user's table: the steps of each in order, and one class for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.masking import known_steps
from lstmstudy.data.own.cells import is_infinite, is_missing, is_number, label
from lstmstudy.data.own.columns import check_known, constant, grouped, numbers
from lstmstudy.data.own.table import read_table
from lstmstudy.data.own.times import in_order, read_times
from lstmstudy.data.windows import fill_backward_looking
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.section import OwnTask
    from lstmstudy.data.own.table import Table

LONGEST = 1000  # steps of a sequence, where `window` does not say
FEWEST = 4  # sequences of each class, for the parts
_MOST_NUMBERS = 1 << 28  # of all sequences padded to the longest: 2 GiB


@dataclass(frozen=True, eq=False)
class OwnSequences:
    """Labelled sequences before scaling, in the order in which they first appear in the table.

    Attributes:
        x: Float64 (n, T, F), in the units of the table, zeros after the end of each sequence; T is the longest.
        lengths: Int32 (n,), valid steps.
        labels: Int32 (n,), positions in `classes`.
        classes: Names of the classes, sorted: as numbers if all of them are, else as text.
        features: Names of the F columns.
    """

    x: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]
    classes: tuple[str, ...]
    features: tuple[str, ...]


def read_sequences(own: OwnTask, root: Path) -> OwnSequences:
    """Return the labelled sequences of a user's table.

    Args:
        own: What the profile says, of the kind classification.
        root: The folder that its path is relative to.

    Raises:
        ParamsError: If anything is wrong with the table: one line with file, column, row and what to do.
    """
    table, sequence = read_table(own, root), own.sequence or ""
    groups = grouped(table, sequence, "sequence")
    if own.time is not None:
        times = read_times(table, own.time)
        groups = {
            name: in_order(table, own.time, times, rows, f"sequence `{label(name)}`")
            for name, rows in groups.items()
        }
    classes, labels = _classes(own, table, groups)
    features = own.features or _numeric_columns(own, table)
    infinity = own.missing != "refuse"
    values = np.column_stack([numbers(table, column, infinity=infinity) for column in features])
    check_known(table, features, values, own.missing)
    read = _known_steps if own.missing == "mask" else _filled_steps
    steps = [read(table, features, values, name, rows) for name, rows in groups.items()]
    _check_differ(table, features, np.concatenate(steps))
    lengths = np.array([len(each) for each in steps], dtype=np.int32)
    _check_lengths(own, table, groups, lengths)
    size = len(steps) * int(lengths.max()) * len(features)
    if size > _MOST_NUMBERS:
        raise ParamsError(
            f"{table.where}: {len(steps)} sequences of {len(features)} features, padded to the longest of "
            f"{lengths.max()} steps, do not fit into memory. Expected at most {_MOST_NUMBERS} numbers: take fewer features "
            f"or shorter sequences. Received: numbers={size}"
        )
    x = np.zeros((len(steps), lengths.max(), len(features)))
    for row, each in zip(x, steps, strict=True):
        row[: len(each)] = each
    return OwnSequences(x, lengths, labels, classes, features)


def _classes(
    own: OwnTask, table: Table, groups: dict[str, npt.NDArray[np.int64]]
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Return the names of the classes, and the class of each sequence."""
    column = own.label or ""
    of_rows = np.empty(len(table), dtype=object)
    for name, rows in grouped(table, column, "class").items():
        of_rows[rows] = name
    of_sequences = []
    for sequence, rows in groups.items():
        first = of_rows[rows[0]]
        other = np.flatnonzero(of_rows[rows] != first)
        if other.size:
            row, start = min(rows[0], rows[other[0]]), max(rows[0], rows[other[0]])
            problem = (
                f"sequence `{label(sequence)}` has the class `{label(of_rows[row])}` in {table.line(row)}"
            )
            expected = (
                "one class for all rows of a sequence: correct one of them, or tell the sequences apart"
            )
            raise table.fault(start, column, problem, expected)
        of_sequences.append(first)
    names, codes = class_codes(np.array(of_sequences, dtype=str))
    counts = np.bincount(codes)
    if len(names) < 2:
        raise ParamsError(
            f"{table.where}: column `{label(column)}`: there is one class only. Expected at least two: name another column "
            f"as `label`, or add sequences of another class. Received: {label(column)}={shown(names[0])}"
        )
    rarest = int(counts.argmin())
    if counts[rarest] < FEWEST:
        name = names[rarest]
        first_row = next(rows[0] for rows, code in zip(groups.values(), codes, strict=True) if code == rarest)
        problem = f"class `{label(name)}` has {counts[rarest]} of {len(of_sequences)} sequences"
        expected = (
            f"at least {FEWEST} of each class, for training, validation and test: add some, or leave it out"
        )
        raise table.fault(first_row, column, problem, expected)
    return names, codes


def class_codes(labels: npt.NDArray[np.str_]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """Return the names of the classes, sorted as numbers if all of them are, and the position of each label in them."""
    names, codes = np.unique(labels, return_inverse=True)
    if all(is_number(str(name), ".") for name in names):
        order = np.argsort([float(name) for name in names], kind="stable")
        names, codes = names[order], np.argsort(order)[codes]
    return tuple(map(str, names)), codes.astype(np.int32)


def _numeric_columns(own: OwnTask, table: Table) -> tuple[str, ...]:
    """Return the names of all columns of numbers that have no other role: those that begin with a number."""
    taken = {name for _, name in own.columns()}
    found = []
    for column, cells in table.cells.items():
        known = (cell.strip() for cell in cells if not is_missing(cell))
        first = next((cell for cell in known if not is_infinite(cell)), "")
        if column not in taken and is_number(first):
            found.append(column)
    if not found:
        names = [label(name) for name in table.header]
        raise ParamsError(
            f"{table.where}: no further column has numbers. Expected at least one feature beside sequence, label and time. "
            f"Received: header={shown(names)}"
        )
    return tuple(found)


def _check_differ(table: Table, features: tuple[str, ...], values: npt.NDArray[np.float64]) -> None:
    """Raise a ParamsError if a feature never changes."""
    for column, same in zip(features, constant(values), strict=True):
        if same:
            raise ParamsError(
                f"{table.where}: column `{label(column)}` is the same in each row. Expected features that differ: list the "
                f"others as `features`. Received: {label(column)}={shown(table.cells[column][0])}"
            )


def _known_steps(
    table: Table,
    features: tuple[str, ...],
    values: npt.NDArray[np.float64],
    name: str,
    rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the steps of one sequence in which every feature is known, (T, F)."""
    known = known_steps(values[rows])
    if not known.any():
        problem = f"sequence `{label(name)}` has no row with a number in each feature"
        expected = "at least one, as all others are skipped: leave the sequence or a feature out"
        column = features[int(np.isnan(values[rows[0]]).argmax())]
        raise table.fault(int(rows[0]), column, problem, expected)
    return values[rows[known]]


def _filled_steps(
    table: Table,
    features: tuple[str, ...],
    values: npt.NDArray[np.float64],
    name: str,
    rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the steps of one sequence, (T, F), from the first on by which every feature has been known."""
    steps = values[rows]
    missing = np.isnan(steps)
    if not missing.any():
        return steps
    if (unknown := missing.all(axis=0)).any():
        problem = f"sequence `{label(name)}` has no number here in any row"
        expected = "at least one to repeat in the others: leave the sequence or the feature out"
        raise table.fault(int(rows[0]), features[int(unknown.argmax())], problem, expected)
    start = int((~missing).argmax(axis=0).max())
    return np.column_stack([fill_backward_looking(column)[-(len(steps) - start) :] for column in steps.T])


def _check_lengths(
    own: OwnTask, table: Table, groups: dict[str, npt.NDArray[np.int64]], lengths: npt.NDArray[np.int32]
) -> None:
    """Raise a ParamsError if a sequence has more steps than are allowed."""
    longest, cap = int(lengths.argmax()), own.window or LONGEST
    if lengths[longest] > cap:
        rows = list(groups.values())[longest]
        problem = f"the sequence that begins here has {lengths[longest]} steps"
        expected = f"at most {cap}: cut it, take every second row, or set `window` higher, to 10000 at most"
        raise table.fault(int(rows.min()), own.sequence or "", problem, expected)
