"""Whether a table holds labelled sequences, and which columns say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.data.own.cells import label as short
from lstmstudy.data.own.sequences import FEWEST
from lstmstudy.parsing.strict_yaml import ParamsError, shown
from lstmstudy.proposal.roles import TIMES, Roles, listed, named, rows_of, together

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmstudy.data.own.table import Table
    from lstmstudy.proposal.columns import Column

    Groups = list[npt.NDArray[np.int64]]

LABELS = ("label", "class", "target", "y", "category", "activity", "kind")
IDENTIFIERS = ("id", "sequence", "seq", "sample", "case", "trial", "recording", "subject", "image")
_MOST_CLASSES = 50
_FEWEST_SEQUENCES = 20


class _Pair(NamedTuple):
    sequence: Column
    label: Column
    groups: Groups


def labelled_roles(table: Table, columns: dict[str, Column], label: str | None) -> Roles | None:
    """Return the roles of a table of labelled sequences; None if it is none and no label is named.

    Sequences are told apart by the column with the most of them within each of which the label is the same.
    Without a named label there must be few classes, and no column of dates unless the label's name says so.

    Raises:
        ParamsError: If no column tells the sequences of a named label apart, or there is nothing to learn from.
    """
    pairs = _pairs(columns, label)
    if not pairs:
        if label is None:
            return None
        raise ParamsError(
            f"{table.where}: no column tells sequences apart. Expected one with a name or number of each sequence, in "
            f"the rows of which `{short(label)}` is the same: add it, or name another LABEL. "
            f"Received: header={shown([short(name) for name in columns])}"
        )
    best = max(
        pairs, key=lambda each: (named(each.label.name, LABELS), each.label.kind == "text", len(each.groups))
    )
    groups, taken = best.groups, {best.sequence.name, best.label.name}
    free = [each for name, each in columns.items() if name not in taken]
    clock = _clock(free, groups)
    features: list[str] = []
    left: list[str] = []
    for each in free:
        if each.numbers is None or each is clock:
            continue
        usable = each.varies() and not each.steps(groups) and 2 * each.missing <= len(table)
        (features if usable else left).append(each.name)
    if not features:
        raise ParamsError(
            f"{table.where}: no column has numbers that vary beside sequence and label. Expected at least one: add it, "
            f"or name another LABEL. Received: header={shown([short(name) for name in columns])}"
        )
    roles: dict[str, str | tuple[str, ...]] = {"sequence": best.sequence.name, "label": best.label.name}
    others = dict.fromkeys(pair.label.name for pair in pairs if pair.label is not best.label)
    reasons = {
        "sequence": f"{len(groups)} sequences of {_lengths(groups)} steps",
        "label": f"{best.label.distinct} classes; the same in all rows of a sequence{listed('; so are ', others)}",
        "features": f"all columns of numbers that vary{listed('; without ', left)}",
    }
    if clock is not None:
        roles["time"] = clock.name
        reasons["time"] = "grows within each sequence"
    roles["features"] = tuple(features)
    return Roles("classification", roles, reasons, groups)


def _pairs(columns: dict[str, Column], label: str | None) -> list[_Pair]:
    """Return what may tell sequences apart, with what may be their label."""
    dated = any(each.kind == "time" for each in columns.values())
    found = []
    for sequence in columns.values():
        if not _tells_apart(sequence, label):
            continue
        groups = rows_of(sequence)
        for each in columns.values():
            if each is sequence or (label is not None and each.name != label):
                continue
            if label is None and not _labels(each, groups, by_name=dated):
                continue
            if _same(each, groups):
                found.append(_Pair(sequence, each, groups))
    return found


def _tells_apart(column: Column, label: str | None) -> bool:
    """Whether each value of a column may stand for a sequence of several rows."""
    if column.name == label or not column.whole or named(column.name, TIMES):
        return False
    return 1 < column.distinct <= len(column.names) / 2 and (
        together(column) or named(column.name, IDENTIFIERS)
    )


def _labels(column: Column, groups: Groups, *, by_name: bool) -> bool:
    """Whether a column may have the class of each group: few of them, each often enough."""
    if not column.whole or named(column.name, TIMES) or (by_name and not named(column.name, LABELS)):
        return False
    if len(groups) < _FEWEST_SEQUENCES or not 1 < column.distinct <= min(_MOST_CLASSES, len(groups) / FEWEST):
        return False
    _, counts = np.unique(column.names[[rows[0] for rows in groups]], return_counts=True)
    return bool(counts.min() >= FEWEST)


def _same(column: Column, groups: Groups) -> bool:
    """Whether all rows of each group have one value."""
    return all((column.names[rows] == column.names[rows[0]]).all() for rows in groups)


def _clock(free: list[Column], groups: Groups) -> Column | None:
    """Return the column that sorts the rows of each sequence: one that is named so, or that counts them."""
    timed = [
        each for each in free if each.times is not None and all(each.told_apart(rows) for rows in groups)
    ]
    by_name = [each for each in timed if each.kind == "time" or named(each.name, TIMES)]
    counting = sorted((each for each in timed if each.steps(groups)), key=lambda each: each.distinct)
    return next(iter(by_name + counting), None)


def _lengths(groups: Groups) -> str:
    sizes = sorted({len(rows) for rows in groups})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
