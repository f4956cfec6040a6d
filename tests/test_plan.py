"""The study as a list of runs: what each notebook needs, what notebooks share, how long it will take."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from lstmstudy import paths
from lstmstudy.params import ParamsError
from lstmstudy.plan import COMPILING, Arm, Unit, expected_seconds, make_plan, task_cache
from lstmstudy.runs import Outcome, Result
from lstmstudy.store import RunStore
from lstmstudy.techniques import Dropout, EarlyStopping

MINE = """\
tasks: [sunspots]
techniques: [dropout, early_stopping]
units: 7
network: {layers: 1, width: 4}
training: {epochs: 5, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.2, 0.4], per: [step]}
  early_stopping: {patience: [2]}
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return the plan of the smoke study and that of one's own, whose folder of runs is empty."""
    folder = tmp_path_factory.mktemp("plan")
    shutil.copytree(paths.PARAMS, folder / "params")
    (folder / "params" / "mine.yaml").write_text(MINE, encoding="utf-8")
    return {
        name: make_plan(name, store=folder / "store", folder=folder / "params") for name in ("smoke", "mine")
    }


@pytest.fixture
def smoke(prepared):
    """Return the plan of the smoke study."""
    return prepared["smoke"]


@pytest.fixture
def mine(prepared):
    """Return the plan of a profile that nobody shipped: 1 task, 2 dropout arms and a patience, 7 units."""
    return prepared["mine"]


def trained(run, seconds):
    """Return an outcome of a run whose training took some seconds."""
    result = Result("rmse", {}, np.zeros(0, np.int64), {}, {}, {}, None)
    return Outcome(run.identity, result, {"seconds": seconds})


def test_the_runs_of_a_notebook_are_its_arms_times_tasks_times_units(smoke):
    """Baseline and 2 dropout arms on 2 tasks with 2 units are 12 runs, and so on for every notebook."""
    runs = {name: len(smoke.runs(arms)) for name, arms in smoke.notebooks.items()}
    assert runs == {
        "00_overfitting": 1 * 2 * 2,
        "01_dropout": (1 + 2) * 2 * 2,
        "02_recurrent_variational_dropout": (1 + 3) * 2 * 2,
        "05_early_stopping": 1 * 2 * 2,
        "99_comparison": (1 + 2 + 3) * 2 * 2,
    }


def test_a_baseline_that_notebooks_share_is_one_run(smoke):
    """Every notebook's runs are among those of the comparison, and the baseline's are in each of them."""
    whole = smoke.runs(smoke.notebooks["99_comparison"]).keys()
    baseline = smoke.runs([smoke.baseline]).keys()
    for arms in smoke.notebooks.values():
        assert arms[0] == smoke.baseline
        assert baseline <= smoke.runs(arms).keys() <= whole
    distinct = {identity for arms in smoke.notebooks.values() for identity in smoke.runs(arms)}
    assert distinct == whole


def test_a_way_to_read_costs_no_run(smoke):
    """The arms of early stopping are other readings of the baseline's runs."""
    readings = smoke.arms("early_stopping")
    assert [arm.reading for arm in readings] == ["patience 1", "patience 3"]
    assert smoke.runs(readings).keys() == smoke.runs([smoke.baseline]).keys()
    assert smoke.arm(EarlyStopping(5)) == Arm(
        EarlyStopping(5).label, smoke.baseline.recipe, "patience 5", EarlyStopping(5)
    )


def test_units_go_round_the_folds(mine):
    """Unit k has seed k and fold k mod F, in the baseline and in every arm."""
    assert len(mine.tasks["sunspots"].folds) == 3
    assert mine.units("sunspots") == tuple(Unit("sunspots", seed % 3, seed) for seed in range(7))
    arms = mine.arms("dropout")
    for unit in mine.units("sunspots"):
        runs = [mine.run(arm, unit) for arm in (mine.baseline, *arms)]
        assert {(run.task, run.content, run.fold, run.seed) for run in runs} == {
            ("sunspots", mine.tasks["sunspots"].content, unit.fold, unit.seed)
        }
        assert len({run.identity for run in runs}) == 3


def test_an_arm_is_the_baseline_with_its_technique(mine):
    """Nothing else of the recipe changes, and an arm outside the profile is made in the same way."""
    assert mine.baseline.recipe.techniques == ()
    assert (mine.baseline.recipe.layers, mine.baseline.recipe.width, mine.baseline.recipe.epochs) == (1, 4, 5)
    for arm in (*mine.arms("dropout"), mine.arm(Dropout(0.7, per="sequence"))):
        assert arm.recipe == mine.baseline.recipe.adding(arm.technique)
        assert arm.reading == "selected"
    assert len({arm.name for arm in mine.notebooks["99_comparison"]}) == 4


def test_a_profile_of_ones_own_has_the_chapters_of_its_techniques(mine):
    """A chapter without arms in the profile is none of its notebooks."""
    assert list(mine.notebooks) == ["00_overfitting", "01_dropout", "05_early_stopping", "99_comparison"]
    assert len(mine.runs(mine.notebooks["99_comparison"])) == 3 * 7


def test_profiles_share_runs_that_are_the_same(prepared, tmp_path):
    """A profile with fewer techniques and units asks for some of the very runs of the larger one."""
    shutil.copytree(paths.PARAMS, tmp_path / "params")
    text = (paths.PARAMS / "smoke.yaml").read_text(encoding="utf-8")
    assert text.count("units: 2") == 1
    (tmp_path / "params" / "more.yaml").write_text(text.replace("units: 2", "units: 3"), encoding="utf-8")
    more = make_plan("more", store=tmp_path / "store", folder=tmp_path / "params")
    smoke = prepared["smoke"]
    larger = more.runs(more.notebooks["99_comparison"]).keys()
    smaller = smoke.runs(smoke.notebooks["99_comparison"]).keys()
    assert smaller < larger
    assert len(larger) == 3 * len(smaller) // 2


def test_planning_prepares_tasks_beside_the_runs_and_trains_nothing(tmp_path):
    """After a plan the store holds prepared tasks, and no outcome."""
    make_plan("smoke", store=tmp_path)
    assert len(list(task_cache(tmp_path).iterdir())) == 2
    assert RunStore(tmp_path).files() == {}


def test_a_plan_of_wrong_parameters_is_refused(tmp_path):
    """An unknown profile ends before any task is opened."""
    with pytest.raises(ParamsError, match="unknown profile"):
        make_plan("smokes", store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_expected_seconds_come_from_runs_of_the_same_kind(mine, tmp_path):
    """Missing runs take what stored ones of their structure took, on average, and each structure a compilation."""
    store = RunStore(tmp_path)
    runs = mine.runs(mine.notebooks["99_comparison"])
    dropout = [run for run in runs.values() if run.recipe.techniques]
    plain = [run for run in runs.values() if not run.recipe.techniques]
    for run, seconds in zip([*dropout[:2], plain[0]], [1.0, 3.0, 10.0], strict=True):
        store.save(trained(run, seconds))
    guess = expected_seconds([*dropout[2:4], plain[1]], runs.values(), store)
    assert guess == pytest.approx(2 * 2.0 + 10.0 + 2 * COMPILING)


def test_expected_seconds_grow_with_the_epochs(mine, prepared, tmp_path):
    """A run twice as long takes twice as long; without one of its structure any of its task serves."""
    store = RunStore(tmp_path)
    runs = mine.runs([mine.baseline])
    store.save(trained(next(iter(runs.values())), 5.0))
    smoke = prepared["smoke"]
    longer = [run for run in smoke.runs([smoke.baseline]).values() if run.task == "sunspots"]
    assert expected_seconds(longer, runs.values(), store) == pytest.approx(
        len(longer) * 5.0 / 5 * 6 + COMPILING
    )
    other = [run for run in smoke.runs([smoke.baseline]).values() if run.task == "digits_rows"]
    assert expected_seconds(other, runs.values(), store) == pytest.approx(
        len(other) * 5.0 / 5 * 6 + COMPILING
    )


def test_expected_seconds_before_any_run_are_more_than_none(mine, tmp_path):
    """Without a stored run there is still a guess; with nothing missing there is nothing to wait for."""
    runs = mine.runs(mine.notebooks["99_comparison"])
    assert expected_seconds(list(runs.values()), runs.values(), RunStore(tmp_path)) > 0
    assert expected_seconds([], runs.values(), RunStore(tmp_path)) == 0


def test_a_damaged_file_does_not_stop_the_estimate(mine, tmp_path):
    """A stored run whose record cannot be read is not counted."""
    store = RunStore(tmp_path)
    runs = list(mine.runs(mine.notebooks["99_comparison"]).values())
    store.save(trained(runs[0], 2.0))
    store.save(trained(runs[1], 500.0)).write_bytes(b"")
    assert expected_seconds(runs[2:4], runs, store) == pytest.approx(2 * 2.0 + COMPILING)
