"""Series to forecast from a user's table: in the order of time, at one step, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.folds import TEST_SHARE, VALIDATION_SHARE, rolling_origins
from lstmstudy.data.masking import known_steps
from lstmstudy.data.own.cells import label
from lstmstudy.data.own.columns import check_known, constant, grouped, numbers
from lstmstudy.data.own.gaps import between_known, check_samples
from lstmstudy.data.own.spacing import all_times, places_of, step_of, uneven
from lstmstudy.data.own.table import read_table
from lstmstudy.data.own.times import in_order, read_times
from lstmstudy.data.windows import fill_backward_looking
from lstmstudy.parsing.strict_yaml import ParamsError, shown

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.section import OwnTask
    from lstmstudy.data.own.table import Table
    from lstmstudy.data.own.times import Times


@dataclass(frozen=True, eq=False)
class OwnSeries:
    """One series of a user's table, before it is differenced or scaled.

    Attributes:
        name: What the column `series` calls it, or the name of the target where there is no such column.
        values: Float64 (n, 1 + features), in the units of the table; the target comes first. Only what is to be
            masked is NaN; in the first row every column is known, in the last one the target.
        times: Datetime64[us] (n,), local to the time zone of the table; None if it has no dates.
        step: From one row to the next, such as ``"1 hour"`` or ``"3 months"``; a number where the times are
            numbers; empty if there are no times.
    """

    name: str
    values: npt.NDArray[np.float64]
    times: npt.NDArray[np.datetime64] | None
    step: str


def rows_needed(window: int, horizon: int, folds: int) -> int:
    """Return the fewest values of a modelled series that every part of every fold has a target with.

    All longer series are enough as well. A differenced series needs one row more than it has values.

    Args:
        window: Values in each input.
        horizon: Steps from the last input to the target.
        folds: Number of rolling origins.

    Raises:
        ValueError: If so many test parts leave nothing to learn from.
    """
    share = 1 - folds * TEST_SHARE - VALIDATION_SHARE  # that the first fold learns from
    if share <= 0:
        raise ValueError(
            f"The test parts of all folds and a validation part fit into a series. Received: {folds=}"
        )

    def enough(n: int) -> bool:
        first = rolling_origins(n, folds)[0]  # it learns from the fewest values
        learned = first.validation - (horizon - 1) - (window + horizon - 1)
        return min(learned, first.test - (horizon - 1) - first.validation, first.stop - first.test) > 0

    # Rounding moves each border by half a value at most, so that this many are enough.
    n = 1 + int(
        max(
            (window + 2 * horizon + (folds + 1) / 2) / share,
            (horizon + 0.5) / VALIDATION_SHARE,
            1.5 / TEST_SHARE,
        )
    )
    while enough(n - 1):
        n -= 1
    return n


def read_series(own: OwnTask, root: Path) -> tuple[OwnSeries, ...]:
    """Return the series of a user's table, in the order in which they first appear in it.

    Args:
        own: What the profile says, of the kind forecasting.
        root: The folder that its path is relative to.

    Raises:
        ParamsError: If anything is wrong with the table: one line with file, column, row and what to do.
    """
    table, target = read_table(own, root), own.target or ""
    columns = (target, *(own.features or ()))
    infinity = own.missing != "refuse"
    values = np.column_stack([numbers(table, column, infinity=infinity) for column in columns])
    check_known(table, columns, values, own.missing)
    times = None if own.time is None else read_times(table, own.time)
    groups = {target: np.arange(len(table))} if own.series is None else grouped(table, own.series, "series")
    found = []
    for name, rows in groups.items():
        place = "the series" if own.series is None else f"series `{label(name)}`"
        series = _series(own, table, name, _Rows(place, rows, values, times))
        _check(own, table, place, series)
        found.append(series)
    check_samples(own, table.where, [_modelled(own, series) for series in found])
    _check_learned(own, table, columns, found)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of one series, and what all rows of the table hold."""

    place: str
    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    times: Times | None


def _series(own: OwnTask, table: Table, name: str, of: _Rows) -> OwnSeries:
    """Return one series: sorted, with a row for each step, filled where that is asked for."""
    rows, times, step = of.rows, None, ""
    values = of.values[rows]
    if of.times is not None and own.time is not None:
        rows = in_order(table, own.time, of.times, rows, of.place)
        known, values = of.times[rows], of.values[rows]
        times = known.astype("datetime64[us]") if known.dtype.kind == "M" else None
        if len(rows) > 1:
            places, step = _places(own, table, of.place, rows, known)
            if places[-1] >= len(rows):
                times = None if times is None else all_times(times, places)
                values = np.full((places[-1] + 1, values.shape[1]), np.nan)
                values[places] = of.values[rows]
    missing = np.isnan(values)
    if missing.all(axis=0).any():
        column = (own.target or "", *(own.features or ()))[int(missing.all(axis=0).argmax())]
        raise ParamsError(
            f"{table.where}: {of.place}, column `{label(column)}`: all {len(values)} cells are missing. Expected numbers: "
            f"leave this series out. Received: {label(column)}={shown(table.cells[column][rows[0]])}"
        )
    if own.missing == "mask":
        kept = between_known(table, of.place, values, int(rows[0]))
        return OwnSeries(name, values[kept], None if times is None else times[kept], step)
    start = int((~missing).argmax(axis=0).max())  # the first row up to which every column has been known once
    filled = [fill_backward_looking(column)[-(len(values) - start) :] for column in values.T]
    return OwnSeries(name, np.column_stack(filled), None if times is None else times[start:], step)


def _places(
    own: OwnTask, table: Table, place: str, rows: npt.NDArray[np.int64], times: Times
) -> tuple[npt.NDArray[np.int64], str]:
    """Return the place of each row among all steps of a series, (n,), and the step as text.

    Raises:
        ParamsError: If steps differ, but for gaps that are to be filled; or if most of the series were filled.
    """
    fill, time = own.missing != "refuse", own.time or ""
    steps, step = step_of(times)
    off = uneven(steps, fill=fill)
    if off is not None:
        before = table.cells[time][rows[off]].strip()
        problem = f"{place} goes on {steps[off]:.4g} steps after {table.line(rows[off])} ({label(before)}), a step being {step}"
        expected = (
            "one step throughout: resample the table, or leave out `time` if rows are equally meaningful"
        )
        if not fill and uneven(steps, fill=True) is None:
            expected += (
                ", or set `missing: fill` to repeat the last known row in gaps, `missing: mask` to skip them"
            )
        raise table.fault(rows[off + 1], time, problem, expected)
    places = places_of(steps)
    if places[-1] + 1 > 2 * len(rows):
        longest = int(steps.argmax())
        problem = (
            f"most of {place} would be {own.missing}ed, {places[-1] + 1 - len(rows)} rows beside {len(rows)}; the longest gap "
            f"follows {table.line(rows[longest])}"
        )
        expected = (
            f"gaps that are at most half of it, a step being {step}: correct the time or resample the table"
        )
        raise table.fault(rows[longest + 1], time, problem, expected)
    return places, step


def _modelled(own: OwnTask, series: OwnSeries) -> npt.NDArray[np.float64]:
    return np.diff(series.values, axis=0) if own.differenced else series.values


def _check(own: OwnTask, table: Table, place: str, series: OwnSeries) -> None:
    """Raise a ParamsError if a series is too short for all parts of all folds, or its target never changes."""
    needed = rows_needed(own.window or 1, own.horizon, own.folds) + own.differenced
    if len(series.values) < needed:
        cut = {"fill": " once leading gaps are cut", "mask": " once gaps at its ends are cut"}.get(
            own.missing, ""
        )
        raise ParamsError(
            f"{table.where}: {place} is too short{cut}. Expected at least {needed} rows for `window: {own.window}`, "
            f"`horizon: {own.horizon}` and `folds: {own.folds}`: take a longer series, a shorter window or fewer folds. "
            f"Received: rows={len(series.values)}"
        )
    modelled = _modelled(own, series)
    modelled = modelled[~np.isnan(modelled[:, 0])]
    if not len(modelled):
        raise ParamsError(
            f"{table.where}: {place} has no change from one row to the next that is known. Expected some rows in a row: "
            f"leave this series out, or set `differenced: false`. Received: {label(own.target or '')}=NaN"
        )
    if constant(modelled[:, :1])[0]:
        what = "changes by the same in each row" if own.differenced else "is the same in each row"
        raise ParamsError(
            f"{table.where}: column `{label(own.target or '')}`: {place} {what}. Expected values that differ: name "
            f"another target, or leave this series out. Received: {label(own.target or '')}={float(modelled[0, 0])!r}"
        )


def _check_learned(own: OwnTask, table: Table, columns: tuple[str, ...], found: list[OwnSeries]) -> None:
    """Raise a ParamsError if a column does not change in what the first fold learns from."""
    learned = []
    for series in found:
        modelled = _modelled(own, series)
        learned.append(modelled[: rolling_origins(len(modelled), own.folds)[0].validation - own.horizon + 1])
    values = np.concatenate(learned)
    values = values[known_steps(values)]
    for column, same in zip(columns, constant(values), strict=True):
        if same:
            what = "changes by the same" if own.differenced else "is the same"
            raise ParamsError(
                f"{table.where}: column `{label(column)}` {what} in the first {len(values)} rows, all that the first fold "
                f"learns from. Expected values that differ there: leave the column or these rows out, or take fewer "
                f"folds. Received: {label(column)}={float(values[0, columns.index(column)])!r}"
            )
