"""Parquet files of every kind, written for real: the task of the CSV file, or one line that helps; nothing in them runs."""

# ruff: noqa: PD011, S301 - the values of our series, not of pandas; a pickle is what must not be loaded

from __future__ import annotations

import datetime as dt
import decimal
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from planning import refusal
from pyarrow import parquet

from lstmstudy.data.own import OwnTask, read_sequences, read_series
from lstmstudy.data.own import parquet as own_parquet
from lstmstudy.data.own.task import build_own

N = 120
RNG = np.random.default_rng(4)
LOAD = RNG.normal(size=N)
HEAT = RNG.normal(size=N).astype(np.float32)
DAYS = np.datetime64("2024-02-25") + np.arange(N)


def write(folder, columns, name="data.parquet", **options):
    """Write columns as a Parquet file and return its path."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    parquet.write_table(table, folder / name, **options)
    return folder / name


def own(**settings):
    """Return a forecast of `load` from a Parquet file, but for `settings`."""
    usual = {"kind": "forecasting", "parquet": "data.parquet", "target": "load", "window": 3, "folds": 1}
    return OwnTask.model_validate({**usual, **settings})


def wrong(folder, **settings):
    """Return the message about a Parquet file that cannot be used."""
    message = refusal(read_series, own(**settings), folder)
    assert message.isprintable()
    assert len(message) < 600
    assert "Expected " in message
    return message


def columns(**changes):
    """Return a date, the load and the heat, but for changes."""
    return {"date": DAYS, "load": LOAD, "heat": HEAT, **changes}


@pytest.mark.parametrize("settings", [{}, {"missing": "fill"}, {"missing": "mask"}])
def test_the_task_is_that_of_the_csv_file(tmp_path, settings):
    """Every digit, date and gap is the same: equal arrays, scales and references."""
    load = LOAD.copy()
    if settings:
        load[[20, 50, 51]] = np.nan, np.inf, np.nan
    frame = pd.DataFrame(columns(load=load))
    frame.to_csv(tmp_path / "data.csv", index=False, float_format="%.17g")
    frame.to_parquet(tmp_path / "data.parquet")
    usual = {"time": "date", "features": ["heat"], "window": 5, **settings}
    tasks = [
        build_own(own(**usual), "own", tmp_path),
        build_own(own(parquet=None, csv="data.csv", **usual), "own", tmp_path),
    ]
    assert tasks[0].content == tasks[1].content
    assert tasks[0].references == tasks[1].references
    assert tasks[0].info.variable_length == (settings.get("missing") == "mask")


def test_an_index_of_pandas_is_a_column(tmp_path):
    """Dates that are the index of a frame are found by its name; an index of numbers alone is none."""
    pd.DataFrame(columns()).set_index("date").to_parquet(tmp_path / "data.parquet")
    (series,) = read_series(own(time="date"), tmp_path)
    np.testing.assert_array_equal(series.times, DAYS)
    np.testing.assert_array_equal(series.values[:, 0], LOAD)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pa.array(range(N), pa.int8()), range(N)),
        (pa.array([2**53 - 10**12 * row for row in range(N)], pa.uint64()), [float(2**53 - 10**12 * row) for row in range(N)]),
        (pa.array(HEAT, pa.float32()), HEAT.astype(float)),
        (pa.array(np.arange(N, dtype=np.float16)), range(N)),
        (pa.array([decimal.Decimal(row) / 100 for row in range(N)], pa.decimal128(9, 2)), [float(f"{row / 100:.2f}") for row in range(N)]),
        (pa.array([decimal.Decimal(row) for row in range(N)], pa.decimal256(40, 0)), range(N)),
        (pa.array([f" {row}.5 " for row in range(N)]), [row + 0.5 for row in range(N)]),
        (pa.array([str(row) for row in range(N)], pa.large_string()), range(N)),
        (pa.array([str(row % 7) for row in range(N)]).dictionary_encode(), [row % 7 for row in range(N)]),
        (pa.array([row % 7 for row in range(N)]).dictionary_encode(), [row % 7 for row in range(N)]),
    ],
)  # fmt: skip
def test_numbers_of_every_type_are_read(tmp_path, cells, expected):
    """Integers, floats, decimals, texts and categories are the numbers that they stand for."""
    write(tmp_path, {"load": cells})
    (series,) = read_series(own(), tmp_path)
    np.testing.assert_array_equal(series.values[:, 0], list(expected))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+05:30"])
def test_times_with_and_without_a_zone_are_read(tmp_path, unit, zone):
    """Those with one are in UTC: the hour that an autumn night has twice is two hours."""
    times = pd.date_range("2024-10-26 18:00", periods=N, freq="h")
    write(tmp_path, {"t": pa.array(times.to_numpy().astype(f"datetime64[{unit}]"), pa.timestamp(unit, zone)), "load": LOAD})  # fmt: skip
    (series,) = read_series(own(time="t"), tmp_path)
    np.testing.assert_array_equal(series.times, times.to_numpy())


@pytest.mark.parametrize(
    "times",
    [
        pa.array(DAYS.astype(object), pa.date32()),
        pa.array(DAYS.astype(object), pa.date64()),
        pa.array([str(day) for day in DAYS]),
        pa.array([str(day) for day in DAYS]).dictionary_encode(),
        pa.array(DAYS.astype("datetime64[ns]") + np.timedelta64(1, "ns")),
    ],
)
def test_dates_of_every_type_are_read(tmp_path, times):
    """Dates, texts and categories are days; nanoseconds are cut."""
    write(tmp_path, {"t": times, "load": LOAD})
    np.testing.assert_array_equal(read_series(own(time="t"), tmp_path)[0].times, DAYS)


def test_columns_that_are_not_named_may_hold_anything(tmp_path):
    """Nested ones and bytes are left alone, and labelled sequences take no features from them."""
    odd = {"list": [[1]] * N, "bytes": [b"x"] * N, "struct": [{"a": 1, "load": 2}] * N}
    write(tmp_path, {**odd, **columns()})
    np.testing.assert_array_equal(read_series(own(), tmp_path)[0].values[:, 0], LOAD)
    ids = np.arange(N) // 5
    write(tmp_path, {**odd, "id": ids, "kind": np.where(ids % 2, "b", "a"), "x": LOAD})
    settings = {"kind": "classification", "parquet": "data.parquet", "sequence": "id", "label": "kind"}
    assert read_sequences(OwnTask.model_validate(settings), tmp_path).features == ("x",)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([[1.0]] * N, "list<"),
        ([{"a": 1}] * N, "struct<"),
        (pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())), "map<"),
        ([b"abc"] * N, "binary"),
        (pa.array([b"abc"] * N).dictionary_encode(), "binary"),
        (pa.array([b"abc"] * N, pa.large_binary()), "large_binary"),
        (pa.array([b"abc"] * N, pa.binary(3)), "fixed_size_binary[3]"),
    ],
)
def test_a_named_column_that_is_no_number_text_or_time_is_explained(tmp_path, cells, kind):
    """The line names the column and what it holds."""
    write(tmp_path, {"load": cells})
    message = wrong(tmp_path)
    assert message.startswith("data.parquet: column `load` holds neither numbers nor texts nor times")
    assert message.partition("Received: load=")[2][1:].startswith(kind)


class Trap:
    """Leaves a file behind wherever its pickle is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        """Write the file when loaded."""
        return Path.touch, (self.path,)


def test_a_pickle_in_a_file_is_never_loaded(tmp_path):
    """Neither pickled objects in cells nor those that stand for a type or the index of pandas are run."""
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    pickle.loads(trap)
    assert sprung.exists()
    sprung.unlink()
    write(tmp_path, {"load": [trap] * N})
    assert "Received: load='binary'" in wrong(tmp_path)
    field = pa.field(
        "load",
        pa.float64(),
        metadata={"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": trap},
    )
    schema = pa.schema([field], metadata={"pandas": trap})
    write(tmp_path, pa.Table.from_arrays([pa.array(LOAD)], schema=schema))
    np.testing.assert_array_equal(read_series(own(), tmp_path)[0].values[:, 0], LOAD)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("made", "settings", "parts"),
    [
        ({"load": [1.0, np.inf, 2.0]}, {}, ["row 2, column `load`: infinity", "load='inf'"]),
        ({"load": [1.0, None, 2.0]}, {}, ["row 2, column `load`: the number is missing", "load=''"]),
        ({"load": pa.array([None] * 9)}, {}, ["column `load`: all 9 cells are missing", "load=''"]),
        ({"load": [True, False, True]}, {}, ["row 1, column `load`: this is no number", "load='True'"]),
        ({"load": [1.0] * 30}, {}, ["column `load`: the series is the same in each row", "load=1.0"]),
        ({"load": [dt.timedelta(1)] * 9}, {}, ["row 1, column `load`: this is no number", "load='1 day"]),
        ({"load": [dt.time(1)] * 9, "x": range(9)}, {"time": "load", "target": "x"}, ["row 1, column `load`: this is no time"]),
        ({"load": pa.array([], pa.float64())}, {}, ["no row follows the header", "rows=0"]),
        ({"lod": [1.0]}, {}, ["target: unknown column `load`", "Did you mean `lod`?", "column='load'"]),
        ({"0": [1.0], "1": [2.0]}, {}, ["the list of columns has values where names are expected", "header=['0', '1']"]),
        ({" load": [1.0], "load ": [2.0]}, {}, ["the name `load` is there twice, in columns 1 and 2"]),
        ({"load": range(5), "t": pa.array([2**62] * 5, pa.timestamp("us"))}, {"time": "t"}, ["this is no Parquet file that can be read ("]),
        ({"load": range(99)}, {"max_rows": 50}, ["row 51 of 99 comes after 50 rows", "max_rows=50"]),
    ],
)  # fmt: skip
def test_a_bad_table_in_a_parquet_file_is_explained(tmp_path, made, settings, parts):
    """Rows are counted from 1, and the message has the form of those about CSV files."""
    write(tmp_path, made)
    message = wrong(tmp_path, **settings)
    assert message.startswith("data.parquet: ")
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("size", [0, 1, 4, 8, 100, 500, -1, -4, -9, -100])
def test_a_truncated_file_is_explained(tmp_path, size):
    """However much is left, one line says that it cannot be read."""
    path = write(tmp_path, columns())
    path.write_bytes(path.read_bytes()[:size])
    message = wrong(tmp_path)
    assert message.startswith("data.parquet: this is no Parquet file that can be read (")
    assert message.endswith("Received: file='data.parquet'")


@pytest.mark.parametrize("content", [b"date,load\n2024-01-01,1\n", b"PAR1", b"PAR1" * 50, b"\0" * 500, pickle.dumps([1] * 99), b"PAR1" + b"\xff" * 92 + b"PAR1"])  # fmt: skip
def test_what_is_no_parquet_file_is_explained(tmp_path, content):
    """CSV, pickles and noise are one line."""
    (tmp_path / "data.parquet").write_bytes(content)
    assert wrong(tmp_path).startswith("data.parquet: this is no Parquet file that can be read (")


@pytest.mark.parametrize("seed", range(8))
def test_no_damage_leads_to_another_error(tmp_path, seed):
    """Whatever a few wrong bytes do, the file is read, or refused in one line."""
    path = write(tmp_path, columns(town=["a", "b"] * (N // 2)), row_group_size=40)
    whole, rng = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(40):
        data = bytearray(whole)
        for place in rng.integers(len(data), size=rng.integers(1, 5)):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            (series,) = read_series(own(time="date", features=["heat"], missing="fill"), tmp_path)
        except ValueError as error:
            message = str(error)
            assert message.startswith("data.parquet: ")
            assert message.isprintable()
            assert "Received: " in message
        else:
            assert np.isfinite(series.values).all()


def test_rows_beyond_the_cap_are_not_loaded(tmp_path):
    """How many there are is read from the end of the file: a hundred million take no memory."""
    path = tmp_path / "data.parquet"
    schema = pa.schema([("load", pa.int64())])
    million = pa.table({"load": pa.array(np.zeros(10_000_000, np.int64))}, schema)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(million)
    assert os.path.getsize(path) < 1_000_000  # noqa: PTH202 - of bytes on disk
    del million
    before = pa.total_allocated_bytes()
    message = wrong(tmp_path)
    assert "row 1000001 of 100000000 comes after 1000000 rows" in message
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_columns_too_large_once_unpacked_are_not_loaded(tmp_path, monkeypatch):
    """What the file says about its columns is looked at first, and about those alone that are read."""
    monkeypatch.setattr(own_parquet, "_LARGEST", 2000)
    write(tmp_path, columns(note=["x" * 100 + str(row) for row in range(N)]))
    assert len(read_series(own(), tmp_path)[0].values) == N
    message = wrong(tmp_path, time="date", features=["heat"])
    assert "the columns are too large once unpacked. Expected at most 2000 bytes" in message


@pytest.mark.parametrize(
    "name", ["<script>", "=1+2", "two\nlines", "🌡️ °C", "a.b", "x" * 200, "`code`", "load.list.item"]
)
def test_any_text_is_a_name_of_a_column(tmp_path, name):
    """Markup, points and line breaks are names; another column with the same beginning is another one."""
    write(tmp_path, {name: LOAD, "a": HEAT, "other": ["?"] * N})
    np.testing.assert_array_equal(read_series(own(target=name), tmp_path)[0].values[:, 0], LOAD)
    np.testing.assert_array_equal(read_series(own(target="a"), tmp_path)[0].values[:, 0], HEAT)
