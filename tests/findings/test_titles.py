"""Titles of figures: each is one short sentence, and says which way the outcomes point."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
from findings import test_augmentation as augmentation
from findings import test_combined as combined
from findings import test_ensembles as ensembles
from findings import test_gradients as gradients
from findings import test_normalization as normalization
from findings import test_techniques as techniques
from findings import test_validation as validation
from findings import test_weights as weights
from matplotlib import pyplot as plt

from lstmstudy import findings
from lstmstudy.findings.titles import LONGEST, fitting, of_choice, of_several, some, span
from lstmstudy.stats import sample
from lstmstudy.stats.effects import Effect
from lstmstudy.study.ablation import Ablation

MINUS = "\N{MINUS SIGN}"
FALLING = techniques.FALLING  # the selected epoch is the third, and the last has twice its error
CHAPTERS = {
    "combined": combined,
    "ensembles": ensembles,
    "gradients": gradients,
    "normalization": normalization,
    "weights": weights,
}
SEEDS = range(6)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return a folder with the small study of single techniques; read only."""
    return techniques.Bench(tmp_path_factory.mktemp("bench")).study.store.folder.parent


@pytest.fixture
def bench(prepared, tmp_path, monkeypatch):
    """Return a study of single techniques of the test's own; whatever is missing in it cannot be trained."""
    monkeypatch.setattr("lstmstudy.workers.missing.train_all", lambda *_, **__: [])
    return techniques.copied(prepared, tmp_path / "bench")


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """Return the plans of the small studies of the other chapters, by chapter."""
    return {name: tests.small_plan(tmp_path_factory.mktemp(name)) for name, tests in CHAPTERS.items()}


def every(bench, plans, *, diverged):
    """Return all findings on the small studies, by name; if asked, with all runs of some arms diverged."""
    gone = [(name, seed) for name in ("l1", "gradient_noise", "gradient_clipping") for seed in range(2)]
    if diverged:
        bench.diverge("baseline", "sunspots", SEEDS, 0)
        bench.diverge("dropout 0.3 per step", "digits_rows", SEEDS, 3)
    single = bench.ablate()
    one = bench.study.ablate(techniques.grid(bench.study)[0])
    both = combined.combined(plans["combined"], diverged=[(frozenset({"l2"}), 1)] * diverged)
    several = ensembles.ablation(plans["ensembles"], diverged=[(2, seed) for seed in range(2)] * diverged)
    noise = gradients.ablation(plans["gradients"], diverged=gone * diverged)
    modes = normalization.of_modes(plans["normalization"], diverged=range(3 * diverged))
    norms = plans["normalization"]
    sizes = Ablation(norms, normalization.Errors(norms, normalization.by_size), norms.design("batch_size"))
    padded = Ablation(norms, normalization.Errors(norms, normalization.by_length), norms.design("lengths"))
    schemes = validation.ablation(units=2)
    shrunk = weights.ablation(plans["weights"], diverged=gone * diverged)
    examples = augmentation.small_study()
    found = techniques.figures(single)  # which closes them
    others = {
        "dose_response of two": lambda: findings.dose_response(single, "recurrent_dropout"),
        "technique_effects of one": lambda: findings.technique_effects(one),
        "dose_responses of one": lambda: findings.dose_responses(one),
        "paired_differences of one": lambda: findings.paired_differences(one, "dropout"),
        "arm_curves of validation": lambda: findings.arm_curves(one, "dropout", part="validation"),
        "technique_effects of augmentations": lambda: findings.technique_effects(augmentation.Outcomes()),
        "augmented_examples": lambda: findings.augmented_examples(examples, "japanese_vowels"),
        "added_and_removed": lambda: findings.added_and_removed(both),
        "rivals": lambda: findings.rivals(combined.tuned(plans["combined"], alone=combined.SINGLES)),
        "disagreement": lambda: findings.disagreement(several),
        "member_counts": lambda: findings.member_counts(several),
        "noise_schedule": lambda: findings.noise_schedule(noise),
        "clipped_shares": lambda: findings.clipped_shares(noise),
        "flatness": lambda: findings.flatness(noise),
        "modes": lambda: findings.modes(modes),
        "batch_sizes": lambda: findings.batch_sizes(sizes),
        "lengths": lambda: findings.lengths(padded),
        "split_bars": lambda: findings.split_bars(schemes),
        "estimate_bias": lambda: findings.estimate_bias(schemes),
        "estimate_errors": lambda: findings.estimate_errors(schemes),
        "linear_check": lambda: findings.linear_check(6),
        "real_series": lambda: findings.real_series(schemes),
        "weight_changes": lambda: findings.weight_changes(shrunk),
        "prices_at_the_start": lambda: findings.prices_at_the_start(shrunk),
    }
    for name, find in others.items():
        found[name] = find()
        plt.close("all")
    return found


@pytest.mark.parametrize("diverged", [False, True])
@pytest.mark.parametrize("fewest", [2, 100])
def test_every_title_is_one_short_sentence(bench, plans, monkeypatch, fewest, diverged):
    """With intervals and without, with runs that diverged and without: a few words, no full stop, no markup."""
    monkeypatch.setattr(sample, "FEWEST", fewest)
    made = every(bench, plans, diverged=diverged)
    for name, finding in made.items():
        title = finding.title
        assert 25 < len(title) <= 110, (name, title)
        assert title[0] == title[0].upper(), (name, title)
        assert title[-1] not in ".:;,", (name, title)
        assert not set("*_`$#<>") & set(title), (name, title)
        assert "nan" not in title.lower().split(), (name, title)
        assert not {"a 8", "1 arms", "1 techniques", "all 1"} & {title[i : i + 5] for i in range(len(title))}
        assert title.rstrip(".") not in finding.sentence, (name, title)
        if fewest > 6 and "augmentations" not in name and name != "linear_check":
            assert "clearly" not in title, (name, title)


def test_every_finding_with_a_figure_is_asked_for_its_title(bench, plans):
    """Whatever public function of a chapter returns a finding is among those whose titles are read."""
    asked = {name.partition(" ")[0] for name in every(bench, plans, diverged=False)}
    elsewhere = {"answer", "verdicts"}  # modules with tests of their own
    for name, find in vars(findings).items():
        returned = getattr(find, "__annotations__", {}).get("return", "")
        if "Finding" in returned and find.__module__.rpartition(".")[2] not in elsewhere:
            assert name in asked, name


def test_the_better_technique_is_named_and_the_worse_one_too():
    """Whether arms lower or raise the test error, or only seem to, is what the title says."""

    def title(**how):
        return findings.technique_effects(augmentation.Outcomes(**how)).title

    assert title() == "3 of 6 arms lower the test error clearly, 3 raise it"
    assert title(jitter=1.25, permutation=1.25) == "All 6 arms raise the test error clearly"
    assert title(jitter=0.8, permutation=0.8) == "All 6 arms lower the test error clearly"
    assert title(jitter=1.0, permutation=1.0) == "None of 6 arms changes the test error clearly"
    assert title(jitter=0.8, permutation=1.0) == (
        "The test error is clearly lower with jitter 0.01, jitter 0.03 and jitter 0.3, higher with none of 6 arms"
    )
    assert title(jitter=1.0, permutation=1.25) == "None of 6 arms lowers the test error clearly, 3 raise it"
    assert title(margin=np.nan) == "3 of 6 arms have a lower test error; too few units to judge"


def test_strengths_from_validation_are_told_with_what_they_bring():
    """A technique that helps and one that harms are counted apart, at the strength that validation chooses."""

    def title(**how):
        return findings.dose_responses(augmentation.Outcomes(**how)).title

    chosen = "techniques at strengths chosen on validation"
    assert title() == f"1 of 2 {chosen} lowers the test error clearly, 1 raises it"
    assert title(permutation=0.8) == f"Both {chosen} lower the test error clearly"
    assert title(jitter=1.25) == f"Both {chosen} raise the test error clearly"
    assert title(margin=np.nan) == f"1 of 2 {chosen} has a lower test error; too few units to judge"


def test_stopping_that_comes_too_early_is_told_as_a_loss(bench):
    """Where the error rises after the third epoch both patiences win; after a bump, the shorter one loses."""
    assert findings.stopping(bench.ablate()).title == (
        "Against the last epoch the test error is clearly lower with patience 1 and 2"
    )
    bump = np.array([1.0, 0.8, 0.9, 0.5, 0.4, 0.3])
    for task in techniques.METRICS:
        for seed in SEEDS:
            bench.store("baseline", task, seed, bump, bump)
    assert findings.stopping(bench.ablate()).title == (
        "Against the last epoch the test error is clearly higher with patience 1"
    )
    for task in techniques.METRICS:
        for seed in SEEDS:
            bench.store("baseline", task, seed, np.sort(bump)[::-1], np.sort(bump)[::-1])
    assert findings.stopping(bench.ablate()).title == (
        "No patience changes the test error clearly against the last epoch"
    )


def test_training_to_the_end_may_cost_or_pay(bench):
    """The test error at the last epoch is twice that at the selected one, or half of it, or each on a task."""

    def title():
        return findings.learning_curves(bench.ablate(), bench.study.baseline).title

    assert (
        title()
        == "Training to the last epoch raises the baseline's test error by 100 %, clearly on both tasks"
    )
    pays = np.array([1.0, 0.8, 0.5, 0.4, 0.3, 0.25])
    for seed in SEEDS:
        bench.store("baseline", "sunspots", seed, FALLING, pays)
    assert title() == (
        "Training to the last epoch raises the baseline's test error clearly on 1 of 2 tasks, lowers it on 1"
    )
    for seed in SEEDS:
        bench.store("baseline", "digits_rows", seed, FALLING, pays)
    assert (
        title()
        == "Training to the last epoch lowers the baseline's test error by 50 %, clearly on both tasks"
    )


def test_an_epoch_that_moves_is_told_with_its_direction(bench):
    """Curves of dropout that are lowest at the fifth or the first epoch move the selected one."""
    later, earlier = np.array([1.0, 0.9, 0.8, 0.7, 0.5, 0.6]), np.linspace(0.5, 1, 6)

    def title(sunspots, digits):
        for task, curve in (("sunspots", sunspots), ("digits_rows", digits)):
            for arm in ("dropout 0.1 per step", "dropout 0.3 per step"):
                for seed in SEEDS:
                    bench.store(arm, task, seed, curve, curve)
        return findings.arm_curves(bench.ablate(), "dropout").title

    both = "Sunspots and Digits by rows"
    assert title(later, later) == f"With dropout the selected epoch comes later on {both}"
    assert title(earlier, earlier) == f"With dropout the selected epoch comes earlier on {both}"
    assert title(later, earlier) == (
        "With dropout the selected epoch comes later on Sunspots, earlier on Digits by rows"
    )
    assert title(later, FALLING) == "With dropout the selected epoch comes later on Sunspots"


@pytest.mark.usefixtures("few_units")
def test_an_ensemble_of_equal_members_helps_and_one_with_a_diverged_member_does_not(plans, monkeypatch):
    """Independent members lower the error; good ones with a diverged one, which counts as the naive error, raise it."""
    title = findings.member_counts(ensembles.ablation(plans["ensembles"])).title
    assert title.startswith("5 models lower the test error clearly")
    assert "two of them by " in title
    monkeypatch.setattr(ensembles.Noisy, "noise", lambda *_: 0.1)
    harms = ensembles.ablation(plans["ensembles"], diverged=[(2, 0), (2, 1)])
    assert findings.member_counts(harms).title.startswith("5 models raise the test error")


def test_members_that_hardly_differ_are_told_with_a_smaller_share(plans, monkeypatch):
    """What averaging takes off is the members' disagreement, which is less where classes are hardly noisy."""

    def least():
        title = findings.disagreement(ensembles.ablation(plans["ensembles"])).title
        assert title.startswith("Averaging takes ")
        return min(float(number) for number in re.findall(r"[\d.]+", title))

    before = least()
    monkeypatch.setattr(ensembles.Noisy, "noise", lambda *_: 0.1)
    assert least() < before


@pytest.mark.usefixtures("few_units")
def test_weights_that_grow_are_not_told_as_shorter(plans, monkeypatch):
    """Weights of half the size are shorter, of twice the size none are; those near zero are told by themselves."""

    def title(**made):
        monkeypatch.setattr(weights, "MADE", made)
        return findings.weight_changes(weights.ablation(plans["weights"])).title

    assert (
        title(l1=(0.25, 0.5))
        == "With L1 weights get up to 57 % shorter, and up to 25 points more are near zero"
    )
    assert (
        title(l1=(0.25, 2.0))
        == "With L1 up to 25 points more weights are near zero; no arm makes them clearly shorter"
    )
    assert title(l2=(0.0, 0.5)) == "With L2 weights get up to 50 % shorter, but not clearly more near zero"
    assert title(l2=(0.0, 0.5), l1=(0.25, 2.0)) == (
        "Weights get up to 50 % shorter with L2, and up to 25 points more are near zero with L1"
    )
    assert (
        title(l1=(0.0, 2.0))
        == "No arm makes weights clearly shorter or brings clearly more of them near zero"
    )


def test_parts_that_harm_together_are_told_so(plans):
    """All parts together lower the test error by what was planted, or raise it."""
    title = findings.added_and_removed(combined.combined(plans["combined"])).title
    assert title.startswith("All 5 parts together lower the test error clearly, by 65 %; ")
    worse = dict.fromkeys(combined.PARTS, 0.5)
    title = findings.added_and_removed(combined.combined(plans["combined"], alone=worse)).title
    assert title.startswith("All 5 parts together raise the test error clearly, by ")
    assert title.endswith("; 5 of 10 single steps lower it")  # early stopping, and each removal but its own


@pytest.mark.usefixtures("few_units")
def test_where_a_normalization_does_better_is_told_with_its_direction(plans):
    """Layer norm that helps at small batches does better there; one that harms there does worse."""
    plan = plans["normalization"]

    def title(effect):
        return findings.batch_sizes(
            Ablation(plan, normalization.Errors(plan, effect), plan.design("batch_size"))
        ).title

    assert (
        title(normalization.by_size)
        == "Against none of it, layer norm does clearly better at batch size 4 than at 64"
    )
    assert title(lambda run: -normalization.by_size(run)) == (
        "Against none of it, layer norm does clearly worse at batch size 4 than at 64"
    )


def test_estimates_that_are_too_low_are_told_by_scheme_and_series():
    """Both directions, both series; with few realizations what is seen is counted."""

    def title(units, **foretold):
        """Return the title where schemes foretell another error than the 2 that came; the others meet it."""
        told = dict.fromkeys(validation.FORETOLD, 2.0) | foretold
        outcome = functools.partial(validation.outcome, foretold=told)
        return findings.estimate_bias(validation.ablation(outcome, validation.MADE, units=units)).title

    assert title(6, rolling=1.0) == "The estimate is clearly too low with rolling on both series"
    assert title(6, rolling=4.0) == "With no scheme the estimate is clearly too low"
    assert title(6, **dict.fromkeys(validation.FORETOLD, 1.0)) == (
        "The estimate is clearly too low with rolling, expanding, blocked, k-fold and holdout on both series"
    )
    assert title(2, rolling=1.0) == (
        "The estimate is too low with rolling on both series; too few realizations to judge"
    )


def effect(change, margin=0.01, arm="dropout 0.2 per step"):
    """Return an effect of a size in percent."""
    value = np.log1p(change / 100)
    return Effect(
        arm, "dropout", "", 0.2, "all tasks", np.full(3, value), value, value - margin, value + margin, 0.5
    )


def test_what_validation_chooses_is_judged_by_its_interval_alone():
    """Clear of no change, not clear, and without an interval; a name of any length leaves a title."""
    chooses = "Validation chooses dropout 0.2 per step"
    assert of_choice(effect(-20)) == f"{chooses}, which lowers the test error clearly, by 20 %"
    assert of_choice(effect(20)) == f"{chooses}, which raises the test error clearly, by 20 %"
    assert of_choice(effect(-20, margin=1)) == f"{chooses}, which does not change the test error clearly"
    assert (
        of_choice(effect(-20, np.nan))
        == f"{chooses}, test error 20 % lower; too few units to say whether it helps"
    )
    assert (
        of_choice(effect(5, np.nan))
        == f"{chooses}, test error 5.0 % higher; too few units to say whether it harms"
    )
    for margin in (0.01, 1, np.nan):
        for text in (
            of_choice(effect(-20, margin, "x" * 200)),
            of_several([effect(-20, margin, "x" * 200)], "arms"),
        ):
            assert len(text) <= LONGEST
            assert "xx" not in text


def test_one_arm_is_told_by_its_name():
    """A single arm is no "1 of 1 arms"; tuned or not, it has its plain name."""
    assert of_several([effect(-20, arm="jitter, tuned")], "arms") == (
        "The test error is clearly lower with jitter, by 20 %"
    )
    assert of_several([effect(3, 1)], "arms") == (
        "The test error is neither clearly lower nor clearly higher with dropout 0.2 per step"
    )
    assert of_several([effect(3, np.nan)], "arms") == (
        "The test error is 3.0 % higher with dropout 0.2 per step; too few units to judge"
    )


def test_few_arms_are_named_and_many_are_counted():
    """Names stand in a title while there are few, short ones without commas."""
    arms = [effect(change, arm=f"arm {place}") for place, change in enumerate((-20, -10, 30))]
    assert (
        of_several(arms, "arms") == "The test error is clearly lower with arm 0 and arm 1, higher with arm 2"
    )
    assert of_several(arms, "arms", named=False) == "2 of 3 arms lower the test error clearly, 1 raises it"
    assert of_several([*arms, *arms], "arms") != of_several([*arms, effect(-5, arm="arm, other")], "arms")
    assert of_several([*arms, effect(-5, arm="arm, other")], "arms") == (
        "3 of 4 arms lower the test error clearly, 1 raises it"
    )
    assert of_several([effect(0, arm="a"), effect(0, arm="b"), effect(9, arm="c")], "arms") == (
        "The test error is clearly higher with c, lower with none of 3 arms"
    )


def test_numbers_of_things_are_told_in_words():
    """Grammar is right for none, one, some and all."""
    told = [
        some(number, total, "tasks") for number, total in ((0, 3), (1, 3), (2, 2), (3, 3), (1, 1), (0, 1))
    ]
    assert told == [
        "none of 3 tasks",
        "1 of 3 tasks",
        "both tasks",
        "all 3 tasks",
        "1 of 1 tasks",
        "none of 1 tasks",
    ]


def test_a_span_has_signs_where_they_differ():
    """Sizes stand from the smallest to the largest, and one size stands alone."""
    lower, higher = np.log(0.8), np.log(1.25)
    assert span([lower, np.log(0.9)]) == "10 to 20 %"
    assert span([lower, lower]) == "20 %"
    assert span([lower, higher], signs=True) == f"{MINUS}20 to +25 %"


def test_the_first_version_that_is_short_enough_is_the_title():
    """It begins with a capital; if none is short enough, the shortest is taken."""
    assert fitting("x" * 200, "the second", "third") == "The second"
    assert fitting("x" * 200, "y" * 150) == "Y" + "y" * 149
