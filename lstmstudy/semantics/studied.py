"""A technique of the study, trained a little by the study's own code and looked at."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from lstmstudy import metrics
from lstmstudy.readings import Validation, read
from lstmstudy.runs import Run
from lstmstudy.semantics.bench import SEED, STREAM, eagerly, fitting_recipe, fitting_task, undisturbed
from lstmstudy.semantics.evidence import Evidence, drawn_word, same
from lstmstudy.semantics.noise import DRAWS, gradient_noise, network_noise, series_noise
from lstmstudy.stats.ensembles import combined
from lstmstudy.streams import generator, integer_seed
from lstmstudy.training.program import Program
from lstmstudy.training.train import _PROGRAMS, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from lstmstudy.data import Task
    from lstmstudy.layers.augmentation import Augmentation
    from lstmstudy.recipe import Recipe
    from lstmstudy.techniques import Technique

_MEMBERS = 3  # the fewest whose median is not their mean
_COPIES = 4096  # a rate of .025 in the place of .05 must show
_ROWS = 500  # more than the blocks in which some techniques draw them
_ERRORS = 5.0  # standard errors; the largest of several differences is looked at


class _Trained(NamedTuple):
    """A run of the study, its predictions and figure on the validation part, and the program it ended with."""

    predictions: np.ndarray
    reported: float
    program: Program


@undisturbed()
@eagerly()
def measured(technique: Technique) -> dict[str, str]:
    """Train a tiny network with a technique by the study's own code, and return the cells that this fills.

    It is the same for every technique, wherever it acts: one that trains several models is the first few
    of them together, and one that only reads a trajectory is read.
    """
    task, base = fitting_task(technique), fitting_recipe(technique)
    members = technique.members(base)[:_MEMBERS]
    recipe = base if technique.is_reading or members else base.adding(technique)
    reading = technique.reading if technique.is_reading else "last"
    trained = [_trained(each, task, reading) for each in members or (recipe,)]
    first = trained[0]
    predicted = combined(np.stack([each.predictions for each in trained]), technique.combine)
    program, plain = first.program, _plain(first.program, base, task)
    called = tuple(_called(program, task) for _ in range(2))
    alone = [first.predictions if members else _predicted(program, task) for _ in range(2)]
    evidence = Evidence(
        predicted=predicted,
        plain=plain,
        called=called,
        shown=technique.is_reading or _shows_other_weights(program),
        several=not technique.is_reading and same(*alone) and not same(predicted, alone[0]),
        reported=_figure(predicted, task) if members else first.reported,
        figures=(_figure(predicted, task), _figure(plain, task)),
        moved=_evaluation_moves(program, task),
        drawn=_drawn(program, (members or (recipe,))[0], task),
        biases=_moves_biases(program, recipe, task),
        noise=_noise(recipe, program, task),
        expected=functools.partial(_is_expectation, program),
    )
    return evidence.words()


def _trained(recipe: Recipe, task: Task, reading: str) -> _Trained:
    """Train a run by the study's own code, in a program of its own; nothing of it is kept there."""
    programs = dict(_PROGRAMS)
    _PROGRAMS.clear()
    try:
        result = train(Run(recipe, task.info.name, task.content, fold=0, seed=SEED), task).result
        (program,) = _PROGRAMS.values()
    finally:
        _PROGRAMS.clear()
        _PROGRAMS.update(programs)
    curve = result.curves[f"validation/{task.info.metric}"]
    epoch = read(Validation(curve), reading).epoch
    place = list(result.epochs).index(epoch)
    return _Trained(result.predictions["validation"][place], float(curve[epoch]), program)


def _plain(program: Program, base: Recipe, task: Task) -> np.ndarray:
    """Return what a network without the technique predicts with the weights that were trained."""
    plain = Program(base, task.info, len(task.folds[0].train.y))
    trained = {variable.path: variable for variable in program.model.trainable_variables}
    for variable in plain.model.trainable_variables:
        variable.assign(trained[variable.path])
    return _predicted(plain, task)


def _predicted(program: Program, task: Task) -> np.ndarray:
    """Return what counts as the prediction on the validation part, made beside the other parts as in training."""
    fold = task.folds[0]
    parts = [part.x for part in (fold.train, fold.validation, fold.test)]
    first = len(fold.train.y)
    return program.predict(np.concatenate(parts))[first : first + len(fold.validation.y)]


def _called(program: Program, task: Task) -> np.ndarray:
    """Return what the network itself gives at inference, whatever the study makes of it."""
    outputs = program.model(task.folds[0].validation.x, training=False)
    return (tf.nn.softmax(outputs) if program.classifies else outputs).numpy()


def _figure(predictions: np.ndarray, task: Task) -> float:
    return float(getattr(metrics, task.info.metric)(predictions, task.folds[0].validation.y))


def _shows_other_weights(program: Program) -> bool:
    shown = program.weights()
    return any(not same(shown[each.path], each.numpy()) for each in program.model.trainable_variables)


def _evaluation_moves(program: Program, task: Task) -> bool:
    """Whether an evaluation leaves a variable or a stream elsewhere, or a second one gives something else."""
    fold = task.folds[0]
    before = _values(program.network.variables)
    first, second = (program.predict(fold.validation.x) for _ in range(2))
    moved = not same(first, second) or not same(before, _values(program.network.variables))
    streams = [variable for variable in program.network.variables if variable.name == STREAM]
    before = _values(streams)
    program.recompute_statistics(tf.constant(fold.train.x), len(fold.train.y))
    return moved or not same(before, _values(streams))


def _values(variables: list[keras.Variable]) -> np.ndarray:
    """Return all numbers of some variables in a row."""
    return np.concatenate([np.zeros(0), *(np.ravel(variable.numpy()) for variable in variables)])


def _drawn(program: Program, recipe: Recipe, task: Task) -> str:
    """Return how long what a recipe draws lives."""
    streams = _streams(program.model_layers)
    first = _weights_after(program, recipe, task)
    reached = [state.numpy() for state in streams]
    again = _weights_after(program, recipe, task, reached)
    elsewhere = [[SEED + 1, 0]] * len(streams)
    return drawn_word(
        _row(first),
        _row(again),
        lambda: _row(_weights_after(program, recipe, task, elsewhere)),
        rows=_draws_rows(recipe, task),
    )


def _draws_rows(recipe: Recipe, task: Task) -> bool:
    """Whether the samples of a run are drawn from its seed."""
    for technique in recipe.techniques:
        one, two = (
            technique.rows(_ROWS, task.info, generator(seed, "semantics/rows")) for seed in (SEED, SEED + 1)
        )
        if one is not None and two is not None and not np.array_equal(one, two):
            return True
    return False


def _weights_after(
    program: Program, recipe: Recipe, task: Task, streams: Sequence[Any] = ()
) -> dict[str, np.ndarray]:
    """Return the weights that are evaluated after an epoch that may begin with its streams elsewhere, by path."""
    program.start(recipe, SEED)
    states = _streams(program.model_layers)
    for state, value in zip(states, streams, strict=bool(streams)):
        state.assign(value)
    train = task.folds[0].train
    rates = np.full(program.n_batches, recipe.learning_rate)
    program.train_epoch(tf.constant(train.x), tf.constant(train.y), np.arange(len(train.y)), rates)
    return program.weights()


def _streams(layers: Sequence[keras.layers.Layer]) -> list[keras.Variable]:
    """Return the states of the streams of layers and hooks; Keras's own layers have a seed_generator."""
    streams = (getattr(layer, "stream", getattr(layer, "seed_generator", None)) for layer in layers)
    return [stream.state for stream in streams if stream is not None]


def _row(weights: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([weight.ravel() for weight in weights.values()])


def _moves_biases(program: Program, recipe: Recipe, task: Task) -> bool | None:
    """Whether biases move in an update on targets that the network already meets.

    None where nothing acts around updates, or where no labels are met to the last bit.
    """
    if program.classifies or not program.network.updates:
        return None
    program.start(recipe, SEED)
    before = {each.path: each.numpy() for each in program.model.trainable_variables}
    train = task.folds[0].train
    x = train.x[: recipe.batch_size]
    met = program.model(x, training=False).numpy()
    y = np.concatenate([met, np.zeros((len(train.y) - len(x), 1), np.float32)])
    rates = np.full(program.n_batches, recipe.learning_rate)
    program.train_epoch(tf.constant(train.x), tf.constant(y), np.arange(len(x)), rates)
    after = program.weights()
    return any(not same(before[path], after[path]) for path in before if path.endswith("/bias"))


def _noise(recipe: Recipe, program: Program, task: Task) -> list[dict[str, str]]:
    """Return the noise of everything that the techniques of a recipe place, by column."""
    found = []
    for technique in recipe.techniques:
        name = f"{technique.name}_1"
        front = [layer for layer in (technique.before_lstm(name), technique.after_lstm(name)) if layer]
        hook, augmentation, update = (
            place(name) for place in (technique.in_cell, technique.on_batch, technique.in_update)
        )
        placed = [each for each in (*front, hook, augmentation, update) if each is not None]
        for number, state in enumerate(_streams(placed)):
            state.assign([integer_seed(SEED, f"semantics/{name}/{number}"), 0])
        for layer in front:
            found += network_noise([layer])
        if hook is not None:
            found += network_noise([], hook)
        if augmentation is not None:
            found += series_noise(functools.partial(_augmented, augmentation, task))
        if update is not None:
            update.watch(program.model.trainable_variables)
            found += gradient_noise(update, program.model.trainable_variables)
    return found


def _augmented(augmentation: Augmentation, task: Task, series: np.ndarray) -> np.ndarray:
    """Return series as an augmentation changes them in a training batch of a task."""
    if task.info.kind == "forecasting":
        return np.asarray(augmentation.joined(tf.constant(series), tf.constant(series[:, -1]))[0])
    labels = np.eye(task.info.n_outputs, dtype=np.float32)[np.zeros(len(series), int)]
    return np.asarray(augmentation.batch(tf.constant(series), tf.constant(labels), None)[0])


def _is_expectation(program: Program) -> bool:
    """Whether one step of the first LSTM layer is at inference the mean of what noise makes of it."""
    layer = program.model.get_layer("lstm_1")
    step = tf.ones((_COPIES, 1, 1))
    drawn = np.stack([layer(step, training=True).numpy().mean(axis=(0, 1)) for _ in range(DRAWS)])
    error = drawn.std(axis=0, ddof=1) / np.sqrt(DRAWS)
    apart = np.abs(drawn.mean(axis=0) - layer(step, training=False).numpy()[0, 0])
    return bool(error.max() > 0 and (apart <= _ERRORS * error).all())
