"""What `make new` sees in a table: roles of columns, step, season, trend, gaps, and a window that fits."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from lstmstudy.data.own import read_sequences, read_series, rows_needed
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.proposal.seasons import periods_of, season_of
from lstmstudy.proposal.table import propose_task

HOURS = np.datetime64("2024-01-01T00:00", "m") + 60 * np.arange(24 * 60)


def rng(seed=0):
    """Return a generator."""
    return np.random.default_rng(seed)


def wave(n, period, seed=0, noise=0.2):
    """Return a noisy wave of n steps."""
    return (np.sin(np.arange(n) / period * 2 * np.pi) + noise * rng(seed).normal(size=n)).round(4)


def proposed(folder, columns, keep=None, **said):
    """Write columns as CSV, without some rows, and return what is proposed for them."""
    path = folder / "data.csv"
    rows = np.array(list(zip(*columns.values(), strict=True)), dtype=object)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows if keep is None else rows[keep])
    return propose_task(path, folder, **said)


def fault(folder, columns, **said):
    """Return the error of a table: one line that says what came."""
    with pytest.raises(ParamsError) as caught:
        proposed(folder, columns, **said)
    message = str(caught.value)
    assert "\n" not in message
    assert "Received: " in message
    return message


def sequences(n=60, steps=6):
    """Return labelled sequences of two channels, with a step number and a counter of rows."""
    ids = np.repeat(np.arange(n), steps)
    kinds = np.array(["walk", "run", "sit"])[ids % 3]
    return {
        "row": np.arange(n * steps),
        "case": [f"c{each}" for each in ids],
        "frame": np.tile(np.arange(steps), n),
        "x": (ids % 3 + rng().normal(size=n * steps)).round(3),
        "z": rng(1).normal(size=n * steps).round(3),
        "activity": kinds,
    }


def test_an_hourly_table_with_a_day_in_it(tmp_path):
    """The column of dates is the time, 24 steps are the season, and a window holds two of them."""
    columns = {"id": np.arange(1440) + 7, "at": HOURS, "heat": wave(1440, 24, 1), "load": wave(1440, 24)}
    task = proposed(tmp_path, columns)
    assert task.settings == {
        "csv": "data.csv",
        "kind": "forecasting",
        "target": "load",
        "time": "at",
        "features": ("heat",),
        "window": 48,
        "period": 24,
        "folds": 3,
        "title": "data",
    }
    assert task.reasons["window"] == "two seasons of 24"
    assert re.fullmatch(r"autocorrelation 0\.\d\d at lag 24", task.reasons["period"])
    assert task.reasons["time"] == "a row each 1 hour"
    assert "id" in task.reasons["target"]
    assert len(read_series(task.own(), tmp_path)[0].values) == 1440


@pytest.mark.parametrize(("lost", "key"), [(40, "fill"), (300, "mask")])
def test_gaps_are_counted(tmp_path, lost, key):
    """Absent rows and empty cells count together; few are filled, many are masked, and the table can be read so."""
    values = wave(1440, 24).astype(object)
    values[[5, 700]] = ""
    gone = rng().choice(np.arange(10, 1400), size=lost, replace=False)
    keep = np.setdiff1d(np.arange(1440), np.setdiff1d(gone, [5, 700]))
    task = proposed(tmp_path, {"at": HOURS, "load": values}, keep)
    absent = 1440 - len(keep)
    assert task.settings["missing"] == key
    assert task.reasons["missing"].startswith(
        f"{absent + 2} of 1440 values are missing, {absent} of them in rows"
    )
    read_series(task.own(), tmp_path)


def test_a_whole_table_refuses_gaps(tmp_path):
    """Where nothing is missing nothing is said about it, so that a later gap is an error."""
    assert "missing" not in proposed(tmp_path, {"at": HOURS, "load": wave(1440, 24)}).settings


def test_several_series_are_told_apart(tmp_path):
    """Times that come back belong to several series, named by a column in which each has every time once."""
    columns = {
        "at": np.repeat(HOURS[:300], 3),
        "town": np.tile(["Ulm", "Bonn", "Jena"], 300),
        "heat": np.repeat(wave(300, 24, 1), 3),
        "load": np.repeat(wave(300, 24), 3) + rng().normal(size=900).round(3),
    }
    task = proposed(tmp_path, columns)
    assert (task.settings["series"], task.settings["time"], task.settings["target"]) == ("town", "at", "load")
    assert task.reasons["series"].startswith("3 series")
    assert len(read_series(task.own(), tmp_path)) == 3


def test_labelled_sequences_are_recognized(tmp_path):
    """A label that is the same in all rows of each case makes it classification; counters of rows are no features."""
    task = proposed(tmp_path, sequences())
    assert task.settings["kind"] == "classification"
    assert (task.settings["sequence"], task.settings["label"]) == ("case", "activity")
    assert (task.settings["time"], task.settings["features"]) == ("frame", ("x", "z"))
    assert task.reasons["label"].startswith("3 classes")
    assert read_sequences(task.own(), tmp_path).classes == ("run", "sit", "walk")


def test_what_the_user_says_comes_first(tmp_path):
    """TARGET makes a table of sequences a forecast, and LABEL takes a class that would not be guessed."""
    columns = sequences()
    columns["day"] = HOURS[:360]
    assert proposed(tmp_path, columns, target="x").settings["kind"] == "forecasting"
    columns["group"] = np.repeat(["a", "b"], 180)
    task = proposed(tmp_path, columns, label="group")
    assert (task.settings["label"], task.settings["sequence"]) == ("group", "case")


@pytest.mark.parametrize("name", ["day", "round"])
def test_parts_of_a_date_are_no_classes(tmp_path, name):
    """A weekday is the same in all hours of a day, and yet a table of hours is a series."""
    hour, day = np.tile(np.arange(24), 60), np.repeat(np.arange(60), 24)
    columns = {name: day, "hour": hour, "weekday": day % 7, "load": wave(1440, 24)}
    if name == "day":  # a day is no sequence, whatever is the same in all of its hours
        columns["holiday"] = (day % 11 == 0) * 1
    task = proposed(tmp_path, columns)
    assert (task.settings["kind"], task.settings["target"]) == ("forecasting", "load")


def test_without_a_time_the_strongest_lag_is_the_season(tmp_path):
    """Rows are taken in order, and the peak of the autocorrelation is found."""
    task = proposed(tmp_path, {"name": ["same"] * 400, "level": wave(400, 9)})
    assert "time" not in task.settings
    assert task.settings["period"] % 9 == 0
    assert task.settings["window"] >= 18


@pytest.mark.parametrize("periods", [(), (24, 168)])
@pytest.mark.parametrize("memory", [0.0, 0.5, 0.99])
def test_memory_is_no_season(periods, memory):
    """A level that fades slowly, or not at all, has no season, though its autocorrelation is high."""
    found = 0
    for seed in range(10):
        values, shocks = np.zeros(1000), rng(seed).normal(size=1000)
        for step in range(1, 1000):
            values[step] = memory * values[step - 1] + shocks[step]
        found += season_of(values, periods) is not None
    assert found <= 3


def test_a_longer_season_must_be_clearly_stronger():
    """A day is taken where the week adds nothing, and the week where it does; its window is that of the day."""
    day, week = wave(24 * 7 * 20, 24), 3 * wave(24 * 7 * 20, 168, seed=1)
    assert season_of(day, (24, 168)).period == 24
    both = season_of(day + week, (24, 168))
    assert (both.period, both.inner) in {(168, 24), (168, 168)}


@pytest.mark.parametrize(
    ("step", "periods"),
    [
        ("1 hour", (24, 168)),
        ("15 minutes", (96, 672)),
        ("1 minute", (60, 1440)),
        ("1 day", (7, 365)),
        ("7 days", (52,)),
        ("1 month", (12,)),
        ("3 months", (4,)),
        ("1 year", ()),
        ("5 hours", ()),
        ("2", ()),
        ("", ()),
    ],
)
def test_usual_seasons_follow_from_the_step(step, periods):
    """Clock and calendar say which seasons are usual, in steps of the table."""
    assert periods_of(step) == periods


def test_a_trend_is_differenced_and_drifting_features_are_left_out(tmp_path):
    """Where test values lie beyond training, changes are modelled; a feature that drifts alone is no feature."""
    days = np.datetime64("2020-01-01") + np.arange(500)
    trend = np.arange(500) * 0.05 + rng().normal(size=500).cumsum() * 0.01
    level, other = wave(500, 7), rng(3).normal(size=500).round(3)
    task = proposed(tmp_path, {"day": days, "cost": trend.round(4), "other": other, "load": level})
    assert "differenced" not in task.settings
    assert task.settings["features"] == ("other",)
    assert "cost" in task.reasons["target"]
    task = proposed(tmp_path, {"day": days, "other": other, "load": (trend + level / 10).round(4)})
    assert task.settings["differenced"] is True
    assert "of the test values lie beyond all training values" in task.reasons["differenced"]
    read_series(task.own(), tmp_path)


def test_columns_that_say_nothing_are_no_features(tmp_path):
    """Constants, identifiers, straight lines, texts and nearly empty columns are left out."""
    load = wave(300, 12)
    columns = {
        "id": np.arange(300) * 3 + 5,
        "same": [4.5] * 300,
        "line": np.arange(300) * 0.25,
        "words": ["some"] * 300,
        "empty": [""] * 300,
        "rare": [""] * 290 + list(range(10)),
        "late": [0] * 200 + [1, 0] * 50,
        "heat": wave(300, 12, 5),
        "load": load,
    }
    assert proposed(tmp_path, columns).settings["features"] == ("heat",)


def test_a_wide_table_has_a_handful_of_features(tmp_path):
    """Five columns beside the target are taken, and the comment names others."""
    columns = {f"c{number}": wave(300, 12, number) for number in range(9)}
    task = proposed(tmp_path, columns)
    assert task.settings["target"] == "c8"
    assert task.settings["features"] == ("c0", "c1", "c2", "c3", "c4")
    assert "without c5, c6, c7" in task.reasons["features"]
    assert "other columns of numbers: c0, c1" in task.reasons["target"]


def test_the_target_is_known_by_its_name(tmp_path):
    """A column named like a target is forecast wherever it stands; else the last one."""
    columns = {"Power (MW)": wave(300, 12), "heat": wave(300, 12, 1)}
    assert proposed(tmp_path, columns).settings["target"] == "Power (MW)"
    assert proposed(tmp_path, columns, target="heat").settings["target"] == "heat"
    assert proposed(tmp_path, {"wind": wave(300, 12), "heat": wave(300, 12, 1)}).settings["target"] == "heat"


def test_numbers_that_could_be_months_are_numbers(tmp_path):
    """1707.4 is a number and no April, 20240131 is a day, and 2001 in a column of loads is a load."""
    days = (np.datetime64("2024-01-01") + np.arange(300)).astype(str)
    columns = {
        "key": [day.replace("-", "") for day in days],
        "cost": (1707.4 + wave(300, 12)).round(1),
        "load": (1800 + 200 * wave(300, 12)).round(),
    }
    task = proposed(tmp_path, columns)
    assert (task.settings["time"], task.settings["features"]) == ("key", ("cost",))
    assert task.reasons["time"] == "a row each 1 day"


def test_times_without_even_steps_are_left_out(tmp_path):
    """Rows in order serve without a time, as those of trading days at odd hours do, and the comment says so."""
    times = np.datetime64("2024-01-01T00:00", "m") + np.cumsum(rng().integers(1, 90, size=400))
    task = proposed(tmp_path, {"at": times, "load": wave(400, 12)})
    assert "time" not in task.settings
    assert "`at` has no even steps" in task.reasons["target"]
    read_series(task.own(), tmp_path)


@pytest.mark.parametrize("rows", [25, 60, 120, 203])
def test_a_short_series_has_a_shorter_window(tmp_path, rows):
    """Window and folds are such that the table can be read, and the first fold learns from as many targets as steps."""
    task = proposed(tmp_path, {"load": wave(rows, 5)})
    own = task.own()
    assert rows_needed(2 * own.window, own.horizon, own.folds) <= rows
    read_series(own, tmp_path)


def test_a_path_is_relative_inside_of_the_checkout_and_absolute_outside(tmp_path):
    """A profile finds its table wherever it lies."""
    inside, outside = tmp_path / "root" / "own", tmp_path / "elsewhere"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        (folder / "data.csv").write_text("load\n" + "\n".join(map(str, wave(200, 7))), encoding="utf-8")
    root = tmp_path / "root"
    assert propose_task(root / "own" / ".." / "own" / "data.csv", root).settings["csv"] == "own/data.csv"
    task = propose_task(outside / "data.csv", root)
    assert task.settings["csv"] == str(outside / "data.csv")
    read_series(task.own(), root)


@pytest.mark.parametrize(
    ("columns", "said", "parts"),
    [
        (
            {"heat": [1, 2, 4], "load": [3, 1, 2]},
            {"target": "laod"},
            ["unknown column `laod`", "Did you mean `load`"],
        ),
        (
            {"heat": [1, 2, 4], "load": [3, 1, 2]},
            {"target": "heat", "label": "load"},
            ["TARGET='heat'", "LABEL="],
        ),
        (
            {"a": ["x", "y"], "b": ["z", "z"]},
            {},
            ["no column has numbers that vary", "TARGET", "header=['a', 'b']"],
        ),
        ({"a": ["x", "y"], "load": [5, 5]}, {}, ["no column has numbers that vary"]),
        ({"a": ["x", "y"], "load": ["1", "2 kW"]}, {}, ["line 3, column `load`: this is no number"]),
        ({"a": ["x", "y"], "load": [1, 2]}, {"target": "a"}, ["column `a`"]),
        (
            {"day": ["01/02/2024", "03/04/2024"], "load": [1, 2]},
            {},
            ["nobody can tell the day from the month"],
        ),
        ({"day": ["2024-01-01", "2024-01-01"], "load": [2, 1]}, {}, ["has this time in line 2 already"]),
        (
            {"x": [1, 2, 4], "kind": ["a", "b", "a"]},
            {"label": "kind"},
            ["no column tells sequences apart", "LABEL"],
        ),
        ({"load": [1, 2, 3, 7]}, {}, ["too short"]),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, columns, said, parts):
    """Whatever cannot be studied is said in one line, by the readers of own data where they know it."""
    message = fault(tmp_path, columns, **said)
    assert all(part in message for part in parts), message


def test_what_is_no_table_is_one_line(tmp_path):
    """A missing file, a folder and a spreadsheet end in the readers' own lines."""
    for name, content in (("absent.csv", None), ("sheet.csv", b"PK\x03\x04"), ("folder", "")):
        if content == "":
            (tmp_path / name).mkdir()
        elif content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ParamsError, match=r"^\S+: .*Expected .*Received: "):
            propose_task(tmp_path / name, tmp_path)
