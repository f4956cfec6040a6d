"""The task of a table with one or several series: step, gaps, trend, season and window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.own import read_series, rows_needed
from lstmstudy.data.own.cells import label as short
from lstmstudy.data.own.columns import constant
from lstmstudy.data.own.spacing import step_of, uneven
from lstmstudy.proposal.roles import listed
from lstmstudy.proposal.seasons import drift_of, periods_of, season_of
from lstmstudy.proposal.task import ProposedTask

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from lstmstudy.data.own.times import Times
    from lstmstudy.proposal.columns import Column
    from lstmstudy.proposal.roles import Roles

    Values = npt.NDArray[np.float64]

_FOLDS = 3
_MOST_FEATURES = 5  # each is one more input at every step
_LOOKED_AT = 50  # columns of which these are taken
_WINDOW = 24  # steps, where no season says more
_LONGEST_WINDOW = 60  # for two seasons: an LSTM takes time with each step
_LONGEST_SEASON = 200  # that a window holds once


def forecasting_task(
    key: dict[str, str], columns: dict[str, Column], roles: Roles, root: Path
) -> ProposedTask:
    """Return the task of forecasting a column.

    Args:
        key: The entry that names the file.
        columns: What each column holds.
        roles: Which of them is what.
        root: The root of the checkout.

    Raises:
        ParamsError: If the table is not as a forecast needs it.
    """
    task, target = ProposedTask(), str(roles.columns["target"])
    for name, path in key.items():
        task.add(name, path)
    task.add("kind", "forecasting", "no labelled sequences were found; LABEL=column names a class")
    for role, named in roles.columns.items():
        task.add(role, named, roles.reasons.get(role, ""))
    task.settings.update(
        {"features": task.settings["features"][:_LOOKED_AT]} if "features" in task.settings else {}
    )
    absent, note = _check_time(task, columns, roles)
    looked = read_series(task.own(missing="fill", folds=1, window=1), root)
    series, step = [each.values for each in looked], looked[0].step
    longest = max(series, key=len)
    drift = drift_of(longest[:, 0], _FOLDS)
    if drift.differenced:
        root_words = f", a unit root has p {drift.p:.2g}" if drift.p < 1 else ""
        outside = f"{100 * drift.outside:.0f} % of the test values lie beyond all training values"
        task.add("differenced", True, f"{outside}{root_words}: changes can be learned")
    _choose_features(task, series, longest, differenced=drift.differenced)
    names = [target, *task.settings.get("features", ())]
    gaps = sum(columns[name].missing for name in names) + absent * len(names)
    task.fill(gaps, (sum(map(len, roles.groups)) + absent) * len(names), absent * len(names))
    modelled = np.diff(longest[:, 0]) if drift.differenced else longest[:, 0]
    season = season_of(modelled, periods_of(step))
    if season is not None:
        changes = " of the changes" if drift.differenced else ""
        why = f"autocorrelation{changes} {season.correlation:.2f} at lag {season.period}"
        task.add("period", season.period, why)
    _add_window(task, min(map(len, series)) - drift.differenced, season.inner if season else None)
    title = (root / next(iter(key.values()))).stem
    task.add("title", title, "how the report calls it; `unit: ...` would name that of the target")
    features = len(task.settings.get("features", ()))
    more = f" and {features} more column{'' if features == 1 else 's'}" if features else ""
    period = f"season {season.period}" if season else "no season"
    task.seen = f"{_sized(series, step)}, {period}; forecast is `{short(target)}` from its past{more}{note}"
    return task


def _check_time(task: ProposedTask, columns: dict[str, Column], roles: Roles) -> tuple[int, str]:
    """Leave out a time without even steps; return how many rows are not there, and a remark."""
    name = task.settings.get("time")
    if name is None or (times := columns[name].times) is None:
        return 0, ""
    found = _spacing([times[rows] for rows in roles.groups])
    if found is None:
        task.drop("time")
        remark = f", in the order of the file, as `{short(name)}` has no even steps"
        task.reasons["target"] += remark
        return 0, remark
    step, absent = found
    task.reasons["time"] = f"a row each {step}" if step[-1:].isalpha() else f"steps of {step}"
    return absent, ""


def _spacing(groups: list[Times]) -> tuple[str, int] | None:
    """Return the step of the times, and how many rows are not there; None if steps are uneven, but rows in order."""
    text, absent = "", 0
    for times in groups:
        order = np.argsort(times, kind="stable")
        if len(times) < 2 or len(np.unique(times)) < len(times):
            continue  # the reader says what is there twice
        steps, text = step_of(times[order])
        if uneven(steps, fill=True) is not None:
            return None if (np.diff(order) > 0).all() else (text, 0)
        absent += int(np.rint(steps).sum()) - len(steps)
    return text, absent


def _choose_features(task: ProposedTask, series: list[Values], longest: Values, *, differenced: bool) -> None:
    """Keep a few features, without straight lines and without levels that go where training has never been."""
    features = task.drop("features") or ()
    straight = constant(np.concatenate([np.diff(values, axis=0) for values in series]))[1:]
    drifts = [not differenced and drift_of(level, _FOLDS).differenced for level in longest[:, 1:].T]
    fitting = [
        name for name, line, drift in zip(features, straight, drifts, strict=True) if not (line or drift)
    ]
    beyond = [name for name, drift in zip(features, drifts, strict=True) if drift]
    task.reasons["target"] += listed("; no features, as their level goes beyond that of training: ", beyond)
    if fitting:
        more = listed(f"; the first {_MOST_FEATURES}, without ", fitting[_MOST_FEATURES:])
        why = f"inputs beside the past of {short(task.settings['target'])}{more}"
        task.add("features", tuple(fitting[:_MOST_FEATURES]), why)


def _add_window(task: ProposedTask, rows: int, period: int | None) -> None:
    """Set window and folds to what the shortest series has rows for."""
    if period is None:
        wanted, why = _WINDOW, "no season was found"
    elif 2 * period <= _LONGEST_WINDOW:
        seasons = max(2, -(-_WINDOW // period))
        wanted, why = seasons * period, f"{'two' if seasons == 2 else seasons} seasons of {period}"
    elif period <= _LONGEST_SEASON:
        wanted, why = period, f"one season of {period}"
    else:
        wanted, why = 2 * _WINDOW, f"a season of {period} would take too long"
    folds = next((n for n in range(_FOLDS, 1, -1) if _room(rows, n) >= min(wanted, _WINDOW // 2)), 1)
    window = max(1, min(wanted, _room(rows, folds)))
    task.add("window", window, why if window == wanted else f"what {rows} rows leave room for")
    parts = "test parts, one after the other up to the end of the series"
    task.add("folds", folds, parts if folds > 1 else "one test part at the end, as there are few rows")


def _room(rows: int, folds: int) -> int:
    """Return the longest window with which even the first fold learns from as many targets as it has steps."""
    window = 0
    while window < _LONGEST_SEASON and rows_needed(2 * (window + 1), 1, folds) <= rows:
        window += 1
    return window


def _sized(series: list[Values], step: str) -> str:
    """Return how many series there are, of how many rows."""
    lengths = sorted({len(values) for values in series})
    rows = f"{lengths[0]} rows" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} rows"
    each = f", one each {step}" if step[-1:].isalpha() else ""
    return f"{len(series)} series of {rows}{each}" if len(series) > 1 else f"a series of {rows}{each}"
