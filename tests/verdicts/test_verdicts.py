"""Verdicts on made outcomes: where the truth is known, the verdict is the right one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from judging import HELPS, PROFILE, TASKS, Made

from lstmstudy.verdicts.contrasts import bound_of

SUPPORTED, CONTRADICTED = "supported", "contradicted"
SAME, DEPENDS, OPEN = "no practical difference", "depends on the task", "inconclusive"
ARM = "dropout step"
SWAPPED = HELPS.replace(
    "arm: dropout per=step, control: baseline", "arm: baseline, control: dropout per=step"
)


@pytest.fixture
def made(tmp_path):
    """Return a study whose outcomes are made."""
    return Made(tmp_path)


def on(**effects):
    """Return effects of the arm, by task; 0 on the others."""
    return {(ARM, task): effects.get(task, 0.0) for task in TASKS}


@pytest.mark.parametrize(
    ("effects", "noise", "verdict"),
    [
        (on(), 0.5, OPEN),
        (on(), 0.01, SAME),
        (on(sunspots=-0.01, mackey_glass=-0.01, digits_rows=-0.01), 0.005, SAME),
        (on(sunspots=-0.2, mackey_glass=-0.2, digits_rows=-0.2), 0.1, SUPPORTED),
        (on(sunspots=0.2, mackey_glass=0.2, digits_rows=0.2), 0.1, CONTRADICTED),
        (on(sunspots=-0.3, mackey_glass=0.3), 0.1, DEPENDS),
        (on(sunspots=-0.3, mackey_glass=0.3), 0.01, DEPENDS),
        (on(digits_rows=-0.5), 0.02, SUPPORTED),
    ],
    ids=[
        "nothing",
        "equivalence",
        "below the margin",
        "effect",
        "opposite effect",
        "opposite signs",
        "opposite signs, mean within the margin",
        "one task only",
    ],
)
def test_a_known_truth_gets_its_verdict(made, effects, noise, verdict):
    """Nothing, an effect, the opposite, opposite signs over tasks, equivalence, one task: each is told as it is."""
    made.effects, made.noise = effects, noise
    found = made.found()["helps"]
    assert found.verdict == verdict
    assert found.judged


def test_an_effect_on_one_task_only_is_told_by_leaving_that_task_out(made):
    """Without the task that carries it the verdict is another one, and without the others it stays."""
    made.effects, made.noise = on(digits_rows=-0.5), 0.02
    changes = {each.change: each.verdict for each in made.found()["helps"].robustness}
    assert changes["without digits_rows"] == SAME
    assert changes["without sunspots"] == SUPPORTED


def test_a_single_task_is_judged_by_itself(tmp_path):
    """A study of one task has a verdict, which cannot depend on the task."""
    made = Made(tmp_path, profile=PROFILE.replace("[sunspots, mackey_glass, digits_rows]", "[sunspots]"))
    made.effects = on(sunspots=-0.2)
    found = made.found()["helps"]
    assert found.verdict == SUPPORTED
    assert [each.task for each in found.contrasts[0].tasks] == ["sunspots"]
    assert not [each for each in found.robustness if each.change.startswith("without")]


@pytest.mark.parametrize("task", TASKS)
def test_an_arm_that_always_fails_is_worse_by_the_naive_error(made, task):
    """Where every run of an arm diverges, it counts as the naive method, four times the baseline's error."""
    made.diverged = {(ARM, task, seed) for seed in range(12)}
    made.noise = 0.01
    found = made.found()["helps"].contrasts[0]
    effect = next(each for each in found.tasks if each.task == task)
    assert effect.estimate == pytest.approx(np.log(4), abs=0.02)
    assert effect.failed == 12
    assert made.verdict() == CONTRADICTED


def test_a_failing_arm_on_all_tasks_is_contradicted_and_without_failures_nothing_is_left(made):
    """Diverged runs contradict the claim; the verdict without them has no pair to speak of."""
    made.diverged = {(ARM, task, seed) for task in TASKS for seed in range(12)}
    found = made.found()["helps"]
    assert found.verdict == CONTRADICTED
    assert "without failed runs" not in {each.change for each in found.robustness}


def test_a_few_failures_stand_beside_the_verdict_without_them(made):
    """Two diverged runs of an arm that helps: the verdict with them, and that without those pairs."""
    made.effects, made.noise = on(**dict.fromkeys(TASKS, -0.2)), 0.05
    made.diverged = {(ARM, "sunspots", 0), (ARM, "digits_rows", 5)}
    found = made.found()["helps"]
    changes = {each.change: each.verdict for each in found.robustness}
    assert changes["without failed runs"] == SUPPORTED
    assert sum(each.failed for each in found.contrasts[0].tasks) == 2


def test_where_both_runs_of_a_pair_fail_it_is_a_tie(made):
    """Two diverged runs have the same error, that of the naive method, and their number is 0."""
    made.diverged = {(name, "sunspots", 3) for name in (ARM, "baseline")}
    (row,) = [row for row in made.rows() if row.failed and row.view == "declared"]
    assert (row.number, row.arm, row.control) == (0.0, 4.0, 4.0)


def test_a_failed_control_never_makes_an_arm_better_than_its_own_error_over_the_naive_one(made):
    """A diverged control counts as the naive method, or as the arm where that is worse still."""
    made.diverged = {("baseline", "sunspots", 1), ("baseline", "sunspots", 2)}
    made.effects, made.noise = {ARM: np.log(6)}, 0.0
    numbers = [row.number for row in made.rows() if row.failed and row.view == "declared"]
    assert numbers == [0.0, 0.0]


def test_ties_are_no_practical_difference(made):
    """Where every pair is tied, nothing differs, with p 1 and an interval of no width."""
    made.noise = 0.0
    found = made.found()["helps"]
    assert found.verdict == SAME
    contrast = found.contrasts[0]
    assert (contrast.estimate, contrast.low, contrast.high, contrast.p) == (0, 0, 0, 1)
    assert contrast.improvement == 0.5


def test_errors_without_any_spread_are_judged_like_others(made):
    """A constant error of the control and a constant, lower one of the arm support the claim."""
    made.noise, made.effects = 0.0, {ARM: -0.2}
    found = made.found()["helps"]
    assert found.verdict == SUPPORTED
    assert found.contrasts[0].low == pytest.approx(-0.2, abs=1e-4)


def test_an_error_of_zero_is_no_infinite_advantage(made):
    """Errors of 0 count as the least that probabilities are clipped to, and two of them as a tie."""

    def perfect(run, result):
        if run.task != "digits_rows":
            return result
        zero = {
            name: np.zeros_like(curve) for name, curve in result.curves.items() if name.startswith("test/")
        }
        return dataclasses.replace(result, curves={**result.curves, **zero})

    made.change, made.noise = perfect, 0.01
    rows = [row for row in made.rows() if row.task == "digits_rows"]
    assert {row.number for row in rows} == {0.0}
    found = made.found()["helps"]
    assert found.verdict == SAME
    rate = next(each for each in found.secondary if each.metric == "error_rate")
    assert (rate.estimate, rate.low, rate.high) == (0, 0, 0)


@pytest.mark.parametrize(("effect", "first"), [(-0.2, SUPPORTED), (0.2, CONTRADICTED), (0.0, OPEN)])
def test_swapping_arm_and_control_flips_the_verdict(tmp_path, effect, first):
    """What is supported becomes contradicted and the other way round; every number changes its sign."""
    made = Made(tmp_path)
    made.effects, made.noise = {ARM: effect}, 0.3 if effect == 0 else 0.1
    one = made.found()["helps"]
    made.claims(SWAPPED)
    other = made.found()["helps"]
    flipped = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}
    assert one.verdict == first
    assert other.verdict == flipped.get(first, first)
    for mine, its in zip(one.contrasts[0].tasks, other.contrasts[0].tasks, strict=True):
        assert mine.estimate == -its.estimate
        assert mine.p == its.p
    assert one.contrasts[0].p == other.contrasts[0].p
    assert one.contrasts[0].p_equivalence == other.contrasts[0].p_equivalence


def test_the_order_of_rows_changes_nothing(made):
    """The table of units is a set: shuffled, it gives the same document."""
    made.effects = on(sunspots=-0.2, mackey_glass=0.1)
    rows = made.rows()
    shuffled = [rows[place] for place in np.random.default_rng(3).permutation(len(rows))]
    assert shuffled != rows
    assert made.found(shuffled) == made.found(rows)


@pytest.mark.parametrize("task", TASKS)
def test_scaling_all_errors_of_a_task_changes_no_log_ratio(made, task):
    """Errors seven times as high on one task, naive ones included, leave every number of a log ratio as it was."""
    before = made.found()["helps"]
    made.base[task] = 7.0
    after = made.found()["helps"]
    assert after.verdict == before.verdict
    for mine, its in zip(before.contrasts[0].tasks, after.contrasts[0].tasks, strict=True):
        assert mine.estimate == pytest.approx(its.estimate, abs=1e-5)


TWO = """\
both:
  words: Dropout helps in both forms.
  chapter: 01_dropout
  contrasts:
    - {arm: dropout per=step, control: baseline, expect: lower}
    - {arm: dropout per=sequence, control: baseline, expect: lower}
"""


@pytest.mark.parametrize(
    ("step", "sequence", "verdict"),
    [(-0.3, -0.3, SUPPORTED), (0.3, 0.3, CONTRADICTED), (-0.3, 0.3, OPEN), (-0.3, 0.0, OPEN)],
)
def test_a_claim_of_several_contrasts_needs_all_of_them(tmp_path, step, sequence, verdict):
    """It is supported, or contradicted, only if each contrast says so."""
    made = Made(tmp_path, TWO)
    made.effects = {"dropout step": step, "dropout sequence": sequence}
    found = made.found()["both"]
    assert found.verdict == verdict
    assert found.p == max(contrast.p for contrast in found.contrasts)


def test_a_claim_for_each_task_is_not_carried_by_the_mean(tmp_path):
    """An arm that helps much on two tasks and harms a little on the third does not hold on every task."""
    made = Made(tmp_path, f"{HELPS}  each_task: true\n")
    made.effects, made.noise = on(sunspots=-0.5, digits_rows=-0.5, mackey_glass=0.1), 0.02
    found = made.found()["helps"]
    assert found.verdict == OPEN
    assert [contrast.tasks[0].task for contrast in found.contrasts] == list(TASKS)
    assert [contrast.shown for contrast in found.contrasts] == ["lower", "higher", "lower"]
    made.effects = on(**dict.fromkeys(TASKS, -0.5))
    assert made.verdict() == SUPPORTED


FAMILY = HELPS + "".join(
    f"""\
other-{number}:
  words: Something else.
  chapter: 01_dropout
  contrasts:
    - {{arm: {arm}, control: baseline, expect: lower}}
"""
    for number, arm in enumerate(("dropout per=sequence", "l1", "l2", "l1l2", "layer_norm"))
)


def test_holm_adjusts_for_all_claims_of_the_family(tmp_path):
    """The largest p of six stays, the smallest is multiplied by six; a claim alone keeps its own."""
    made = Made(tmp_path, FAMILY)
    made.effects, made.noise = {ARM: -0.15}, 0.2
    family = made.found()
    smallest = min(family.values(), key=lambda claim: claim.p)
    assert smallest.p_adjusted == pytest.approx(6 * smallest.p, rel=1e-4)
    assert all(claim.p_adjusted >= claim.p for claim in family.values())
    made.claims(HELPS)
    alone = made.found()["helps"]
    assert alone.p_adjusted == alone.p == family["helps"].p


def test_a_claim_whose_runs_are_missing_is_named_and_stays_in_the_family(tmp_path):
    """One run that the machine ended leaves eleven units: no verdict, and the others are adjusted as before."""
    made = Made(tmp_path, FAMILY)
    made.effects, made.noise = {ARM: -0.15}, 0.2
    before = made.found()
    made.missing = {("l1 both", "sunspots", 4), ("l1", "sunspots", 4)}
    after = made.found()
    assert after["other-1"].verdict == "runs are missing"
    assert after["other-1"].reason == "11 of the 12 units of each task that a verdict needs are there."
    assert not after["other-1"].judged
    assert after["helps"].p_adjusted == before["helps"].p_adjusted


def test_a_claim_with_no_run_at_all_is_named_as_not_measured(tmp_path):
    """Where every unit of a task misses a run, the contrast is named with the reason, and nothing is guessed."""
    made = Made(tmp_path, FAMILY)
    made.missing = {("l1", "sunspots", seed) for seed in range(12)}
    found = made.found()
    assert found["other-1"].verdict == "runs are missing"
    assert any(line.startswith("other-1, l1 against baseline, declared: ") for line in made.problems)


def test_too_few_units_have_numbers_but_neither_interval_nor_verdict(tmp_path):
    """Five units give an estimate and the exact p; the claim says how many a verdict needs."""
    made = Made(tmp_path, profile=PROFILE.replace("units: 12", "units: 5"))
    made.effects = {ARM: -0.5}
    found = made.found()["helps"]
    assert found.verdict == "judged in no profile"
    assert found.reason == "A verdict needs 12 units of each task; this profile has 5."
    contrast = found.contrasts[0]
    assert contrast.low is None
    assert contrast.high is None
    assert contrast.estimate == pytest.approx(-0.5, abs=0.1)
    assert all(each.p >= 0.0625 for each in contrast.tasks)


def test_the_profile_that_judges_a_claim_is_named(tmp_path):
    """A profile without the arm, or with too few units, names the one with the fewest units that has both."""
    small = PROFILE.replace("units: 12", "units: 2")
    made = Made(tmp_path, profile=small)
    for name, text in (("large", PROFILE.replace("units: 12", "units: 30")), ("middle", PROFILE)):
        (made.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (made.folder / "broken.yaml").write_text("tasks: nonsense\n", encoding="utf-8")
    assert made.verdict() == "judged in middle"


def test_a_claim_left_to_another_profile_trains_nothing_here(tmp_path):
    """`unjudged` leaves the claim's own arms out, says who judges it, and makes the family smaller."""
    twins = HELPS.replace("- {arm", "- {quantity: spread, arm")
    made = Made(tmp_path, twins, PROFILE + "unjudged: [helps]\n")
    (made.folder / "large.yaml").write_text(PROFILE, encoding="utf-8")
    found = made.found()["helps"]
    assert found.verdict == "judged in large"
    assert not found.contrasts
    assert not [arm for arm in made.plan.notebooks["99_comparison"] if arm.name.endswith("twin")]


def test_the_secondary_metric_marks_a_verdict_that_hangs_on_it(made):
    """A lower cross-entropy with a higher error rate, its interval clear of 0, is metric-dependent."""

    def rates(run, result):
        if run.task != "digits_rows":
            return result
        rate = np.full(12, 0.3 if run.recipe.techniques else 0.1) + 0.001 * (run.seed % 3)
        return dataclasses.replace(result, curves={**result.curves, "test/error_rate": rate})

    made.effects = {ARM: -0.2}
    assert not made.found()["helps"].marks
    made.change = rates
    found = made.found()["helps"]
    assert found.verdict == SUPPORTED
    assert found.marks == ("metric-dependent",)
    rate = next(each for each in found.secondary if each.metric == "error_rate")
    assert rate.scale == "difference"
    assert rate.estimate == pytest.approx(0.2)


def test_the_last_epoch_marks_a_verdict_that_hangs_on_the_reading(made):
    """An arm that is better where validation selects and worse in the end is reading-dependent."""

    def late(run, result):
        if not run.recipe.techniques:
            return result
        key = next(name for name in result.curves if name in ("test/rmse", "test/cross_entropy"))
        curve = result.curves[key].copy()
        curve[-1] *= 2
        return dataclasses.replace(result, curves={**result.curves, key: curve})

    made.effects, made.change = {ARM: -0.2}, late
    found = made.found()["helps"]
    assert found.verdict == SUPPORTED
    assert found.marks == ("reading-dependent",)
    (variation,) = [each for each in found.robustness if each.change == "read at the last epoch"]
    assert variation.verdict == CONTRADICTED


def test_other_widths_are_other_networks_with_the_same_contrast(tmp_path):
    """With widths in the profile, the verdict at each stands beside that at the profile's own."""
    made = Made(tmp_path, profile=f"{PROFILE}widths: [2, 8]\n")
    made.effects, outcome = {ARM: -0.2}, made.outcome

    def by_width(run):
        made.effects = {ARM: 0.2 if run.recipe.width == 8 else -0.2}
        return outcome(run)

    made.outcome = by_width
    found = made.found()["helps"]
    assert found.verdict == SUPPORTED
    assert [(each.change, each.verdict) for each in found.robustness][-2:] == [
        ("width 2", SUPPORTED),
        ("width 8", CONTRADICTED),
    ]
    widths = {run.recipe.width for run in made.plan.all_runs.values()}
    assert widths == {2, 4, 8}


def test_a_margin_is_on_the_scale_of_the_numbers():
    """A twentieth of the control's quantity in a log ratio, and of the quantity's own unit in a difference."""
    assert bound_of(0.05, "log ratio") == pytest.approx(np.log(1.05))
    assert bound_of(0.05, "difference") == 0.05
