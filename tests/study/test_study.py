"""The study trains what is missing once, reads what is stored, and chooses without seeing a test figure."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from engine import made_result, stand_in
from planning import SHIPPED, plan_of, refusal, shipped
from studying import EPOCHS, TASKS, constant, curves_of, put

from lstmstudy import paths
from lstmstudy.data.cache import task_cache
from lstmstudy.parsing.strict_yaml import ParamsError
from lstmstudy.readings import READINGS
from lstmstudy.store.outcomes import MissingRunsError, RunStore
from lstmstudy.study.ablation import ALL_TASKS
from lstmstudy.study.study import Study, open_study
from lstmstudy.techniques import Dropout, EarlyStopping, RecurrentDropout
from lstmstudy.workers.pace import COMPILING, expected_seconds

pytest_plugins = ["studying"]
pytestmark = pytest.mark.usefixtures("few_units")


def test_a_unit_uses_the_folds_in_turn(bench):
    """Unit k has seed k and fold k mod F, the same for all arms."""
    plan = bench.open().plan
    assert [(unit.fold, unit.seed) for unit in plan.units("sunspots", 5)] == [(k % 3, k) for k in range(5)]
    assert [(unit.fold, unit.seed) for unit in plan.units("digits_rows", 14)] == [
        (k % 12, k) for k in range(14)
    ]
    run = plan.run(plan.arm(Dropout(0.3)).recipe, plan.units("sunspots", 5)[4])
    assert (run.task, run.fold, run.seed, run.content) == ("sunspots", 1, 4, bench.tasks["sunspots"].content)


def test_every_notebook_has_the_baseline_first_and_shares_its_runs(bench):
    """Baselines are planned once for all notebooks, and early stopping, which reads one, adds no run."""
    plan = bench.open().plan
    comparison, methods = (plan.notebooks.pop(name) for name in ("99_comparison", "98_methods"))
    assert comparison[0] == methods[0] == plan.tuned_baseline
    assert all(arms[0] == plan.baseline for arms in plan.notebooks.values())
    everything = plan.runs(arm for arms in (*plan.notebooks.values(), comparison) for arm in arms)
    assert len(everything) == (1 + 3 + 3 + 1 + 2 + 3) * 5 * 2  # grids, and what was tuned
    assert len(plan.runs(plan.arms("early_stopping"))) == len(plan.runs([plan.baseline])) == 10


def test_only_what_is_missing_is_trained_and_nothing_twice(bench):
    """A second look trains nothing, and a new arm, made up in a cell, trains its own runs alone."""
    opened = bench.open()
    opened.ablate(*opened.arms("dropout"))
    assert len(bench.trained) == len(set(bench.trained)) == 4 * 10
    opened.ablate(*opened.arms("dropout"))
    bench.open().ablate(*opened.arms("dropout"), *opened.arms("early_stopping"), opened.baseline)
    assert len(bench.trained) == 40
    bench.open().ablate(opened.arm(Dropout(0.45, "sequence")), opened.arm(Dropout(0.0)))
    assert len(bench.trained) == len(set(bench.trained)) == 50


def test_a_damaged_outcome_alone_is_trained_again(bench, capsys):
    """A truncated file is named, and only its run is missing."""
    opened = bench.open()
    opened.ablate()
    identity, path = next(iter(opened.store.files().items()))
    path.write_bytes(path.read_bytes()[:50])
    fresh = bench.open()
    ablation = fresh.ablate()
    assert bench.trained[10:] == [identity]
    assert path.name in capsys.readouterr().err
    assert len(ablation.results(fresh.baseline, "sunspots")) == 5


def test_a_run_without_an_outcome_is_named_and_its_unit_enters_no_number(bench, capsys):
    """The other units stand, for every arm alike; the next look tries the run again."""
    opened = bench.open()
    arm = opened.arm(Dropout(0.3))
    lost = opened.plan.run(arm.recipe, opened.plan.units("sunspots", 5)[2])
    bench.failing = {lost.identity}
    ablation = opened.ablate(arm)
    assert "missing: sunspots, seed 2: its worker ended twice" in capsys.readouterr().err
    assert [unit.seed for unit in ablation.units("sunspots")] == [0, 1, 3, 4]
    assert len(ablation.units("digits_rows")) == 5
    for each in (arm, opened.baseline):
        assert ablation.errors(each, "sunspots").shape == (4,)
        assert ablation.curves(each, "sunspots", "train").shape == (4, EPOCHS)
    assert ablation.effect(arm).log_ratios.shape == (9,)
    with pytest.raises(MissingRunsError, match="Received: run="):
        opened.outcome(lost)
    bench.failing = set()
    assert len(opened.ablate(arm).units("sunspots")) == 5
    assert bench.trained[-1] == lost.identity


def test_a_task_without_one_whole_unit_is_left_out(bench):
    """An effect is over the tasks that have a unit; a number of a task without one, or of no task, is an error."""
    opened = bench.open()
    units = {task: opened.plan.units(task, 5) for task in TASKS}

    def failing(*tasks):
        return {
            opened.plan.run(opened.baseline.recipe, unit).identity for task in tasks for unit in units[task]
        }

    bench.failing = failing("sunspots")
    arm = opened.arm(Dropout(0.3))
    ablation = opened.ablate(arm)
    assert [info.name for info in ablation.infos] == ["digits_rows"]
    assert ablation.effect(arm).estimate == ablation.effect(arm, "digits_rows").estimate
    for number in (ablation.errors, ablation.curves):
        with pytest.raises(MissingRunsError, match=r"Received: task='sunspots'$"):
            number(opened.baseline, "sunspots", part="test")
    bench.failing = failing(*TASKS)
    bench.store = bench.folder / "other" / "store"
    for name in TASKS:
        stand_in(task_cache(bench.store), name)
    nothing = bench.open().ablate(arm)
    assert nothing.infos == ()
    with pytest.raises(MissingRunsError, match=r"Received: arm='dropout 0.3 per step'$"):
        nothing.effect(arm)


def with_noise(result, rng):
    """Return a result whose test figures are noise."""
    return dataclasses.replace(
        result,
        curves={
            name: np.exp(rng.normal(size=curve.shape)) if name.startswith("test/") else curve
            for name, curve in result.curves.items()
        },
        predictions={**result.predictions, "test": rng.normal(size=result.predictions["test"].shape)},
    )


def choices(opened):
    """Return every epoch, cost and strength that is chosen in a study."""
    names = opened.profile.techniques
    ablation = opened.ablate(*(arm for name in names for arm in opened.arms(name)))
    return {
        "chosen": [ablation.chosen(name).name for name in names],
        "kept": [
            ablation.kept(arm, task, reading).tolist()
            for arm in ablation.arms.values()
            for task in TASKS
            for reading in READINGS
        ],
        "cost": [ablation.cost(arm, task).tolist() for arm in ablation.arms.values() for task in TASKS],
        "validation": [
            ablation.errors(arm, task, part="validation").tolist()
            for arm in ablation.arms.values()
            for task in TASKS
        ],
    }


def test_no_choice_changes_when_all_test_figures_are_noise(bench, tmp_path):
    """Kept epochs, costs and chosen strengths are the same; the effects on the test part are not."""
    opened = bench.open()
    expected = choices(opened)
    assert expected["chosen"][0] == "dropout 0.3 per step"
    rng, other = np.random.default_rng(0), tmp_path / "other"
    shutil.copytree(task_cache(bench.store), task_cache(other))
    for identity in opened.store.files():
        outcome = opened.store.load(identity)
        RunStore(other).save(dataclasses.replace(outcome, result=with_noise(outcome.result, rng)))
    sealed = bench.open(other)
    trained = len(bench.trained)
    assert choices(sealed) == expected
    assert len(bench.trained) == trained
    arm = opened.arm(Dropout(0.3))
    assert sealed.ablate(arm).effect(arm).estimate != opened.ablate(arm).effect(arm).estimate


def test_no_choice_changes_with_the_test_error_of_the_simple_references(bench):
    """Where a run diverged, what stands in for it in a choice is no figure of the test part either."""
    chosen = set()
    arms = bench.open().arms("dropout")
    for arm in (bench.open().baseline, *arms):
        for task, metric in TASKS.items():
            plan = bench.open().plan
            results = [curves_of(plan.run(arm.recipe, unit)) for unit in plan.units(task, arm.units)]
            if arm == arms[1]:
                results[0] = made_result([np.nan] * EPOCHS, metric=metric, diverged="training loss inf")
            put(bench.open(), arm, task, results)
    for error in (0.01, 1e6):
        opened = bench.open()
        for name, task in opened.plan.tasks.items():
            references = tuple({"naive": {TASKS[name]: error}} for _ in task.folds)
            opened.plan.tasks[name] = dataclasses.replace(task, references=references)
        chosen.add(opened.ablate(*arms).chosen("dropout").name)
    assert len(chosen) == 1


@pytest.mark.parametrize(
    ("arm", "control", "expected"),
    [
        (0.5, 2.0, np.log(0.5 / 2.0)),
        (None, 0.5, np.log(1.0 / 0.5)),  # the naive reference has an error of 1
        (None, 2.0, 0.0),  # the pair's error is the higher one
        (0.5, None, np.log(0.5 / 1.0)),
        (2.0, None, 0.0),
        (None, None, 0.0),
    ],
)
def test_a_diverged_run_enters_with_the_naive_error_or_that_of_its_pair(arm, control, expected, bench):
    """The higher of the two stands in for it; two diverged runs are a tie."""
    opened = bench.open()
    dropout = opened.arm(Dropout(0.3))
    for each, error in ((dropout, arm), (opened.baseline, control)):
        results = [constant(1.5)] * 4
        results.append(constant(error, diverged=None if error else "training loss nan in epoch 1"))
        put(opened, each, "sunspots", results)
    ratios = opened.ablate(dropout).log_ratios(dropout, "sunspots")
    np.testing.assert_allclose(ratios, [0, 0, 0, 0, expected], atol=1e-12)


def test_a_diverged_run_has_curves_and_a_kept_epoch_only_as_far_as_it_came(bench):
    """Where no epoch was scored, epoch and cost are NaN; the error is NaN wherever a run diverged."""
    opened = bench.open()
    early = made_result([np.nan] * EPOCHS, diverged="training loss nan in epoch 1")
    late = made_result([3.0, 2.0, 2.5, *[np.nan] * (EPOCHS - 3)], diverged="training loss nan in epoch 4")
    put(opened, opened.baseline, "sunspots", [early, late, *[constant(1.0)] * 3])
    ablation = opened.ablate()
    np.testing.assert_array_equal(ablation.kept(opened.baseline, "sunspots"), [np.nan, 2, 1, 1, 1])
    np.testing.assert_array_equal(ablation.cost(opened.baseline, "sunspots"), [np.nan, 3, 12, 12, 12])
    np.testing.assert_array_equal(ablation.kept(opened.baseline, "sunspots", "last"), [np.nan, 3, 12, 12, 12])
    assert np.isnan(ablation.errors(opened.baseline, "sunspots")).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_an_arm_and_its_control_are_read_alike(bench):
    """At the selected epoch both; an arm that is itself a reading is compared with the last epoch."""
    opened = bench.open()
    dropout, stopping = opened.arm(Dropout(0.3)), opened.arm(EarlyStopping(3))
    ablation = opened.ablate(dropout, stopping)
    for task, metric in TASKS.items():
        for arm, reading in ((dropout, "selected"), (stopping, "last")):
            pairs = zip(ablation.results(arm, task), ablation.results(opened.baseline, task), strict=True)
            expected = [
                np.log(one.curves[f"test/{metric}"][one.keeps(arm.reading).epoch])
                - np.log(other.curves[f"test/{metric}"][other.keeps(reading).epoch])
                for one, other in pairs
            ]
            np.testing.assert_allclose(ablation.log_ratios(arm, task), expected, atol=1e-12)
    asked = ablation.log_ratios(dropout, "sunspots", control=dropout)
    np.testing.assert_array_equal(asked, np.zeros(5))


def test_early_stopping_is_a_reading_of_the_baseline(bench):
    """Its arm has the baseline's recipe, so its runs are the baseline's."""
    opened = bench.open()
    arm = opened.arm(EarlyStopping(3))
    assert arm.recipe == opened.baseline.recipe
    assert (arm.reading, opened.baseline.reading) == ("patience 3", "selected")
    opened.ablate(*opened.arms("early_stopping"))
    assert len(bench.trained) == 10


def test_an_effect_weighs_tasks_alike_and_says_what_it_is_of(bench):
    """The estimate over all tasks is the mean of those of each, inside its interval."""
    opened = bench.open()
    arm = opened.arm(RecurrentDropout(0.2, "candidate"))
    ablation = opened.ablate(arm)
    by_task = {task: ablation.effect(arm, task) for task in TASKS}
    overall = ablation.effect(arm)
    assert overall.estimate == pytest.approx(np.mean([each.estimate for each in by_task.values()]))
    assert overall.low < overall.estimate < overall.high
    assert (overall.task, overall.arm, overall.technique) == (ALL_TASKS, arm.name, "recurrent_dropout")
    assert (overall.strength, overall.variant) == (0.2, "on the candidate")
    assert overall.log_ratios.shape == (10,)
    assert all(each.task == task and each.log_ratios.shape == (5,) for task, each in by_task.items())
    assert [effect.arm for effect in ablation.effects()] == [arm.name]


def test_results_come_unit_by_unit(bench):
    """Errors, curves, seconds and references of an arm stand in the order of the units."""
    opened = bench.open()
    ablation = opened.ablate()
    results = ablation.results(opened.baseline, "digits_rows")
    expected = [result.error("selected") for result in results]
    np.testing.assert_array_equal(ablation.errors(opened.baseline, "digits_rows"), expected)
    secondary = ablation.curves(opened.baseline, "digits_rows", "test", "error_rate")
    np.testing.assert_array_equal(secondary, [result.curves["test/error_rate"] for result in results])
    np.testing.assert_allclose(ablation.seconds(opened.baseline, "digits_rows"), [EPOCHS / 10] * 5)
    references = ablation.references("digits_rows")
    assert {name: numbers.shape for name, numbers in references.items()} == {"majority": (5,)}


def test_the_expected_time_follows_from_stored_runs_of_the_same_kind(bench):
    """Seconds scale with the epochs, and each structure is compiled; without any stored run a guess stands in."""
    opened = bench.open()
    runs = list(opened.plan.runs([opened.baseline]).values())
    guess = expected_seconds(runs, runs, opened.store)
    assert guess > 0
    opened.ablate()
    longer = [
        dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, epochs=10 * EPOCHS)) for run in runs
    ]
    compiling = COMPILING * len({run.group for run in longer})
    assert expected_seconds(longer, runs, opened.store) == pytest.approx(len(runs) * EPOCHS + compiling)
    assert expected_seconds([], runs, opened.store) == 0


def test_reading_a_study_loads_no_tensorflow(bench):
    """Opening a study whose runs are stored, reading it and comparing arms leave TensorFlow alone."""
    bench.open().ablate(bench.open().arm(Dropout(0.3)))
    code = (
        "import pathlib, sys; from lstmstudy import Dropout, open_study;"
        "folder = pathlib.Path(sys.argv[1]);"
        "study = open_study('mine', store=folder / 'store', folder=folder / 'params');"
        "arm = study.arm(Dropout(0.3)); print(study.ablate(arm).effect(arm).estimate);"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, bench.folder],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    estimate, loaded = done.stdout.splitlines()
    opened = bench.open()
    assert (
        float(estimate) == opened.ablate(opened.arm(Dropout(0.3))).effect(opened.arm(Dropout(0.3))).estimate
    )
    assert loaded == "[]"


@pytest.mark.parametrize("profile", SHIPPED)
def test_every_arm_of_a_shipped_profile_has_a_name_of_its_own(profile, tmp_path):
    """Names lead back to the arms, all of them, and a design's arm is named as claims name it."""
    study = Study(plan_of(shipped(tmp_path), profile), RunStore(tmp_path))
    arms = {arm for arms in study.plan.notebooks.values() for arm in arms}
    assert {study[name] for name in study} == set(study.named_arms.values()) == arms
    assert study["baseline"] == study.baseline
    for name in study.profile.techniques:
        for key, arm in study.plan.tuned_arms(name).items():
            assert study[key] == study[arm.name] == arm
    for name in study.profile.designs:
        for arm in study.design(name):
            assert study[f"{name}: {arm.name}"] == arm


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("dropout 0.4 per step", "`dropout 0.3 per step`"),
        ("dropout per=setp", "`dropout per=step`"),
        ("Baseline", "`baseline`"),
    ],
)
def test_a_mistyped_arm_is_a_key_error_of_one_line_with_the_nearest_names(name, near, bench):
    """It reads like every other message: a sentence without the quotes of a KeyError, and at the end what came."""
    study = bench.open()
    with pytest.raises(KeyError) as caught:
        study[name]
    message = str(caught.value)
    assert message.startswith("No arm of this study has that name. Did you mean ")
    assert near in message
    assert message.endswith(f"Received: arm={name!r}")
    assert "\n" not in message


def test_a_technique_that_the_profile_lacks_has_no_arms_and_one_that_does_not_exist_is_refused(bench):
    """Chapters rely on the first; the second is a typing mistake, and the nearest name is told."""
    study = bench.open()
    shutil.copytree(paths.PARAMS / "designs", bench.folder / "params" / "designs")
    assert study.arms("l2") == study.tuned("l2") == study.design("combined") == ()
    assert study.ablate(*study.arms("dropout")).arms_of("l2") == []
    for call, near in (
        (study.arms, "`dropout`"),
        (study.tuned, "`dropout`"),
        (study.ablate().chosen, "`dropout`"),
    ):
        assert "unknown technique `dropuot`. Expected one of: averaging" in refusal(call, "dropuot")
        assert f"Did you mean {near}? Received: technique='dropuot'" in refusal(call, "dropuot")
    assert "Did you mean `combined`? Received: design='combind'" in refusal(study.design, "combind")
    assert "study['dropout 0.3 per step']" in refusal(study.arms, "dropout 0.3 per step")
    assert "a text such as 'dropout'. Received: technique=" in refusal(study.arms, Dropout(0.3))


@pytest.mark.parametrize(
    ("call", "given", "advice"),
    [
        ("ablate", ("dropout",), "*study.arms('dropout')"),
        ("ablate", ("dropout 0.3 per step",), "study['dropout 0.3 per step']"),
        ("ablate", ([1, 2],), "put a star in front, as in *arms. Received: arm=2 in a list"),
        ("ablate", (Dropout(0.3),), "study.arm(Dropout(rate=0.3, per='step'))"),
        ("ablate", (Dropout,), "study.arm(Dropout(...)). Received: arm=Dropout"),
        ("ablate", (None,), "Received: arm=None"),
        ("results", (None,), "study.results: Expected an arm"),
        ("arm", (Dropout,), "Its settings are missing: Dropout(...). Received: technique=Dropout"),
        ("arm", ("dropout",), "study.arms('dropout')"),
        ("arm", (0.3,), "such as Dropout(0.3). Received: technique=0.3"),
        ("fold", ("sunspot",), "Did you mean 'sunspots'? Received: task='sunspot'"),
        ("fold", ("sunspots", 99), "Expected an integer from 0 to 2. Received: number=99"),
        ("fold", ("sunspots", -1), "Received: number=-1"),
    ],
)
def test_a_mistake_in_a_call_of_the_study_is_one_line_that_says_what_to_do(call, given, advice, bench):
    """Nothing is trained before what was given is seen to make sense."""
    assert advice in refusal(getattr(bench.open(), call), *given)
    assert bench.trained == []


def test_arms_that_cannot_stand_side_by_side_are_refused(bench):
    """Those of a task that is not open here, and two that differ under one name, which would hide one of them."""
    study = bench.open()
    arm = study.arm(Dropout(0.3))
    elsewhere = dataclasses.replace(arm, tasks=("elnino",))
    assert "Expected tasks among sunspots, digits_rows. Received: tasks=['elnino']" in refusal(
        study.ablate, elsewhere
    )
    assert "two arms that differ have one name" in refusal(
        study.ablate, arm, dataclasses.replace(study.arm(Dropout(0.5)), name=arm.name)
    )
    study.ablate(arm, arm)
    assert "open_study: Expected the name of a profile" in refusal(open_study, Dropout)


def test_a_mistake_in_a_question_to_a_comparison_is_one_line_that_says_what_to_do(bench):
    """Tasks, parts, metrics, readings and arms are all checked before a number is looked for."""
    study = bench.open()
    arm, other = study.arm(Dropout(0.3)), study.arm(Dropout(0.45))
    ablation = study.ablate(arm)
    assert "Did you mean `sunspots`? Received: task='sunspot'" in refusal(ablation.errors, arm, "sunspot")
    assert "Did you mean `sunspots`?" in refusal(ablation.effect, arm, "sunspot")
    assert "Did you mean `sunspots`?" in refusal(ablation.units, "sunspot")
    assert "Received: task=TaskInfo(" in refusal(ablation.errors, arm, study.tasks[0])
    assert "study['dropout 0.3 per step']" in refusal(ablation.errors, "dropout 0.3 per step", "sunspots")
    assert "Expected an arm" in refusal(ablation.effect, "dropout")
    assert "Expected an arm" in refusal(ablation.log_ratios, None, "sunspots")
    for wrong, near in (("part", "test"), ("metric", "rmse"), ("reading", "selected")):
        with pytest.raises(ParamsError, match=rf"{near}.*Received: {wrong}='tset'$"):
            ablation.errors(arm, "sunspots", **{wrong: "tset"})
    assert "Received: part='tset'" in refusal(ablation.curves, arm, "sunspots", "tset")
    assert "Received: reading='best'" in refusal(ablation.kept, arm, "sunspots", "best")
    with pytest.raises(
        MissingRunsError, match=r"dropout 0.3 per step; or trained by study.ablate\(arm\)\. Received"
    ):
        ablation.errors(other, "sunspots")
    study.ablate(other)
    assert ablation.errors(other, "sunspots").shape == (5,)  # its runs are there now
    with pytest.raises(MissingRunsError, match=r"Received: technique='recurrent_dropout'$"):
        ablation.chosen("recurrent_dropout")
