"""Whether the rows of a series follow one another at one step, in hours or in months of the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Times = npt.NDArray[np.datetime64] | npt.NDArray[np.float64]

_TOLERANCE = 1e-6  # of a step, for times with decimals
_MOST_STEPS = 1e10  # in one gap, so that those of all rows can be added
_MONTH = np.timedelta64(28, "D")  # and more
_UNITS = (("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000))


def step_of(times: Times) -> tuple[npt.NDArray[np.float64], str]:
    """Return the steps from each time to the next, in units of the median one, and that as text.

    Months count as equal though their days differ: if the times are on one day of the month, or on its
    last day where a month is shorter, the unit is months.

    Args:
        times: Dates or numbers (n,), at least two, increasing.

    Returns:
        Floats (n - 1,), and a text such as ``"1 hour"`` or ``"3 months"``.
    """
    months = _months(times)
    if months is not None:
        gaps = np.diff(months).astype(np.float64)
    elif times.dtype.kind == "M":
        gaps = np.diff(times).astype("timedelta64[us]").astype(np.float64)
    else:
        gaps = np.diff(times).astype(np.float64)
    typical = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    if months is not None:
        text = _counted(typical / 12, "year") if typical % 12 == 0 else _counted(typical, "month")
    else:
        text = _duration(typical) if times.dtype.kind == "M" else f"{typical:g}"
    with np.errstate(over="ignore"):
        return np.minimum(gaps / typical, _MOST_STEPS), text


def uneven(steps: npt.NDArray[np.float64], *, fill: bool) -> int | None:
    """Return the position of the first step that is not one, or with `fill` no whole number; None if all are.

    Args:
        steps: Floats (n - 1,), as `step_of` returns them.
        fill: Whether gaps of whole steps are allowed.
    """
    whole = np.maximum(np.rint(steps), 1) if fill else np.ones_like(steps)
    off = np.flatnonzero(np.abs(steps - whole) > _TOLERANCE * whole)
    return int(off[0]) if off.size else None


def places_of(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return where each time stands among all that a series without gaps would have, from 0.

    Args:
        steps: Floats (n - 1,), whole numbers but for rounding.

    Returns:
        Int64 (n,).
    """
    return np.concatenate([[0], np.cumsum(np.rint(steps))]).astype(np.int64)


def all_times(times: npt.NDArray[np.datetime64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """Return the times with those of the gaps between them.

    Args:
        times: Dates (n,), increasing.
        places: Int64 (n,), as `places_of` returns them.

    Returns:
        Dates (places[-1] + 1,).
    """
    every = np.arange(places[-1] + 1)
    before = np.searchsorted(places, every, side="right") - 1
    later = every - places[before]
    months = _months(times)
    narrow = int(np.argmin(np.diff(places)))
    if months is None:
        unit = (times[narrow + 1] - times[narrow]) / (places[narrow + 1] - places[narrow])
        return times[before] + later * unit
    unit = (months[narrow + 1] - months[narrow]) // (places[narrow + 1] - places[narrow])
    month = (months[before] + later * unit).astype("datetime64[M]")
    days = np.minimum(_day(times).max(), _month_length(month))
    clock = times[0] - times[0].astype("datetime64[D]")
    return (month.astype("datetime64[D]") + (days - 1)).astype("datetime64[us]") + clock


def _months(times: Times) -> npt.NDArray[np.int64] | None:
    """Return the months since 1970 if the times are on one day of the month, at one time of the day; or None."""
    if times.dtype.kind != "M" or np.diff(times).min() < _MONTH:
        return None
    month, date = times.astype("datetime64[M]"), times.astype("datetime64[D]")
    day = _day(times)
    same_day = (day == np.minimum(day.max(), _month_length(month))).all()
    same_clock = (times - date == times[0] - date[0]).all()
    return month.astype(np.int64) if same_day and same_clock else None


def _day(times: Times) -> npt.NDArray[np.int64]:
    """Return the days of the month, from 1."""
    days = times.astype("datetime64[D]") - times.astype("datetime64[M]").astype("datetime64[D]")
    return days.astype(np.int64) + 1


def _month_length(month: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Return the number of days of each month."""
    return ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)


def _duration(micros: float) -> str:
    """Return a duration in the largest unit that it is a whole number of, or else in seconds."""
    for unit, size in _UNITS:
        if micros % size == 0:
            return _counted(micros / size, unit)
    return f"{micros / 1_000_000:g} seconds"


def _counted(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
