"""What is told of normalization: mode beside mode, and effects against none on the same batches and sequences."""

from __future__ import annotations

import re

import numpy as np
import pytest
from engine import made_outcome, made_result
from planning import prepared_plan

from lstmstudy import findings
from lstmstudy.findings.normalization import warm_up
from lstmstudy.store.outcomes import MissingRunsError
from lstmstudy.study.ablation import Ablation

pytestmark = pytest.mark.usefixtures("few_units")

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [layer_norm, batch_norm, recurrent_batch_norm]
units: 3
network: {layers: 2, width: 4}
training: {epochs: 8, batch_size: 16, learning_rate: 0.003}
description: {tasks: [sunspots, digits_rows], units: 3}
designs:
  batch_size: {tasks: [sunspots, digits_rows], units: 3}
  lengths: {units: 3}
"""
TASKS = ("sunspots", "digits_rows", "japanese_vowels", "japanese_vowels_cut")
MINUS = "\N{MINUS SIGN}"
FORMS = {  # loss at inference over loss in training mode after the last epoch, by task
    ("batch_norm", "recomputed"): (1.1, 1.3),
    ("batch_norm", "moving"): (4.0, 6.0),
    ("recurrent_batch_norm", "recomputed"): (0.9, 1.2),
    ("recurrent_batch_norm", "moving"): (20.0, 30.0),
}


def small_plan(folder):
    """Return the plan of a tiny study of normalization."""
    return prepared_plan(folder, PROFILE, TASKS)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return the plan, made once."""
    return small_plan(tmp_path_factory.mktemp("normalization"))


def percent(log_ratio):
    """Return a log ratio as the sentences write it."""
    return f"{100 * np.expm1(log_ratio):+.1f} %".replace("-", MINUS)


def one_technique(run):
    """Return the name of a run's technique, or an empty string."""
    return next((technique.name for technique in run.recipe.techniques), "")


def paired(*effects):
    """Return a spread of three units around each effect, its mean being the effect."""
    return {seed: effects[seed % len(effects)] for seed in range(3)}


class Errors:
    """Outcomes with test errors: those of the control, which depend on size and task, times a known effect.

    Args:
        effect: Returns ln(error / error of the control) of a run with a technique.
        missing: Pairs of task and seed that have no outcome.
    """

    def __init__(self, plan, effect, missing=()):
        self.plan = plan
        self.effect = effect
        self.missing = set(missing)

    def __call__(self, run):
        """Return the outcome of a run."""
        if (run.task, run.seed) in self.missing:
            raise MissingRunsError(f"Received: {run.task=}")
        level = 0.2 + 0.01 * run.recipe.batch_size + 0.1 * TASKS.index(run.task) + 0.02 * run.seed
        change = self.effect(run) if run.recipe.techniques else 0.0
        curve = np.full(2, level * np.exp(change))
        metric = self.plan.tasks[run.task].info.metric
        return made_outcome(run.identity, made_result(curve, curve, metric=metric))


def training_loss(run):
    """Return a falling training loss of three epochs that no other run has."""
    own = 1 + 0.1 * run.seed + 0.01 * len(one_technique(run))
    return own * np.array([4.0, 2.0, 1.0])


class Losses:
    """Outcomes whose loss at inference is a known multiple of that in training mode, by task and form."""

    def __init__(self, plan, diverged=()):
        self.plan = plan
        self.diverged = set(diverged)  # seeds

    def __call__(self, run):
        """Return the outcome of a run."""
        place = TASKS.index(run.task)
        technique = next(iter(run.recipe.techniques), None)
        ratio = FORMS[technique.name, technique.statistics][place] if technique else 0.5
        loss = training_loss(run)
        inference = loss * np.array([9 * ratio, 3 * ratio, ratio])
        info = self.plan.tasks[run.task].info
        result = made_result(np.ones(3), metric=info.metric)
        result.curves["loss"] = loss
        result.curves[f"train/{info.metric}"] = np.sqrt(inference) if info.metric == "rmse" else inference
        if technique and run.seed in self.diverged:
            for curve in result.curves.values():
                curve[1:] = np.nan
        return made_outcome(run.identity, result)


def of_modes(plan, **how):
    """Return both batch norms in both forms with made losses."""
    arms = [*plan.arms("batch_norm"), *plan.arms("recurrent_batch_norm")]
    return Ablation(plan, Losses(plan, **how), [plan.baseline, *arms])


def test_a_moving_average_of_momentum_99_is_warm_after_458_updates():
    """By then 1 % of the initial value is left; fewer updates are enough for a smaller momentum."""
    assert round(warm_up(0.99)) == 458
    assert 0.99 ** warm_up(0.99) == pytest.approx(0.01)
    assert warm_up() == warm_up(0.99)
    assert 0.9 ** warm_up(0.9) == pytest.approx(0.01)


def test_modes_are_drawn_beside_each_other(plan):
    """A panel per technique and task has the loss in training mode and that at inference for each form."""
    made = of_modes(plan)
    finding = findings.modes(made)
    places = [(name, info) for name in ("batch_norm", "recurrent_batch_norm") for info in made.infos]
    assert len(finding.figure.axes) == len(places) == 4
    for (name, info), ax in zip(places, finding.figure.axes, strict=True):
        losses = [
            training_loss(plan.run(made.arms_of(name)[0].recipe, unit)) for unit in made.units(info.name)
        ]
        training = np.median(losses, axis=0)
        drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
        np.testing.assert_allclose(drawn["training mode"], training)
        for form in ("recomputed", "moving"):
            ratio = FORMS[name, form][TASKS.index(info.name)]
            np.testing.assert_allclose(drawn[f"{form} statistics"], training * np.array([9, 3, 1]) * ratio)
        assert ("squared error" if info.metric == "rmse" else "cross-entropy") in ax.get_ylabel()


def test_the_sentence_on_modes_has_the_ratios_after_the_last_epoch(plan):
    """Every arm has the median over tasks and units of its own ratio, and the baseline has one too."""
    made = of_modes(plan)
    finding = findings.modes(made)
    said = finding.sentence
    assert (
        finding.title
        == "Moving statistics multiply the loss at inference by 5 to 25, recomputed ones by 1.1 to 1.2"
    )
    assert f"{made.control.name} 0.5," in said
    for arm in made.compared:
        low, high = FORMS[arm.technique.name, arm.technique.statistics]
        assert re.search(rf"{re.escape(arm.name)} {(low + high) / 2:.3g}\b", said), arm.name


def test_the_sentence_on_modes_tells_how_warm_moving_averages_are(plan):
    """The share that is left of initial values follows from the updates of a run on each task."""
    made = of_modes(plan)
    said = findings.modes(made).sentence
    assert "needs 458 updates to have 1 % of its initial value left" in said
    for info, updates in zip(made.infos, ("about 29", "16"), strict=True):
        folds = [plan.tasks[info.name].folds[unit.fold] for unit in made.units(info.name)]
        mean = np.mean([8 * -(-len(fold.train.y) // 16) for fold in folds])
        assert updates.endswith(str(round(mean)))
        assert f"{100 * 0.99 ** round(mean):.2g} % after {updates} updates on {info.title}" in said


def test_a_diverged_run_is_left_out_of_the_modes(plan):
    """With one unit gone the median is that of the others; with all of them gone it says so in words."""
    said = findings.modes(of_modes(plan, diverged=[1])).sentence
    assert "nan" not in said
    assert re.search(r"batch norm, moving statistics 5\b", said)
    gone = findings.modes(of_modes(plan, diverged=range(3)))
    assert "nan" not in gone.sentence
    assert gone.sentence.count("not available, as every run diverged") == 4
    assert gone.title == "What becomes of the loss at inference is unknown, as every run diverged"


BY_SIZE = {4: np.log(0.7), 16: np.log(0.9), 64: np.log(1.1)}  # of layer norm


def by_size(run):
    """Return the effect of a technique at a batch size: layer norm's own, 5 % for the others."""
    spread = 0.01 * (run.seed - 1)
    return (BY_SIZE[run.recipe.batch_size] if one_technique(run) == "layer_norm" else np.log(1.05)) + spread


def test_batch_sizes_are_compared_with_none_at_the_same_size(plan):
    """Errors of the control rise with the size; the effects that are told and drawn do not contain that."""
    made = Ablation(plan, Errors(plan, by_size), plan.design("batch_size"))
    for arm in made.compared:
        assert arm.control.recipe.batch_size == arm.recipe.batch_size
        assert not arm.control.recipe.techniques
    finding = findings.batch_sizes(made)
    told = re.findall(rf"([+{MINUS}][\d.]+ %) \(95 %[^)]*\) at (\d+)", finding.sentence)
    assert told == [(percent(effect), str(size)) for size, effect in BY_SIZE.items()]
    assert "layer norm changes the test error" in finding.sentence
    assert len(finding.figure.axes) == 3
    for ax in finding.figure.axes:
        points = [
            np.asarray(line.get_ydata(), float) for line in ax.lines if len(line.get_ydata()) == len(BY_SIZE)
        ]
        assert any(np.allclose(line, list(BY_SIZE.values())) for line in points)
        assert sum(np.allclose(line, np.log(1.05)) for line in points) == 3


def test_the_smallest_batch_is_compared_with_the_largest_unit_by_unit(plan):
    """The last number is the ratio of both effects; noise that a unit has at both sizes is not in its interval."""
    finding = findings.batch_sizes(Ablation(plan, Errors(plan, by_size), plan.design("batch_size")))
    expected = percent(BY_SIZE[4] - BY_SIZE[64])
    assert finding.sentence.endswith(
        f"at 4 by {expected} (95 % interval {expected} to {expected}) relative to 64."
    )
    assert finding.title == "Against none of it, layer norm does clearly better at batch size 4 than at 64"


def test_every_batch_size_has_as_many_updates(plan):
    """Epochs grow with the batch size, for a technique as for its control."""
    for arm in plan.design("batch_size"):
        assert arm.recipe.epochs * 16 == 8 * arm.recipe.batch_size


def test_batch_sizes_speak_of_the_technique_that_is_asked_for(plan):
    """Another technique has its own numbers."""
    made = Ablation(plan, Errors(plan, by_size), plan.design("batch_size"))
    finding = findings.batch_sizes(made, "batch_norm")
    said = finding.sentence
    assert finding.title == "Batch norm does neither clearly better nor worse at batch size 4 than at 64"
    assert said.count(percent(np.log(1.05))) == 3
    assert "batch norm changes the test error" in said
    assert percent(BY_SIZE[4]) not in said


def by_length(run):
    """Return the effect of layer norm, larger on padded sequences, with a spread that both share."""
    if one_technique(run) != "layer_norm":
        return 0.0
    return np.log(0.6 if run.task == "japanese_vowels" else 0.9) + 0.3 * (run.seed - 1)


def test_lengths_are_compared_with_none_on_the_same_sequences(plan):
    """Errors of the control differ between both tasks; the effects that are told do not contain that."""
    made = Ablation(plan, Errors(plan, by_length), plan.design("lengths"))
    finding = findings.lengths(made)
    padded = plan.tasks["japanese_vowels"].info
    cut = plan.tasks["japanese_vowels_cut"].info
    assert padded.variable_length
    assert not cut.variable_length
    assert (
        finding.title == "Against none of it, layer norm does clearly better on padded than on cut sequences"
    )
    assert re.search(
        rf"^Layer norm changes the test error by {re.escape(percent(np.log(0.6)))} \([^)]*\) on padded",
        finding.sentence,
    )
    assert re.search(
        rf"and by {re.escape(percent(np.log(0.9)))} \([^)]*\) on the same ones cut to {cut.window} steps",
        finding.sentence,
    )
    for arm in made.compared:
        title = arm.recipe.techniques[0].title
        assert f"{title}, padded" in finding.alt
        assert f"{title}, cut" in finding.alt


def test_padded_and_cut_sequences_are_paired_by_seed(plan):
    """The spread that a unit has on both tasks is not in the interval of their difference."""
    made = Ablation(plan, Errors(plan, by_length), plan.design("lengths"))
    expected = percent(np.log(0.6 / 0.9))
    assert (
        f"relative to the second is {expected} (95 % interval {expected} to {expected}) over 3 pairs of units."
        in findings.lengths(made).sentence
    )


def test_a_unit_without_its_partner_is_in_no_pair(plan):
    """Where a task lacks a unit, the others are paired as before, seed by seed."""
    made = Ablation(
        plan, Errors(plan, by_length, missing=[("japanese_vowels_cut", 0)]), plan.design("lengths")
    )
    expected = percent(np.log(0.6 / 0.9))
    assert (
        f"{expected} (95 % interval {expected} to {expected}) over 2 pairs" in findings.lengths(made).sentence
    )
