"""What is told of weights: their share near zero, their length, and what a price on them costs at first."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from engine import made_outcome, made_result
from planning import prepared_plan

from lstmstudy import findings
from lstmstudy.figures import plot_prices, plot_weight_changes
from lstmstudy.findings.prices import price
from lstmstudy.study.ablation import Ablation
from lstmstudy.techniques import L1, L1L2, L2
from lstmstudy.training.program import limit_threads
from lstmstudy.weight_sizes import NEAR_ZERO, lstm_matrices, weight_sizes

pytestmark = pytest.mark.usefixtures("few_units")

limit_threads()

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [l1, l2, l1l2, weight_decay, max_norm]
units: 2
network: {layers: 2, width: 4}
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
description: {tasks: [sunspots, digits_rows], units: 2}
"""
NAMES = ("l1", "l2", "l1l2", "weight_decay", "max_norm")
MADE = {"l1": (0.25, 0.5), "l1l2": (0.5, 0.25)}  # share of entries near zero, and factor on the others
SHAPES = {"lstm_1/kernel": (1, 16), "lstm_1/recurrent_kernel": (4, 16), "lstm_2/kernel": (4, 16)}
MINUS = "\N{MINUS SIGN}"


def small_plan(folder):
    """Return the plan of a tiny study of everything that acts on weights."""
    return prepared_plan(folder, PROFILE)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return the plan, made once."""
    return small_plan(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Return the tables that are shown, by caption, instead of showing them."""
    shown = {}
    monkeypatch.setattr(
        "lstmstudy.findings.weights.table", lambda frame, *, caption: shown.update({caption: frame})
    )
    return shown


def made_weights(seed, share=0.0, factor=1.0):
    """Return weights of which a share is near zero and the others have a size; nothing else may count."""
    rng = np.random.default_rng(seed)
    weights = {
        "lstm_1/bias": np.zeros(16, np.float32),
        "head/kernel": np.zeros((4, 1), np.float32),
        "lstm_1_norm/gamma": np.zeros(4, np.float32),
    }
    for path, shape in SHAPES.items():
        entries = (1 + seed) * factor * rng.choice([-1.0, 1.0], size=shape)
        entries.ravel()[: int(share * entries.size)] = 0.9 * NEAR_ZERO
        weights[path] = entries.astype(np.float32)
    return weights


class Weighted:
    """Outcomes with made weights, those of each technique as `MADE` says."""

    def __init__(self, plan, *, diverged=(), once=False):
        self.plan = plan
        self.once = once  # whether a technique acts in the first unit alone
        self.diverged = set(diverged)  # (name of the technique or "baseline", seed)

    def __call__(self, run):
        """Return the outcome of a run."""
        names = [technique.name for technique in run.recipe.techniques] or ["baseline"]
        metric = self.plan.tasks[run.task].info.metric
        if (names[0], run.seed) in self.diverged:
            result = made_result([np.nan, np.nan], metric=metric, diverged="training loss nan in epoch 1")
            return made_outcome(run.identity, dataclasses.replace(result, weights={}))
        result = made_result([0.9, 0.8], metric=metric)
        acts = run.seed == 0 or not self.once
        weights = made_weights(run.seed, *(MADE.get(names[0], ()) if acts else ()))
        return made_outcome(run.identity, dataclasses.replace(result, weights=weights))


def ablation(plan, *names, **how):
    """Return the arms of some techniques with made outcomes."""
    return Ablation(plan, Weighted(plan, **how), [arm for name in names or NAMES for arm in plan.arms(name)])


def norm(share, factor):
    """Return the log ratio of the norm of made weights to that of the baseline's, up to what is near zero."""
    return np.log(np.sqrt(1 - share) * factor)


def drawn(ax):
    """Return the ends of the lines of an axes over strengths: what was drawn at the strongest."""
    return [float(line.get_ydata()[-1]) for line in ax.get_lines() if len(line.get_xdata()) > 2]


def with_weights(weights):
    """Return an outcome with some weights."""
    return made_outcome("1f" * 32, dataclasses.replace(made_result([0.5]), weights=weights))


def test_near_zero_and_length_are_those_of_the_lstm_matrices():
    """Biases, gains and the head are zeros and count nowhere; a run that diverged has no sizes."""
    share, length = weight_sizes(with_weights(made_weights(0, share=0.25, factor=3.0)))
    assert share == pytest.approx(25)
    assert length == pytest.approx(3 * np.sqrt(0.75 * 144), rel=1e-6)
    assert lstm_matrices(made_weights(0)).shape == (144,)
    assert lstm_matrices(made_weights(0), "recurrent_kernel").shape == (64,)
    diverged = made_result([0.5, np.nan], diverged="training loss nan in epoch 2")
    assert np.isnan(weight_sizes(made_outcome("1f" * 32, diverged))).all()


def test_what_is_exactly_at_the_threshold_is_not_near_zero():
    """Near zero is below the threshold in absolute value, on both sides of zero."""
    kernel = np.array([[NEAR_ZERO, -NEAR_ZERO, -0.5 * NEAR_ZERO, 0.0]])
    assert weight_sizes(with_weights({"lstm_1/kernel": kernel})).share == 50


def test_changes_are_paired_with_the_baseline_of_the_unit(plan):
    """Lines have the made differences in points and the made log ratios, on both tasks together."""
    finding = findings.weight_changes(ablation(plan))
    axes = finding.figure.axes
    assert len(axes) == 2 * len(NAMES)
    for place, name in enumerate(NAMES):
        share, factor = MADE.get(name, (0.0, 1.0))
        near_zero, length = axes[2 * place : 2 * place + 2]
        if name != "l1l2":  # two strengths are no line of three points
            np.testing.assert_allclose(drawn(near_zero), 100 * share, atol=1e-9)
            np.testing.assert_allclose(drawn(length), norm(share, factor), atol=1e-5)
    told = f"L1 1e-05 on both (norm {MINUS}56.7 %, share near zero +25.0 points)"
    assert told in finding.sentence
    assert told in finding.alt
    assert f"below {NEAR_ZERO:g}" in finding.sentence
    assert "Left out" not in finding.sentence
    assert finding.title == (
        f"With L1L2 weights get up to {-100 * np.expm1(norm(*MADE['l1l2'])):.0f} % shorter, and up to 50 points more are "
        "near zero"
    )


def test_two_coefficients_are_a_line_for_each_first_one(plan):
    """L1L2 stands over its L2, a line per L1: the sum of both is no strength of its own."""
    finding = findings.weight_changes(ablation(plan, "l1l2"))
    near_zero, _ = finding.figure.axes
    assert near_zero.get_xlabel() == "l2"
    lines = {line.get_label(): line.get_xdata() for line in near_zero.get_lines()}
    for l1 in ("l1 1e-05", "l1 0.0001"):
        np.testing.assert_allclose(lines[l1], [1e-4, 1e-3])


def test_a_diverged_run_leaves_out_its_pair_and_is_told(plan):
    """With one unit of an arm gone the other counts alone; with all gone nothing is a number."""
    one = findings.weight_changes(ablation(plan, "l1", diverged=[("l1", 1)]))
    assert "share near zero +25.0 points" in one.sentence
    assert "Left out are 8 pairs with a diverged run." in one.sentence  # 4 arms, 1 of 2 units, 2 tasks
    none = findings.weight_changes(ablation(plan, "l1", diverged=[("l1", 0), ("l1", 1)]))
    assert "not available, as every run diverged" in none.sentence
    control = findings.weight_changes(ablation(plan, "l1", diverged=[("baseline", 0), ("baseline", 1)]))
    assert "not available, as every run diverged" in control.sentence
    assert none.title == control.title == "What becomes of the weights is unknown, as every run diverged"
    assert "nan" not in one.sentence + one.alt + none.sentence + none.alt


def test_the_table_has_both_sides_of_every_pair(plan, tables):
    """A row has the arm's figures, its control's and their difference; the sentence names what is clear."""
    said = findings.weight_table(ablation(plan, "l1", "l2"))
    (frame,) = tables.values()
    row = frame.iloc[0]
    assert row["arm"] == "L1 1e-05 on both"
    assert row["strength"] == "1e-05"
    assert (row["near zero (%)"], row["its control (%)"]) == pytest.approx((25, 0))
    assert row["difference (points)"] == "+25.0 [+25.0, +25.0]"
    assert row["norm"] == pytest.approx(np.mean([0.5 * np.sqrt(108), np.sqrt(108)]), rel=1e-5)
    assert row["its control's"] == pytest.approx(np.mean([12, 24]), rel=1e-5)
    assert row["change"].startswith(f"{MINUS}56.7 % [")
    assert said.startswith(f"Of {len(frame)} arms, 4 (L1 1e-05 on both, L1 0.0001 on both, ")
    assert "L2" not in said  # the same weights as the baseline's


def test_the_table_works_with_one_arm_and_with_none(plan, tables):
    """A profile may compare a single tuned arm of the chapter, with a strength of its own on each task, or none."""
    (arm, *_) = plan.arms("l2")
    recipes = tuple(
        (task, arm.control.recipe.adding(L2(amount)))
        for task, amount in (("sunspots", 0.002), ("digits_rows", 0.00005))
    )
    tuned = dataclasses.replace(arm, name="L2 on both, tuned", recipes=recipes)
    said = findings.weight_table(Ablation(plan, Weighted(plan), [tuned]))
    (frame,) = tables.values()
    assert list(frame["strength"]) == ["Sunspots 0.002, Digits by rows 5e-05"]
    assert said.startswith("Of 1 arm, none has clearly more weights near zero")
    nothing = Ablation(plan, Weighted(plan), [])
    assert (
        findings.weight_table(nothing) == findings.weight_changes(nothing) == "This profile has no such arms."
    )
    assert findings.prices_at_the_start(nothing) == "This profile has no arm with L1 or L2 alone."


def test_a_diverged_run_in_the_table_is_not_available(plan, tables):
    """Where every pair lacks a side the row says so, and the arm is neither sparse nor short."""
    said = findings.weight_table(ablation(plan, "l1", diverged=[("l1", 0), ("l1", 1)]))
    (frame,) = tables.values()
    assert set(frame["change"]) == set(frame["difference (points)"]) == {"not available"}
    assert "none has clearly more weights" in said
    assert "nan" not in said
    tables.clear()
    said = findings.weight_table(ablation(plan, "l1", diverged=[("l1", 1)]))
    (frame,) = tables.values()
    assert frame["its control's"][0] == pytest.approx(12, rel=1e-5)  # of the unit that is left, not of both
    assert "Left out are 8 pairs" in said


def test_what_may_be_nothing_is_not_clear(plan, tables):
    """An arm that differs in one of two units has intervals that reach no difference: the sentence is silent."""
    said = findings.weight_table(Ablation(plan, Weighted(plan, once=True), plan.arms("l1")))
    (frame,) = tables.values()
    assert frame["difference (points)"][0] == "+12.5 [+0.0, +25.0]"
    assert said.startswith(
        "Of 4 arms, none has clearly more weights near zero than the tuned baseline, and none"
    )


def test_the_price_is_what_keras_would_add():
    """L2 of .01 on a 3 x 3 matrix of ones is .09; L1 counts absolute values, on the named matrices alone."""
    weights = {
        "lstm_1/kernel": np.full((3, 3), -1.0),
        "lstm_1/recurrent_kernel": np.full((2, 2), 3.0),
        "lstm_1/bias": np.full(9, 7.0),
        "head/kernel": np.full((3, 1), 7.0),
    }
    assert price(weights, L2(0.01, matrices="kernel")) == pytest.approx(0.09)
    assert price(weights, L2(0.01)) == pytest.approx(0.45)
    assert price(weights, L1(0.01, matrices="recurrent_kernel")) == pytest.approx(0.12)
    assert price(weights, L1L2(0.01, 0.1, matrices="kernel")) == pytest.approx(0.99)


def test_prices_at_the_start_follow_from_orthogonal_matrices(plan):
    """The squares of each recurrent kernel sum to its units, so the price over the loss has a closed form."""
    from lstmstudy.training.network import Network

    made = ablation(plan, "l1", "l2", "max_norm")
    finding = findings.prices_at_the_start(made)
    (ax, other) = finding.figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert {"L1 on both", "L2 on kernel", "L2 on recurrent kernel", "L2 on both"} <= lines.keys()
    recipe, info = made.control.recipe, plan.tasks["sunspots"].info
    inverse = []
    for unit in made.units("sunspots"):
        network = Network(recipe, info)
        network.reset(recipe, unit.seed)
        train = plan.tasks["sunspots"].folds[unit.fold].train
        inverse.append(1 / np.mean((network.model(train.x, training=False).numpy() - train.y) ** 2))
    expected = recipe.layers * recipe.width * np.mean(inverse)
    line = lines["L2 on recurrent kernel"]
    np.testing.assert_allclose(line.get_ydata(), expected * line.get_xdata(), rtol=1e-5)
    dearest = float(lines["L1 on both"].get_ydata()[-1])
    assert f"{dearest:.2g} with L1 0.01 on both" in finding.sentence
    assert f"{0.01 / dearest:.2g} (L1 on both)" in finding.sentence
    assert finding.sentence.count("on Digits by rows") == 2
    assert finding.title.startswith("Before the first update L1 costs up to ")
    assert f"{dearest:.2g} with L1 0.01 on both" in finding.alt
    assert len(other.get_lines()) == len(ax.get_lines())


def test_figures_without_a_number_are_an_error():
    """Each shows at least one arm, and a price is above 0."""
    with pytest.raises(ValueError, match=r"changes=\[\]$"):
        plot_weight_changes([], quantity="", strength="", relative=True)
    with pytest.raises(ValueError, match=r"prices=\[\]$"):
        plot_prices([], loss="squared error")
