"""Dates, times and step numbers in a user's table."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.own.cells import TIME, is_missing, is_number
from lstmstudy.data.own.columns import numbers

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmstudy.data.own.table import Table

    Times = npt.NDArray[np.datetime64] | npt.NDArray[np.float64]

_EXPECTED = "times such as 2024-03-31, 2024-03-31 14:30 or 2024-03, or step numbers"
_COMPACT = {  # length of a date in digits alone -> its parts and unit
    8: (re.compile(r"([12]\d{3})(\d{2})(\d{2})", re.ASCII), "D"),
    6: (re.compile(r"([12]\d{3})(\d{2})", re.ASCII), "M"),
    4: (re.compile(r"([12]\d{3})", re.ASCII), "Y"),
}


def read_times(table: Table, column: str) -> Times:
    """Return the times of a column, datetime64[us] (n,), or its numbers if they are no dates, floats (n,).

    A time zone must be the same in all rows; local times are returned without it.

    Raises:
        ParamsError: If one is missing, unreadable, no date of the calendar, or day and month cannot be told apart.
    """
    texts = [text.strip() for text in table.cells[column]]
    for row, text in enumerate(texts):
        if is_missing(text):
            raise table.fault(row, column, "the time is missing", f"{_EXPECTED}, in each row: fill it in")
    if is_number(texts[0]):
        dates = _compact(texts)
        return numbers(table, column) if dates is None else dates
    found = [TIME.fullmatch(text) for text in texts]
    parts = [match for match in found if match is not None]
    if len(parts) < len(found):
        raise table.fault(found.index(None), column, "this is no time", _EXPECTED)
    _check_zones(table, column, parts)
    day_first = _day_first(table, column, parts)
    times = []
    for row, match in enumerate(parts):
        try:
            times.append(_moment(match, day_first=day_first))
        except ValueError as error:
            raise table.fault(row, column, f"no such time ({error})", f"{_EXPECTED}: correct it") from None
    return np.array(times, dtype="datetime64[us]")


def in_order(
    table: Table, column: str, times: Times, rows: npt.NDArray[np.int64], of: str
) -> npt.NDArray[np.int64]:
    """Return `rows` by increasing time.

    Args:
        table: For the message.
        column: The column of the times.
        times: Of all rows of the table (n,).
        rows: Positions of some.
        of: What these are, such as ``"the series"``.

    Raises:
        ParamsError: If two of them have the same time.
    """
    ordered = rows[np.argsort(times[rows], kind="stable")]
    same = np.flatnonzero(times[ordered[1:]] == times[ordered[:-1]])
    if same.size:
        first, second = ordered[same[0]], ordered[same[0] + 1]
        problem = f"{of} has this time in {table.line(first)} already"
        expected = (
            "each time once: delete one of the rows; times where clocks are set back are unique in UTC, and `series` or "
            "`sequence` tells apart what was measured at once"
        )
        raise table.fault(second, column, problem, expected)
    return ordered


def _compact(texts: list[str]) -> npt.NDArray[np.datetime64] | None:
    """Return dates that are written as digits alone, such as 20240331, 202403 or 2024, if all of them are."""
    pattern, unit = _COMPACT.get(len(texts[0]), (None, ""))
    if pattern is None:
        return None
    found = [pattern.fullmatch(text) for text in texts]
    try:
        dates = np.array(["-".join(match.groups()) for match in found if match], dtype=f"datetime64[{unit}]")
    except ValueError:  # numbers that are no dates
        return None
    return dates.astype("datetime64[us]") if dates.size == len(texts) else None


def _check_zones(table: Table, column: str, parts: list[re.Match[str]]) -> None:
    """Raise a ParamsError if two rows have different time zones, or only one of them has any."""
    zones = [_zone(match["zone"]) for match in parts]
    for row, zone in enumerate(zones):
        if zone != zones[0]:
            problem = f"the time zone is {zone}, and {zones[0]} in {table.line(0)}"
            expected = "one zone in all rows: convert them to UTC"
            raise table.fault(row, column, problem, expected)


def _zone(text: str | None) -> str:
    """Return a time zone as an offset, the same for all its spellings."""
    if text is None:
        return "none"
    if text[0] not in "+-":
        return "+00:00"
    digits = text[1:].replace(":", "").ljust(4, "0")
    return f"{'+' if digits == '0000' else text[0]}{digits[:2]}:{digits[2:]}"


def _day_first(table: Table, column: str, parts: list[re.Match[str]]) -> bool:
    """Return whether 01/02/2024 is in February; with points, as in 01.02.2024, it is.

    Raises:
        ParamsError: If both orders fit all rows, or neither does.
    """
    rows = [row for row, match in enumerate(parts) if match["last"] and match["last_mark"] != "."]
    if not rows:
        return True
    day_first = [row for row in rows if int(parts[row]["first"]) > 12]
    month_first = [row for row in rows if int(parts[row]["middle"]) > 12]
    if day_first and month_first:
        row, other = max(day_first[0], month_first[0]), min(day_first[0], month_first[0])
        problem = f"day and month are the other way round than in {table.line(other)}"
        raise table.fault(row, column, problem, "dates such as 2024-03-31: write them so")
    if not day_first and not month_first:
        problem = "nobody can tell the day from the month in any row"
        raise table.fault(rows[0], column, problem, "dates such as 2024-03-31: write them so")
    return bool(day_first)


def _moment(match: re.Match[str], *, day_first: bool) -> datetime:
    """Return the time that a match stands for, without its zone.

    Raises:
        ValueError: If the calendar or the clock has no such time.
    """
    if match["quarter"]:
        year, month, day = int(match["of_quarter"]), 3 * int(match["quarter"]) - 2, 1
    elif match["year"]:
        year, month, day = int(match["year"]), int(match["month"]), int(match["day"] or 1)
    else:
        year, month, day = int(match["last"]), int(match["middle"]), int(match["first"])
        if not day_first and match["last_mark"] != ".":
            month, day = day, month
    hour = int(match["hour"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("hour must be in 1..12 before AM and PM")
        hour = hour % 12 + 12 * (match["half"][0] in "pP")
    micro = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    return datetime(year, month, day, hour, int(match["minute"] or 0), int(match["second"] or 0), micro)  # noqa: DTZ001 - zones are equal
