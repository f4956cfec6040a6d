"""`missing: mask`: steps without a value are skipped, and nothing that stands in a gap enters anything."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from lstmstudy.data.masking import compressed, padded, predictable
from lstmstudy.data.own import OwnTask
from lstmstudy.data.own.task import build_own
from lstmstudy.data.references import autoregression
from lstmstudy.parsing.strict_yaml import ParamsError

N, WINDOW = 240, 12
PARTS = ("train", "validation", "test")


def write(path, columns):
    """Write columns as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def table(gaps=(), absent=(), at="load", filling=""):
    """Return a weekly wave with a second column; cells of `at` in `gaps` hold `filling`, rows in `absent` are not there."""
    rng = np.random.default_rng(0)
    columns = {
        "day": np.datetime64("2023-01-01") + np.arange(N),
        "load": np.sin(np.arange(N) * 2 * np.pi / 7) + 0.1 * rng.normal(size=N),
        "heat": rng.normal(size=N),
    }
    columns[at] = columns[at].astype(object)
    columns[at][list(gaps)] = filling
    kept = np.setdiff1d(np.arange(N), absent)
    return {name: cells[kept] for name, cells in columns.items()}


def build(folder, columns, **settings):
    """Return the task of a table, masked unless said otherwise."""
    write(folder / "load.csv", columns)
    usual = {"kind": "forecasting", "csv": "load.csv", "target": "load", "window": WINDOW, "missing": "mask"}
    return build_own(OwnTask.model_validate({**usual, **settings}), "own_load", folder)


def arrays(task):
    """Return all arrays and scales of a task by fold, part and field."""
    return {
        (number, part, field): getattr(getattr(fold, part), field)
        for number, fold in enumerate(task.folds)
        for part in PARTS
        for field in ("x", "lengths", "y", "indices")
    } | {(number, "scale"): np.array([fold.center, fold.scale]) for number, fold in enumerate(task.folds)}


def same(one, other):
    """Whether two tasks have the same arrays, scales and references."""
    left, right = arrays(one), arrays(other)
    equal = left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)
    return equal and one.references == other.references


GAPS = (0, 30, 31, 60, 61, 62, 63, 150, 200, 215, 239)


@pytest.mark.parametrize("settings", [{}, {"features": ("heat",)}, {"differenced": True}, {"horizon": 3}])
def test_without_gaps_masking_is_refusing(tmp_path, settings):
    """Where no value is missing the task has the same arrays, facts and content."""
    masked = build(tmp_path, table(), time="day", **settings)
    refused = build(tmp_path, table(), time="day", missing="refuse", **settings)
    assert same(masked, refused)
    assert (masked.info, masked.content) == (refused.info, refused.content)
    assert not masked.info.variable_length


@pytest.mark.parametrize("at", ["load", "heat"])
def test_a_window_holds_its_known_steps_in_front(tmp_path, at):
    """Each input is the window before its target without the steps that lack any value, zeros behind them."""
    task = build(tmp_path, table(GAPS, at=at), time="day", features=("heat",))
    values = np.column_stack([table()["load"], table()["heat"]]).astype(float)
    values[list(GAPS)] = np.nan
    values = values[1:]  # the first step is not known in full
    assert task.info.variable_length
    for fold in task.folds:
        stop = fold.validation.indices[0]
        seen = values[: fold.train.indices[-1] + 1]
        seen = seen[~np.isnan(seen).any(axis=1)]
        assert stop > fold.train.indices[-1]
        for part in (fold.train, fold.validation, fold.test):
            for x, length, y, index in zip(part.x, part.lengths, part.y, part.indices, strict=True):
                window = values[index - WINDOW : index]
                known = window[~np.isnan(window).any(axis=1)]
                assert length == len(known)
                np.testing.assert_allclose(
                    x[:length], (known - seen.mean(axis=0)) / seen.std(axis=0), atol=1e-5
                )
                assert not x[length:].any()
                target = float(table()["load"][1 + index])
                assert y[0] * fold.scale + fold.center == pytest.approx(target, abs=1e-5)
        assert {part.lengths.min() < WINDOW for part in (fold.train, fold.test)} == {True}


def test_samples_without_a_target_or_a_known_step_are_left_out(tmp_path):
    """Targets in a gap are in no part, nor are those behind a gap as long as the window; all others are."""
    long = tuple(range(60, 60 + WINDOW + 2))
    task = build(tmp_path, table((*GAPS, *long)), time="day")
    gone = {index - 1 for index in (*GAPS, *long)} | {60 + WINDOW + 2 - 1}  # the first row is cut
    for fold in task.folds:
        found = np.concatenate([getattr(fold, part).indices for part in PARTS])
        ends = fold.test.indices[-1]
        assert set(found) == set(range(WINDOW, ends + 1)) - gone
        assert all((getattr(fold, part).lengths > 0).all() for part in PARTS)


def test_rows_that_are_not_there_are_masked_like_empty_ones(tmp_path):
    """A gap in time of whole steps and rows without a number are the same task."""
    inner = GAPS[1:-1]
    missing = build(tmp_path, table(inner), time="day")
    assert same(missing, build(tmp_path, table(absent=inner), time="day"))
    assert missing.info.variable_length


@pytest.mark.parametrize("at", ["load", "heat"])
@pytest.mark.parametrize("filling", ["inf", "-Infinity", "NA", "1e999"])
def test_infinity_counts_as_missing(tmp_path, at, filling):
    """Whatever word stands in a gap, nothing of the task changes."""
    settings = {"time": "day", "features": ("heat",)}
    one = build(tmp_path, table(GAPS, at=at), **settings)
    assert same(one, build(tmp_path, table(GAPS, at=at, filling=filling), **settings))
    filled = build(tmp_path, table(GAPS, at=at), missing="fill", **settings)
    assert same(filled, build(tmp_path, table(GAPS, at=at, filling=filling), missing="fill", **settings))


def test_too_large_a_number_stays_an_error(tmp_path):
    """A finite number beyond all measure is a mistake in the table, not a gap."""
    with pytest.raises(ParamsError, match=r"line 32, column `load`: too large a number.* load='-1e101'$"):
        build(tmp_path, table((30,), filling="-1e101"), time="day")


def test_what_a_masked_step_holds_elsewhere_enters_no_input(tmp_path):
    """Where one column is missing, another value of the other in that row changes targets of that row alone."""
    columns = table((30, 150), at="heat")
    one = build(tmp_path, columns, time="day", features=("heat",))
    columns["load"][[30, 150]] += 5.0
    other = build(tmp_path, columns, time="day", features=("heat",))
    left, right = arrays(one), arrays(other)
    for key, values in left.items():
        if key[-1] != "y":
            np.testing.assert_array_equal(values, right[key])
    moved = {
        int(one.folds[key[0]].__dict__[key[1]].indices[row])
        for key in left
        if key[-1] == "y"
        for row in np.flatnonzero((left[key] != right[key])[:, 0])
    }
    assert moved == {30, 150}


def test_a_change_is_missing_where_either_end_is(tmp_path):
    """Differenced, a gap of one value masks two changes; references forecast zero change and the same samples."""
    task = build(tmp_path, table((100, 200)), time="day", differenced=True)
    left_out = {99, 100, 199, 200}
    for fold, references in zip(task.folds, task.references, strict=True):
        found = np.concatenate([getattr(fold, part).indices for part in PARTS])
        assert set(range(WINDOW, fold.test.indices[-1] + 1)) - set(found) == left_out & set(
            range(fold.test.indices[-1] + 1)
        )
        change = fold.test.y[:, 0] * fold.scale + fold.center
        np.testing.assert_allclose(
            change, np.diff(table()["load"].astype(float))[fold.test.indices], atol=1e-6
        )
        naive = np.sqrt(np.mean((change / fold.scale) ** 2))
        assert references["naive"]["rmse"] == pytest.approx(naive, rel=1e-5)


def test_references_see_the_series_filled_from_the_past(tmp_path):
    """Naive, seasonal and AR forecast the test samples of the networks from filled values."""
    task = build(tmp_path, table(GAPS[1:-1]), time="day", period=7)
    filled = table()["load"].astype(float)
    for index in GAPS[1:-1]:
        filled[index] = filled[index - 1]
    for fold, references in zip(task.folds, task.references, strict=True):
        test, train = fold.test.indices, fold.train.indices
        truth = table()["load"].astype(float)[test]
        order = task.info.ar_order
        forecasts = {
            "naive": filled[test - 1],
            "seasonal naive": filled[test - 7],
            f"AR({order})": autoregression(filled, test, order, int(train[-1]) + 1, fitted=train),
        }
        for name, forecast in forecasts.items():
            error = np.sqrt(np.mean((forecast - truth) ** 2)) / fold.scale
            assert references[name]["rmse"] == pytest.approx(error, rel=1e-4)


def test_no_known_step_is_all_zeros():
    """A step that scaling makes zero, or too small for a network's numbers, is told from padding."""
    x = np.array([[[0.0, 0.0], [np.nan, 3.0], [1e-44, -1e-30], [1.0, 0.0]]])
    found, lengths = compressed(x)
    assert lengths.tolist() == [3]
    assert (np.abs(found[0]) >= 1e-20).any(axis=1).tolist() == [True, True, True, False]
    np.testing.assert_allclose(found[0], [[0, 0], [0, 0], [1, 0], [0, 0]], atol=1e-19)
    assert padded(np.zeros((2, 3, 1)), np.array([1, 3], np.int32)).astype(bool).sum(
        axis=1
    ).ravel().tolist() == [1, 3]


def test_a_sample_needs_its_target_and_one_known_step():
    """The first channel decides about targets, all of them about steps."""
    values = np.ones((8, 2))
    values[3, 0], values[[4, 5], 1] = np.nan, np.nan
    assert predictable(values, np.arange(2, 8), 2, 1).tolist() == [
        2,
        4,
        7,
    ]  # 3: no target; 5, 6: no known step


def sequences(gaps=(), filling="", empty=False):
    """Return labelled sequences of 5 steps; the second feature lacks a value in the rows of `gaps`."""
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(40), 5)
    columns = {
        "id": ids,
        "kind": np.where(ids % 2, "b", "a"),
        "x": rng.normal(size=200).round(4),
        "z": rng.normal(size=200).round(4).astype(object),
    }
    columns["z"][list(gaps)] = filling
    if empty:
        columns["z"][ids == 3] = ""
    return columns


def test_steps_of_a_sequence_without_a_value_are_skipped(tmp_path):
    """The sequence is that of its known steps; what stands in a gap, and beside it, changes nothing."""
    settings = {"kind": "classification", "sequence": "id", "label": "kind", "target": None, "window": None}
    task = build(tmp_path, sequences((0, 7, 8)), **settings)
    kept = {name: np.delete(cells, (0, 7, 8)) for name, cells in sequences().items()}
    assert same(task, build(tmp_path, kept, missing="refuse", **settings))
    columns = sequences((0, 7, 8), filling="inf")
    columns["x"][[0, 7, 8]] = 99
    assert same(task, build(tmp_path, columns, **settings))
    whole = build(tmp_path, sequences(), **settings)
    assert same(whole, build(tmp_path, sequences(), missing="refuse", **settings))
    with pytest.raises(
        ParamsError, match=r"^load\.csv: line 17, column `z`: sequence `3` has no row .* z=''$"
    ):
        build(tmp_path, sequences(empty=True), **settings)


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (table(tuple(range(0, N, 2)), at="heat") | {"load": table(tuple(range(1, N, 2)))["load"]}, {"features": ("heat",)}, r"the series has no row with a number in every column.* first_row=2$"),
        (table(tuple(range(1, N, 2))), {"differenced": True}, r"no change from one row to the next that is known.* load=NaN$"),
        (table(tuple(range(206, 240))[:-1]), {"folds": 1}, r"gaps leave none of the \d+ samples|the series is too short"),
        (table(tuple(range(110, 154))), {}, r"gaps leave none of the 36 samples of the validation part of fold 1.* samples=0$"),
        (table(tuple(range(20, 200)), at="heat"), {"features": ("heat",)}, r"gaps leave none"),
        (table(tuple(range(5, 200))), {}, r"gaps leave none of the \d+ samples of the train part of fold 1"),
        (table(absent=tuple(range(40, 200))), {"time": "day"}, r"most of the series would be masked, 160 rows beside 80"),
        (table((30,)), {"missing": "refuse"}, r"or set `missing: fill`.*`missing: mask` to skip"),
        (table(absent=(30,)), {"missing": "refuse", "time": "day"}, r"or set `missing: fill`.*`missing: mask` to skip"),
    ],
)  # fmt: skip
def test_what_masking_leaves_too_little_of_is_explained(tmp_path, columns, settings, message):
    """One line says which part of which fold has no sample left, or what else is lacking, and what to do."""
    with pytest.raises(ParamsError, match=message) as caught:
        build(tmp_path, columns, **settings)
    assert str(caught.value).startswith("load.csv: ")
    assert "Expected" in str(caught.value)
    assert str(caught.value).isprintable()
