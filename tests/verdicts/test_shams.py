"""The luck of the search in verdicts: it is measured with arms that do nothing and counts where searches differ."""

from __future__ import annotations

import dataclasses
import math
from unittest.mock import Mock

import numpy as np
import pytest
from judging import PROFILE, TASKS, Made

from lstmstudy.claims.table import load_claims
from lstmstudy.params.tuned import Tuned, load_tuned, save_tuned
from lstmstudy.stats.calibration import Rate, ShamRates
from lstmstudy.stats.luck import luck_beside, luck_between
from lstmstudy.study.ablation import Ablation, search_luck
from lstmstudy.study.study import Study
from lstmstudy.verdicts import honesty
from lstmstudy.verdicts.bench import Bench
from lstmstudy.verdicts.compared import _same, advice_found
from lstmstudy.verdicts.contrasts import Judgement
from lstmstudy.verdicts.judging import ordered
from lstmstudy.verdicts.measures import DECLARED, LAST
from lstmstudy.verdicts.rows import SHAM, TECHNIQUE, unit_rows
from lstmstudy.verdicts.shams import KnownLuck, alike, known_luck

pytest_plugins = ["judging"]
pytestmark = pytest.mark.usefixtures("quick")

WITH_SHAM = PROFILE.replace("layer_norm]\nunits", "layer_norm, sham]\nunits")
CLAIMS = """\
helps:
  words: L2 helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l2, control: baseline, expect: lower}
same:
  words: L2 at one rate helps.
  chapter: 04_weight_penalties
  contrasts:
    - {arm: l2, control: same learning rate, expect: lower}
reach:
  words: L2 is fast.
  chapter: 04_weight_penalties
  contrasts:
    - {quantity: updates to level, arm: l2, control: baseline, expect: lower}
agree:
  words: L2 agrees.
  chapter: 04_weight_penalties
  contrasts:
    - {quantity: spread, arm: l2, control: baseline, expect: lower}
"""
RATE = Rate(0.02, 0.0, 0.04)
RATES = {"sign_flip_rate": RATE, "sham_rates": ShamRates(RATE, RATE)}
LUCK = 0.12  # standard deviation of an arm's luck on a task


def searched_apart(folder):
    """Give every arm of a ``tuned.yaml`` a learning rate of its own."""
    tuned = load_tuned(folder)
    sizes = {}
    for size, tasks in tuned.sizes.items():
        sizes[size] = {}
        for task, arms in tasks.items():
            found = {}
            for number, (key, each) in enumerate(arms.items()):
                trial = each.best.model_copy(update={"learning_rate": 0.001 + 1e-5 * number})
                found[key] = each.model_copy(update={"best": trial, "trials": [trial]})
            sizes[size][task] = found
    save_tuned(Tuned(sizes), folder)


def study(folder, *, apart=True, profile=WITH_SHAM, effect=-0.1):
    """Return a study in which L2 helps by `effect` and every other difference is the luck of a search."""
    made = Made(folder, CLAIMS, profile)
    if apart:
        searched_apart(made.folder)
        made.plan = made.plan_of(made.folder)
    rng = np.random.default_rng(7)
    for task in TASKS:
        for number in range(1, 9):
            made.effects[f"sham {number}", task] = LUCK * rng.normal()
    made.effects["l2"] = effect
    made.noise = 0.04
    return made


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """Return a study whose arms were searched apart, with its table of units."""
    made = study(tmp_path_factory.mktemp("apart"))
    made.table, _ = unit_rows(Bench(made.plan, made.outcome))
    made.judgement = Judgement({}, known_luck(made.table))
    return made


def test_luck_is_that_between_the_baseline_and_all_shams(apart):
    """On each task it comes from nine arms in the units of the study, on the scale of log ratios."""
    luck = known_luck(apart.table).by_view[DECLARED]
    assert list(luck) == list(TASKS)
    for task, each in alike(apart.table).items():
        assert each.numbers.shape == (9, 12)
        own = [row for row in apart.table if (row.claim, row.view, row.task) == (SHAM, DECLARED, task)]
        np.testing.assert_allclose(each.numbers[0], np.log([row.control for row in own[:12]]))
        np.testing.assert_allclose(each.numbers[8], np.log([row.arm for row in own[-12:]]))
        assert luck[task] == luck_between(each.numbers)
        assert 0.3 * LUCK < math.sqrt(luck[task].variance / 2) < 2 * LUCK


def test_an_effect_that_units_alone_would_show_must_exceed_the_luck(apart, tmp_path):
    """L2 helps by a tenth in every unit, which searches alone could have done: only without shams it is supported."""
    found = apart.found(apart.table)["helps"]
    assert found.verdict == "inconclusive"
    first = found.contrasts[0]
    expected = sum(float(each.variance) for each in known_luck(apart.table).by_view[DECLARED].values())
    assert first.luck == pytest.approx(math.sqrt(expected) / 3, rel=1e-5)
    assert first.low < first.estimate - 2 * first.luck
    assert first.high > first.estimate + 2 * first.luck
    without = study(tmp_path, profile=PROFILE).found()["helps"]
    assert without.verdict == "supported"
    assert without.contrasts[0].luck is None
    assert without.contrasts[0].estimate == pytest.approx(first.estimate, abs=0.05)


def test_a_large_effect_is_supported_all_the_same(tmp_path):
    """Half of the error is more than any luck here."""
    assert study(tmp_path, effect=-0.7).found()["helps"].verdict == "supported"


def test_luck_is_no_part_of_what_was_not_searched_apart(apart, tmp_path):
    """Neither at one learning rate of two arms nor where all searches chose the same one."""
    same = apart.found(apart.table)["same"]
    assert same.contrasts[0].luck is None
    assert same.verdict == "supported"
    together = study(tmp_path, apart=False)
    rows = together.rows()
    assert known_luck(rows)
    assert not any(row.searched_apart for row in rows)
    found = together.found(rows)["helps"]
    assert found.contrasts[0].luck is None
    assert found.verdict == "supported"


def test_too_few_shams_tell_no_luck(apart):
    """Six arms that do nothing are enough, five are not; then units alone decide."""
    for shams, known in ((5, True), (4, False)):
        rows = [row for row in apart.table if row.claim != SHAM or row.contrast < shams]
        assert bool(known_luck(rows)) == known
        assert (apart.found(rows)["helps"].contrasts[0].luck is not None) == known


def test_every_quantity_has_luck_of_its_own_or_says_that_it_lacks_it(apart):
    """Epochs to a level have that of these epochs; a spread takes twins, which shams have not, and is marked."""
    luck = known_luck(apart.table).by_view
    assert set(luck) == {DECLARED, f"test error {LAST}", "updates to level"}
    assert {task: each.variance for task, each in luck["updates to level"].items()} != {
        task: each.variance for task, each in luck[DECLARED].items()
    }
    found = apart.found(apart.table)
    assert found["reach"].contrasts[0].luck is not None
    assert found["agree"].contrasts[0].luck is None
    assert {name: "blind to the luck of the search" in claim.marks for name, claim in found.items()} == {
        "helps": False,
        "same": False,
        "reach": False,
        "agree": True,
    }


def test_both_arms_read_at_the_last_epoch_have_the_luck_of_that_reading(apart):
    """Where shams differ more in the end, that is the luck in the view of the last epoch, and what is declared has its own."""
    louder = [
        dataclasses.replace(row, arm=row.arm * math.exp(0.5 * (row.contrast - 4)))
        if (row.claim, row.view) == (SHAM, f"test error {LAST}")
        else row
        for row in apart.table
    ]
    claim = load_claims(apart.folder)["helps"]
    (contrast,) = claim.contrasts
    own = [row for row in apart.table if (row.claim, row.view) == ("helps", LAST)]
    loud, quiet = (known_luck(rows).on(contrast, own) for rows in (louder, apart.table))
    assert list(loud) == list(quiet) == list(TASKS)
    for task in TASKS:
        assert loud[task].variance > 1
        assert quiet[task].variance < 0.1
    first = [row for row in apart.table if (row.claim, row.view) == ("helps", DECLARED)]
    assert known_luck(louder).on(contrast, first) == known_luck(apart.table).on(contrast, first)


def test_units_that_a_sham_lacks_count_in_none(apart):
    """The arms that do nothing are compared in the units that all of them have."""
    first = next(row for row in apart.table if row.claim == SHAM)
    rows = [row for row in apart.table if row != first]
    assert alike(rows)[first.task].numbers.shape == (9, 11)
    assert known_luck(rows).by_view[DECLARED].keys() == set(TASKS)


@pytest.fixture(scope="module")
def told(apart):
    """Return what tells how honest the rule is, with the pool and the questions that it was measured with."""
    with pytest.MonkeyPatch.context() as patch:
        for name, rate in RATES.items():
            patch.setattr(honesty, name, Mock(return_value=rate))
        found = honesty.calibration_found(
            apart.plan, ordered(apart.table, apart.plan.profile), ["helps", "same"], apart.judgement
        )
        return found, {name: getattr(honesty, name).call_args.args[0] for name in RATES}


def test_a_sham_is_judged_by_the_luck_of_the_others(apart, told):
    """Neither its own luck nor the baseline's is in it, in its contrast and in every pair that is replayed."""
    found, seen = told
    beside = {task: luck_beside(each.numbers) for task, each in alike(apart.table).items()}
    for arm, sham in enumerate(found.shams, start=1):
        variance = sum(each.variance[0, arm] for each in beside.values())
        assert sham.luck == pytest.approx(math.sqrt(variance) / 3, rel=1e-5)
    assert len({sham.luck for sham in found.shams}) == 8
    for task, each in seen["sham_rates"].luck.items():
        np.testing.assert_array_equal(each.variance, beside[task].variance)
    assert list(seen["sham_rates"].luck) == list(TASKS)


def test_random_signs_are_judged_with_the_luck_of_each_claim(apart, told):
    """A claim whose arms were searched apart has it, one at the same rate has none."""
    lucky, alone = told[1]["sign_flip_rate"]
    assert lucky.luck == (known_luck(apart.table).by_view[DECLARED],)
    assert alone.luck == ({},)


def test_advice_has_the_luck_in_what_is_as_good_and_in_the_units_that_are_needed(apart):
    """As good is only what luck too leaves within the margin, and no number of units settles what luck hides."""
    units = dataclasses.replace(apart.judgement, luck=KnownLuck({}))
    for judgement, settled in ((units, True), (apart.judgement, False)):
        advice = advice_found(apart.plan, apart.table, (), judgement)
        assert [each.units_needed is not None for each in advice] == [settled] * len(TASKS)
    task = TASKS[0]
    rows = [row for row in apart.table if row.claim == TECHNIQUE]
    own = [row for row in rows if (row.contrast, row.task, row.view) == (0, task, DECLARED)]
    near = [dataclasses.replace(row, number=row.number + 1e-4 * (row.seed % 3)) for row in own]
    assert _same(near, own, units)
    assert not _same(near, own, apart.judgement)
    together = [dataclasses.replace(row, searched_apart=False) for row in own]
    assert not _same(near, together, apart.judgement)
    assert _same([dataclasses.replace(row, searched_apart=False) for row in near], together, apart.judgement)


def test_a_comparison_has_the_interval_of_the_verdict(apart):
    """The effect of an arm in a chapter is that of its contrast, over all tasks and on each, luck and all."""
    arm, luck = apart.plan.tuned("l2")[0], search_luck(apart.plan, apart.outcome)
    assert list(luck) == list(TASKS)
    (contrast,) = apart.found(apart.table)["helps"].contrasts
    made, units = (Ablation(apart.plan, apart.outcome, [arm], each) for each in (luck, {}))
    for told, task in [(contrast, None), *((each, each.task) for each in contrast.tasks)]:
        effect = made.effect(arm, task)
        assert (effect.estimate, effect.low, effect.high) == pytest.approx(
            (told.estimate, told.low, told.high), rel=1e-4
        )
        assert effect.high - effect.low > 1.5 * (units.effect(arm, task).high - units.effect(arm, task).low)


def test_a_comparison_of_arms_at_one_rate_has_no_luck(tmp_path):
    """Where all searches chose the same rate, luck changes no interval; neither where too few shams are there."""
    together = study(tmp_path / "together", apart=False)
    arm = together.plan.tuned("l2")[0]
    luck = search_luck(together.plan, together.outcome)
    assert luck
    one, other = (Ablation(together.plan, together.outcome, [arm], each).effect(arm) for each in (luck, {}))
    assert (one.low, one.high) == (other.low, other.high)
    without = study(tmp_path / "without", profile=PROFILE)
    assert search_luck(without.plan, without.outcome) == {}
    lacking = study(tmp_path / "lacking")
    lacking.missing = {("sham 1", TASKS[0], seed) for seed in range(12)} | {("sham 2", TASKS[1], 3)}
    told = known_luck(lacking.rows()).by_view[DECLARED]
    for task, each in search_luck(
        lacking.plan, lacking.outcome
    ).items():  # sham 1 counts nowhere, of 2 all but a unit
        np.testing.assert_allclose(each, told[task], rtol=1e-4, atol=1e-9)
    lacking.missing = {(f"sham {number}", TASKS[0], seed) for number in range(1, 5) for seed in range(12)}
    assert search_luck(lacking.plan, lacking.outcome) == {}
    assert not known_luck(lacking.rows())


def test_a_study_gives_its_comparisons_of_tuned_arms_the_luck(apart, tmp_path):
    """study.ablate of a tuned arm has the interval of the verdict; what validation says has none of the test errors' luck."""
    opened = Study(apart.plan, apart.store(tmp_path / "store"))
    arm = apart.plan.tuned("l2")[0]
    effect, (contrast,) = opened.ablate(arm).effect(arm), apart.found(apart.table)["helps"].contrasts
    assert (effect.low, effect.high) == pytest.approx((contrast.low, contrast.high), rel=1e-4)
    seen, units = (
        each.effect(arm, part="validation")
        for each in (opened.ablate(arm), Ablation(apart.plan, apart.outcome, [arm]))
    )
    assert (seen.low, seen.high) == (units.low, units.high)
