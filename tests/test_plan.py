"""The study as a list of runs: what each notebook needs, what notebooks share, how long it will take."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planning import SHIPPED, changed, parameters, plan_of, refusal, shipped, task_of

from lstmstudy import plan as module
from lstmstudy.data import CATALOG, TASK_NAMES
from lstmstudy.data.cache import task_cache
from lstmstudy.params.search import SearchRange
from lstmstudy.params.tuned import Found, Trained, Trial, Tuned, save_tuned
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.plan import Arm, Unit, make_plan
from lstmstudy.runs import Outcome, Result
from lstmstudy.store.outcomes import RunStore
from lstmstudy.techniques import Dropout, EarlyStopping, Permutation, Trio
from lstmstudy.workers.pace import COMPILING, expected_seconds

LAST_TWO = ("98_methods", "99_comparison")  # chapters of tuned arms
SMALL = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, recurrent_dropout, early_stopping]
compared: [dropout per=step, recurrent_dropout]
units: 2
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.3]}
  recurrent_dropout: {rate: [0.3]}
  early_stopping: {patience: [1, 3]}
"""
MINE = """\
tasks: [sunspots]
techniques: [dropout, early_stopping]
compared: [dropout per=step]
units: 7
network: {layers: 1, width: 4}
training: {epochs: 5, batch_size: 32, learning_rate: 0.003}
grids:
  dropout: {rate: [0.2, 0.4], per: [step]}
  early_stopping: {patience: [2]}
"""
WIDE = """\
tasks: [sunspots, digits_rows]
techniques: [dropout, permutation, trio, averaging, bagging, early_stopping]
units: 4
network: {layers: 2, width: 8}
training: {epochs: 6, batch_size: 32, learning_rate: 0.003}
description: {tasks: [digits_rows, mackey_glass], units: 3}
designs:
  combined: {tasks: [digits_rows], units: 2}
  validation: {units: 2}
"""
RATE = SearchRange.model_validate({"from": 0.001, "to": 0.01, "scale": "log"})
DROPPED = SearchRange.model_validate({"from": 0.02, "to": 0.6, "scale": "linear"})
SEGMENTS = SearchRange.model_validate({"from": 2, "to": 8, "scale": "linear", "integer": True})
FORMS = ("step", "sequence", "candidate")
TRIO = {"rate": 0.3, "l2": 0.01, "patience": 3}


def found(learning_rate, settings, **ranges):
    """Return what a search of one trial found."""
    trial = Trial(learning_rate=learning_rate, settings=settings, validation=1.0)
    trained = Trained(epochs=6, batch_size=32, seeds=(1000,))
    return Found(best=trial, trained=trained, search={"learning_rate": RATE, **ranges}, trials=[trial])


def chosen(rate, learning_rate):
    """Return what was found on one task: a rate of dropping and a learning rate, the baseline's ten percent higher."""
    arms = {
        f"dropout per={per}": found(learning_rate, {"rate": rate, "per": per}, rate=DROPPED)
        for per in FORMS[:2]
    }
    arms |= {
        f"recurrent_dropout form={form}": found(learning_rate, {"rate": rate, "form": form}, rate=DROPPED)
        for form in FORMS
    }
    arms["trio l2=0.01 patience=3 rate=0.3"] = found(learning_rate, TRIO)
    arms["permutation"] = found(learning_rate, {"segments": 3}, segments=SEGMENTS)
    return arms | {"baseline": found(1.1 * learning_rate, {})}


TUNED = Tuned({"2x8": {"sunspots": chosen(0.1, 0.002), "digits_rows": chosen(0.4, 0.008)}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with three profiles and what was chosen for two tasks."""
    made = parameters(tmp_path_factory.mktemp("params"), SMALL, "small")
    for name, text in {"mine": MINE, "wide": WIDE}.items():
        (made / f"{name}.yaml").write_text(text, encoding="utf-8")
    save_tuned(TUNED, made)
    return made


@pytest.fixture
def small(folder):
    """Return the plan of a study of two tasks, two techniques and a reading."""
    return plan_of(folder, "small")


@pytest.fixture
def mine(folder):
    """Return the plan of a study of 1 task, 2 dropout arms and a patience, 7 units."""
    return plan_of(folder, "mine")


@pytest.fixture
def wide(folder):
    """Return the plan of a study whose grids are described elsewhere than its tuned arms are compared."""
    return plan_of(folder, "wide")


def trained(run, seconds):
    """Return an outcome of a run whose training took some seconds."""
    result = Result("rmse", {}, np.zeros(0, np.int64), {}, {}, {}, None)
    return Outcome(run.identity, result, {"seconds": seconds})


def test_the_runs_of_a_notebook_are_its_arms_times_tasks_times_units(small):
    """Each arm has 2 units on 2 tasks; tuned arms bring the tuned baseline with them, readings nothing."""
    runs = {name: len(small.runs(arms)) for name, arms in small.notebooks.items()}
    assert runs == {
        "00_overfitting": 1 * 2 * 2,
        "01_dropout": (1 + 2 + 1 + 1) * 2 * 2,
        "02_recurrent_variational_dropout": (1 + 3 + 1 + 3) * 2 * 2,
        "05_early_stopping": 1 * 2 * 2,
        "98_methods": 1 * 2 * 2,
        "99_comparison": (1 + 1 + 3 + 1) * 2 * 2,
    }
    assert len(small.all_runs) == (1 + 2 + 3 + 1 + 1 + 3) * 2 * 2


@pytest.mark.parametrize("name", ["small", "mine", "wide"])
def test_every_run_of_a_notebook_is_a_run_of_the_study(folder, name):
    """The study is what its notebooks need; the baseline is first in each chapter, the tuned one in the last two."""
    plan = plan_of(folder, name)
    needed = {identity for arms in plan.notebooks.values() for identity in plan.runs(arms)}
    assert plan.all_runs.keys() == needed
    for chapter, arms in plan.notebooks.items():
        assert arms[0] == (plan.tuned_baseline if chapter in LAST_TWO else plan.baseline)
    assert all(run.identity == identity for identity, run in plan.all_runs.items())


def test_a_baseline_that_notebooks_share_is_one_run(small):
    """The baseline's runs are in every chapter but the last two, which have the tuned one's, and count once."""
    baseline = small.runs([small.baseline]).keys()
    tuned = small.runs([small.tuned_baseline]).keys()
    assert len(baseline) == len(tuned) == 4
    assert not baseline & tuned
    for chapter, arms in small.notebooks.items():
        assert (tuned if chapter in LAST_TWO else baseline) <= small.runs(arms).keys()
    assert sum(not run.recipe.techniques for run in small.all_runs.values()) == 8


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_needs_the_notebooks_of_its_techniques_and_designs(name, tmp_path):
    """Every technique and design has its arms in its chapter; each compared arm stands in the comparison too."""
    plan = plan_of(shipped(tmp_path), name)
    for technique in plan.profile.techniques:
        chapter = module.load_technique(technique).notebook
        assert {*plan.arms(technique), *plan.tuned(technique)} <= set(plan.notebooks[chapter])
        assert set(plan.compared(technique)) <= set(plan.notebooks["99_comparison"])
    names = [arm.name for arm in plan.notebooks["99_comparison"]]
    assert len(set(names)) == len(names)


def test_a_way_to_read_costs_no_run(small):
    """The arms of early stopping are other readings of the baseline's runs, beside the baseline at its last epoch."""
    readings = small.arms("early_stopping")
    assert [arm.reading for arm in readings] == ["patience 1", "patience 3"]
    assert small.runs(readings).keys() == small.runs([small.baseline]).keys()
    control = dataclasses.replace(small.baseline, reading="last")
    assert small.arm(EarlyStopping(5)) == Arm(
        EarlyStopping(5).label,
        small.baseline.recipe,
        "patience 5",
        EarlyStopping(5),
        control,
        tasks=("sunspots", "digits_rows"),
        units=2,
    )
    assert small.compared("early_stopping") == readings


def test_units_go_round_the_folds(mine):
    """Unit k has seed k and fold k mod F, in the baseline and in every arm."""
    assert CATALOG["sunspots"].n_folds == 3
    assert mine.units("sunspots", 7) == tuple(Unit("sunspots", seed % 3, seed) for seed in range(7))
    arms = mine.arms("dropout")
    for unit in mine.units("sunspots", 7):
        runs = [mine.run(arm.recipe, unit) for arm in (mine.baseline, *arms)]
        assert {(run.task, run.content, run.fold, run.seed) for run in runs} == {
            ("sunspots", mine.tasks["sunspots"].content, unit.fold, unit.seed)
        }
        assert len({run.identity for run in runs}) == 3


def test_a_unit_of_a_made_series_is_one_series_in_every_split(mine):
    """Seed k goes with all splits of series k; there are no more units than series."""
    info = CATALOG["stationary_series"]
    splits = info.n_folds // info.realizations
    units = mine.units(info.name, 2)
    assert [(unit.fold, unit.seed) for unit in units] == [
        (fold, fold // splits) for fold in range(2 * splits)
    ]
    assert len(mine.units(info.name, 1000)) == info.n_folds
    assert {unit.seed for unit in mine.units("sunspots_schemes", 30)} == {0}


def test_an_arm_is_the_baseline_with_its_technique(mine):
    """Nothing else of the recipe changes, and an arm outside the profile is made in the same way."""
    assert mine.baseline.recipe.techniques == ()
    assert (mine.baseline.recipe.layers, mine.baseline.recipe.width, mine.baseline.recipe.epochs) == (1, 4, 5)
    for arm in (*mine.arms("dropout"), mine.arm(Dropout(0.7, per="sequence"))):
        assert arm.recipe == mine.baseline.recipe.adding(arm.technique)
        assert arm.reading == "selected"
        assert arm.control == mine.baseline
    assert len({arm.name for arms in mine.notebooks.values() for arm in arms}) == 6


def test_a_profile_of_ones_own_has_the_chapters_of_its_techniques(mine):
    """A chapter without arms in the profile is none of its notebooks."""
    assert list(mine.notebooks) == ["00_overfitting", "01_dropout", "05_early_stopping", *LAST_TWO]
    names = [arm.name for arm in mine.notebooks["99_comparison"]]
    assert names == ["baseline, tuned", "dropout per step, tuned", "early stopping, patience 2"]
    assert len(mine.all_runs) == (1 + 2 + 1 + 1) * 7


def test_the_control_of_a_tuned_arm_is_the_tuned_baseline(small):
    """On each task both have what was chosen for them there, and nothing else of the recipes differs."""
    (arm,) = small.tuned("dropout")
    assert (arm.name, arm.control) == ("dropout per step, tuned", small.tuned_baseline)
    for task, rate, learning_rate in (("sunspots", 0.1, 0.002), ("digits_rows", 0.4, 0.008)):
        (baseline,), (recipe,) = small.tuned_baseline.on(task), arm.on(task)
        assert baseline == dataclasses.replace(small.baseline.recipe, learning_rate=1.1 * learning_rate)
        expected = dataclasses.replace(small.baseline.recipe, learning_rate=learning_rate)
        assert recipe == expected.adding(Dropout(rate, "step"))
        runs = [run for run in small.runs([arm]).values() if run.task == task]
        assert sorted(run.recipe == recipe for run in runs) == [False, False, True, True]
        assert {run.recipe for run in runs} == {recipe, baseline}


def test_a_tuned_arm_is_compared_on_every_task_of_the_profile(wide):
    """Tuned arms have the profile's tasks and units, wherever grids are described."""
    for arm in (wide.tuned_baseline, *wide.tuned("dropout"), *wide.tuned("trio")):
        assert (arm.tasks, arm.units) == (("sunspots", "digits_rows"), 4)
        assert len(wide.runs([arm])) == (8 if arm.control is None else 16)
    (trio,) = wide.tuned("trio")
    assert (trio.name, trio.reading, trio.technique) == ("trio, tuned", "patience 3", Trio(**TRIO))


def test_a_grid_is_described_on_the_tasks_and_units_of_the_description(wide):
    """Each arm of a grid and its control have them, at the profile's learning rate."""
    for arm in wide.arms("dropout"):
        for each in (arm, arm.control):
            assert (each.tasks, each.units) == (("digits_rows", "mackey_glass"), 3)
            assert each.on("mackey_glass")[0].learning_rate == 0.003
        assert not arm.control.recipe.techniques
    runs = wide.runs(wide.arms("dropout")).values()
    assert {(run.task, run.seed) for run in runs} == {
        (task, seed) for task in ("digits_rows", "mackey_glass") for seed in range(3)
    }
    shared = wide.runs([wide.arms("dropout")[0].control]).keys() & wide.runs([wide.baseline]).keys()
    assert len(shared) == 3


def test_a_technique_that_is_unfit_for_a_task_has_no_runs_there(wide):
    """Permutation is left out where a forecast is made, described or tuned; its control is not."""
    (tuned,) = wide.tuned("permutation")
    assert [task for task, _ in tuned.recipes] == ["digits_rows"]
    for arm in (*wide.arms("permutation"), tuned):
        assert arm.unfit(CATALOG["sunspots"])
        with_it = [run for run in wide.runs([arm]).values() if run.recipe.techniques]
        assert {run.task for run in with_it} == {"digits_rows"}
    assert tuned.recipe.techniques == (Permutation(3),)
    assert {run.task for run in wide.runs([tuned]).values()} == {"sunspots", "digits_rows"}


def test_the_members_of_an_ensemble_are_runs_of_their_own(wide):
    """Five models are five runs of a unit, the first of them the baseline's, however they are combined."""
    mean, median = wide.arms("averaging")
    assert len(mean.on("digits_rows")) == 5
    assert len(wide.runs([mean])) == 5 * 2 * 3
    assert wide.runs([mean]).keys() == wide.runs([median]).keys()
    assert wide.runs([mean.control]).keys() <= wide.runs([mean]).keys()


def test_designs_stand_in_their_chapters_with_tasks_of_their_own(wide):
    """A design is trained where the profile or its file says, and its notebook needs its runs."""
    combined, schemes = wide.design("combined"), wide.design("validation")
    assert {(arm.tasks, arm.units) for arm in combined} == {(("digits_rows",), 2)}
    assert schemes[0].tasks == ("stationary_series", "changing_series", "sunspots_schemes")
    assert set(combined) <= set(wide.notebooks["10_combined"])
    assert set(schemes) <= set(wide.notebooks["09_validation_schemes"])
    splits = CATALOG["sunspots_schemes"].n_folds
    assert len(wide.runs(schemes)) == (2 + 2 + 1) * splits


def test_what_is_compared_limits_tuned_arms_and_changes_nothing_else(tmp_path):
    """Other arms, their runs and the runs of the tuned arms that are left stay what they were."""
    parameters(tmp_path, SMALL)
    save_tuned(TUNED, tmp_path)
    some = plan_of(tmp_path)
    changed(tmp_path, "compared: [dropout per=step, recurrent_dropout]\n", "")
    whole = plan_of(tmp_path)
    assert [arm.name for arm in whole.tuned("dropout")] == [
        "dropout per step, tuned",
        "dropout per sequence, tuned",
    ]
    assert some.tuned("dropout") == whole.tuned("dropout")[:1]
    assert some.tuned("recurrent_dropout") == whole.tuned("recurrent_dropout")
    for technique in some.profile.techniques:
        assert some.arms(technique) == whole.arms(technique)
    assert (some.baseline, some.tuned_baseline) == (whole.baseline, whole.tuned_baseline)
    further = whole.all_runs.keys() - some.all_runs.keys()
    assert some.all_runs.keys() < whole.all_runs.keys()
    assert {whole.all_runs[identity].recipe.techniques[0].per for identity in further} == {"sequence"}
    assert len(further) == 2 * 2


def test_a_size_and_a_task_that_were_not_tuned_take_what_is_nearest(tmp_path):
    """Another width has the settings of the tuned one, another task the median of those that were tuned."""
    other = parameters(tmp_path, SMALL.replace("width: 8", "width: 16").replace("digits_rows", "elnino"))
    save_tuned(TUNED, other)
    plan = plan_of(other)
    (arm,) = plan.tuned("dropout")
    assert arm.on("sunspots")[0].width == 16
    assert arm.on("sunspots")[0].techniques == (Dropout(0.1, "step"),)
    assert arm.on("elnino")[0].techniques == (Dropout(0.25, "step"),)
    assert arm.on("elnino")[0].learning_rate == 0.004


def test_without_a_search_there_is_no_tuned_arm(tmp_path):
    """The message names the file and the command that writes it; grids need neither."""
    plan = plan_of(parameters(tmp_path, SMALL))
    assert refusal(plan.tuned, "dropout").startswith("params/tuned.yaml: unknown arm `dropout per=step`.")
    assert "`python -m lstmstudy tune" in refusal(lambda: plan.notebooks)
    assert len(plan.runs(plan.arms("dropout"))) == (1 + 2) * 2 * 2


def test_chosen_settings_that_a_technique_refuses_are_one_line(tmp_path):
    """Where the file has a form that no longer exists the message names file, task and arm."""
    parameters(tmp_path, SMALL.replace("compared: [dropout per=step, recurrent_dropout]\n", ""))
    odd = chosen(0.1, 0.002)
    odd["dropout per=step"] = found(0.002, {"rates": 0.1, "per": "step"}, rates=DROPPED)
    save_tuned(Tuned({"2x8": {"sunspots": odd}}), tmp_path)
    message = refusal(plan_of(tmp_path).tuned, "dropout")
    assert message.startswith("tuned.yaml: unknown key `sunspots.dropout per=step.dropout.rates`.")


def test_what_the_network_cannot_train_is_one_line_with_profile_and_technique(tmp_path):
    """Layer norm between layers is refused where there is one layer, by its grid and by its tuned arm."""
    text = MINE.replace("[dropout, early_stopping]", "[dropout, early_stopping, layer_norm]")
    parameters(tmp_path, text.replace("compared: [dropout per=step]\n", ""))
    save_tuned(
        Tuned({"1x4": {"sunspots": {"layer_norm epsilon=0.001": found(0.002, {"epsilon": 0.001})}}}), tmp_path
    )
    plan = plan_of(tmp_path)
    for arms in (plan.arms, plan.tuned):
        message = refusal(arms, "layer_norm")
        assert message.startswith("mine.yaml: techniques: layer_norm: layer norm stands between LSTM layers.")


def test_profiles_share_runs_that_are_the_same(tmp_path, small):
    """A profile with more units asks for all the runs of the smaller one, and half as many again."""
    parameters(tmp_path, SMALL.replace("units: 2", "units: 3"))
    save_tuned(TUNED, tmp_path)
    larger, smaller = plan_of(tmp_path).all_runs.keys(), small.all_runs.keys()
    assert smaller < larger
    assert len(larger) == 3 * len(smaller) // 2


def test_planning_opens_the_tasks_of_the_profile_its_description_and_its_designs(
    folder, tmp_path, monkeypatch
):
    """Each once, from beside the runs, and nothing is trained; a plan has no other tasks."""
    opened = []
    monkeypatch.setattr(
        module, "open_task", lambda name, cache: opened.append((name, cache)) or task_of(name)
    )
    plan = make_plan("wide", store=tmp_path, folder=folder)
    schemes = ["stationary_series", "changing_series", "sunspots_schemes"]
    assert opened == [
        (n, task_cache(tmp_path)) for n in ["sunspots", "digits_rows", "mackey_glass", *schemes]
    ]
    assert list(plan.tasks) == [name for name, _ in opened]
    assert {run.task for run in plan.all_runs.values()} == set(plan.tasks) < set(TASK_NAMES)
    assert RunStore(tmp_path).files() == {}


def test_planning_prepares_tasks_beside_the_runs_and_trains_nothing(folder, tmp_path):
    """After a plan the store holds the prepared tasks, and no outcome."""
    make_plan("mine", store=tmp_path, folder=folder)
    assert [path.name.partition("-")[0] for path in task_cache(tmp_path).iterdir()] == ["sunspots"]
    assert RunStore(tmp_path).files() == {}


def test_a_plan_of_wrong_parameters_is_refused(tmp_path):
    """An unknown profile ends before any task is opened."""
    with pytest.raises(ParamsError, match="unknown profile"):
        make_plan("smokes", store=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_expected_seconds_come_from_runs_of_the_same_kind(mine, tmp_path):
    """Missing runs take what stored ones of their structure took, on average, and each structure a compilation."""
    store = RunStore(tmp_path)
    runs = mine.runs([mine.baseline, *mine.arms("dropout")])
    dropout = [run for run in runs.values() if run.recipe.techniques]
    plain = [run for run in runs.values() if not run.recipe.techniques]
    for run, seconds in zip([*dropout[:2], plain[0]], [1.0, 3.0, 10.0], strict=True):
        store.save(trained(run, seconds))
    guess = expected_seconds([*dropout[2:4], plain[1]], runs.values(), store)
    assert guess == pytest.approx(2 * 2.0 + 10.0 + 2 * COMPILING)


def test_expected_seconds_grow_with_the_epochs(mine, small, tmp_path):
    """A run twice as long takes twice as long; without one of its structure any of its task serves."""
    store = RunStore(tmp_path)
    runs = mine.runs([mine.baseline])
    store.save(trained(next(iter(runs.values())), 5.0))
    longer = [run for run in small.runs([small.baseline]).values() if run.task == "sunspots"]
    assert expected_seconds(longer, runs.values(), store) == pytest.approx(
        len(longer) * 5.0 / 5 * 6 + COMPILING
    )
    other = [run for run in small.runs([small.baseline]).values() if run.task == "digits_rows"]
    assert expected_seconds(other, runs.values(), store) == pytest.approx(
        len(other) * 5.0 / 5 * 6 + COMPILING
    )


def test_expected_seconds_before_any_run_are_more_than_none(mine, tmp_path):
    """Without a stored run there is still a guess; with nothing missing there is nothing to wait for."""
    runs = mine.runs([mine.baseline, *mine.arms("dropout")])
    assert expected_seconds(list(runs.values()), runs.values(), RunStore(tmp_path)) > 0
    assert expected_seconds([], runs.values(), RunStore(tmp_path)) == 0


def test_a_damaged_file_does_not_stop_the_estimate(mine, tmp_path):
    """A stored run whose record cannot be read is not counted."""
    store = RunStore(tmp_path)
    runs = list(mine.all_runs.values())
    store.save(trained(runs[0], 2.0))
    store.save(trained(runs[1], 500.0)).write_bytes(b"")
    assert expected_seconds(runs[2:4], runs, store) == pytest.approx(2 * 2.0 + COMPILING)
