"""Quantities of claims: each is measured on made outcomes as its definition says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from judging import FALLING, PROFILE, TASKS, Made

from lstmstudy.claims.arms import ClaimArms
from lstmstudy.stats.ensembles import combined
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.quantities import QUANTITIES, informedness, noisy

CLAIM = """\
one:
  words: Something.
  chapter: 01_dropout
  contrasts:
    - {%s, expect: lower}
"""
L2_BASELINE = "arm: l2, control: baseline"


def made_for(folder, contrast, profile=PROFILE):
    """Return a study with one claim of one contrast."""
    return Made(folder, CLAIM % contrast, profile)


def by_unit(rows, task, view="declared"):
    """Return the rows of one task by seed."""
    return {row.seed: row for row in rows if row.task == task and row.view == view and row.claim == "one"}


def curves(result, **changed):
    """Return a result with some curves changed; the metric is that of its task."""
    named = {
        key.replace("_", "/", 1).replace("METRIC", result.metric): value for key, value in changed.items()
    }
    return dataclasses.replace(result, curves={**result.curves, **named})


def test_the_test_error_is_that_of_the_reading_and_its_runs_are_named(tmp_path):
    """Arm and control are read as declared; the row names the run of each, and the number is their log ratio."""
    made = made_for(tmp_path, "arm: baseline, reading: last, control: baseline")
    made.noise = 0.0
    for row in made.rows():
        if row.view == "declared":
            assert (row.arm, row.control) == (1.1, 1.0)
            assert row.number == float(f"{np.log(1.1):.6g}")
            assert row.arm_runs == row.control_runs


def test_a_fixed_number_of_epochs_is_that_of_the_seeds_of_the_search(tmp_path):
    """The epoch with the least mean validation error on seeds that are not judged; validation elsewhere is not seen."""
    made = made_for(tmp_path, "arm: baseline, control: baseline, control_reading: fixed")
    made.noise = 0.0

    def early(run, result):
        if run.seed < 1000:
            return result
        curve = FALLING.copy()
        curve[2] = 0.5
        return curves(result, validation_METRIC=curve)

    made.change = early
    assert {row.control for row in made.rows() if row.view == "declared"} == {1.4}
    seeds = {run.seed for run in made.plan.all_runs.values()}
    assert seeds == {*range(12), 1000, 1001}


def test_the_gap_is_compared_with_that_of_the_linear_method(tmp_path):
    """Test over training error of the network, against the same of the method that learns on the same fold."""
    made = made_for(tmp_path, "quantity: gap, arm: baseline, reading: last, control: simple method")
    made.noise = 0.0
    made.change = lambda _, result: curves(result, train_METRIC=np.full(12, 0.55))
    for row in made.rows():
        assert (row.arm, row.control) == (2.0, 1.2)


def test_informedness_is_sensitivity_plus_specificity_minus_one():
    """A perfect alarm has 1, its opposite -1, one that knows nothing 0, and so has one that cannot be judged."""
    wrong = np.array([False, False, True, True, True])
    assert informedness(wrong, wrong) == 1
    assert informedness(~wrong, wrong) == -1
    assert informedness(np.ones(5, bool), wrong) == informedness(np.zeros(5, bool), wrong) == 0
    assert informedness(np.array([0, 1, 1, 1, 0], bool), wrong) == pytest.approx(2 / 3 + 1 / 2 - 1)
    assert informedness(wrong, np.ones(5, bool)) == informedness(wrong, np.zeros(5, bool)) == 0


def test_the_alarm_rings_where_training_falls_and_validation_rises_over_five_epochs(tmp_path):
    """It looks five epochs back at training loss and validation error, and is judged by the test error."""
    made = made_for(tmp_path, "quantity: alarms, arm: baseline, control: always")

    def shaped(_, result):
        falls = np.linspace(2, 1, 12)
        # Least at epoch 5, above its value of five epochs before from epoch 9 on.
        validation = np.array([1.5, 1.3, 1.2, 1.1, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5])
        test = np.where(np.arange(12) >= 8, 1.2, 1.0)  # over 5 % above from epoch 9 on
        return curves(result, loss=falls, validation_METRIC=validation, test_METRIC=test)

    made.change = shaped
    assert {(row.arm, row.control) for row in made.rows()} == {(1.0, 0.0)}
    made.change = lambda _, result: curves(shaped(_, result), loss=np.linspace(1, 2, 12))
    assert {(row.arm, row.control) for row in made.rows()} == {(0.0, 0.0)}


def test_the_gap_rule_rings_where_validation_lies_above_training(tmp_path):
    """Against an alarm at a validation error over 5 % above the training error."""
    made = made_for(tmp_path, "quantity: alarms, arm: baseline, control: gap rule")
    train = np.where(np.arange(12) >= 8, 1.0, 2.0)
    test = np.where(np.arange(12) >= 8, 1.2, 1.0)
    flat = np.full(12, 1.1)
    made.change = lambda _, result: curves(
        result, train_METRIC=train, validation_METRIC=flat, test_METRIC=test
    )
    assert {(row.arm, row.control) for row in made.rows()} == {(0.0, 1.0)}


def test_spread_is_the_distance_of_two_runs_that_differ_in_their_seeds(tmp_path):
    """Root mean square of the difference of test predictions of a run and its twin, at the selected epochs."""
    made = made_for(tmp_path, "quantity: spread, arm: l2, control: baseline")

    def shifted(run, result):
        size = (0.1 if run.recipe.techniques else 0.4) * run.recipe.member
        predictions = {part: np.full_like(each, size) for part, each in result.predictions.items()}
        return dataclasses.replace(result, predictions=predictions)

    made.change = shifted
    rows = made.rows()
    assert {(row.arm, row.control) for row in rows} == {(0.1, 0.4)}
    assert len(rows) == 36


def test_a_unit_with_a_diverged_twin_has_no_spread(tmp_path):
    """Nothing is put in the place of a distance that does not exist."""
    made = made_for(tmp_path, "quantity: spread, arm: l2, control: baseline")
    made.diverged = {("baseline", "sunspots", 3)}
    assert sorted(by_unit(made.rows(), "sunspots")) == [0, 1, 2, *range(4, 12)]


def test_sizes_of_weights_are_those_of_the_selected_epoch(tmp_path):
    """The share near zero is a difference of shares, the norm a log ratio."""
    weights = {"l2": [0.0, 0.0, 3.0, 4.0], "": [0.0, 6.0, 8.0, 1e-9]}

    def weighted(run, result):
        chosen = weights["l2" if run.recipe.techniques else ""]
        return dataclasses.replace(result, weights={"lstm_1/kernel": np.array([chosen], np.float32)})

    made = made_for(tmp_path / "one", f"quantity: near zero, {L2_BASELINE}")
    made.change = weighted
    assert {(row.arm, row.control, row.number, row.scale) for row in made.rows()} == {
        (0.5, 0.5, 0.0, "difference")
    }
    made = made_for(tmp_path / "two", f"quantity: norm, {L2_BASELINE}")
    made.change = weighted
    assert {(row.arm, row.control, row.scale) for row in made.rows()} == {(5.0, 10.0, "log ratio")}


def test_updates_to_a_level_count_epochs_until_validation_is_down_to_it(tmp_path):
    """The level is 10 % above the least error on the seeds of the search; never reached counts as one more than all."""
    made = made_for(tmp_path, f"quantity: updates to level, {L2_BASELINE}")
    fast, slow = np.linspace(1.5, 0.9, 12), np.full(12, 3.0)
    made.change = lambda run, result: curves(
        result, validation_METRIC=FALLING if run.seed >= 1000 else (fast if run.recipe.techniques else slow)
    )
    # 1.1 times the least of FALLING; the fast line is below it from the ninth epoch on.
    assert {(row.arm, row.control) for row in made.rows()} == {(9.0, 13.0)}


def test_noise_leaves_padding_alone_and_is_the_same_for_the_same_seed():
    """Steps of zeros stay where sequences are padded; elsewhere the noise has the size that is asked for."""
    x = np.ones((200, 7, 3), np.float32)
    x[:, 4:] = 0
    seen = noisy(x, 0.3, 5, padded=True)
    assert not seen[:, 4:].any()
    assert (seen[:, :4] - 1).std() == pytest.approx(0.3, rel=0.05)
    assert noisy(x, 0.3, 5, padded=False)[:, 4:].std() == pytest.approx(0.3, rel=0.05)
    assert (noisy(x, 0.3, 5, padded=True) == seen).all()
    assert (noisy(x, 0.3, 6, padded=True) != seen)[:, :4].all()
    assert seen.dtype == np.float32


def test_noise_on_the_inputs_counts_as_far_as_the_network_looks_at_them(tmp_path):
    """A network that looks at its inputs errs more under more noise, one that does not errs as before."""
    made = made_for(tmp_path, f"quantity: noisy error, noise: 0.3, {L2_BASELINE}")
    bench = Bench(made.plan, made.outcome)
    shapes = {task: bench.probe(task).weights for task in TASKS}
    seen = {}

    def weighted(run, result):
        rng = np.random.default_rng(1)
        drawn = {
            path: rng.normal(size=each.shape).astype(np.float32) for path, each in shapes[run.task].items()
        }
        if run.recipe.techniques:  # blind: nothing of the inputs arrives
            drawn["lstm_1/kernel"] *= 0
        probe = bench.probe(run.task)
        probe.load(drawn)
        loss = probe.loss(made.plan.tasks[run.task].folds[run.fold].test)
        seen[run.task, run.seed, bool(run.recipe.techniques)] = (
            np.sqrt(loss) if result.metric == "rmse" else loss
        )
        return dataclasses.replace(result, weights=drawn)

    made.change = weighted
    rows = made.rows()
    for row in rows:
        assert row.arm == pytest.approx(seen[row.task, row.seed, True], rel=1e-5)
        assert row.control != pytest.approx(seen[row.task, row.seed, False], rel=1e-5)
    made.claims(CLAIM % f"quantity: noisy error, noise: 0.000001, {L2_BASELINE}")
    for row in made.rows():
        assert row.control == pytest.approx(seen[row.task, row.seed, False], rel=1e-4)


FULL = PROFILE.replace("layer_norm, sham]", "layer_norm, sham, averaging, bagging, boosting]", 1).replace(
    "layer_norm]\nunits", "layer_norm, boosting]\nunits"
)


def test_the_best_member_is_chosen_by_validation(tmp_path):
    """An ensemble's control is the error of that member whose validation error is least, in each unit."""
    made = made_for(tmp_path, "arm: averaging, control: best member", FULL)

    def ranked(run, result):
        best = run.recipe.member == run.seed % 5
        validation = FALLING * (0.5 if best else 1.0)
        test = FALLING * (3.0 if best else 1.0)  # what a choice must not see
        return curves(result, validation_METRIC=validation, test_METRIC=test)

    made.change = ranked
    rows = [row for row in made.rows() if row.view == "declared"]
    assert len(rows) == 36
    assert {row.control for row in rows} == {3.0}
    assert all(len(row.arm_runs.split()) == 5 for row in rows)


def test_the_error_of_an_ensemble_is_that_of_the_combined_predictions(tmp_path):
    """The members' predictions are averaged, and then scored on the unit's own test part."""
    made = made_for(tmp_path, "arm: averaging, control: best member", FULL)
    shown = {}

    def predicted(run, result):
        y = made.plan.tasks[run.task].folds[run.fold].test.y
        if run.task == "digits_rows":
            table = np.full((len(result.epochs), len(y), 10), 0.1, np.float32)
        else:
            table = np.broadcast_to(y + run.recipe.member, (len(result.epochs), *y.shape)).astype(np.float32)
        shown.setdefault((run.task, run.seed), []).append(table[0])
        return dataclasses.replace(result, predictions={"validation": table, "test": table})

    made.change = predicted
    rows = [row for row in made.rows() if row.view == "declared"]
    for row in rows:
        expected = np.log(10) if row.task == "digits_rows" else 2.0  # members 0 to 4 are 2 off on average
        assert row.arm == pytest.approx(expected, rel=1e-5)
    assert combined(np.stack(shown["sunspots", 0][:5])).shape[1] == 1


def test_equal_compute_is_one_model_with_the_updates_of_all(tmp_path):
    """The control is a tuned baseline, five times as long; its runs are planned."""
    for name in ("averaging", "boosting"):
        made = made_for(tmp_path / name, f"arm: {name}, control: equal compute", FULL)
        made.rows()
        assert not made.problems
        epochs = {run.recipe.epochs for run in made.plan.all_runs.values() if not run.recipe.techniques}
        assert epochs == {12, 60}


def test_the_best_single_technique_is_the_searchs_choice_on_each_task(tmp_path):
    """By the validation metric of the search, task by task; no judged run is looked at, and no combination counts."""
    made = made_for(tmp_path, "arm: layer_norm, control: best single technique")
    path = made.folder / "tuned.yaml"
    text = path.read_text(encoding="utf-8")
    head, _, tail = text.partition("  mackey_glass:")
    block = head.index("    l1 matrices=both:")
    end = head.index("    l1l2 matrices=both:")
    path.write_text(
        head[:block]
        + head[block:end].replace("validation: 1.0", "validation: 0.5")
        + head[end:]
        + "  mackey_glass:"
        + tail
    )
    arm = made.plan  # the file is read once, on first use
    chosen = {run.task: run for run in arm.all_runs.values()}
    assert chosen
    best = ClaimArms(made.plan).named("best single technique")
    names = {task: [technique.name for technique in recipe.techniques] for task, recipe in best.recipes}
    first = text.partition("2x4:\n  ")[2].partition(":")[0]
    assert names[first] == ["l1"]


INTERACTION = """arm: "batch_size: layer norm, batch 4", control: "batch_size: none, batch 4",
       beyond: {arm: "batch_size: layer norm, batch 64", control: "batch_size: none, batch 64"}"""


def test_an_interaction_is_the_difference_of_two_contrasts(tmp_path):
    """The effect at one batch size minus that at the other, in the units that both have."""
    scope = "designs:\n  batch_size: {tasks: [sunspots, digits_rows], units: 12, arms: [layer norm]}\n"
    made = made_for(tmp_path, INTERACTION, PROFILE + scope)
    made.noise = 0.0

    def sized(run, result):
        small = run.recipe.batch_size == 4 and run.recipe.techniques
        return curves(result, test_METRIC=FALLING * (0.5 if small else 1.0))

    made.change = sized
    rows = made.rows()
    assert {row.task for row in rows} == {"sunspots", "digits_rows"}
    assert {(row.arm, row.control) for row in rows} == {(0.5, 1.0)}
    assert {row.number for row in rows} == {float(f"{np.log(0.5):.6g}")}
    made.missing = {("layer_norm", "sunspots", 2)}
    assert sorted(by_unit(made.rows(), "sunspots")) == [0, 1, *range(3, 12)]


def test_gain_and_spread_is_a_rank_correlation_over_tasks(tmp_path):
    """Where members that lie further apart gain more on every seed, the correlation is 1; a sham order has -1."""
    made = made_for(tmp_path, "quantity: gain and spread, arm: averaging, control: baseline", FULL)
    sizes = {"sunspots": 0.1, "mackey_glass": 0.5}
    for sign in (1, -1):

        def predicted(run, result, sign=sign):
            y = made.plan.tasks[run.task].folds[run.fold].test.y
            if run.task == "digits_rows":
                table = np.full((len(result.epochs), len(y), 10), 0.1, np.float32)
                error = 1.0
            else:
                apart = sizes[run.task] * (run.recipe.member - 2)
                table = np.broadcast_to(y + 0.1 + apart, (len(result.epochs), *y.shape)).astype(np.float32)
                error = np.exp(sign * sizes[run.task])
            made_of = dataclasses.replace(result, predictions={"validation": table, "test": table})
            return curves(made_of, test_METRIC=FALLING * error)

        made.change = predicted
        rows = made.rows()
        assert {row.task for row in rows} == {"all tasks"}
        assert len(rows) == 12
        values = [row.number for row in rows]
        assert all(-1 <= value <= 1 for value in values)
        assert len(set(values)) == 1


def test_every_quantity_is_documented_with_scale_and_unit():
    """Each says what it is, and on which scale it is compared."""
    for name, quantity in QUANTITIES.items():
        assert quantity.scale in ("log ratio", "difference"), name
        assert quantity.unit, name
        assert quantity.measure.__doc__, name


def test_the_baseline_at_the_same_learning_rate_differs_in_nothing_but_the_technique(tmp_path):
    """Its recipes are those of the tuned arm without the technique, task by task; they are planned."""
    made = made_for(tmp_path, "quantity: norm, arm: l2, control: same learning rate")
    arms = ClaimArms(made.plan)
    arm = arms.named("l2")
    control = arms.same_rate(arm)
    for task, recipe in arm.recipes:
        (own,) = control.on(task)
        assert own.techniques == ()
        assert own.learning_rate == recipe.learning_rate
    assert len(made.rows()) == 36
    planned = {(run.task, run.recipe) for run in made.plan.all_runs.values()}
    assert {(task, control.on(task)[0]) for task in TASKS} <= planned
