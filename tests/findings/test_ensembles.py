"""What is told of ensembles: against their members, against equal compute, and why they gain."""

from __future__ import annotations

import dataclasses
import re
import zlib

import numpy as np
import pytest
from engine import made_outcome
from planning import prepared_plan

from lstmstudy import findings, metrics
from lstmstudy.figures import plot_ambiguity
from lstmstudy.readings import Validation, kept_epochs
from lstmstudy.runs import Result
from lstmstudy.study.ablation import Ablation, single

pytestmark = pytest.mark.usefixtures("few_units")

PROFILE = """\
tasks: [sunspots, digits_rows]
techniques: [averaging, bagging, boosting]
units: 2
network: {layers: 1, width: 4}
training: {epochs: 2, batch_size: 32, learning_rate: 0.003}
description: {tasks: [sunspots, digits_rows], units: 2}
designs:
  equal_compute: {tasks: [sunspots, digits_rows], units: 2}
grids:
  averaging: {models: [5]}
  boosting: {shrinkage: [0.5]}
"""
NOISE = {"boosting": 0.6, "bagging": 1.5}  # of a model's predictions, over that of the baseline's
MINUS = "\N{MINUS SIGN}"


def small_plan(folder):
    """Return the plan of a tiny study of ensembles."""
    return prepared_plan(folder, PROFILE)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return the plan, made once."""
    return small_plan(tmp_path_factory.mktemp("ensembles"))


class Noisy:
    """Outcomes whose predictions are the truth with noise of their own, of equal size in all members."""

    def __init__(self, plan, *, long=1.0, diverged=()):
        self.plan = plan
        self.long = long  # noise of the longer training, over the baseline's
        self.diverged = set(diverged)  # (member, seed)

    def noise(self, recipe):
        """Return the size of the noise of a model."""
        names = [technique.name for technique in recipe.techniques]
        return NOISE.get(names[0], 1.0) if names else (self.long if recipe.epochs > 2 else 1.0)

    def predictions(self, y, info, rng, size):
        """Return the truth with noise, as values or probabilities, (n, outputs)."""
        if info.kind == "forecasting":
            return y + rng.normal(scale=size, size=y.shape)
        logits = 2 * np.eye(info.n_outputs)[y]
        powers = np.exp(logits + rng.normal(scale=size, size=logits.shape))
        return powers / powers.sum(axis=1, keepdims=True)

    def __call__(self, run):
        """Return the outcome of a run: one epoch, whatever its recipe says."""
        task = self.plan.tasks[run.task]
        # From what the run is, not from its identity: that one changes with every edit of the code.
        words = repr((sorted(run.recipe.describe().items()), run.task, run.fold))
        rng = np.random.default_rng([zlib.crc32(words.encode()), run.seed])
        fold, info, curves, kept = task.folds[run.fold], task.info, {"loss": np.ones(1)}, {}
        for part in ("train", "validation", "test"):
            y = getattr(fold, part).y
            shown = self.predictions(y, info, rng, self.noise(run.recipe)).astype(np.float32)
            curves[f"{part}/{info.metric}"] = np.array([getattr(metrics, info.metric)(shown, y)])
            kept[part] = shown[None]
        del kept["train"]
        gone = (run.recipe.member, run.seed) in self.diverged
        if gone:
            curves = {name: np.full(1, np.nan) for name in curves}
        epochs = np.array(kept_epochs(Validation(curves[f"validation/{info.metric}"])), np.int64)
        if gone:
            kept = {part: shown[:0] for part, shown in kept.items()}
        result = Result(
            info.metric, curves, epochs, kept, {}, {}, "training loss nan in epoch 1" if gone else None
        )
        return made_outcome(run.identity, result)


def ablation(plan, **how):
    """Return every arm of the study with made outcomes."""
    arms = [arm for name in ("averaging", "bagging", "boosting") for arm in plan.arms(name)]
    return Ablation(plan, Noisy(plan, **how), [plan.baseline, *arms, *plan.design("equal_compute")])


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Return the tables that are shown, by caption, instead of showing them."""
    shown = {}
    monkeypatch.setattr(
        "lstmstudy.findings.ensembles.table", lambda frame, *, caption: shown.update({caption: frame})
    )
    return shown


def test_ensembles_are_compared_with_three_single_models(plan, tables):
    """Each column has the log ratios that follow from the members' own errors."""
    made = ablation(plan)
    said = findings.ensemble_gains(made)
    (frame,) = tables.values()
    assert list(frame["ensemble"]) == [arm.name for arm in made.compared if arm.technique]
    arm = made.arms["mean of 5 models"]
    expected = {"average": [], "best": []}
    for task in ("sunspots", "digits_rows"):
        for unit, models in zip(made.units(task), made.members(arm, task), strict=True):
            fold = plan.tasks[task].folds[unit.fold]
            score = getattr(metrics, plan.tasks[task].info.metric)
            mean = np.mean([model.result.predictions["test"][0].astype(float) for model in models], axis=0)
            errors = np.array([model.result.error("selected") for model in models])
            validation = [model.result.error("selected", "validation") for model in models]
            ratios = np.log(score(mean, fold.test.y) / errors)
            expected["average"].append(ratios.mean())
            expected["best"].append(ratios[int(np.argmin(validation))])
    for key, column in zip(
        expected, ("average member", "best member by validation, or the baseline"), strict=True
    ):
        percent = 100 * np.expm1(np.mean(expected[key]))
        assert frame[column][0].startswith(f"{percent:+.1f} % [".replace("-", MINUS))
        assert percent < -10
    assert frame["average member"][3] == "not available"  # boosting has no members beside each other
    assert "mean of 5 models" in said.split("and", maxsplit=1)[0]


def test_equal_compute_is_the_longer_training(plan, tables):
    """A single model that profits from five times the updates beats the ensemble, and the sentence says so."""
    findings.ensemble_gains(ablation(plan))
    before = tables.popitem()[1]["one model with as many updates"]
    said = findings.ensemble_gains(ablation(plan, long=0.1))
    after = tables.popitem()[1]["one model with as many updates"]
    assert all(text.startswith(MINUS) for text in before[:2])
    assert all(text.startswith("+") for text in after)
    assert "and 0 are clearly better than one model with as many updates" in said


def test_without_a_longer_training_nothing_is_said_of_it(plan, tables):
    """The column says that it is not available; the others stay."""
    made = ablation(plan)
    short = Ablation(plan, made.outcome, [arm for arm in made.arms.values() if "times" not in arm.name])
    findings.ensemble_gains(short)
    (frame,) = tables.values()
    assert set(frame["one model with as many updates"]) == {"not available"}


def test_the_best_member_is_chosen_without_the_test_part(plan):
    """The choice asks for the validation errors of the members and for nothing else."""
    from lstmstudy.findings import ensembles

    made = ablation(plan)
    arm, chosen = made.arms["mean of 5 models"], []
    errors = made.counted_errors

    def note(self_arm, task, *, part="test", reading=None):
        chosen.append(part)
        return errors(self_arm, task, part=part, reading=reading)

    made.counted_errors = note
    ensembles._best(made, arm, "sunspots")
    assert chosen == ["validation"] * 5


def test_disagreement_adds_up(plan):
    """Bars are the ensemble's error and the ambiguity; the sentence gives the share and the exactness."""
    finding = findings.disagreement(ablation(plan))
    assert "median" not in finding.sentence
    exact = float(finding.sentence.rpartition(" ")[2].rstrip("."))
    assert exact < 1e-10
    sunspots, _ = finding.figure.axes
    left = [bar.get_width() for bar in sunspots.containers[0]]
    right = [bar.get_width() for bar in sunspots.containers[1]]
    share = 100 * right[0] / (left[0] + right[0])
    assert f"mean of 5 models {share:.0f} % on Sunspots" in finding.sentence
    assert finding.title.startswith("Averaging takes ")
    assert finding.title.endswith(f" to {share:.0f} % off a member's squared error")
    # Independent noise: 4 / 5 of it averages out.
    assert left[0] == pytest.approx(0.2, abs=0.08)
    assert right[0] == pytest.approx(0.8, abs=0.15)
    assert [bar.get_x() for bar in sunspots.containers[1]] == left


def test_error_falls_with_the_number_of_members(plan):
    """One member is no change; the last point is the whole ensemble against its average member."""
    from lstmstudy.findings import ensembles

    made = ablation(plan)
    finding = findings.member_counts(made)
    arm, info = made.arms["mean of 5 models"], plan.tasks["sunspots"].info
    values = ensembles._counts(made, arm, info)
    np.testing.assert_allclose(values[0], 0, atol=1e-6)
    assert (np.diff(values.mean(axis=1)) < 0).all()
    np.testing.assert_allclose(values[-1], ensembles._average(made, arm, "sunspots"), atol=1e-9)
    assert "mean of 5 models" in finding.sentence
    assert "boosting" not in finding.sentence
    assert re.match(
        r"5 models lower the test error clearly by \d+ to \d+ %, two of them by \d+ to \d+ %$", finding.title
    )


def test_a_diverged_member_is_told_and_stops_nothing(plan):
    """With one member of one unit gone, sentences stay whole; its unit counts as the naive error."""
    from lstmstudy.findings import ensembles

    made = ablation(plan, diverged=[(2, 1)])
    texts = [findings.ensemble_gains(made)]
    for finding in (findings.disagreement(made), findings.member_counts(made)):
        texts += [finding.sentence, finding.alt]
    assert not [text for text in texts if "nan" in text]
    arm, info = made.arms["mean of 5 models"], plan.tasks["sunspots"].info
    values = ensembles._counts(made, arm, info)
    np.testing.assert_allclose(values[0], 0, atol=1e-6)
    naive = np.log(made.references("sunspots")["naive"][1])
    singles = [single(arm, recipe) for recipe in arm.on("sunspots")]
    mean = np.mean([np.log(made.counted_errors(each, "sunspots")[1]) for each in singles])
    assert values[-1, 1] == pytest.approx(naive - mean)


def test_units_that_all_diverged_are_no_number(plan):
    """If every unit has a diverged member there is no decomposition, and the sentence says why."""
    made = ablation(plan, diverged=[(2, seed) for seed in range(2)])
    finding = findings.disagreement(made)
    assert "nothing, as runs diverged" in finding.sentence
    assert "nan" not in finding.sentence
    assert finding.title == "What averaging takes off a member's squared error is unknown, as runs diverged"


def test_bars_without_an_arm_or_of_unequal_number_are_an_error():
    """A figure shows at least one ensemble, and both errors of each."""
    with pytest.raises(ValueError, match=r"lengths=\[0, 0, 0, 0\]$"):
        plot_ambiguity([], [], np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match=r"lengths=\[1, 1, 1, 2\]$"):
        plot_ambiguity(["a"], ["averaging"], np.zeros(1), np.zeros(2))


def test_arms_of_the_study_know_their_members(plan):
    """The arm of an ensemble has a recipe for each member, and its runs are those of all of them."""
    (mean, median) = plan.arms("averaging")
    assert len(mean.on("sunspots")) == 5
    assert mean.on("sunspots") == median.on("sunspots")
    # 5 members on 2 tasks with 2 units; the median shares them, and the control is the first member.
    assert len(plan.runs([mean, median])) == 5 * 2 * 2
    assert dataclasses.replace(mean, name="again").on("sunspots") == mean.on("sunspots")
