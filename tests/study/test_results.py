"""The table of results agrees with the comparison, with the report's tables, and with what it says of itself."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from engine import made_outcome, made_result
from studying import EPOCHS, TASKS, put

from lstmstudy.readings import READINGS
from lstmstudy.study.results import COLUMNS
from lstmstudy.techniques import Dropout, EarlyStopping
from lstmstudy.techniques.averaging import Averaging
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.measures import DECLARED
from lstmstudy.verdicts.rows import TECHNIQUE, unit_rows
from lstmstudy.verdicts.tables import run_row

pytest_plugins = ["studying"]


@pytest.fixture
def study(bench):
    """Return a study with all of its runs."""
    study = bench.open()
    study.ablate(*study.named_arms.values())
    bench.trained.clear()
    return study


def of(frame, arm, task):
    """Return the rows of an arm on a task, in the order of its units."""
    return frame[(frame["arm"] == arm) & (frame["task"] == task)]


def test_there_is_a_row_for_each_arm_and_unit_and_nothing_is_trained(study, bench):
    """All arms of the profile, each by the name that the study takes, in every unit that it has."""
    frame = study.results()
    assert bench.trained == []
    expected = [
        (name, task, unit.fold, unit.seed)
        for name in study
        for task in study[name].tasks
        for unit in study.plan.units(task, study[name].units)
    ]
    assert list(frame[["arm", "task", "fold", "seed"]].itertuples(index=False, name=None)) == expected
    assert isinstance(frame.index, pd.RangeIndex)


def test_every_column_is_described_and_has_a_dtype_that_says_what_it_is(study):
    """Texts are strings, counts are integers that can be missing, everything else is a float; also in an empty table."""
    frame = study.results()
    assert list(frame.columns) == list(COLUMNS) == list(frame.attrs["columns"])
    assert all(COLUMNS.values())
    kinds = frame.dtypes.astype(str)
    assert set(kinds[["fold", "seed", "epoch", "trained", "parameters", "updates"]]) == {"Int64"}
    assert set(
        kinds[["train", "validation", "test", "secondary", "control_test", "log_ratio", "seconds"]]
    ) == {"float64"}
    assert set(kinds) == {"string", "Int64", "float64"}
    empty = study.results(study.arm(Dropout(0.45)))
    assert len(empty) == 0
    assert empty.dtypes.equals(frame.dtypes)


def test_numbers_are_those_of_the_comparison(study):
    """Errors, kept epochs, costs, seconds and log ratios of every arm are what `ablate` gives in the same units."""
    frame = study.results()
    for name in study:
        arm = study[name]
        ablation = study.ablate(arm)
        for task in arm.tasks:
            rows = of(frame, name, task)
            for part in ("train", "validation", "test"):
                np.testing.assert_array_equal(rows[part], ablation.errors(arm, task, part=part))
            secondary = ablation.errors(arm, task, metric=study.plan.tasks[task].info.secondary)
            np.testing.assert_array_equal(rows["secondary"], secondary)
            np.testing.assert_array_equal(rows["epoch"], ablation.kept(arm, task))
            np.testing.assert_array_equal(rows["trained"], ablation.cost(arm, task))
            np.testing.assert_array_equal(rows["seconds"], ablation.seconds(arm, task))
            assert set(rows["metric"]) == {TASKS[task]}
            if arm.control is None:
                assert rows[["control", "control_test", "log_ratio"]].isna().all(axis=None)
                continue
            np.testing.assert_array_equal(rows["log_ratio"], ablation.log_ratios(arm, task))
            np.testing.assert_array_equal(rows["control_test"], ablation.errors(arm.control, task))
            assert rows["log_ratio"].mean() == pytest.approx(ablation.effect(arm, task).estimate)


def test_numbers_and_names_are_those_of_the_report_s_tables(study):
    """A row of runs.csv has the same texts with six digits, and one of units.csv the same pair and log ratio."""
    frame = study.results()
    runs = {run.identity[:16]: run for run in study.plan.all_runs.values()}
    single = frame[frame["runs"].isin(runs)]
    assert len(single) == len(frame)
    for row in single.itertuples():
        table = run_row(study.plan, runs[row.runs], study.outcome(runs[row.runs]))
        assert row.reading in READINGS
        for column in ("task", "fold", "seed", "parameters", "updates"):
            assert str(getattr(row, column)) == table[column]
        for column in ("train", "validation", "test", "secondary"):
            assert f"{getattr(row, column):.6g}" == table[f"{row.reading} {column}"]
        for column in ("epoch", "trained"):
            assert str(getattr(row, column)) == table[f"{row.reading} {column}"]
    units, problems = unit_rows(Bench(study.plan, study.outcome))
    compared = [row for row in units if (row.claim, row.view) == (TECHNIQUE, DECLARED)]
    assert len(compared) == 7 * 5 * len(TASKS)
    assert problems == []
    places = {(row.arm, row.task, row.seed): row for row in frame.itertuples()}
    for row in compared:
        mine = places[study.all_arms[row.contrast].name, row.task, row.seed]
        assert mine.runs == row.arm_runs
        assert (mine.test, mine.control_test) == pytest.approx((row.arm, row.control), rel=1e-5)
        assert mine.log_ratio == pytest.approx(row.number, abs=2e-5)


def test_a_diverged_run_has_no_error_and_counts_as_in_every_effect(bench):
    """Its errors are NaN and its reason is told; the log ratio is the one that its effect is the mean of."""
    study = bench.open()
    arm = study.arm(Dropout(0.3))
    late = made_result([3.0, 2.0, 2.5, *[np.nan] * (EPOCHS - 3)], diverged="training loss nan in epoch 4")
    early = made_result([np.nan] * EPOCHS, diverged="training loss nan in epoch 1")
    fine = [made_result(np.full(EPOCHS, 1.5))] * 3
    put(study, arm, "sunspots", [late, early, *fine])
    ablation = study.ablate(arm)
    rows = of(study.results(arm), "dropout 0.3 per step", "sunspots")
    assert rows["diverged"].tolist()[:2] == ["training loss nan in epoch 4", "training loss nan in epoch 1"]
    assert rows["diverged"].isna().tolist() == [False, False, True, True, True]
    assert (
        rows[["train", "validation", "test", "secondary"]].isna().all(axis=1).tolist()
        == [True] * 2 + [False] * 3
    )
    assert rows["epoch"].tolist() == [2, pd.NA, 1, 1, 1]
    assert rows["control_test"].notna().all()
    np.testing.assert_array_equal(rows["log_ratio"], ablation.log_ratios(arm, "sunspots"))


def test_a_unit_whose_control_is_missing_has_the_errors_of_the_arm_alone(bench):
    """A run that is not stored takes away its own row, and from the rows of other arms what it is needed for."""
    study = bench.open()
    arm = study.arm(Dropout(0.3))
    units = study.plan.units("sunspots", 5)
    own, control = study.plan.run(arm.recipe, units[1]), study.plan.run(study.baseline.recipe, units[3])
    bench.failing = {own.identity, control.identity}
    study.ablate(arm)
    rows = of(study.results(arm), "dropout 0.3 per step", "sunspots")
    assert rows["seed"].tolist() == [0, 2, 3, 4]
    assert rows["test"].notna().all()
    assert (
        rows["log_ratio"].isna().tolist()
        == rows["control_test"].isna().tolist()
        == [False, False, True, False]
    )


def test_an_ensemble_has_the_error_of_its_combination_and_the_costs_of_all_models(bench):
    """It keeps no single epoch, and its models' names stand side by side."""
    study = bench.open()
    arm = dataclasses.replace(study.arm(Averaging(2)), tasks=("sunspots",))
    study.ablate(arm)
    folds = [unit.fold for unit in study.plan.units("sunspots", 5)]
    for number, recipe in enumerate(arm.on("sunspots")):
        for unit in study.plan.units("sunspots", 5):
            fold, run = study.plan.tasks["sunspots"].folds[unit.fold], study.plan.run(recipe, unit)
            result = made_result(np.linspace(2, 1, EPOCHS), seed=unit.seed + 10 * number)
            rng = np.random.default_rng(unit.seed + 10 * number)
            predictions = {
                part: rng.normal(size=(len(result.epochs), len(getattr(fold, part).y), 1)).astype(np.float32)
                for part in ("validation", "test")
            }
            bench_outcome = made_outcome(
                run.identity, dataclasses.replace(result, predictions=predictions), seconds=2.0
            )
            for path in study.store.folder.glob(f"{run.identity}-*.npz"):
                path.unlink()
            study.store.save(bench_outcome)
    fresh = bench.open()
    rows = of(fresh.results(arm), arm.name, "sunspots")
    assert rows["fold"].tolist() == folds
    assert rows["runs"].str.split(" ").str.len().tolist() == [2] * 5
    assert rows[["epoch", "trained", "train"]].isna().all(axis=None)
    np.testing.assert_array_equal(rows["test"], fresh.ablate(arm).errors(arm, "sunspots"))
    assert rows["seconds"].tolist() == [4.0] * 5
    assert set(rows["parameters"]) == {16}


def test_the_table_can_be_written_and_read_again(study):
    """As CSV it has a column each, and the numbers come back."""
    frame = study.results(study.baseline, study.arm(EarlyStopping(3)))
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert list(again.columns) == list(COLUMNS)
    np.testing.assert_allclose(again["test"], frame["test"])
    assert next(csv.reader(io.StringIO(frame.to_csv(index=False)))) == list(COLUMNS)
    assert set(frame["reading"]) == {"selected", "patience 3"}
