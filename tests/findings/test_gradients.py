"""What is told of gradients: how large noise is, how often they are clipped, and how flat minima are."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import keras
import numpy as np
import pytest
from engine import RECIPE, made_outcome, made_result, syllables, train_afresh, waves
from planning import prepared_plan
from updating import eagerly, start

from lstmstudy import findings
from lstmstudy.data import Part
from lstmstudy.figures import plot_flatness, plot_noise_schedule
from lstmstudy.figures.gradients import Rise
from lstmstudy.findings.gradients import deviation
from lstmstudy.findings.minima import DRAWS, SIZES, _moved, loss_under_noise
from lstmstudy.findings.titles import digits, some
from lstmstudy.streams import generator
from lstmstudy.study.ablation import Ablation
from lstmstudy.techniques import GradientNoise
from lstmstudy.training.probing import Probe
from lstmstudy.training.program import limit_threads

limit_threads()

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [gradient_noise, gradient_clipping]
units: 2
network: {layers: 1, width: 4}
training: {epochs: 2, batch_size: 8, learning_rate: 0.003}
description: {tasks: [sunspots, digits_rows], units: 2}
grids:
  gradient_noise: {eta: [0.01, 0.3]}
  gradient_clipping: {norm: [1.0], per: [global, variable]}
"""
SHARES = {"global": [0.25, 0.75], "variable": [0.0, 0.125]}  # clipped updates of both epochs


def small_plan(folder):
    """Return the plan of a tiny study of what acts on gradients."""
    return prepared_plan(folder, PROFILE)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return the plan, made once."""
    return small_plan(tmp_path_factory.mktemp("gradients"))


class Made:
    """Outcomes with made shares of clipped updates; weights are the initial ones, larger with more noise."""

    def __init__(self, plan, *, diverged=()):
        self.plan = plan
        self.diverged = set(diverged)  # (name of the technique or "baseline", seed)

    @functools.cached_property
    def probes(self):
        """Return the probe of each task."""
        return {name: Probe(self.plan.baseline.recipe, task.info) for name, task in self.plan.tasks.items()}

    def __call__(self, run):
        """Return the outcome of a run."""
        (technique,) = run.recipe.techniques or (None,)
        name = technique.name if technique else "baseline"
        metric = self.plan.tasks[run.task].info.metric
        if (name, run.seed) in self.diverged:
            result = made_result([np.nan, np.nan], metric=metric, diverged="training loss nan in epoch 1")
            return made_outcome(run.identity, dataclasses.replace(result, weights={}))
        result = made_result([0.9, 0.8], metric=metric)
        probe = self.probes[run.task]
        probe.start(run.seed)
        factor = 1 + technique.strength if name == "gradient_noise" else 1.0
        weights = {path: factor * weight for path, weight in probe.weights.items()}
        curves = dict(result.curves)
        if name == "gradient_clipping":
            curves["clipped share"] = np.array(SHARES[technique.per])
        return made_outcome(run.identity, dataclasses.replace(result, weights=weights, curves=curves))


def ablation(plan, *names, **how):
    """Return the arms of some techniques with made outcomes."""
    names = names or ("gradient_noise", "gradient_clipping")
    return Ablation(plan, Made(plan, **how), [arm for name in names for arm in plan.arms(name)])


@pytest.mark.parametrize(("eta", "gamma"), [(0.01, 0.55), (0.3, 0.55), (1.0, 0.0)])
def test_the_schedule_is_the_square_root_of_the_published_variance(eta, gamma):
    """The deviation of what the technique adds at update t is sqrt(eta / (1 + t)^gamma)."""
    updates = np.array([0, 1, 100, 1000])
    expected = np.sqrt(eta / (1.0 + updates) ** gamma)
    np.testing.assert_allclose(deviation(GradientNoise(eta, gamma), updates), expected, rtol=1e-5)


def test_noise_stands_beside_the_baselines_gradients(plan):
    """Lines begin at sqrt(eta) and end at the last planned update; grey are gradients at two weights."""
    made = ablation(plan)
    finding = findings.noise_schedule(made)
    (ax,) = finding.figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    longest = {name: max(len(fold.train.y) for fold in task.folds) for name, task in plan.tasks.items()}
    last = 2 * max(-(-rows // 8) for rows in longest.values())
    for eta in (0.01, 0.3):
        drawn = lines[f"gradient noise {eta:g}"]
        assert list(drawn.get_xdata()[[0, -1]]) == [1, last]
        expected = np.sqrt(eta / np.array([1.0, last]) ** 0.55)
        np.testing.assert_allclose(drawn.get_ydata()[[0, -1]], expected, rtol=1e-5)
        told = f"{expected[0]:.3g} falling to {expected[1]:.3g} with gradient noise {eta:g}"
        assert told in finding.sentence
        assert told in finding.alt
    sizes = lines["a gradient, Sunspots"].get_ydata()
    assert sizes[0] == pytest.approx(sizes[1])  # the made weights are the initial ones
    assert f"{sizes[0]:.3g} and {sizes[1]:.3g} on Sunspots" in finding.sentence
    both = [line.get_ydata() for name, line in lines.items() if name.startswith("a gradient")]
    first = [np.sqrt(eta) / size[0] for eta in (0.01, 0.3) for size in both]
    assert finding.title.startswith(
        f"Gradient noise is {digits(min(first))} to {digits(max(first))} times a gradient's size at first, "
    )


def test_a_baseline_that_diverged_has_no_gradients(plan):
    """The schedule is drawn all the same, and the sentence says why there is nothing beside it."""
    finding = findings.noise_schedule(ablation(plan, diverged=[("baseline", 0), ("baseline", 1)]))
    assert len(finding.figure.axes[0].get_lines()) == 2
    assert "not available, as every run diverged" in finding.sentence
    assert "nan" not in finding.sentence + finding.alt
    assert (
        finding.title == "Gradient noise has nothing to stand beside, as every run of the baseline diverged"
    )


def test_clipped_shares_are_those_of_the_curves(plan):
    """The mean share of each norm is told in percent, and every epoch's is drawn."""
    finding = findings.clipped_shares(ablation(plan))
    for told in (
        "50 % with gradient clipping 1 over all variables",
        "6 % with gradient clipping 1 per variable",
    ):
        assert told in finding.sentence
        assert told in finding.alt
    assert finding.title == (
        "Gradients are clipped in 6 to 50 % of the updates, in most with a norm of 1 over all variables"
    )
    for ax in finding.figure.axes:
        lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
        np.testing.assert_allclose(lines["gradient clipping 1 over all variables"], [25, 75])
        np.testing.assert_allclose(lines["gradient clipping 1 per variable"], [0, 12.5])
        assert "%" in ax.get_ylabel()


def test_a_diverged_run_without_shares_is_left_out(plan):
    """One diverged unit changes no mean; if all are gone the sentence says so."""
    one = findings.clipped_shares(ablation(plan, diverged=[("gradient_clipping", 1)]))
    assert "50 % with gradient clipping 1 over all variables" in one.sentence
    none = findings.clipped_shares(
        ablation(plan, diverged=[("gradient_clipping", seed) for seed in range(2)])
    )
    assert "an unknown share (every run diverged) with" in none.sentence
    assert none.title == "How often gradients are clipped is unknown, as every run diverged"
    assert "nan" not in one.sentence + none.sentence + none.alt


def perfect(task=waves):
    """Return a probe at some weights, and a part whose targets it predicts without error."""
    probe = Probe(RECIPE, task().info)
    probe.start(3)
    part = task().folds[0].train
    outputs = probe.model(part.x, training=False).numpy()
    return probe, Part(part.x.copy(), part.lengths.copy(), outputs, part.indices.copy())


def test_at_a_perfect_minimum_any_weight_noise_raises_the_loss_and_more_raises_it_more():
    """Without noise the loss is the loss, 0 here; from there it grows nearly with the square of the size."""
    probe, part = perfect()
    losses = loss_under_noise(probe, probe.weights, part, seed=1)
    assert SIZES[0] == 0
    assert losses[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(losses) > 0).all()
    assert losses[3] / losses[1] == pytest.approx((SIZES[3] / SIZES[1]) ** 2, rel=0.3)


def test_weight_noise_has_a_fixed_relative_size_and_spares_biases():
    """Every matrix moves by the same share of its own Frobenius norm, whatever its scale."""
    rng = np.random.default_rng(0)
    weights = {
        "a/kernel": 100 * rng.normal(size=(3, 4)),
        "b/kernel": rng.normal(size=(4, 2)),
        "b/bias": np.ones(2),
    }
    directions = {path: rng.normal(size=weights[path].shape) for path in ("a/kernel", "b/kernel")}
    moved = _moved(weights, directions, 0.05)
    for path in directions:
        apart = np.linalg.norm(moved[path] - weights[path]) / np.linalg.norm(weights[path])
        assert apart == pytest.approx(0.05)
    assert moved["b/bias"] is weights["b/bias"]


def test_biases_stay_where_they_are_under_noise(monkeypatch):
    """Of all weights that are put in place, every matrix moves each time, and no bias ever does."""
    probe, part = perfect()
    weights, loaded = probe.weights, []
    monkeypatch.setattr(probe, "load", loaded.append)
    loss_under_noise(probe, weights, part, seed=1)
    assert len(loaded) == 1 + DRAWS * (len(SIZES) - 1)
    for path, weight in weights.items():
        moves = [np.abs(each[path] - weight).max() > 0 for each in loaded[1:]]
        assert all(moves) if weight.ndim == 2 else not any(moves)


def test_directions_of_noise_belong_to_the_unit():
    """The same seed moves every arm in the same directions; another seed in others; no other stream moves."""
    probe, part = perfect()
    weights = probe.weights
    first, again, other = (loss_under_noise(probe, weights, part, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[1:] != other[1:]).all()


def test_flatness_draws_the_rise_of_each_arm(plan):
    """Lines are the loss under noise less the loss without; the sentence has both, and says that it judges nothing."""
    made = ablation(plan)
    finding = findings.flatness(made)
    (ax, _) = finding.figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    probe, task = Probe(plan.baseline.recipe, plan.tasks["sunspots"].info), plan.tasks["sunspots"]
    for arm in (made.control, *made.arms_of("gradient_noise")):
        results = zip(made.units("sunspots"), made.results(arm, "sunspots"), strict=True)
        losses = np.mean(
            [loss_under_noise(probe, res.weights, task.folds[u.fold].train, u.seed) for u, res in results],
            axis=0,
        )
        np.testing.assert_allclose(lines[arm.name].get_ydata(), losses - losses[0], atol=1e-7)
        np.testing.assert_allclose(lines[arm.name].get_xdata(), [0, 2, 5, 10])
        assert f" from {losses[0]:.3g} ({arm.name})" in finding.sentence
        assert f" from {losses[0]:.3g} ({arm.name})" in finding.alt
    assert f"means over {DRAWS} draws in each of 4 units; described, not judged." in finding.sentence
    assert "gradient clipping" not in finding.sentence
    drawn = {
        arm.name: [ax.get_lines()[place].get_ydata()[2] for ax in finding.figure.axes]
        for place, arm in enumerate((made.control, *made.arms_of("gradient_noise")))
    }
    less = sum(
        rise < base
        for arm in made.arms_of("gradient_noise")
        for rise, base in zip(drawn[arm.name], drawn[made.control.name], strict=True)
    )
    assert f"rises less with gradient noise in {some(less, 4, 'cases')}, from a higher" in finding.title


def test_flatness_leaves_out_units_with_a_diverged_run(plan):
    """A unit needs the weights of all arms; with none left there is no number."""
    one = findings.flatness(ablation(plan, diverged=[("gradient_noise", 1)]))
    assert "each of 2 units" in one.sentence
    none = findings.flatness(ablation(plan, diverged=[("gradient_noise", 0), ("baseline", 1)]))
    assert "not available, as every run diverged" in none.sentence
    assert "nan" not in one.sentence + one.alt + none.sentence + none.alt
    assert none.title == "How flat minima are is unknown, as runs of every unit diverged"


def test_a_profile_without_such_arms_is_told(plan):
    """Each finding that finds no arm of its technique says so in words."""
    clipping, noise = ablation(plan, "gradient_clipping"), ablation(plan, "gradient_noise")
    assert (
        findings.noise_schedule(clipping)
        == findings.flatness(clipping)
        == "This profile has no arm with gradient noise."
    )
    assert findings.clipped_shares(noise) == "This profile has no arm with gradient clipping."


def one_epoch(task, monkeypatch, seed=0):
    """Return the result of an epoch of the baseline, run line by line by a program that no other test gets."""
    monkeypatch.setattr("lstmstudy.training.train._PROGRAMS", {})
    with eagerly():
        return train_afresh(task, dataclasses.replace(RECIPE, epochs=1), seed=seed)


@pytest.mark.parametrize("task", [waves, syllables], ids=["forecast", "padded classes"])
def test_a_probe_sees_the_loss_that_training_reports(task, monkeypatch):
    """With the weights that a run keeps, its loss is the run's own training error of that epoch."""
    result = one_epoch(task(), monkeypatch)
    probe = Probe(RECIPE, task().info)
    probe.load(result.weights)
    error = result.error("selected", "train")
    expected = error**2 if task is waves else error
    assert probe.loss(task().folds[0].train) == pytest.approx(expected, rel=1e-5)


def test_a_probe_starts_where_a_run_starts(monkeypatch):
    """Its initial weights are those whose hashes every run of the seed keeps."""
    result = one_epoch(waves(), monkeypatch, seed=5)
    probe = Probe(RECIPE, waves().info)
    probe.start(5)
    found = {path: hashlib.sha256(weight.tobytes()).hexdigest() for path, weight in probe.weights.items()}
    assert found.items() <= result.pairing.items()


def test_the_size_of_a_gradient_is_what_plain_descent_moves():
    """On one batch a step of SGD at rate 1 moves the weights by the gradient, whose root mean square it is."""
    probe = Probe(RECIPE, waves().info)
    for variable, weight in zip(probe.model.trainable_variables, start(), strict=True):
        variable.assign(weight)
    rows = slice(0, RECIPE.batch_size)
    train = waves().folds[0].train
    part = Part(*(getattr(train, name)[rows].copy() for name in ("x", "lengths", "y", "indices")))
    size = probe.gradient_size(part, seed=0)
    model = keras.Sequential([keras.Input((waves().info.window, 1))])
    model.add(keras.layers.LSTM(RECIPE.width, return_sequences=True))
    model.add(keras.layers.LSTM(RECIPE.width))
    model.add(keras.layers.Dense(1))
    model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=True)
    model.set_weights(start())
    model.train_on_batch(part.x, part.y)
    moves = [(new - old).ravel() for new, old in zip(model.get_weights(), start(), strict=True)]
    assert size == pytest.approx(np.sqrt(np.mean(np.concatenate(moves) ** 2)), rel=1e-3)


def test_gradients_are_those_of_the_first_epochs_batches(monkeypatch):
    """Batches follow the order in which the run of the seed trains; what is left over is no whole batch."""
    probe, train = Probe(RECIPE, waves().info), waves().folds[0].train
    seen = []
    monkeypatch.setattr(probe, "_gradients", lambda x, _: seen.append(x.numpy()) or 1.0)
    assert probe.gradient_size(train, seed=4) == 1.0
    order = generator(4, "batches").permutation(len(train.y))
    assert len(seen) == len(order) // RECIPE.batch_size
    np.testing.assert_array_equal(np.concatenate(seen), train.x[order[: len(seen) * RECIPE.batch_size]])


def test_figures_without_an_arm_are_an_error():
    """Each shows at least one, and a line has a point for every size."""
    with pytest.raises(ValueError, match=r"noise=\[\]$"):
        plot_noise_schedule(np.arange(3), [], {})
    with pytest.raises(ValueError, match=r"rises=\[\]$"):
        plot_flatness(SIZES, [], loss="squared error")
    with pytest.raises(ValueError, match=r"rises=\[\(2,\)\]$"):
        plot_flatness(SIZES, [Rise("a", "gradient_noise", 0.3, np.zeros(2))], loss="squared error")
