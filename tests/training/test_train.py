"""Training is a pure function of a run's identity, sealed against the test part, and paired between arms."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine import (
    ARMS,
    BOTH,
    ON,
    RECIPE,
    WAVES,
    forced,
    forecasting_task,
    run_of,
    syllables,
    train_afresh,
    trained,
    wave,
    waves,
)

from lstmstudy import metrics, paths
from lstmstudy.data.folds import rolling_origins
from lstmstudy.readings import READINGS
from lstmstudy.store.outcomes import result_digest
from lstmstudy.training import train as training
from lstmstudy.training.program import Program, limit_threads

limit_threads()

ARM_NAMES = pytest.mark.parametrize("arm", ARMS)


@pytest.fixture(autouse=True, scope="module")
def _keep_every_program():
    """Compile each structure once for all tests here, in whatever order they run, and for no others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_PROGRAMS", {})
        patch.setattr(training, "_MOST_PROGRAMS", 64)
        yield


def program_of(recipe, task):
    """Return the compiled program that runs of a recipe use."""
    return training._program(recipe, task.info, max(len(fold.train.y) for fold in task.folds))


def all_rows(task):
    """Return the rows of all parts of the longest fold, as evaluation gets them."""
    fold = max(task.folds, key=lambda fold: len(fold.train.y))
    return tf.constant(np.concatenate([getattr(fold, part).x for part in training.PARTS]))


@ARM_NAMES
def test_a_rerun_has_the_same_bits_whatever_ran_before(arm):
    """Other strengths, seeds, folds, lengths, learning rates and structures in between leave no trace."""
    first = result_digest(train_afresh(waves(), ARMS[arm]))
    strong = [dataclasses.replace(technique, rate=0.8) for technique in ARMS[arm].techniques]
    other = dataclasses.replace(RECIPE, epochs=2, learning_rate=0.3, techniques=tuple(strong))
    for recipe, fold, seed in ((other, 1, 7), (RECIPE, 0, 0), (ARMS[arm], 0, 1)):
        assert (
            result_digest(train_afresh(waves(), recipe, fold=fold, seed=seed)) != first or recipe == ARMS[arm]
        )
    assert result_digest(train_afresh(waves(), ARMS[arm])) == first


@pytest.mark.parametrize("task", [waves, syllables])
def test_a_new_compilation_has_the_same_bits(task, monkeypatch):
    """A structure that was forgotten and compiled again trains the same."""
    first = result_digest(train_afresh(task(), BOTH))
    monkeypatch.setattr(training, "_PROGRAMS", {})
    assert result_digest(train_afresh(task(), BOTH)) == first


def test_a_new_process_has_the_same_bits():
    """Another process, in which other runs come first, gives the results of this one."""
    code = (
        "from engine import *; from lstmstudy.store.outcomes import result_digest;"
        "train_afresh(syllables(), BOTH, seed=4);"
        "print(*(result_digest(train_afresh(*each)) for each in ((syllables(), BOTH), (waves(), RECIPE))))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{paths.ROOT}{os.pathsep}{paths.ROOT / 'tests'}",
        "PYTHONHASHSEED": "5",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    here = [
        result_digest(train_afresh(task, recipe)) for task, recipe in ((syllables(), BOTH), (waves(), RECIPE))
    ]
    assert done.stdout.split() == here


@ARM_NAMES
def test_other_seeds_train_other_networks(arm):
    """Weights, order and predictions all differ between two seeds."""
    one, other = trained(arm, 0), trained(arm, 1)
    assert one.pairing["batches"] != other.pairing["batches"]
    assert (one.predictions["test"][-1] != other.predictions["test"][-1]).all()
    assert all((one.weights[path] != other.weights[path]).all() for path in one.weights)


def test_one_compilation_serves_seeds_strengths_folds_and_learning_rates():
    """Each of the two functions of a structure is traced once, however many runs use it."""
    weak = RECIPE.adding(dataclasses.replace(ON["dropout per step"], rate=0.05))
    for recipe in (weak, dataclasses.replace(weak, learning_rate=0.1, epochs=1), ARMS["dropout per step"]):
        for fold, seed in ((0, 0), (1, 1), (0, 5)):
            train_afresh(waves(), recipe, fold=fold, seed=seed)
            assert program_of(recipe, waves()) is program_of(weak, waves())
    assert program_of(weak, waves()).compiled == 2


def test_old_programs_make_room_for_new_ones(monkeypatch):
    """A worker that meets many structures holds a bounded number of them."""
    monkeypatch.setattr(training, "_PROGRAMS", {})
    monkeypatch.setattr(training, "_MOST_PROGRAMS", 3)
    monkeypatch.setattr(training, "Program", lambda recipe, *_: recipe.width)
    built = [training._program(dataclasses.replace(RECIPE, width=width), WAVES, 10) for width in range(1, 21)]
    assert built == list(range(1, 21))
    assert list(training._PROGRAMS.values()) == [18, 19, 20]


@pytest.mark.parametrize("arm", ON)
def test_all_arms_of_a_unit_share_initial_weights_and_batch_order(arm):
    """Switching a technique on moves no variable and no batch; another seed moves all that is drawn."""
    for seed in (0, 1):
        assert trained(arm, seed).pairing == trained("baseline", seed).pairing
    one, other = trained(arm, 0).pairing, trained(arm, 1).pairing
    assert {"lstm_1/kernel", "lstm_2/recurrent_kernel", "head/kernel", "batches"} <= set(one)
    for role in one:
        assert (one[role] == other[role]) == role.endswith("bias"), role


def test_what_the_pairing_hashes_is_what_is_used(monkeypatch):
    """The hashed weights are those that the first update starts from, the hashed order that of the updates."""
    seen = []
    train_epoch = Program.train_epoch

    def watch(self, x, y, order, rates):
        if len(order):
            seen.append((self.weights(), order))
        return train_epoch(self, x, y, order, rates)

    monkeypatch.setattr(Program, "train_epoch", watch)
    pairing = train_afresh(waves(), BOTH).pairing
    weights = {path: hashlib.sha256(weight.tobytes()).hexdigest() for path, weight in seen[0][0].items()}
    orders = [order for _, order in seen]
    weights["batches"] = hashlib.sha256(b"".join(order.tobytes() for order in orders)).hexdigest()
    assert pairing == weights
    assert len(orders) == RECIPE.epochs
    n_train = len(waves().folds[0].train.y)
    assert all(sorted(order) == list(range(n_train)) for order in orders)
    assert any((orders[0] != order).any() for order in orders[1:])


def stock_curves(recipe, task, fold, seed):
    """Return the curves of a plain loop over layers that come with Keras, from the same start in the same order."""
    parts, info = task.folds[fold], task.info
    program = program_of(recipe, task)
    program.start(recipe, seed)
    model = keras.Sequential([keras.Input((info.window, info.n_features))])
    if info.variable_length:
        model.add(keras.layers.Masking())
    for number in range(1, recipe.layers + 1):
        model.add(keras.layers.LSTM(recipe.width, return_sequences=number < recipe.layers, use_cudnn=False))
    model.add(keras.layers.Dense(info.n_outputs, activation="softmax" if program.classifies else None))
    for mine, theirs in zip(program.weights().values(), model.trainable_variables, strict=True):
        theirs.assign(mine)
    loss_of = (
        keras.losses.SparseCategoricalCrossentropy()
        if program.classifies
        else keras.losses.MeanSquaredError()
    )
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    rng, curves = training.generator(seed, "batches"), {}
    for _ in range(recipe.epochs):
        order = rng.permutation(len(parts.train.y))
        total = 0.0
        for begin in range(0, len(order), recipe.batch_size):
            rows = order[begin : begin + recipe.batch_size]
            with tf.GradientTape() as tape:
                loss = loss_of(parts.train.y[rows], model(parts.train.x[rows], training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            total += float(loss) * len(rows)
        curves.setdefault("loss", []).append(total / len(order))
        for part in training.PARTS:
            samples = getattr(parts, part)
            score = getattr(metrics, info.metric)(model(samples.x, training=False).numpy(), samples.y)
            curves.setdefault(f"{part}/{info.metric}", []).append(score)
    return curves


@pytest.mark.parametrize("task", [waves, syllables])
def test_the_compiled_epoch_trains_as_a_plain_keras_loop_does(task):
    """Losses and errors on every part agree to 1e-4 over 3 epochs, padding and a smaller last batch included."""
    result = train_afresh(task(), fold=1, seed=2)
    assert len(task().folds[1].train.y) % RECIPE.batch_size
    for name, curve in stock_curves(RECIPE, task(), 1, 2).items():
        np.testing.assert_allclose(result.curves[name], curve, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("arm", ON)
def test_a_technique_forced_on_at_strength_zero_trains_as_the_baseline(arm):
    """Its own code path matches the baseline's losses over 3 epochs to 1e-5 relative."""
    off = train_afresh(waves(), forced(dataclasses.replace(ON[arm], rate=0.0)))
    baseline = trained()
    assert len(baseline.curves["loss"]) == 3
    for name, curve in baseline.curves.items():
        np.testing.assert_allclose(off.curves[name], curve, rtol=1e-5, err_msg=name)
    assert np.abs(trained(arm).curves["loss"] / baseline.curves["loss"] - 1).max() > 1e-3


@pytest.mark.parametrize("arm", ON)
def test_a_compiled_technique_is_inactive_at_inference(arm):
    """The compiled evaluation at a rate of .5 gives the baseline's predictions bit for bit."""
    strong = RECIPE.adding(dataclasses.replace(ON[arm], rate=0.5))
    outputs = []
    for recipe in (strong, RECIPE):
        train_afresh(waves(), recipe)
        program = program_of(recipe, waves())
        program.start(recipe, seed=3)
        outputs.append(program.predict(all_rows(waves())))
        assert program.compiled == 2
    assert outputs[0].tobytes() == outputs[1].tobytes()


@pytest.mark.parametrize("recipe", [RECIPE, BOTH], ids=["baseline", "both"])
def test_evaluating_moves_no_stream_and_changes_no_training(recipe, monkeypatch):
    """With every evaluation done three times over, all later bits are the same, mask streams included."""
    first = result_digest(train_afresh(waves(), recipe))
    predict, states = Program.predict, []

    def thrice(self, x):
        streams = [v for v in self.model.variables if "seed_generator" in v.path]
        before = [variable.numpy().tolist() for variable in streams]
        outputs = [predict(self, x) for _ in range(3)]
        states.append(before)
        assert [variable.numpy().tolist() for variable in streams] == before
        assert outputs[0].tobytes() == outputs[1].tobytes() == outputs[2].tobytes()
        return outputs[0]

    monkeypatch.setattr(Program, "predict", thrice)
    assert result_digest(train_afresh(waves(), recipe)) == first
    assert all(len(each) == 2 * len(recipe.techniques) for each in states)
    if recipe.techniques:
        assert states[-1] != states[-2]


def test_rows_that_fill_up_a_shorter_fold_count_for_nothing(monkeypatch):
    """The first fold trains the same whatever stands in the rows that give all folds one shape."""
    first = result_digest(train_afresh(waves(), BOTH))
    padded = training._padded

    def filled(array, rows):
        full = padded(array, rows)
        assert len(array) < rows
        full[len(array) :] = 50
        return full

    monkeypatch.setattr(training, "_padded", filled)
    assert result_digest(train_afresh(waves(), BOTH)) == first


@pytest.mark.parametrize("task", [waves, syllables])
def test_curves_predictions_and_weights_belong_together(task):
    """Kept predictions have the curves' errors, and the kept weights predict what the selected epoch did."""
    recipe = dataclasses.replace(RECIPE, epochs=12, learning_rate=0.05)
    result, fold = train_afresh(task(), recipe), task().folds[0]
    selected = result.keeps("selected").epoch
    assert selected == np.argmin(result.curves[f"validation/{result.metric}"])
    assert {result.keeps(reading).epoch for reading in READINGS} == set(result.epochs.tolist())
    for part in ("validation", "test"):
        for metric in (task().info.metric, task().info.secondary):
            scores = [
                getattr(metrics, metric)(kept, getattr(fold, part).y) for kept in result.predictions[part]
            ]
            np.testing.assert_allclose(scores, result.curves[f"{part}/{metric}"][result.epochs], rtol=1e-6)
    program = program_of(recipe, task())
    for variable in program.model.trainable_variables:
        variable.assign(result.weights[variable.path])
    outputs = program.model(fold.validation.x, training=False)
    outputs = tf.nn.softmax(outputs) if program.classifies else outputs
    kept = result.predictions["validation"][result.epochs.tolist().index(selected)]
    np.testing.assert_allclose(outputs, kept, atol=1e-5)
    assert all(curve.shape == (12,) for curve in result.curves.values())


def learned(result):
    """Return all of a result that may not depend on the test part, as bytes by name."""
    return {
        **{name: each.tobytes() for name, each in result.curves.items() if not name.startswith("test/")},
        **{name: each.tobytes() for name, each in result.weights.items()},
        **result.pairing,
        "epochs": result.epochs.tolist(),
        "validation": result.predictions["validation"].tobytes(),
        "kept": [result.keeps(reading) for reading in READINGS],
    }


def future(change):
    """Return the waves with another future after the validation part of the first fold."""
    series = wave()
    begin = rolling_origins(series.size, WAVES.n_folds)[0].test
    series[begin:] = change(series[begin:])
    return forecasting_task(series)


@pytest.mark.parametrize("recipe", [RECIPE, BOTH], ids=["baseline", "both"])
@pytest.mark.parametrize(
    "change",
    [
        lambda values: values + np.random.default_rng(3).normal(scale=5, size=values.shape),
        lambda values: np.full_like(values, np.nan),
        lambda values: 1e6 * values,
    ],
    ids=["noise", "missing", "a million times larger"],
)
def test_nothing_that_is_learned_depends_on_the_future(recipe, change):
    """With other values after the validation part, everything but the test figures keeps its bits."""
    task = future(change)
    assert task.content != waves().content
    recipe = dataclasses.replace(recipe, epochs=8, learning_rate=0.05)
    changed, plain = train_afresh(task, recipe), train_afresh(waves(), recipe)
    assert learned(changed) == learned(plain)
    assert not np.array_equal(changed.curves["test/rmse"], plain.curves["test/rmse"])


def test_nothing_that_is_learned_depends_on_test_sequences_and_labels():
    """With another test part of a classification task, everything but the test figures keeps its bits."""
    task = syllables()
    rng = np.random.default_rng(3)
    test = dataclasses.replace(
        task.folds[0].test,
        x=rng.normal(size=task.folds[0].test.x.shape).astype(np.float32),
        y=rng.permutation(task.folds[0].test.y),
    )
    other = dataclasses.replace(task, folds=(dataclasses.replace(task.folds[0], test=test), *task.folds[1:]))
    changed, plain = train_afresh(other, BOTH), train_afresh(task, BOTH)
    assert learned(changed) == learned(plain)
    assert not np.array_equal(changed.curves["test/cross_entropy"], plain.curves["test/cross_entropy"])


def test_what_selects_is_the_validation_part():
    """With other validation targets the same weights are trained, and the validation curve follows the targets."""
    task = waves()
    part = task.folds[0].validation
    fold = dataclasses.replace(task.folds[0], validation=dataclasses.replace(part, y=-part.y))
    other = dataclasses.replace(task, folds=(fold, *task.folds[1:]))
    recipe = dataclasses.replace(RECIPE, epochs=8, learning_rate=0.05)
    changed, plain = train_afresh(other, recipe), train_afresh(task, recipe)
    for name, curve in plain.curves.items():
        assert np.array_equal(changed.curves[name], curve) == (not name.startswith("validation/")), name
    assert changed.keeps("selected") != plain.keeps("selected")


@pytest.mark.parametrize("task", [waves, syllables])
def test_divergence_is_an_outcome_with_its_reason(task):
    """A learning rate beyond all bounds ends in no exception but in a result that says what happened."""
    result = train_afresh(task(), dataclasses.replace(RECIPE, learning_rate=1e38))
    assert "epoch 1" in result.diverged
    assert all(np.isnan(curve).all() and curve.shape == (3,) for curve in result.curves.values())
    assert result.epochs.size == 0
    assert result.weights == {}
    assert result.predictions["test"].shape == (0, len(task().folds[0].test.y), task().info.n_outputs)
    assert np.isnan(result.error("selected"))
    assert result.pairing["lstm_1/kernel"] == train_afresh(task()).pairing["lstm_1/kernel"]


@pytest.mark.parametrize("where", ["loss", "train", "validation"])
def test_a_late_divergence_keeps_what_came_before(where, monkeypatch):
    """Curves are those of the run up to the epoch in which a figure is not finite, and NaN from it on."""
    recipe = dataclasses.replace(RECIPE, epochs=6)
    plain = train_afresh(waves(), recipe)
    calls = {"loss": 0, "predictions": 0}
    train_epoch, predict = Program.train_epoch, Program.predict

    def losing(self, *arguments):
        calls["loss"] += 1
        loss = train_epoch(self, *arguments)
        return float("inf") if where == "loss" and calls["loss"] == 4 else loss

    def missing(self, x):
        calls["predictions"] += 1
        outputs = predict(self, x).copy()
        if calls["predictions"] == 4 and where != "loss":
            outputs[0 if where == "train" else len(waves().folds[0].train.y)] = np.nan
        return outputs

    monkeypatch.setattr(Program, "train_epoch", losing)
    monkeypatch.setattr(Program, "predict", missing)
    result = train_afresh(waves(), recipe)
    assert "epoch 4" in result.diverged
    for name, curve in plain.curves.items():
        np.testing.assert_array_equal(result.curves[name], [*curve[:3], *[np.nan] * 3], err_msg=name)
    assert result.epochs.max() == 2
    assert np.isnan(result.error("selected"))
    assert calls["loss"] == 4


def test_a_divergence_leaves_no_trace_in_the_next_run():
    """After a run whose variables were not finite, the next one has the bits that it always has."""
    first = result_digest(train_afresh(waves(), BOTH))
    assert train_afresh(waves(), dataclasses.replace(BOTH, learning_rate=1e30)).diverged
    assert result_digest(train_afresh(waves(), BOTH)) == first


def test_a_run_that_was_planned_on_other_data_is_refused():
    """The identity names the content of the task; training on other content would break it."""
    with pytest.raises(ValueError, match=rf"Received: content={syllables().content}$"):
        training.train(run_of(waves()), syllables())


def test_an_outcome_records_how_it_came_about():
    """Seconds, memory, machine and versions stand in the record, under the identity of the run."""
    run = run_of(waves())
    outcome = training.train(run, waves())
    assert outcome.identity == run.identity
    assert 0 < outcome.record["seconds"] < 600
    assert outcome.record["peak_memory_mib"] > 10
    assert outcome.record["versions"]["keras"] == keras.__version__
    assert outcome.record["machine"]["processor"]
    assert outcome.record["engine"]["threads"] == 1


def test_tensorflow_has_one_thread():
    """More would change the last bits and be slower on matrices this small."""
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == 1
