"""A user's table, written in any of the usual ways, is read as the arrays that it stands for."""

# ruff: noqa: PD011 - the values of our series, not of pandas

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from lstmstudy.data import CATALOG
from lstmstudy.data.folds import forecasting_fold, rolling_origins
from lstmstudy.data.own import OwnTask, read_sequences, read_series, rows_needed
from lstmstudy.parsing.strict_yaml import ParamsError

LOAD = np.array([1.5, -2.0, 3.25, 1000.0, 0.001, 7.0, 8.5, 2.0, 4.0, 1.0, 0.5, 6.0])
HEAT = np.arange(12.0) - 3
DAYS = np.datetime64("2024-02-25") + np.arange(12)


def _own(**settings):
    """Return a forecast of `load` with one fold and the shortest window, but for `settings`."""
    kind = settings.get("kind", "forecasting")
    few = {"target": "load", "window": 1, "folds": 1} if kind == "forecasting" else {"sequence": "id"}
    named = {} if "parquet" in settings else {"csv": "data.csv"}
    return OwnTask.model_validate({"kind": kind, **named, **few, **settings})


def _read(folder, content, **settings):
    """Return the series of a CSV file with this content."""
    (folder / "data.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_series(_own(**settings), folder)


def _text(*columns, delimiter=",", comma=False, end="\n"):
    """Return the CSV of columns, each a name and its cells."""
    rows = [[name for name, _ in columns], *zip(*(cells for _, cells in columns), strict=True)]
    lines = [delimiter.join(str(cell).replace(".", "," if comma else ".") for cell in row) for row in rows]
    return end.join([*lines, ""])


COLUMNS = (("date", DAYS), ("load", LOAD), ("heat", HEAT))
QUOTED = _text(("note", ['"a, ""b""\nc"'] * 12), *COLUMNS)


@pytest.mark.parametrize(
    "content",
    [
        _text(*COLUMNS),
        _text(*COLUMNS).encode("utf-8-sig"),
        _text(*COLUMNS, end="\r\n"),
        _text(*COLUMNS, end="\r"),
        _text(*COLUMNS, delimiter="\t"),
        _text(*COLUMNS, delimiter=";"),
        _text(*COLUMNS, delimiter=";", comma=True),
        _text(*COLUMNS, delimiter="\t", comma=True),
        _text(*COLUMNS, delimiter=" ;  "),
        _text(*COLUMNS, delimiter=" ,"),
        _text(*COLUMNS).rstrip("\n"),
        _text(*COLUMNS).replace("\n", "\n\n"),
        _text(*COLUMNS) + "\n \n,,\n,,\n",
        _text(*COLUMNS[::-1]),
        QUOTED,
        QUOTED.replace("\n", "\r\n"),
        _text(*COLUMNS, ("", range(12)), ("", range(12))),
        _text(("a;b, c", range(12)), *COLUMNS).replace("a;b, c", '"a;b, c"'),
    ],
)
def test_every_usual_way_to_write_a_csv_file_is_read_alike(tmp_path, content):
    """Separators, decimal marks, line ends, a mark of byte order, quotes and blank lines change nothing."""
    (series,) = _read(tmp_path, content, time="date", features=["heat"])
    np.testing.assert_array_equal(series.values, np.column_stack([LOAD, HEAT]))
    np.testing.assert_array_equal(series.times, DAYS)
    assert (series.name, series.step) == ("load", "1 day")
    assert (series.values.dtype.name, series.times.dtype.str[1:]) == ("float64", "M8[us]")


def test_the_header_may_hold_commas_where_semicolons_separate(tmp_path):
    """What separates is what fits all rows, and the comma comes last as it may be a decimal mark."""
    content = "load, kW;heat, C\n" + "".join(f"{load};2,{row}\n" for row, load in enumerate("123456789"))
    (series,) = _read(tmp_path, content, target="load, kW", features=["heat, C"])
    np.testing.assert_allclose(series.values[:, 1], 2 + np.arange(9) / 10)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_the_separator_is_the_same_whatever_one_row_holds(tmp_path, delimiter):
    """A text in few rows that holds another separator does not decide."""
    notes = ["x", '"a;b"', '"a,b,c"', "y"] * 3
    (series,) = _read(tmp_path, _text(("load", range(12)), ("note", notes), delimiter=delimiter))
    np.testing.assert_array_equal(series.values[:, 0], np.arange(12))


def test_a_comma_is_a_decimal_mark_wherever_it_cannot_separate_thousands(tmp_path):
    """That is in each number between semicolons, and in one that begins with 0."""
    (series,) = _read(tmp_path, "load;x\n" + "".join(f"{row},250;1\n" for row in range(1, 10)))
    np.testing.assert_array_equal(series.values[:, 0], np.arange(1, 10) + 0.25)
    (series,) = _read(tmp_path, "load\tx\n" + "".join(f"{row},250\t1\n" for row in range(9)))
    np.testing.assert_array_equal(series.values[:, 0], np.arange(9) + 0.25)
    (series,) = _read(tmp_path, "load,x\n" + "".join(f'"0,{row}50",1\n' for row in range(1, 10)))
    np.testing.assert_array_equal(series.values[:, 0], [(100 * row + 50) / 1000 for row in range(1, 10)])


def test_a_single_column_may_have_decimal_commas(tmp_path):
    """Its commas cannot separate, as the header has none."""
    (series,) = _read(tmp_path, _text(("load", LOAD), comma=True))
    np.testing.assert_array_equal(series.values[:, 0], LOAD)


def test_a_blank_line_in_a_single_column_is_a_missing_cell(tmp_path):
    """Leaving it out would move all later values in time."""
    (series,) = _read(tmp_path, "load\n1\n\n3\n4\n5\n6\n7\n8\n9\n\n\n", missing="fill")
    np.testing.assert_array_equal(series.values[:, 0], [1, 1, 3, 4, 5, 6, 7, 8, 9])


def test_a_quoted_decimal_comma_is_read_between_commas(tmp_path):
    """A number that no one could take for thousands is what it looks like."""
    content = "load,heat\n" + "".join(f'"{load},25",1\n' for load in range(9))
    np.testing.assert_array_equal(_read(tmp_path, content)[0].values[:, 0], np.arange(9) + 0.25)


def test_features_come_in_the_order_of_the_profile(tmp_path):
    """The target is the first channel wherever it stands, and columns that are not named are not read."""
    content = _text(("c", range(12)), ("odd", ["?"] * 12), ("a", LOAD), ("load", HEAT), ("b", LOAD[::-1]))
    (series,) = _read(tmp_path, content, features=["b", "c", "a"])
    np.testing.assert_array_equal(series.values, np.column_stack([HEAT, LOAD[::-1], range(12), LOAD]))
    assert (series.times, series.step) == (None, "")


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "=1+2",
        "=cmd|' /C calc'!A0",
        "@SUM(A1)",
        "__import__('os').system('x')",
        "{0.__class__}",
        "%s %(a)s",
        "Last 🌡️ °C",
        "two\nlines",
        "`code`",
        "a,b;c",
        "None",
        "x" * 200,
    ],
)
def test_any_text_is_a_name_of_a_column(tmp_path, name):
    """Markup, formulas, code, emoji and line breaks are names, and are never evaluated."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([name, "heat"])
    writer.writerows([row, 1] for row in range(12))
    (series,) = _read(tmp_path, stream.getvalue(), target=name)
    np.testing.assert_array_equal(series.values[:, 0], range(12))
    with pytest.raises(ParamsError, match=r"column='haet'$") as caught:
        _read(tmp_path, stream.getvalue(), target="haet")
    assert name[:50].replace("\n", "\\n") in str(caught.value)


def test_a_line_break_in_a_name_is_the_same_in_all_files(tmp_path):
    """A profile writes it in one way."""
    content = '"two\r\nlines"\r\n' + "".join(f"{row}\r\n" for row in range(12))
    assert len(_read(tmp_path, content, target="two\nlines")[0].values) == 12


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (pd.date_range("2024-01-31", periods=12, freq="h"), "1 hour"),
        (pd.date_range("2024-01-31", periods=12, freq="15min"), "15 minutes"),
        (pd.date_range("2024-01-31", periods=12, freq="20ms"), "0.02 seconds"),
        (pd.date_range("2024-01-31", periods=12, freq="us"), "1e-06 seconds"),
        (pd.date_range("2024-02-20", periods=12, freq="D"), "1 day"),
        (pd.date_range("2024-02-20", periods=12, freq="W"), "7 days"),
        (pd.date_range("2023-07-01", periods=12, freq="MS"), "1 month"),
        (pd.date_range("2023-01-31", periods=12, freq="ME"), "1 month"),
        (pd.date_range("2023-01-31", periods=12, freq="QE"), "3 months"),
        (pd.date_range("1996-02-29", periods=12, freq="YE-FEB"), "1 year"),
        (pd.date_range("1700-01-01", periods=12, freq="10YS"), "10 years"),
        (
            pd.to_datetime(
                [f"2024-{month:02}-{min(day, 30)}" for month, day in enumerate([30, 29] + [30] * 10, 1)]
            ),
            "1 month",
        ),
    ],
)
def test_times_of_the_clock_and_of_the_calendar_are_regular(tmp_path, times, step):
    """Months, quarters and years count as one step though their days differ."""
    (series,) = _read(tmp_path, _text(("t", times), ("load", LOAD)), time="t")
    np.testing.assert_array_equal(series.times, times.to_numpy())
    assert series.step == step


@pytest.mark.parametrize(
    ("cells", "first", "last"),
    [
        ([f"{day:02}.03.2024" for day in range(1, 13)], "2024-03-01", "2024-03-12"),
        ([f"{day}/3/2024 14:05" for day in range(9, 21)], "2024-03-09T14:05", "2024-03-20T14:05"),
        ([f"3/{day}/2024 2:05:30 PM" for day in range(9, 21)], "2024-03-09T14:05:30", "2024-03-20T14:05:30"),
        ([f"3/20/2024 {hour or 12}:00 am" for hour in range(12)], "2024-03-20T00:00", "2024-03-20T11:00"),
        ([f"3/20/2024 {hour or 12}:00PM" for hour in range(12)], "2024-03-20T12:00", "2024-03-20T23:00"),
        ([f"2024/03/{day}" for day in range(9, 21)], "2024-03-09", "2024-03-20"),
        ([f"202403{day:02}" for day in range(9, 21)], "2024-03-09", "2024-03-20"),
        ([f"2024{month:02}" for month in range(1, 13)], "2024-01-01", "2024-12-01"),
        ([f"2024-{month:02}" for month in range(1, 13)], "2024-01-01", "2024-12-01"),
        ([f"{year}" for year in range(1990, 2002)], "1990-01-01", "2001-01-01"),
        (
            [f"{year}-Q{quarter}" for year in (2020, 2021, 2022) for quarter in range(1, 5)],
            "2020-01-01",
            "2022-10-01",
        ),
        (
            [f"2024-03-09T{hour:02}:00:00.5Z" for hour in range(12)],
            "2024-03-09T00:00:00.5",
            "2024-03-09T11:00:00.5",
        ),
        ([f"2024-03-09 {hour:02}:00:00+01:00" for hour in range(12)], "2024-03-09T00:00", "2024-03-09T11:00"),
        (
            [
                f"2024-03-09T{hour:02}:00{zone}"
                for hour, zone in zip(range(12), ["Z", "+00:00", "-0000", " UTC"] * 3, strict=True)
            ],
            "2024-03-09T00:00",
            "2024-03-09T11:00",
        ),
    ],
)
def test_times_are_read_in_many_spellings(tmp_path, cells, first, last):
    """Day and month are told apart by a day above 12; one time zone in all rows is left out."""
    (series,) = _read(tmp_path, _text(("t", cells), ("load", LOAD)), time="t")
    assert (series.times[0], series.times[-1]) == (np.datetime64(first), np.datetime64(last))


@pytest.mark.parametrize(
    ("start", "step", "text"), [(0, 1, "1"), (-0.5, 0.1, "0.1"), (20240101, 86400, "86400")]
)
def test_steps_may_be_numbers(tmp_path, start, step, text):
    """They sort and are checked as times are, and are no dates."""
    cells = [f"{start + step * row:.10g}" for row in range(12)]
    (series,) = _read(tmp_path, _text(("t", cells[::-1]), ("load", LOAD[::-1])), time="t")
    np.testing.assert_array_equal(series.values[:, 0], LOAD)
    assert (series.times, series.step) == (None, text)


def test_rows_are_sorted_by_time(tmp_path):
    """The order in the file does not count."""
    order = np.random.default_rng(1).permutation(12)
    (series,) = _read(tmp_path, _text(*((name, cells[order]) for name, cells in COLUMNS)), time="date")
    np.testing.assert_array_equal(series.values[:, 0], LOAD)
    np.testing.assert_array_equal(series.times, DAYS)


@pytest.mark.parametrize("word", ["", "NA", "nan", "NaN", "null", "NULL", "None", " na "])
def test_missing_numbers_repeat_the_last_known_one_and_leading_ones_are_cut(tmp_path, word):
    """Nothing is taken from the future: the series begins where every column is known."""
    load = [word, 1, word, 3, 4, 5, 6, 7, 8, 9, 10, word]
    heat = [5, word, word, 6, word, 7, 8, 9, 8, 9, 8, 9]
    content = _text(("date", DAYS), ("load", load), ("heat", heat))
    (series,) = _read(tmp_path, content, time="date", features=["heat"], missing="fill")
    np.testing.assert_array_equal(series.values[:, 0], [1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 10])
    np.testing.assert_array_equal(series.values[:, 1], [5, 5, 6, 6, 7, 8, 9, 8, 9, 8, 9])
    np.testing.assert_array_equal(series.times, DAYS[1:])


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-01-31", periods=12, freq="h"),
        pd.date_range("2024-01-31", periods=12, freq="W"),
        pd.date_range("2023-07-31", periods=12, freq="ME"),
        pd.date_range("2023-01-31 06:00", periods=12, freq="QE"),
        pd.date_range("1999-01-01", periods=12, freq="YS"),
        None,
    ],
)
@pytest.mark.parametrize("gaps", [[1], [5, 6, 9], [2, 3, 4, 7]])
def test_gaps_of_whole_steps_are_filled_from_the_past(tmp_path, times, gaps):
    """Rows that are not there become rows with the last known values, at the times between."""
    kept = np.setdiff1d(np.arange(12), gaps)
    cells = np.arange(12) / 2 if times is None else times.to_numpy()
    content = _text(("t", cells[kept]), ("load", LOAD[kept]))
    (series,) = _read(tmp_path, content, time="t", missing="fill")
    np.testing.assert_array_equal(series.values[:, 0], [LOAD[kept[kept <= row].max()] for row in range(12)])
    if times is not None:
        np.testing.assert_array_equal(series.times, cells)
    with pytest.raises(ParamsError, match=r"or set `missing: fill` .* Received: t="):
        _read(tmp_path, content, time="t")


def test_several_series_come_in_the_order_of_the_file(tmp_path):
    """Each is sorted by its own time and filled from its own past."""
    names, days = ["b", "a"] * 12, np.repeat(DAYS, 2)
    load = np.stack([np.arange(12.0), LOAD], axis=1).ravel().astype(object)
    load[[6, 9]] = ""
    content = _text(("town", names), ("date", days), ("load", load))
    first, second = _read(tmp_path, content, time="date", series="town", missing="fill")
    assert (first.name, second.name) == ("b", "a")
    np.testing.assert_array_equal(first.values[:, 0], [0, 1, 2, 2, *range(4, 12)])
    np.testing.assert_array_equal(second.values[:, 0], [*LOAD[:4], LOAD[3], *LOAD[5:]])
    np.testing.assert_array_equal(second.times, DAYS)


@pytest.mark.parametrize(
    ("window", "horizon", "folds"),
    [(1, 1, 1), (1, 1, 3), (1, 1, 7), (2, 7, 3), (5, 2, 5), (24, 1, 3), (24, 30, 1), (3, 30, 6)],
)
def test_the_rows_that_are_needed_are_exactly_those_that_all_parts_need(window, horizon, folds):
    """With one row less a part of some fold is empty; with as many or more, none is."""
    info = dataclasses.replace(CATALOG["sunspots"], window=window, horizon=horizon)
    needed = rows_needed(window, horizon, folds)
    noise = np.random.default_rng(0).normal(size=needed + 20)

    def enough(n):
        try:
            for bounds in rolling_origins(n, folds):
                forecasting_fold(noise[:n], bounds, info)
        except ValueError:
            return False
        return True

    assert [enough(n) for n in range(needed - 1, needed + 20)] == [False] + [True] * 20


def test_more_folds_than_a_series_has_room_for_are_an_error():
    """Eight test parts and a validation part are more than the whole."""
    with pytest.raises(ValueError, match=r"Received: folds=8$"):
        rows_needed(1, 1, 8)


@pytest.mark.parametrize("differenced", [False, True])
def test_as_many_rows_as_are_needed_are_enough(tmp_path, differenced):
    """A differenced series needs one more."""
    needed = rows_needed(2, 3, 2) + differenced
    settings = {"window": 2, "horizon": 3, "folds": 2, "differenced": differenced}
    rows = np.arange(needed) ** 2
    (series,) = _read(tmp_path, _text(("load", rows)), **settings)
    assert len(series.values) == needed
    with pytest.raises(ParamsError, match=rf"Expected at least {needed} rows .* rows={needed - 1}$"):
        _read(tmp_path, _text(("load", rows[1:])), **settings)


def _sequences(folder, content, **settings):
    (folder / "data.csv").write_text(content, encoding="utf-8")
    return read_sequences(_own(kind="classification", label="what", **settings), folder)


def _walks(classes=("walk", "run"), times=4):
    """Return rows (id, step, x, y, what) of sequences of 1 to 8 steps, each row with numbers of its own."""
    return [
        (f"s{number}", step, number + step / 8, -step, classes[number % len(classes)])
        for number in range(times * len(classes))
        for step in range(number % 8 + 1)
    ]


WALK = ("id", "step", "x", "y", "what")


def _table(rows, names=WALK):
    return _text(*((name, [row[column] for row in rows]) for column, name in enumerate(names)))


def test_sequences_are_padded_with_zeros_at_their_end(tmp_path):
    """Each has its own length, and its class as a position among the sorted names."""
    found = _sequences(tmp_path, _table(_walks()), features=["y", "x"])
    assert (found.x.shape, found.x.dtype.name) == ((8, 8, 2), "float64")
    assert (found.features, found.classes) == (("y", "x"), ("run", "walk"))
    assert (found.lengths.dtype.name, found.labels.dtype.name) == ("int32", "int32")
    np.testing.assert_array_equal(found.lengths, range(1, 9))
    np.testing.assert_array_equal(found.labels, [1, 0] * 4)
    for number, (steps, length) in enumerate(zip(found.x, found.lengths, strict=True)):
        np.testing.assert_array_equal(steps[:length, 1], number + np.arange(length) / 8)
        assert not steps[length:].any()


def test_all_further_columns_of_numbers_are_features(tmp_path):
    """Sequence, label and time are none, nor are columns of text, without a name or without any value."""
    rows = [(row, *walk, "note", "", walk[0]) for row, walk in enumerate(_walks())]
    content = _table(rows, ("", *WALK, "note", "void", "person"))
    assert _sequences(tmp_path, content, time="step").features == ("x", "y")
    assert _sequences(tmp_path, content).features == ("step", "x", "y")


def test_steps_stay_in_the_order_of_the_file_or_are_sorted_by_time(tmp_path):
    """Rows of a sequence need not stand together."""
    rows = _walks()
    mixed = [rows[row] for row in np.random.default_rng(3).permutation(len(rows))]
    in_time = _sequences(tmp_path, _table(mixed), time="step")
    as_read = _sequences(tmp_path, _table(mixed), features=["x", "y"])
    ids = list(dict.fromkeys(row[0] for row in mixed))
    for number, name in enumerate(ids):
        steps = [row[2:4] for row in mixed if row[0] == name]
        np.testing.assert_array_equal(as_read.x[number, : len(steps)], steps)
        np.testing.assert_array_equal(in_time.x[number, : len(steps)], sorted(steps))


def test_times_of_sequences_need_no_even_steps(tmp_path):
    """Only their order counts, and each sequence has a clock of its own."""
    rows = [(name, step**2, *rest) for name, step, *rest in _walks()]
    np.testing.assert_array_equal(_sequences(tmp_path, _table(rows), time="step").lengths, range(1, 9))


def test_classes_that_are_numbers_are_sorted_as_numbers(tmp_path):
    """Ten comes after two; other names are sorted as text."""
    found = _sequences(tmp_path, _table(_walks(("10", "2", "-1", "100"))), time="step", window=8)
    assert found.classes == ("-1", "2", "10", "100")
    np.testing.assert_array_equal(found.labels, [2, 1, 0, 3] * 4)
    assert _sequences(tmp_path, _table(_walks(("10", "2", "x"))), time="step").classes == ("10", "2", "x")


def test_missing_numbers_of_a_sequence_are_filled_from_its_own_past(tmp_path):
    """A step without a known number before it is cut."""
    rows = [["a", 0, "", 1, "run"], ["a", 1, 2, "", "run"], ["a", 2, "NA", 3, "run"], *map(list, _walks())]
    found = _sequences(tmp_path, _table(rows), time="step", missing="fill")
    np.testing.assert_array_equal(found.x[0, :3], [[2, 1], [2, 3], [0, 0]])
    assert found.lengths[0] == 2


def _random_cell(rng):
    """Return a number in one of many sizes, or a missing one."""
    if rng.random() < 0.1:
        return np.nan
    number = rng.normal() * 10.0 ** rng.integers(-12, 12)
    return float(round(number)) if rng.random() < 0.3 else float(number)


@pytest.mark.parametrize("seed", range(25))
def test_random_tables_are_read_back_as_they_were_written(tmp_path, seed):
    """Whatever names, numbers, separators, quotes and line ends: the arrays are the same bit for bit."""
    rng = np.random.default_rng(seed)
    delimiter, end = rng.choice([",", ";", "\t"]), rng.choice(["\n", "\r\n"])
    comma = delimiter != "," and rng.random() < 0.5
    pool = [*"abcXYZ019 .,;\t'\"<>=+-@#%&é漢🙂\n"]
    names = [f"c{number}{''.join(rng.choice(pool, size=rng.integers(0, 9)))}c" for number in range(3)]
    n = int(rng.integers(40, 90))
    values = np.array([[_random_cell(rng) for _ in names] for _ in range(n)])
    values[0], values[1] = rng.normal(size=(2, 3))  # known from the start, and no column is constant
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if rng.random() < 0.3 else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, delimiter=str(delimiter), lineterminator=str(end), quoting=quoting)
    writer.writerow(names)
    for row in values:
        cells = ["" if np.isnan(cell) else repr(float(cell)) for cell in row]
        writer.writerow([cell.replace(".", ",") for cell in cells] if comma else cells)
    target, *features = (names[column] for column in rng.permutation(3))
    settings = {"target": target, "features": features, "window": 3, "folds": 2, "missing": "fill"}
    (series,) = _read(tmp_path, stream.getvalue(), **settings)
    expected = pd.DataFrame(values, columns=names)[[target, *features]].ffill().to_numpy()
    np.testing.assert_array_equal(series.values, expected)


@pytest.mark.parametrize("kind", ["forecasting", "classification"])
@pytest.mark.parametrize("folds", [None, 2])
def test_the_number_of_folds_follows_the_kind_unless_it_is_given(folds, kind):
    """Three rolling origins, or five partitions of labelled sequences."""
    needed = {"target": "a", "window": 1} if kind == "forecasting" else {"sequence": "a", "label": "b"}
    own = OwnTask.model_validate(
        {"csv": "a.csv", "kind": kind, **needed, **({} if folds is None else {"folds": folds})}
    )
    assert own.folds == (folds or {"forecasting": 3, "classification": 5}[kind])
