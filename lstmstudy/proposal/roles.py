"""Which column of a table plays which role, and why; what the user says comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmstudy.data.own.cells import label as short
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from lstmstudy.data.own.table import Table
    from lstmstudy.proposal.columns import Column

    Groups = list[npt.NDArray[np.int64]]

TIMES = ("time", "date", "datetime", "timestamp", "ds", "year", "quarter", "month", "week", "weekday", "day", "hour",
         "minute", "second", "season", "step", "t")  # fmt: skip
TARGETS = (
    "target",
    "y",
    "value",
    "load",
    "price",
    "demand",
    "sales",
    "consumption",
    "power",
    "close",
    "temperature",
)
_FEWEST_ROWS = 20  # of a series, where no time tells series apart
_LEARNED = 0.45  # of the rows, in which a column has to vary: about what the first of three folds learns from
_NAMED = 6  # columns that a comment lists


@dataclass(frozen=True)
class Roles:
    """The columns of a task by role.

    Attributes:
        kind: What is predicted.
        columns: By key of the profile: a name, or names under ``features``.
        reasons: For each of these keys a comment.
        groups: The rows of each series or sequence, in the order of the file.
    """

    kind: Literal["forecasting", "classification"]
    columns: dict[str, str | tuple[str, ...]]
    reasons: dict[str, str]
    groups: Groups = field(default_factory=list)


def forecasting_roles(table: Table, columns: dict[str, Column], target: str | None) -> Roles:
    """Return the roles of a table with one or several series.

    Raises:
        ParamsError: If there is nothing to forecast.
    """
    clock, series = _clock(columns, {target})
    groups = rows_of(columns[series]) if series else [np.arange(len(table))]
    taken = {clock, series}
    known = [each for name, each in columns.items() if name not in taken and _usable(each, groups)]
    counters = [each for each in known if each.counts(groups) and each.name != target]
    fitting = [each for each in known if each not in counters] or [
        each for each in counters if not each.steps(groups)
    ]
    chosen, why = _target(table, columns, fitting, target)
    others = tuple(each.name for each in fitting if each.name != chosen)
    roles: dict[str, str | tuple[str, ...]] = {"target": chosen}
    reasons = {"target": why + listed("; other columns of numbers: ", others)}
    if series:
        roles["series"] = series
        reasons["series"] = f"{len(groups)} series, told apart by this column"
    if clock:
        roles["time"] = clock
    if others:
        roles["features"] = others
    left = listed(
        "; no features, as they only count rows: ", [each.name for each in counters if each.name != chosen]
    )
    reasons["target"] += left
    return Roles("forecasting", roles, reasons, groups)


def rows_of(column: Column) -> Groups:
    """Return the rows of each name in a column."""
    _, codes = np.unique(column.names, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def named(column: str, words: Sequence[str]) -> bool:
    """Whether one of some words stands in the name of a column by itself."""
    return not set(re.split(r"[\W_]+", column.casefold())).isdisjoint(words)


def _usable(column: Column, groups: Groups) -> bool:
    """Whether a column has numbers that vary where the first fold learns, most of them known."""
    if column.numbers is None or 2 * column.missing > len(column.numbers):
        return False
    return column.varies(np.concatenate([rows[: max(2, int(_LEARNED * len(rows)))] for rows in groups]))


def _clock(columns: dict[str, Column], taken: set[str | None]) -> tuple[str | None, str | None]:
    """Return the column of times and that of the series, each None where there is none."""
    free = [each for name, each in columns.items() if name not in taken]
    dates = [each for each in free if each.kind == "time"]
    clocks = dates + [each for each in free if each.kind == "number" and named(each.name, TIMES)]
    clocks = [each for each in clocks if each.times is not None]
    names = [
        each
        for each in free
        if each.whole and each not in clocks and 1 < each.distinct <= len(each.names) / 4
    ]
    names.sort(key=lambda each: (each.kind != "text", each.distinct))
    for clock in clocks:
        if clock.told_apart():
            return clock.name, None
        for name in names:
            if all(clock.told_apart(rows) for rows in rows_of(name)):
                return clock.name, name.name
    broken = [each for each in free if each.problem is not None and named(each.name, TIMES)]
    if broken and not dates and broken[0].problem is not None:
        raise broken[0].problem
    if dates:
        return dates[0].name, None  # some times are there twice, and the reader says which
    blocks = [each for each in names if each.kind == "text" and together(each) and _long(each)]
    return None, blocks[0].name if blocks else None


def together(column: Column) -> bool:
    """Whether the rows of each name follow one another."""
    return 1 + int((column.names[1:] != column.names[:-1]).sum()) == column.distinct


def _long(column: Column) -> bool:
    return min(map(len, rows_of(column))) >= _FEWEST_ROWS


def _target(
    table: Table, columns: dict[str, Column], fitting: Sequence[Column], target: str | None
) -> tuple[str, str]:
    """Return the name of the column to forecast, and why it is that one."""
    if target is not None:
        if (problem := columns[target].problem) is not None:
            raise problem
        return target, "as you said"
    names = [each.name for each in fitting]
    for word in TARGETS:
        for name in names:
            if named(name, (word,)):
                return name, "by its name"
    if not names:
        problems = [each.problem for each in columns.values() if each.problem is not None]
        if problems:
            raise problems[0]
        raise ParamsError(
            f"{table.where}: no column has numbers that vary. Expected one to forecast, or a label and a sequence: name "
            f"it by TARGET, or by LABEL. Received: header={shown([short(name) for name in columns])}"
        )
    return names[-1], "the only column of numbers" if len(names) == 1 else "the last column of numbers"


def listed(words: str, names: Iterable[str]) -> str:
    """Return names as a comment lists them after some words; nothing if there are none."""
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return words + ", ".join(map(short, names[:_NAMED])) + more if names else ""
