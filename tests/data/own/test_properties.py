"""Whatever stands in a table of one's own: it is read as it stands, or one line says what is wrong."""

from __future__ import annotations

import csv
import datetime as dt
import io

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lstmstudy.data.own import OwnTask, read_sequences, read_series
from lstmstudy.data.own.cells import is_missing, is_number, is_time
from lstmstudy.data.own.table import read_table
from lstmstudy.data.own.times import read_times
from lstmstudy.parsing.strict_yaml import ParamsError

SERIES = {"kind": "forecasting", "csv": "data.csv", "target": "load", "window": 1, "folds": 1}
SEQUENCES = {"kind": "classification", "csv": "data.csv", "sequence": "id", "label": "load"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder for the table of each example."""
    return tmp_path_factory.mktemp("tables")


def read_or_refused(call, folder, text, **own):
    """Return what is read of a table with this text, or None if it is refused in one line."""
    (folder / "data.csv").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    try:
        return call(OwnTask.model_validate(own), folder)
    except ParamsError as error:
        message = str(error)
    assert message.startswith("data.csv: ")
    assert message.isprintable()
    assert len(message) < 700
    assert "Received: " in message
    return None


CELLS = st.sampled_from(
    [
        "1",
        "-2.5",
        "1,5",
        "1e999",
        "NA",
        "",
        " ",
        '"',
        "a b",
        "=1+1",
        "2024-01-02",
        "inf",
        "1.234,5",
        "\u0661",
        "é",
        "\0",
        "0x1",
    ]
)
LINES = st.lists(
    st.tuples(st.lists(CELLS, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\r", "\n\n"])),
    max_size=14,
)


@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=80).map(str.encode),
        st.tuples(st.sampled_from(",;\t"), LINES).map(
            lambda made: "".join(made[0].join(cells) + end for cells, end in made[1]).encode()
        ),
    ),
    st.sampled_from(["", "load\n", "id,load\n", "id;load;t\n", "\ufeffload,id,t\r\n"]),
    st.sampled_from(["refuse", "fill", "mask"]),
)
@settings(max_examples=150)
@example(b"1\n" * 12, "load\n", "fill")
@example(b"1,5\n2,5\n", "load\n", "fill")
def test_any_text_is_a_table_or_one_line(folder, body, header, missing):
    """Random bytes, letters and cells under a header: arrays come of them, or one line that begins with the file."""
    text = header.encode() + body
    for call, own in ((read_series, SERIES), (read_sequences, SEQUENCES)):
        found = read_or_refused(call, folder, text, **own, missing=missing)
        if call is read_series and found is not None:
            assert all(missing == "mask" or np.isfinite(each.values).all() for each in found)


COLUMN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10)
NUMBER = st.floats(-1e100, 1e100)


def good_name(name):
    """Whether a text can be the name of a column: it is not blank at its ends, no value and no time."""
    return bool(name.strip()) and name == name.strip() and "\r" not in name


@given(
    st.lists(COLUMN.filter(good_name), min_size=2, max_size=4, unique=True),
    st.lists(NUMBER, min_size=20, max_size=30),
    st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")]),
    st.tuples(st.sampled_from(["\n", "\r\n"]), st.booleans()),
)
@example(["load", "a,b"], [1.0 * n for n in range(20)], (",", "."), ("\n", False))
def test_written_numbers_are_read_back_exactly(folder, names, numbers, marks, layout):
    """Whatever columns are called, and whatever separates cells and decimals: every number is the same to the last bit."""
    (delimiter, mark), (end, quoted) = marks, layout
    assume(not all(is_number(name) or is_missing(name) or is_time(name) for name in names))
    assume(len({number for number in numbers if number}) > 1)
    values = np.array([np.roll(numbers, shift) for shift in range(len(names))]).T
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    writer.writerows([repr(float(cell)).replace(".", mark) for cell in row] for row in values)
    own = OwnTask.model_validate({**SERIES, "target": names[0], "features": names[1:]})
    (folder / "data.csv").write_bytes(stream.getvalue().encode())
    try:
        (found,) = read_series(own, folder)
    except ParamsError as error:
        assert "never changes" in str(error) or "same" in str(error) or "constant" in str(error), error  # noqa: PT017
        assume(False)
    np.testing.assert_array_equal(found.values, values)


FORMS = st.sampled_from(
    ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f"]
)
TIMES = st.datetimes(min_value=dt.datetime(1000, 1, 1))  # noqa: DTZ001 - tables have none


@given(st.lists(TIMES, min_size=1, max_size=6), FORMS)
def test_written_times_are_read_back_exactly(folder, times, form):
    """A time in any of the usual forms is the same microsecond."""
    lines = ["t,load", *(f"{time.strftime(form)},1" for time in times)]
    (folder / "data.csv").write_text("\n".join(lines), encoding="utf-8")
    table = read_table(OwnTask.model_validate({**SERIES, "time": "t"}), folder)
    np.testing.assert_array_equal(read_times(table, "t"), np.array(times, dtype="datetime64[us]"))


@given(st.lists(st.text("0123456789-/.:TZ +qQ", min_size=1, max_size=12), min_size=1, max_size=5))
@settings(max_examples=100)
@example(["20240231"])
@example(["9999-12-31 23:59:60"])
@example(["0000-01-01"])
@example(["1e999"])
def test_any_cell_is_a_time_or_one_line(folder, cells):
    """Digits and marks in any order: dates, step numbers, or one line that names the row."""
    text = "\n".join(["t,load", *(f"{cell},1" for cell in cells), ""])

    def read(own, root):
        return read_times(read_table(own, root), "t")

    found = read_or_refused(read, folder, text, **SERIES, time="t")
    assert found is None or len(found) == len(cells)
