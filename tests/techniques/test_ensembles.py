"""Ensembles: members that share nothing, stages that add up, averages that are what they say."""

from __future__ import annotations

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import (
    RECIPE,
    SYLLABLES,
    WAVES,
    forced,
    run_of,
    syllables,
    train_afresh,
    waves,
)

from lstmstudy import metrics
from lstmstudy.recipe import Recipe
from lstmstudy.stats.ensembles import ambiguity, combined
from lstmstudy.store.outcomes import result_digest
from lstmstudy.streams import generator
from lstmstudy.techniques import (
    Averaging,
    Bagging,
    BatchNorm,
    Boosting,
    Dropout,
    Jitter,
    MonteCarloDropout,
    Snapshots,
    WeightAveraging,
)
from lstmstudy.training.program import Program, limit_threads
from lstmstudy.training.train import _program
from lstmstudy.updates import WeightAveraging as AveragingHook

limit_threads()

SIX = dataclasses.replace(RECIPE, epochs=6, learning_rate=0.05)  # long enough to have a best epoch inside
TASKS = pytest.mark.parametrize("task", [waves, syllables])


@functools.cache
def trained(task, recipe, seed=0):
    """Return a result that several tests look at."""
    return train_afresh(task(), recipe, seed=seed)


def program_of(task, recipe):
    """Return the compiled program that runs of a recipe on a task use."""
    return _program(recipe, task.info, max(len(fold.train.y) for fold in task.folds))


def watched(monkeypatch, task, recipe):
    """Train a run; return its result, the outputs of every evaluation, and the arguments of every epoch."""
    outputs, epochs = [], []
    predict, train_epoch = Program.predict, Program.train_epoch

    def see(self, x):
        outputs.append(predict(self, x))
        return outputs[-1]

    def follow(self, x, y, order, rates):
        if len(order):
            epochs.append((order, rates))
        return train_epoch(self, x, y, order, rates)

    with monkeypatch.context() as patch:
        patch.setattr(Program, "predict", see)
        patch.setattr(Program, "train_epoch", follow)
        result = train_afresh(task, recipe)
    return result, np.array(outputs[-len(epochs) :], np.float64), epochs


def scored(task, shown):
    """Return the error of predictions for all parts, one after the other, by the name of its curve."""
    fold, begin, scores = task.folds[0], 0, {}
    for part in ("train", "validation", "test"):
        y = getattr(fold, part).y
        scores[f"{part}/{task.info.metric}"] = getattr(metrics, task.info.metric)(
            shown[begin : begin + len(y)], y
        )
        begin += len(y)
    return scores


def softmax(logits):
    """Return probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# Combining predictions.


@pytest.mark.parametrize("shape", [(2, 7, 1), (5, 40, 1), (9, 3, 4)])
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_members_err_as_much_as_their_mean_and_their_disagreement(shape, shift):
    """The mean error of members is that of their mean plus their ambiguity, to 1e-10 relative."""
    rng = np.random.default_rng(7)
    predictions, y = rng.normal(shift, size=shape), rng.normal(size=shape[1:])
    parts = ambiguity(predictions, y)
    assert abs(parts.ensemble + parts.ambiguity - parts.member) < 1e-10 * parts.member
    assert parts.member == pytest.approx(np.mean([np.mean((each - y) ** 2) for each in predictions]))
    assert parts.ensemble == pytest.approx(np.mean((predictions.mean(axis=0) - y) ** 2))
    assert parts.ambiguity == pytest.approx(np.mean(predictions.var(axis=0)))


@TASKS
def test_the_decomposition_holds_for_stored_predictions(task):
    """On what runs kept it is exact to 1e-10, of values and of probabilities, and members disagree."""
    runs = [trained(task, member) for member in Averaging(3).members(SIX)]
    kept = np.stack([run.predicted("selected") for run in runs])
    y = task().folds[0].test.y
    parts = ambiguity(kept, np.eye(kept.shape[2])[y] if kept.shape[2] > 1 else y)
    assert abs(parts.ensemble + parts.ambiguity - parts.member) < 1e-10
    assert parts.ambiguity > 1e-6


def test_one_model_has_no_ambiguity():
    """A single member, or the same one several times, is as good as its mean."""
    one = np.random.default_rng(0).normal(size=(1, 9, 1))
    for members in (one, np.repeat(one, 4, axis=0)):
        parts = ambiguity(members, np.zeros((9, 1)))
        assert parts.ambiguity < 1e-30
        assert parts.member == pytest.approx(parts.ensemble, rel=1e-12)


def test_members_are_combined_by_mean_or_median():
    """One member far away moves the mean and leaves the median."""
    members = np.array([1.0, 2.0, 30.0]).reshape(3, 1, 1)
    assert combined(members) == combined(members, "mean") == 11
    assert combined(members, "median") == 2


def test_median_probabilities_are_probabilities():
    """They sum to 1 in every row; where every median is 0, the mean stands in."""
    members = np.array(
        [[[1, 0, 0], [0.7, 0.2, 0.1]], [[0, 1, 0], [0.5, 0.4, 0.1]], [[0, 0, 1], [0.1, 0.1, 0.8]]]
    )
    median = combined(members, "median")
    np.testing.assert_allclose(median[0], [1 / 3] * 3)
    np.testing.assert_allclose(median[1], np.array([0.5, 0.2, 0.1]) / 0.8)
    np.testing.assert_allclose(combined(members).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: combined(np.zeros((3, 4))), r"Received: shape=\(3, 4\)$"),
        (lambda: combined(np.zeros((0, 4, 1))), r"Received: shape=\(0, 4, 1\)$"),
        (lambda: combined(np.zeros((2, 4, 1)), "mode"), r"Received: how='mode'$"),
        (lambda: ambiguity(np.zeros((2, 4, 1)), np.zeros(4)), r"Received: shapes=\(2, 4, 1\), \(4,\)$"),
    ],
)
def test_predictions_of_another_shape_are_an_error(call, message):
    """Nothing is broadcast: what does not fit is told."""
    with pytest.raises(ValueError, match=message):
        call()


# Members.


@pytest.mark.parametrize("technique", [Averaging(3), Bagging(3, 4)])
def test_members_of_a_unit_and_of_units_share_no_start_and_no_order(technique):
    """Over three members and two units all initial kernels and all batch orders differ."""
    pairings = [
        trained(waves, member, seed).pairing for member in technique.members(RECIPE) for seed in (0, 1)
    ]
    for role in pairings[0]:
        if not role.endswith("bias"):
            assert len({pairing[role] for pairing in pairings}) == 6, role


def test_the_first_member_is_the_run_of_the_baseline():
    """Averaging shares it with the baseline; the others are runs of their own."""
    runs = [run_of(waves(), member).identity for member in Averaging(4).members(RECIPE)]
    assert runs[0] == run_of(waves(), RECIPE).identity
    assert len(set(runs)) == 4


@pytest.mark.parametrize(
    ("small", "large"), [(Averaging(2, "median"), Averaging(5)), (Bagging(2, 4), Bagging(5, 4))]
)
def test_the_number_of_members_is_no_part_of_a_member(small, large):
    """Two members are the first two of five: a larger ensemble trains only what is new."""
    assert large.members(RECIPE)[:2] == small.members(RECIPE)
    assert len(large.members(RECIPE)) == 5


def test_bagged_members_start_as_averaged_ones():
    """Drawing samples moves no initial weight of a member, and its number of updates is the baseline's."""
    for averaged, bagged in zip(Averaging(2).members(RECIPE), Bagging(2, 4).members(RECIPE), strict=True):
        one, other = trained(waves, averaged).pairing, trained(waves, bagged).pairing
        assert {role for role in one if one[role] != other[role]} == {"batches"}


@pytest.mark.parametrize("technique", [Averaging(2), Bagging(2, 4)])
def test_several_models_are_no_recipe(technique):
    """What trains several models cannot stand in the recipe of one."""
    with pytest.raises(ValueError, match=r"trains several models.* Received: technique=\w+\(models=2"):
        RECIPE.adding(technique)


@pytest.mark.parametrize(
    "technique",
    [
        Averaging(1),
        Bagging(1, 0),
        Boosting(1, 1.0),
        Snapshots(0),
        WeightAveraging(0.0),
        MonteCarloDropout(0.0),
    ],
)
def test_what_is_off_is_the_baseline(technique):
    """A recipe with a technique that is off equals the one without it."""
    assert technique.is_off
    assert RECIPE.adding(technique) == RECIPE


# Bagging.


@pytest.mark.parametrize(("n", "block"), [(48, 6), (50, 7), (10, 10), (10, 99), (5, 1)])
def test_forecasts_are_drawn_in_blocks_inside_the_training_part(n, block):
    """Rows come in runs of neighbours, as many as there are samples; every row can be drawn."""
    drawn = [Bagging(1, block).rows(n, WAVES, generator(seed, "rows")) for seed in range(200)]
    size = min(block, n)
    for rows in drawn:
        assert len(rows) == n
        assert rows.min() >= 0
        assert rows.max() < n
        for begin in range(0, n, size):
            assert (np.diff(rows[begin : begin + size]) == 1).all()
    assert set(np.concatenate(drawn)) == set(range(n))
    assert len({rows.tobytes() for rows in drawn}) > (1 if size < n else 0)


def test_labelled_samples_are_drawn_one_by_one():
    """For classification a block is one sample, whatever the setting, and each is equally likely."""
    rows = [Bagging(1, 8).rows(20, SYLLABLES, generator(seed, "rows")) for seed in range(400)]
    assert abs(np.mean([np.mean(np.diff(each) == 1) for each in rows]) - 1 / 20) < 0.01
    counts = np.bincount(np.concatenate(rows), minlength=20) / 400
    np.testing.assert_allclose(counts, 1, atol=0.25)


def test_a_bagged_model_trains_on_its_rows_all_along(monkeypatch):
    """Every epoch sees the same drawn samples in an order of its own, in as many updates as the baseline."""
    recipe = Bagging(2, 4).members(RECIPE)[1]
    _, _, epochs = watched(monkeypatch, waves(), recipe)
    n = len(waves().folds[0].train.y)
    drawn = sorted(Bagging(1, 4).rows(n, WAVES, generator(0, "member/1/rows/bagging")))
    assert len(set(drawn)) < n
    assert [sorted(order) for order, _ in epochs] == [drawn] * RECIPE.epochs
    assert any((epochs[0][0] != order).any() for order, _ in epochs[1:])


# Boosting.


@TASKS
@pytest.mark.parametrize("technique", [Boosting(1, 1.0), Snapshots(0), Bagging(1, 0)])
def test_a_technique_forced_on_where_it_is_off_trains_as_the_baseline(task, technique):
    """Its own code path matches the baseline's curves over 3 epochs to 1e-5 relative."""
    off, baseline = trained(task, forced(technique)), trained(task, RECIPE)
    assert off.pairing == baseline.pairing
    for name, curve in baseline.curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)


@TASKS
@pytest.mark.parametrize("shrinkage", [0.5, 1.0])
def test_boosted_networks_are_summed_as_their_stages_leave_them(monkeypatch, task, shrinkage):
    """The curves are those of F_m = F_(m-1) + shrinkage * f_m, f_m from its stage's best epoch on validation."""
    result, outputs, _ = watched(monkeypatch, task(), SIX.adding(Boosting(4, shrinkage)))
    name = f"validation/{task().info.metric}"
    total, rows, best = 0.0, [], []
    for stage in range(4):
        raw = outputs[6 * stage : 6 * stage + 6]
        sums = [total + shrinkage * each for each in raw]
        scores = [scored(task(), softmax(each) if each.shape[1] > 1 else each) for each in sums]
        rows += scores
        best.append(min(score[name] for score in scores))
        total = sums[int(np.argmin([score[name] for score in scores]))]
    assert len(result.curves["loss"]) == 24
    for curve in rows[0]:
        np.testing.assert_allclose(result.curves[curve], [row[curve] for row in rows], rtol=1e-5)
    if task is waves and shrinkage == 1:
        assert best[2] > best[1]  # a stage that is worse than the one before it is kept all the same


@TASKS
def test_a_stage_is_trained_on_what_the_sum_leaves(task):
    """With a network that gives zeros the training loss is that of the sum alone."""
    recipe = SIX.adding(Boosting(3, 0.5))
    trained(task, recipe)
    program, part = program_of(task(), recipe), task().folds[1].train
    offset = np.random.default_rng(3).normal(size=(len(part.y), task().info.n_outputs))
    program.start(recipe, 0, 1, offset)
    for variable in program.model.get_layer("head").trainable_variables:
        variable.assign(tf.zeros_like(variable))
    x, y = tf.constant(part.x), tf.constant(part.y)
    loss = program.train_epoch(x, y, np.arange(len(part.y)), np.zeros(1))
    if program.classifies:
        expected = metrics.cross_entropy(softmax(offset), part.y)
    else:
        expected = np.mean((part.y - offset) ** 2)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_boosting_squared_errors_is_fitting_residuals():
    """A stage on a sum trains as the baseline does on targets less that sum."""
    recipe = SIX.adding(Boosting(3, 0.5))
    for each in (recipe, SIX):
        trained(waves, each)
    part = waves().folds[1].train
    offset = np.random.default_rng(3).normal(size=part.y.shape).astype(np.float32)
    order, x = np.arange(len(part.y)), tf.constant(part.x)
    losses = []
    for each, y in ((recipe, part.y), (SIX, part.y - offset)):
        program = program_of(waves(), each)
        program.start(each, 0, 0, offset)
        losses.append([program.train_epoch(x, tf.constant(y), order, np.full(1, 0.01)) for _ in range(3)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][2] < 0.99 * losses[0][0]


@TASKS
def test_a_stage_gets_the_sum_of_the_networks_before_it(monkeypatch, task):
    """What stages train on is what the kept networks give for the training samples, times the shrinkage."""
    offsets, start = [], Program.start

    def see(self, recipe, seed, stage=0, offset=0.0):
        offsets.append(np.array(offset))
        start(self, recipe, seed, stage, offset)

    monkeypatch.setattr(Program, "start", see)
    result, outputs, _ = watched(monkeypatch, task(), SIX.adding(Boosting(3, 0.5)))
    n, total = len(task().folds[0].train.y), 0.0
    errors = result.curves[f"validation/{task().info.metric}"].reshape(3, 6)
    for stage, offset in enumerate(offsets[-3:]):  # a start to compile may come before them
        np.testing.assert_allclose(offset[:n], np.broadcast_to(total, offset[:n].shape), atol=1e-5)
        assert not offset[n:].any()
        total = total + 0.5 * outputs[6 * stage + int(errors[stage].argmin())][:n]


@TASKS
def test_the_kept_weights_of_a_boosted_run_predict_what_it_kept(task):
    """Half the sum of what the kept networks give is the prediction of the selected epoch."""
    recipe = SIX.adding(Boosting(3, 0.5))
    result, model = trained(task, recipe), program_of(task(), recipe).model
    last = result.keeps("selected").epoch // 6
    assert last > 0
    total = 0.0
    for stage in range(last + 1):
        prefix = f"stage/{stage}/" if stage else ""
        for variable in model.trainable_variables:
            variable.assign(result.weights[prefix + variable.path])
        total += 0.5 * model(task().folds[0].test.x, training=False).numpy()
    assert len(result.weights) == (last + 1) * len(model.trainable_variables)
    shown = softmax(total) if total.shape[1] > 1 else total
    np.testing.assert_allclose(shown, result.predicted("selected"), atol=1e-5)


def test_every_stage_starts_and_shuffles_anew():
    """The first stage starts as the baseline; over three stages all kernels and all orders differ."""
    pairing = trained(waves, SIX.adding(Boosting(3, 0.5))).pairing
    baseline = trained(waves, SIX).pairing
    assert {role: pairing[role] for role in baseline} == baseline
    for role in baseline:
        if not role.endswith("bias"):
            assert len({pairing[role], *(pairing[f"stage/{m}/{role}"] for m in (1, 2))}) == 3, role


def test_further_stages_change_no_earlier_one():
    """Two stages are the first two of three."""
    two, three = (trained(waves, SIX.adding(Boosting(stages, 0.5))) for stages in (2, 3))
    for name, curve in two.curves.items():
        np.testing.assert_array_equal(three.curves[name][:12], curve)


@pytest.mark.parametrize("other", [Jitter(0.1), MonteCarloDropout(0.3), Snapshots(2)])
def test_boosting_refuses_what_it_cannot_follow(other):
    """A technique that changes batches, predicts with noise or has stages is named in the error."""
    with pytest.raises(ValueError, match=rf"Received: {type(other).__name__}\("):
        SIX.adding(Boosting(2, 0.5), other)
    assert SIX.adding(Boosting(2, 0.5), Dropout(0.3), WeightAveraging(0.9)).techniques


# Snapshots.


@pytest.mark.parametrize(("cycles", "updates"), [(1, 8), (2, 12), (5, 40)])
def test_the_learning_rate_falls_along_cosines_and_starts_again(cycles, updates):
    """Every cycle goes from the full rate nearly to 0, as Keras's schedule of cosine restarts does."""
    factors = Snapshots(cycles).learning_rate(np.arange(updates), updates)
    length = updates // cycles
    t = np.arange(1, updates + 1)
    np.testing.assert_allclose(factors, (np.cos(np.pi * ((t - 1) % length) / length) + 1) / 2)
    schedule = keras.optimizers.schedules.CosineDecayRestarts(1.0, length, t_mul=1.0, m_mul=1.0)
    np.testing.assert_allclose(factors, [schedule(step) for step in range(updates)], atol=1e-5)
    assert factors[::length] == pytest.approx(1)
    assert factors[length - 1 :: length] == pytest.approx(np.sin(np.pi / length / 2) ** 2)


@TASKS
def test_snapshots_are_averaged_as_cycles_end(monkeypatch, task):
    """The curves are those of the mean of values or probabilities over ended cycles and the present network."""
    result, outputs, epochs = watched(monkeypatch, task(), SIX.adding(Snapshots(3)))
    shown = [np.mean([*outputs[[1, 3][: epoch // 2]], outputs[epoch]], axis=0) for epoch in range(6)]
    rows = [scored(task(), each) for each in shown]
    for curve in rows[0]:
        np.testing.assert_allclose(result.curves[curve], [row[curve] for row in rows], rtol=1e-5)
    np.testing.assert_allclose(shown[-1], outputs[[1, 3, 5]].mean(axis=0))
    rates = np.concatenate([rates for _, rates in epochs])
    np.testing.assert_allclose(rates, 0.05 * Snapshots(3).learning_rate(np.arange(len(rates)), len(rates)))


def test_snapshots_hold_weights_order_and_updates_of_the_baseline():
    """Only the learning rate differs: start, batches and compiled epoch are the baseline's own."""
    recipe = SIX.adding(Snapshots(3))
    assert trained(waves, recipe).pairing == trained(waves, SIX).pairing
    assert program_of(waves(), recipe) is program_of(waves(), SIX)


def test_the_kept_weights_of_snapshots_are_those_of_all_cycles():
    """The mean of what the kept networks give is the prediction at the last epoch."""
    recipe = SIX.adding(Snapshots(3))
    result, model = trained(waves, recipe), program_of(waves(), recipe).model
    shown = []
    for prefix in ("", "stage/1/", "stage/2/"):
        for variable in model.trainable_variables:
            variable.assign(result.weights[prefix + variable.path])
        shown.append(model(waves().folds[0].test.x, training=False).numpy())
    np.testing.assert_allclose(np.mean(shown, axis=0), result.predicted("last"), atol=1e-5)


@pytest.mark.parametrize("reading", ["selected", "patience 3"])
def test_snapshots_are_read_at_their_end_only(reading):
    """Their schedule is planned ahead: another reading is an error, and theirs is the last epoch."""
    recipe = SIX.adding(Snapshots(3))
    with pytest.raises(ValueError, match=rf"Expected 'last'. Received: reading='{reading}'$"):
        recipe.check_reading(reading)
    recipe.check_reading("last")
    assert Snapshots(3).reading == "last"
    SIX.check_reading(reading)


def test_a_cycle_ends_with_an_epoch():
    """A number of cycles that does not divide the epochs is an error before anything is trained."""
    with pytest.raises(ValueError, match=r"divides the 6 epochs. Received: cycles=4$"):
        SIX.adding(Snapshots(4))


# Weight averaging.


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_the_average_is_that_of_keras(decay):
    """Over ten updates it holds what `Adam(use_ema=True, ema_momentum=decay)` holds."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 2)), rng.normal(size=(10, 3, 2)).astype(np.float32)
    plain, mine = keras.Variable(start, dtype="float32"), keras.Variable(start, dtype="float32")
    theirs = keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=decay)
    ours, hook = keras.optimizers.Adam(0.1), AveragingHook(decay)
    hook.watch([mine])
    for update, gradient in enumerate(gradients):
        theirs.apply([gradient], [plain])
        ours.apply([gradient], [mine])
        hook.after(tf.constant(update, tf.int64))
        (average,) = hook.shown()
        np.testing.assert_allclose(average, theirs._model_variables_moving_average[0], rtol=1e-5)
    apart = np.abs(np.asarray(average) - np.asarray(mine)).max()
    assert (apart > 0.01) == (decay > 0)


def test_an_average_of_constant_weights_is_those_weights():
    """The initial weights are not in it, and it needs no correction of a bias."""
    variable = keras.Variable([2.0, -3.0])
    hook = AveragingHook(0.99)
    hook.watch([variable])
    for update in range(3):
        hook.after(tf.constant(update, tf.int64))
    np.testing.assert_allclose(hook.shown()[0], [2, -3], rtol=1e-6)


def test_averaging_weights_changes_no_update_and_every_metric():
    """Training losses are the baseline's, bit for bit; what is evaluated and kept are the averages."""
    recipe = SIX.adding(WeightAveraging(0.9))
    result, baseline = trained(waves, recipe), trained(waves, SIX)
    np.testing.assert_array_equal(result.curves["loss"], baseline.curves["loss"])
    assert (np.abs(result.curves["validation/rmse"] / baseline.curves["validation/rmse"] - 1) > 1e-4).all()
    program = program_of(waves(), recipe)
    for variable in program.model.trainable_variables:
        variable.assign(result.weights[variable.path])
    for part in ("validation", "test"):
        samples = getattr(waves().folds[0], part)
        outputs = program.model(samples.x, training=False).numpy()
        np.testing.assert_allclose(outputs, result.predicted("selected", part), atol=1e-5)
        error = result.curves[f"{part}/rmse"][result.keeps("selected").epoch]
        assert metrics.rmse(outputs, samples.y) == pytest.approx(error, rel=1e-4)


def test_an_average_without_memory_is_the_baseline():
    """Forced on at a decay of 0 it matches the baseline's curves to 1e-5 relative."""
    off, baseline = trained(waves, forced(WeightAveraging(0.0))), trained(waves, RECIPE)
    for name, curve in baseline.curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)


# Monte Carlo dropout.


def test_monte_carlo_dropout_trains_as_dropout_does():
    """Mask for mask: losses are those of dropout per sequence, so that no evaluation moves a stream."""
    noisy, plain = (
        trained(waves, RECIPE.adding(technique))
        for technique in (MonteCarloDropout(0.4, passes=3), Dropout(0.4, "sequence"))
    )
    np.testing.assert_array_equal(noisy.curves["loss"], plain.curves["loss"])
    assert noisy.pairing == plain.pairing
    assert (noisy.curves["validation/rmse"] != plain.curves["validation/rmse"]).all()


def test_a_prediction_is_the_mean_of_passes_with_fresh_masks():
    """Three passes through the compiled model, from the streams as they stand, which then stay there."""
    recipe = RECIPE.adding(MonteCarloDropout(0.4, passes=3))
    trained(waves, recipe)
    program = program_of(waves(), recipe)
    program.start(recipe, 5)
    fold = waves().folds[1]
    x = tf.constant(np.concatenate([part.x for part in (fold.train, fold.validation, fold.test)]))
    streams = [layer.stream.state for layer in program.model_layers]
    before = [state.numpy() for state in streams]
    shown, again = program.predict(x), program.predict(x)
    assert shown.tobytes() == again.tobytes()
    assert [state.numpy().tolist() for state in streams] == [state.tolist() for state in before]
    passes = [program._evaluate(x).numpy() for _ in range(3)]
    assert len({each.tobytes() for each in passes}) == 3
    np.testing.assert_array_equal(shown, np.mean(passes, axis=0))
    assert np.abs(shown - program.model(x, training=False).numpy()).max() > 1e-3


def test_without_dropping_or_without_passes_nothing_is_averaged():
    """At a rate of 0 its curves are the baseline's to 1e-5; with 0 passes they are dropout's to the bit."""
    off, baseline = trained(waves, forced(MonteCarloDropout(0.0, passes=3))), trained(waves, RECIPE)
    for name, curve in baseline.curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)
    none = trained(waves, RECIPE.adding(MonteCarloDropout(0.4, passes=0)))
    plain = trained(waves, RECIPE.adding(Dropout(0.4, "sequence")))
    assert result_digest(none) == result_digest(plain)


def test_monte_carlo_dropout_is_dropout_already():
    """Both in one recipe are an error, and so is batch norm, which a pass in training mode would change."""
    for other in (Dropout(0.3), BatchNorm()):
        with pytest.raises(ValueError, match=r"Received: "):
            RECIPE.adding(MonteCarloDropout(0.3), other)


# All of them.


@pytest.mark.parametrize(
    "technique",
    [Boosting(3, 0.5), Snapshots(3), Bagging(1, 4), WeightAveraging(0.9), MonteCarloDropout(0.4, passes=3)],
)
def test_a_rerun_has_the_same_bits_whatever_ran_before(technique):
    """Another seed, fold and strength in between leaves no trace."""
    recipe = SIX.adding(technique)
    first = result_digest(train_afresh(waves(), recipe))
    strengths = {"shrinkage": 0.9, "cycles": 2, "block": 1, "decay": 0.5, "rate": 0.1}
    (field,) = strengths.keys() & technique.settings().keys()
    other = dataclasses.replace(technique, **{field: strengths[field]})
    assert result_digest(train_afresh(waves(), SIX.adding(other), fold=1, seed=4)) != first
    assert result_digest(train_afresh(waves(), SIX)) != first
    assert result_digest(train_afresh(waves(), recipe)) == first


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: Averaging(0), "models=0"),
        (lambda: Averaging(2, "mode"), "combine='mode'"),
        (lambda: Bagging(2.0, 3), "models=2.0"),
        (lambda: Bagging(2, -1), "block=-1"),
        (lambda: Boosting(0, 0.5), "stages=0"),
        (lambda: Boosting(2, 0.0), "shrinkage=0.0"),
        (lambda: Boosting(2, 1.5), "shrinkage=1.5"),
        (lambda: Snapshots(-1), "cycles=-1"),
        (lambda: WeightAveraging(1.0), "decay=1.0"),
        (lambda: AveragingHook(-0.1), "decay=-0.1"),
        (lambda: MonteCarloDropout(1.0), "rate=1.0"),
        (lambda: MonteCarloDropout(0.3, passes=-1), "passes=-1"),
        (lambda: MonteCarloDropout(0.3, "batch"), "per='batch'"),
    ],
)
def test_a_setting_outside_its_range_is_an_error(make, received):
    """The error ends with what came."""
    with pytest.raises(ValueError, match=rf"Received: {received}$"):
        make()


def test_arms_of_ensembles_have_names_of_their_own():
    """Labels tell settings apart."""
    techniques = [
        Averaging(5),
        Averaging(5, "median"),
        Averaging(3),
        Bagging(5, 24),
        Bagging(5, 12),
        Boosting(5, 0.5),
        Boosting(5, 1.0),
        Snapshots(2),
        Snapshots(5),
        MonteCarloDropout(0.3),
        MonteCarloDropout(0.3, passes=5),
        MonteCarloDropout(0.3, "step"),
    ]
    assert len({technique.label for technique in techniques}) == len(techniques)


def test_stages_are_no_new_structure():
    """Number of stages and shrinkage are values: one compiled epoch serves them all."""
    recipes = [Recipe().adding(Boosting(stages, 0.5)) for stages in (2, 5)]
    assert recipes[0].structure() == recipes[1].structure() != Recipe().structure()
    assert Recipe().adding(Snapshots(5)).structure() == Recipe().structure()
