"""Whatever is wrong with a user's table or its section in a profile is one line that helps."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import Field

from lstmstudy.data.own import OwnTask, read_sequences, read_series, sequences, table
from lstmstudy.parsing.sections import Section, load
from lstmstudy.parsing.strict_yaml import ParamsError

FEW = {"target": "load", "window": 1, "folds": 1}
DAYS = [f"2024-03-{day:02}" for day in range(1, 13)]
GOOD = [f"{day},{row**2},{row % 3}" for row, day in enumerate(DAYS)]


def _lacks(message, start, *parts):
    """Return what a message lacks: the form of all errors, one line, and these parts in order."""
    form = {
        f"begins with {start}": message.startswith(start),
        "is one line that can be printed": message.isprintable(),
        "is short": len(message) < 600,
        "says what is expected": "Expected " in message,
        "ends with what came": re.fullmatch(r"\S.*=.+", message.rpartition(" Received: ")[2]) is not None,
    }
    lacking, place = [name for name, holds in form.items() if not holds], 0
    for part in parts:
        found = message.find(part, place)
        if found < 0:
            lacking.append(part)
        else:
            place = found + len(part)
    return [*lacking, message] if lacking else []


def _caught(folder, content, **settings):
    """Return the error for a CSV file with this content, read as a forecast but for `settings`."""
    if content is not None:
        (folder / "data.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    kind = settings.get("kind", "forecasting")
    few = FEW if kind == "forecasting" else {"sequence": "id", "label": "what"}
    own = OwnTask.model_validate({"kind": kind, "csv": "data.csv", **few, **settings})
    with pytest.raises(ParamsError) as caught:
        (read_series if kind == "forecasting" else read_sequences)(own, folder)
    return str(caught.value)


def _csv(*changes, header="date,load,heat", rows=GOOD):
    """Return a good table with some lines replaced, each a pair of its number in the file and its new text."""
    lines = [header, *rows]
    for number, text in changes:
        lines[number - 1] = text
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["the file is empty", "a header and rows", "bytes=0"]),
        (b"\xef\xbb\xbf \n\n", ["the file is empty", "bytes=6"]),
        (b"load,heat\n", ["no row follows the header", "rows=0"]),
        (b"load\n1\n\xe9\n", ["line 3", "not UTF-8 text at byte 7", "iconv -f WINDOWS-1252 -t UTF-8", "byte_7=0xe9"]),
        (_csv().encode("utf-16"), ["UTF-16: convert it by `iconv -f UTF-16", "first_bytes=b'"]),
        (_csv().encode("utf-16-le"), ["a zero byte at byte 1", "iconv -f UTF-16", "byte_1=0x00"]),
        (b"PK\x03\x04\x14\0", ["a spreadsheet or archive: save the table as `CSV UTF-8`", "first_bytes=b'PK"]),
        (b"\xd0\xcf\x11\xe0\xa1", ["an old spreadsheet", "first_bytes"]),
        (b"\x1f\x8b\x08", ["compressed: unpack it", "first_bytes"]),
        (b"PAR1....", ["a Parquet file: name it by `parquet`", "first_bytes=b'PAR1'"]),
        (_csv(header="2024-02-29,0,1"), ["line 1 has values where names are expected", "write one above", "header=['2024-02-29'"]),
        (_csv(header="1,2.5,-3e-4"), ["line 1 has values", "header=['1', '2.5', '-3e-4']"]),
        (_csv(header="1;2,5;NA"), ["line 1 has values", "header="]),
        ("\n" + _csv(header="1,2,3"), ["line 2 has values"]),
        (_csv(header=",,"), ["values where names are expected", "header="]),
        ('""\n""\n', ["line 1 has no name", "header=['']"]),
        (_csv(header="load,date, load"), ["line 1: the name `load` is there twice, in columns 1 and 3", "rename or delete", "header="]),
        (_csv(header="date,loda,heat"), ["target: unknown column `load`", "one of: date, loda, heat", "Did you mean `loda`?", "column='load'"]),
        (_csv(header="date,Load,heat"), ["Did you mean `Load`?"]),
        (_csv(header="date load heat", rows=["1 2 3"]), ["unknown column", "separated by comma, `;` or tab", "column='load'"]),
        (_csv(header=",".join(f"c{n}" for n in range(99)), rows=[",".join("1" * 99)]), ["c29", "There are 69 more columns", "column="]),
        (_csv((5, "2024-03-04,9,0,1")), ["line 5 has 4 cells and the header 3, separated by `,`", "quote a cell", "decimal mark", "line_5=['2024-03-04'"]),
        (_csv((5, "2024-03-04,9")), ["line 5 has 2 cells", "complete or delete the row", "line_5="]),
        ("load\theat\n1\t2\n1\t2\t3\n", ["line 3 has 3 cells and the header 2, separated by tab"]),
        ("load,note\n" + '1,"two\nlines"\n1,2,3\n', ["line 4 has 3 cells"]),
        ("load\n1,5\n2,x\n", ["line 2 has 2 cells and the header 1", "separate cells by `;`", "line_2=['1', '5']"]),
        (_csv((5, '2024-03-04,"9,0')), ["line 5: a quoted cell is not closed", "each quote inside doubled", "line=5"]),
        (_csv((5, '2024-03-04,"9"0,1')), ["line 5: a quoted cell is not closed, or goes on after its quote", "line=5"]),
        (_csv((5, f"2024-03-04,{'9' * 140_000},1")), ["line 5", "field larger than field limit", "line=5"]),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_explained(tmp_path, content, parts):
    """The message names the file, the line where there is one, and how to put it right."""
    assert _lacks(_caught(tmp_path, content), "data.csv: ", *parts) == []


@pytest.mark.parametrize(
    ("path", "make", "parts"),
    [
        ("data/x.csv", None, ["data/x.csv: the file is missing", "relative to the root", "file='data/x.csv'"]),
        ("data/mine.csv", lambda path: path.with_name("mien.csv").touch(), ["missing", "Did you mean `mien.csv`?"]),
        ("data/mine.csv", lambda path: path.mkdir(), ["data/mine.csv: this is a folder", "name the file in it", "file="]),
        ("data/" + "é" * 150, None, ["Expected a table", "file="]),
        ("data/\0", None, ["the file is missing", "file='data/\\x00'"]),
        ("data/loop", lambda path: path.symlink_to(path), ["data/loop: ", "file='data/loop'"]),
        ("../x.csv", None, ["../x.csv: the file is missing", "file='../x.csv'"]),
        ("/nowhere/x.csv", None, ["x.csv: the file is missing", "file='x.csv'"]),
        ("/dev/null", None, ["null: this is a device or a pipe", "a plain file", "file='null'"]),
    ],
)  # fmt: skip
def test_a_path_without_a_table_is_explained(tmp_path, path, make, parts):
    """The path is shown from the root of the checkout, or without its folders, and never leads to a traceback."""
    (tmp_path / "data").mkdir()
    if make is not None:
        make(tmp_path / path)
    assert _lacks(_caught(tmp_path, None, csv=path), "", *parts) == []


def test_a_file_that_may_not_be_read_is_explained(tmp_path, monkeypatch):
    """The reason is the one that the system gives."""

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (tmp_path / "data.csv").touch()
    assert (
        _lacks(
            _caught(tmp_path, None), "data.csv: Permission denied. Expected a table that can be read", "file="
        )
        == []
    )


def test_a_file_beyond_all_measure_is_not_read(tmp_path, monkeypatch):
    """Its size is looked at first."""
    monkeypatch.setattr(table, "_LARGEST", 100)
    assert (
        _lacks(_caught(tmp_path, _csv()), "data.csv: the file is too large", "at most 100 bytes", "bytes=")
        == []
    )


def test_more_rows_than_the_cap_are_an_error(tmp_path):
    """As many are fine."""
    message = _caught(tmp_path, _csv(), max_rows=11)
    assert _lacks(message, "data.csv: line 13 comes after 11 rows", "raise `max_rows`", "max_rows=11") == []
    own = OwnTask.model_validate({"kind": "forecasting", "csv": "data.csv", "max_rows": 12, **FEW})
    assert len(read_series(own, tmp_path)[0].values) == 12


SERIES = {"series": "date", "target": "load"}


@pytest.mark.parametrize(
    ("content", "settings", "parts"),
    [
        (_csv((4, "2024-03-03,4 kW,1")), {}, ["line 4, column `load`: this is no number", "without unit", "load='4 kW'"]),
        (_csv((4, "2024-03-03,+,1")), {}, ["line 4, column `load`: this is no number", "load='+'"]),
        (_csv((4, "2024-03-03,1_000,1")), {}, ["this is no number", "load='1_000'"]),
        (_csv((4, '2024-03-03,"1,234.5",1')), {}, ["this is no number", "thousands separators", "load='1,234.5'"]),
        (_csv((4, '2024-03-03,"1,234",1'), (6, '2024-03-05,"1,250",1')), {}, ["line 4", "the comma may separate thousands", "write 1.234 or 1234", "load='1,234'"]),
        (_csv((4, '2024-03-03,"4,5",1'), (9, "2024-03-08,6.25,1")), {}, ["line 9", "a decimal point", "as in line 4", "load='6.25'"]),
        (_csv((4, "2024-03-03,\u0664,1")), {}, ["line 4", "this is no number", "load='\u0664'"]),
        (_csv((4, "2024-03-03,__import__('os'),1")), {}, ["this is no number", "load=\"__import__('os')\""]),
        (_csv((4, f"2024-03-03,{'x' * 999},1")), {}, ["this is no number", "xxx..."]),
        (_csv((4, '2024-03-03,"a\nb\u202e",1')), {}, ["this is no number", "load='a\\nb\\u202e'"]),
        (_csv(rows=[f"{day},{day},1" for day in DAYS]), {}, ["line 2, column `load`: this is no number", "load='2024-03-01'"]),
        (_csv((4, "2024-03-03,inf,1")), {}, ["line 4, column `load`: infinity", "numbers up to 1e+100", "load='inf'"]),
        (_csv((4, "2024-03-03,-Infinity,1")), {}, ["infinity", "load='-Infinity'"]),
        (_csv((4, "2024-03-03,1e999,1")), {}, ["infinity", "load='1e999'"]),
        (_csv((4, "2024-03-03,-1e101,1")), {}, ["too large a number", "up to 1e+100", "load='-1e101'"]),
        (_csv(rows=[f"{day},{1e-102 * row},1" for row, day in enumerate(DAYS)]), {}, ["the series is the same in each row"]),
        (_csv(rows=[f"{row},{0.1 * row},1" for row in range(12)]), {"differenced": True}, ["changes by the same", "load=0.1"]),
        (_csv((13, "1e99,1,1"), rows=[f"{1e-300 * row},{row},1" for row in range(12)]), {"time": "date"}, ["line 13", "1e+10 steps after", "date='1e99'"]),
        (_csv((4, "2024-03-03,4,inf")), {"features": ["heat"]}, ["line 4, column `heat`: infinity", "heat='inf'"]),
        (_csv((4, "2024-03-03,,1")), {}, ["line 4, column `load`: the number is missing", "set `missing: fill`", "load=''"]),
        (_csv((4, "2024-03-03,NaN,1")), {}, ["the number is missing", "load='NaN'"]),
        (_csv((4, "2024-03-03,4,null")), {"features": ["heat"]}, ["line 4, column `heat`", "missing", "heat='null'"]),
        (_csv(rows=[f"{day},NA,1" for day in DAYS]), {}, ["column `load`: all 12 cells are missing", "load='NA'"]),
        (_csv(rows=[f"{day},,1" for day in DAYS]), {"missing": "fill"}, ["column `load`: all 12 cells are missing", "load=''"]),
        (_csv(rows=[f"{day},5,1" for day in DAYS]), {}, ["column `load`: the series is the same in each row", "load=5.0"]),
        (_csv(rows=[f"{day},{row},1" for row, day in enumerate(DAYS)]), {"differenced": True}, ["changes by the same", "load=1.0"]),
        (_csv(rows=[f"{day},{row},1" for row, day in enumerate(DAYS)]), {"features": ["heat"]}, ["column `heat` is the same", "heat=1.0"]),
        (
            _csv(rows=[f"{day},{max(row - 9, 0)},1" for row, day in enumerate(DAYS)]),
            {},
            [
                "column `load` is the same in the first 9 rows",
                "the first fold learns from",
                "fewer folds",
                "load=0.0",
            ],
        ),
        (_csv(rows=GOOD[:3]), {}, ["the series is too short.", "at least 5 rows for `window: 1`, `horizon: 1` and `folds: 1`", "rows=3"]),
        (_csv(), {"window": 48, "folds": 3}, ["the series is too short.", "at least 100 rows for `window: 48`", "rows=12"]),
        (_csv(*((line, f"{day},,1") for line, day in enumerate(DAYS[:9], 2))), {"missing": "fill"}, ["too short once leading gaps are cut", "rows=3"]),
        (_csv((4, ",4,1")), {"time": "date"}, ["line 4, column `date`: the time is missing", "fill it in", "date=''"]),
        (_csv((4, "yesterday,4,1")), {"time": "date"}, ["line 4, column `date`: this is no time", "2024-03-31", "date='yesterday'"]),
        (_csv((4, "7,4,1")), {"time": "date"}, ["line 4, column `date`: this is no time", "date='7'"]),
        (_csv((2, "7,4,1")), {"time": "date"}, ["line 3, column `date`: this is no number", "date='2024-03-02'"]),
        (_csv((4, "2024-02-30,4,1")), {"time": "date"}, ["line 4", "no such time (day is out of range for month)", "date='2024-02-30'"]),
        (_csv((4, "2024-03-03 25:00,4,1")), {"time": "date"}, ["no such time (hour must be in 0..23)", "date="]),
        (_csv((4, "2024-03-03 13:00 PM,4,1")), {"time": "date"}, ["no such time (hour must be in 1..12", "date="]),
        (_csv((4, "2024-03-02,4,1")), {"time": "date"}, ["line 4, column `date`: the series has this time in line 3 already", "in UTC", "date='2024-03-02'"]),
        (_csv((4, "2024-03-03T00:00+01:00,4,1")), {"time": "date"}, ["line 4", "the time zone is +01:00, and none in line 2", "UTC", "date="]),
        (
            _csv(rows=[f"2024-10-{day}T00:00+0{1 + (day < 27)}00,{day % 5},1" for day in range(20, 31)]),
            {"time": "date"},
            [
                "line 9, column `date`: the time zone is +01:00, and +02:00 in line 2",
                "convert them to UTC",
                "date='2024-10-27T00:00+0100'",
            ],
        ),
        (
            _csv(rows=[f"{day}/0{day % 9 + 1}/2024,{day % 5},1" for day in range(1, 13)]),
            {"time": "date"},
            [
                "line 2, column `date`: nobody can tell the day from the month",
                "2024-03-31",
                "date='1/02/2024'",
            ],
        ),
        (
            _csv((4, "13/01/2024,4,1"), (6, "01/13/2024,4,1"), (3, "1/1/2024,1,1")),
            {"time": "date"},
            [
                "line 6, column `date`: day and month are the other way round than in line 4",
                "date='01/13/2024'",
            ],
        ),
        (
            _csv((7, "2024-03-06 12:00,4,1")),
            {"time": "date"},
            [
                "line 7, column `date`: the series goes on 1.5 steps after line 6 (2024-03-05), a step being 1 day",
                "resample the table, or leave out `time`",
                "date='2024-03-06 12:00'",
            ],
        ),
        (_csv((7, "2024-03-06 12:00,4,1")), {"time": "date", "missing": "fill"}, ["1.5 steps after line 6", "resample", "date="]),
        (
            _csv(rows=GOOD[:5] + GOOD[7:]),
            {"time": "date"},
            [
                "line 7",
                "3 steps after line 6",
                "leave out `time`",
                "or set `missing: fill`",
                "date='2024-03-08'",
            ],
        ),
        (
            _csv((13, "2124-03-12,4,1")),
            {"time": "date", "missing": "fill"},
            [
                "line 13",
                "most of the series would be filled",
                "the longest gap follows line 12",
                "correct the time",
                "date='2124-03-12'",
            ],
        ),
        (
            _csv(rows=[f"2024-{month:02}-01 0{month % 2}:00,{month},1" for month in range(1, 13)]),
            {"time": "date"},
            ["line 4, column `date`: the series goes on 0.9381 steps after line 3", "a step being 743 hours"],
        ),
        (_csv(rows=[f"{row + row // 6},{row},1" for row in range(12)]), {"time": "date"}, ["line 8", "2 steps after line 7 (5), a step being 1.", "date='7'"]),
        (_csv((4, '" ",4,1')), SERIES, ["line 4, column `date`: the cell is empty", "the name of a series", "date=' '"]),
        (_csv(rows=GOOD * 5), SERIES, ["series `2024-03-01` is the same in each row", "leave this series out", "load=0.0"]),
        (_csv(), SERIES, ["series `2024-03-01` is too short", "rows=1"]),
        (
            _csv(rows=[f"{town},{row if town == 'a' else ''},1" for row in range(12) for town in "ab"]),
            {"series": "date", "missing": "fill"},
            ["series `b`, column `load`: all 12 cells are missing", "leave this series out", "load=''"],
        ),
        (
            _csv(
                header="t,town,load",
                rows=[
                    f"{day},{town},{row**2}" for row, day in enumerate(DAYS[:9] + DAYS[:1]) for town in "ab"
                ],
            ),
            {"series": "town", "time": "t"},
            ["line 20, column `t`: series `a` has this time in line 2 already", "t='2024-03-01'"],
        ),
    ],
)  # fmt: skip
def test_a_table_that_is_no_series_is_explained(tmp_path, content, settings, parts):
    """The message names row and column, what is expected there, and what stands there."""
    assert _lacks(_caught(tmp_path, content, **settings), "data.csv: ", *parts) == []


def test_half_of_a_series_may_be_filled_and_no_more(tmp_path):
    """A mistyped year would else become decades of one value."""
    settings = {"time": "date", "missing": "fill"}
    content = _csv((13, "2024-03-25,4,1"))
    assert (
        _lacks(
            _caught(tmp_path, content, **settings),
            "data.csv: line 13",
            "13 rows beside 12",
            "date='2024-03-25'",
        )
        == []
    )
    (tmp_path / "data.csv").write_text(content.replace("03-25", "03-24"), encoding="utf-8")
    own = OwnTask.model_validate({"kind": "forecasting", "csv": "data.csv", **FEW, **settings})
    assert len(read_series(own, tmp_path)[0].values) == 24


def _walk(*changes, per_class=4):
    """Return labelled sequences of two steps each, with some lines replaced."""
    rows = [f"s{n},{t},{n + t},{t},{'ab'[n % 2]}" for n in range(2 * per_class) for t in range(2)]
    return _csv(*changes, header="id,t,x,y,what", rows=rows)


@pytest.mark.parametrize(
    ("content", "settings", "parts"),
    [
        (_walk((4, ",0,1,0,b")), {}, ["line 4, column `id`: the cell is empty", "the name of a sequence", "id=''"]),
        (_walk((4, "s1,0,1,0, ")), {}, ["line 4, column `what`: the cell is empty", "the name of a class", "what=''"]),
        (_walk((5, "s1,1,2,1,a")), {}, ["line 5, column `what`: sequence `s1` has the class `b` in line 4", "one class", "what='a'"]),
        (_walk().replace(",b\n", ",a\n"), {}, ["column `what`: there is one class only", "at least two", "what='a'"]),
        (_walk(per_class=3), {}, ["line 2, column `what`: class `a` has 3 of 6 sequences", "at least 4", "what='a'"]),
        (_walk() + "new,0,3,4,c\n", {}, ["line 18, column `what`: class `c` has 1 of 9 sequences", "what='c'"]),
        (_walk((4, "s1,0,?,0,b")), {}, ["line 4, column `x`: this is no number", "x='?'"]),
        (_walk((4, "s1,0,inf,0,b")), {}, ["line 4, column `x`: infinity", "x='inf'"]),
        (_walk((4, "s1,0,,0,b")), {}, ["line 4, column `x`: the number is missing", "set `missing: fill`", "x=''"]),
        (
            _walk((4, "s1,0,,0,b"), (5, "s1,1,NA,0,b")),
            {"missing": "fill"},
            [
                "line 4, column `x`: sequence `s1` has no number here in any row",
                "leave the sequence or the feature out",
                "x=''",
            ],
        ),
        (_walk(), {"window": 1}, ["line 2, column `id`: the sequence that begins here has 2 steps", "at most 1", "`window`", "id='s0'"]),
        (_walk() + "".join(f"long,{t},1,1,a\n" for t in range(1001)), {}, ["line 18, column `id`", "has 1001 steps", "at most 1000", "id='long'"]),
        (_walk((5, "s1,0,2,1,b")), {"time": "t"}, ["line 5, column `t`: sequence `s1` has this time in line 4 already", "t='0'"]),
        (_walk((5, "s1,?,2,1,b")), {"time": "t"}, ["line 5, column `t`: this is no number", "t='?'"]),
        (_walk(), {"features": ["x", "z"]}, ["features: unknown column `z`", "one of: id, t, x, y, what", "column='z'"]),
        (_walk().replace("id,", "nr,"), {}, ["sequence: unknown column `id`", "column='id'"]),
        (_walk().replace(",what", ",class"), {}, ["label: unknown column `what`", "column='what'"]),
        (
            _csv(header="id,what,note", rows=[f"{n},{'ab'[n % 2]},x" for n in range(12)]),
            {},
            ["no further column has numbers", "at least one feature", "header=['id', 'what', 'note']"],
        ),
        (
            _csv(header="id,what,x", rows=[f"{n},{'ab'[n % 2]},7" for n in range(12)]),
            {},
            ["column `x` is the same in each row", "list the others as `features`", "x='7'"],
        ),
    ],
)  # fmt: skip
def test_a_table_that_is_no_set_of_sequences_is_explained(tmp_path, content, settings, parts):
    """The message names row and column, what is expected there, and what stands there."""
    assert _lacks(_caught(tmp_path, content, kind="classification", **settings), "data.csv: ", *parts) == []


def test_sequences_that_no_memory_holds_are_an_error(tmp_path, monkeypatch):
    """One long sequence among many short ones makes all of them long."""
    monkeypatch.setattr(sequences, "_MOST_NUMBERS", 47)
    message = _caught(tmp_path, _walk(), kind="classification")
    assert (
        _lacks(message, "data.csv: 8 sequences of 3 features, padded to the longest of 2 steps", "numbers=48")
        == []
    )
    monkeypatch.setattr(sequences, "_MOST_NUMBERS", 48)
    own = OwnTask.model_validate(
        {"kind": "classification", "csv": "data.csv", "sequence": "id", "label": "what"}
    )
    assert read_sequences(own, tmp_path).x.size == 48


@pytest.mark.parametrize("name", ["two\nlines", "<b>", "=1+2", "🌡️", "x" * 200, "a\u202eb"])
def test_a_cell_below_any_name_of_a_column_is_named(tmp_path, name):
    """A name that cannot be printed is escaped, and a long one is cut."""
    content = f'"{name}",heat\n1,2\nx,3\n'
    shown = name.replace("\n", "\\n").replace("\u202e", "\\u202e")
    shown = shown if len(shown) < 61 else f"{shown[:57]}..."
    assert (
        _lacks(
            _caught(tmp_path, content, target=name),
            f"data.csv: line {3 + name.count(chr(10))}, column `{shown}`: ",
            f"Received: {shown}='x'",
        )
        == []
    )


class _Mine(Section):
    name: str
    task: OwnTask | None = Field(default=None, description="a mapping with the keys csv or parquet and kind")


FORECAST = "csv: a, kind: forecasting, target: b, window: 3"
LABELLED = "csv: a, kind: classification, sequence: b, label: c"


@pytest.mark.parametrize(
    ("section", "parts"),
    [
        ("csv: a, target: b, window: 3", ["missing key `task.kind`", "forecasting or classification", "keys="]),
        ("csv: a, kind: other", ["task.kind: Expected forecasting or classification", "kind='other'"]),
        ("kind: forecasting, target: b, window: 3", ["task.parquet: One of `csv` and `parquet`", "neither", "parquet=None"]),
        (f"{FORECAST}, parquet: c", ["task.parquet: One of `csv` and `parquet`", "both", "parquet='c'"]),
        ("csv: a, kind: forecasting, window: 3", ["task.target: A task of the kind forecasting needs it", "target=None"]),
        ("csv: a, kind: forecasting, target: b", ["task.window: A task of the kind forecasting needs it", "window=None"]),
        ("csv: a, kind: classification, label: c", ["task.sequence: A task of the kind classification needs it", "sequence=None"]),
        ("csv: a, kind: classification, sequence: c", ["task.label: A task of the kind classification needs it", "label=None"]),
        (f"{FORECAST}, sequence: c", ["task.sequence: A task of the kind forecasting does not have it", "sequence='c'"]),
        (f"{FORECAST}, label: c", ["task.label: ", "leave it out", "label='c'"]),
        (f"{LABELLED}, target: d", ["task.target: A task of the kind classification does not have it", "target='d'"]),
        (f"{LABELLED}, series: d", ["task.series: ", "leave it out", "series='d'"]),
        (f"{LABELLED}, horizon: 2", ["task.horizon: ", "leave it out", "horizon=2"]),
        (f"{LABELLED}, period: 2", ["task.period: ", "leave it out", "period=2"]),
        (f"{LABELLED}, differenced: true", ["task.differenced: ", "leave it out", "differenced=True"]),
        (f"{FORECAST}, time: b", ["task.time: The column `b` is the target already", "time='b'"]),
        (f"{FORECAST}, features: [c, b]", ["task.features: The column `b` is the target already", "features=['c', 'b']"]),
        (f"{LABELLED}, features: [x, c]", ["task.features: The column `c` is the label already", "features="]),
        (f"{FORECAST}, features: [c, c]", ["task.features: 'c' is there twice", "features="]),
        (f"{FORECAST}, features: []", ["task.features: Expected a list of names", "features=[]"]),
        (f"{FORECAST}, features: c", ["task.features: Expected a list of names", "features='c'"]),
        (f"{FORECAST}, features: [3]", ["task.features: Expected a list of names", "features[0]=3"]),
        (f"{FORECAST}, folds: 8", ["task.folds: With so many test parts", "at most 7 for forecasting", "folds=8"]),
        (f"{LABELLED}, folds: 13", ["task.folds: Expected an integer from 1 to 12", "folds=13"]),
        (f"{FORECAST}, horizon: 0", ["task.horizon: Expected an integer from 1", "horizon=0"]),
        (f"{FORECAST}, period: 0", ["task.period: Expected an integer from 1", "period=0"]),
        (f"{FORECAST}, max_rows: 0", ["task.max_rows: Expected an integer from 1", "max_rows=0"]),
        (f"{FORECAST}, missing: drop", ["task.missing: Expected refuse, fill or mask", "missing='drop'"]),
        (f"{FORECAST}, differenced: 1", ["task.differenced: Expected true", "differenced=1"]),
        (f"{FORECAST}, title: ''", ["task.title: Expected a text of 1 to 200 characters", "title=''"]),
        (f"{FORECAST}, unit: {'x' * 201}", ["task.unit: Expected a text of 1 to 200 characters", "unit='xxx"]),
        (f"{FORECAST}, feature: [c]", ["unknown key `task.feature`", "Did you mean `features`?", "feature=['c']"]),
        ("csv: a, kind: forecasting, target: 5, window: 3", ["task.target: Expected the name of a column", "target=5"]),
        ("csv: a, kind: forecasting, target: ' ', window: 3", ["task.target: Expected the name of a column", "target=' '"]),
        (f"csv: a, kind: forecasting, target: {'x' * 201}, window: 3", ["task.target: ", "at most 200 characters", "target='xxx"]),
        ("csv: a, kind: forecasting, target: b, window: 1e3", ["task.window: ", "write 1000", "window='1e3'"]),
        ("csv: a, kind: forecasting, target: b, window: 10001", ["task.window: Expected an integer from 1 to 10000", "window=10001"]),
    ],
)  # fmt: skip
def test_a_wrong_section_is_explained(tmp_path, section, parts):
    """The message names the key, whichever other key it does not go with."""
    (tmp_path / "mine.yaml").write_text(f"task: {{{section}}}\n", encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        load(_Mine, tmp_path / "mine.yaml")
    assert _lacks(str(caught.value), "mine.yaml: ", *parts) == []


ODD = [
    "",
    " ",
    "NA",
    "none",
    "inf",
    "-1e101",
    "1e-320",
    "+.5",
    ".",
    "-",
    "1,5",
    "1.234,5",
    "0x1F",
    "1_0",
    "\u0661",
    "\x0b",
    "True",
    "2024-03-05",
    "2024-13-01",
    "0000-01-01",
    "9999-12-31 23:59:59.999999",
    "2024-03-05T00:00Z",
    "5/6/2024",
    "20240305",
    "2024Q1",
    "1e99",
    "007",
    "x" * 300,
    "\u202e",
    "🙂",
    "nan\n",
    "$1",
    "=1+1",
    "None ",
    "NULL",
]


def _odd_cells(rng, content):
    """Return a table with odd texts in up to three cells."""
    lines = [line.split(",") for line in content.splitlines()]
    for _ in range(rng.integers(1, 4)):
        line = lines[rng.integers(len(lines))]
        cell = ODD[rng.integers(len(ODD))]
        line[rng.integers(len(line))] = f'"{cell}"'
    return "\n".join(map(",".join, lines)).encode()


def _damaged(rng, data):
    """Return bytes that differ from `data` in a few places: changed, gone, doubled or moved."""
    pieces = [
        b",",
        b";",
        b"\t",
        b'"',
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"-",
        b"1e999",
        b"NA",
        b"\xef\xbb\xbf",
        b"",
    ]
    for _ in range(rng.integers(1, 6)):
        start, stop = sorted(rng.integers(0, len(data) + 1, size=2))
        stop = min(stop, start + rng.integers(0, 9))
        data = data[:start] + pieces[rng.integers(len(pieces))] + data[stop:]
    return data


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_leads_to_another_error(tmp_path, seed):
    """Whatever a few wrong bytes do to a table, it is read, or refused in one line."""
    rng = np.random.default_rng(seed)
    tables = [
        (_csv(), read_series, {"kind": "forecasting", "time": "date", "features": ["heat"], **FEW}),
        (_walk(), read_sequences, {"kind": "classification", "sequence": "id", "label": "what", "time": "t"}),
    ]
    for number in range(40):
        content, read, settings = tables[number % 2]
        damaged = _damaged(rng, content.encode()) if number % 4 == 0 else _odd_cells(rng, content)
        (tmp_path / "data.csv").write_bytes(damaged)
        missing = "fill" if number % 3 else "refuse"
        own = OwnTask.model_validate({"csv": "data.csv", "missing": missing, **settings})
        try:
            found = read(own, tmp_path)
        except ParamsError as error:
            lacking = _lacks(str(error), "data.csv: ")
        else:
            lacking = []
            assert np.isfinite(found[0].values if isinstance(found, tuple) else found.x).all()
        assert lacking == []
