"""The luck of the search: its estimate against the library that defines it, and the tests that it takes part in."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from lstmstudy.stats import calibration
from lstmstudy.stats.calibration import replayed, sham_rates
from lstmstudy.stats.luck import Luck, Student, luck_beside, luck_between, student
from lstmstudy.stats.pool import Pool
from lstmstudy.stats.sample import Sample
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.stats.tested import tested as judged  # a name that pytest does not take for a test
from lstmstudy.streams import generator

MARGIN = math.log(1.05)


def arms(seed, luck, *, n_arms=9, units=20, spread=0.1):
    """Return numbers of arms that do the same: a difficulty of each unit, the luck of each arm, and noise."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0, 1, size=units)
        + rng.normal(0, luck, size=(n_arms, 1))
        + rng.normal(0, spread, size=(n_arms, units))
    )


def known(variance, error=0.0, least=0.0, freedom=8.0):
    """Return luck of this size."""
    return Luck(*(np.array(each) for each in (variance, error, least, freedom)))


def one_task(values):
    """Return a sample of one task in three folds."""
    return Sample.of({"one": values}, {"one": [k % 3 for k in range(len(values))]})


# The estimate.


@pytest.mark.parametrize("seed", range(3))
def test_luck_is_that_of_an_analysis_of_variance(seed):
    """Twice the mean square of the arms beyond the residual one, over the units, as statsmodels computes both."""
    numbers = arms(seed, 0.1)
    long = pd.DataFrame(
        [(arm, unit, y) for arm, row in enumerate(numbers) for unit, y in enumerate(row)],
        columns=["arm", "unit", "y"],
    )
    squares = anova_lm(ols("y ~ C(arm) + C(unit)", long).fit())
    squares = squares["sum_sq"] / squares["df"]
    expected = 2 * (squares["C(arm)"] - squares["Residual"]) / numbers.shape[1]
    assert expected > 0
    assert luck_between(numbers).variance == pytest.approx(expected)


def test_luck_is_told_right_on_average_and_so_is_its_error():
    """Over many studies the estimate has the mean of the truth, and spreads as far as it says."""
    found = [luck_between(arms(seed, 0.1)) for seed in range(800)]
    variances = np.array([each.variance for each in found])
    assert variances.mean() == pytest.approx(2 * 0.1**2, rel=0.06)
    assert variances.var() == pytest.approx(np.mean([each.error for each in found]), rel=0.25)


def test_where_arms_do_not_differ_there_is_no_luck_in_half_of_the_studies():
    """What units explain is taken off; what is left is 0 or small, never below."""
    variances = np.array([luck_between(arms(seed, 0.0)).variance for seed in range(300)])
    assert (variances >= 0).all()
    assert 0.4 < np.mean(variances == 0) < 0.75
    assert variances.max() < 0.1**2 / 4


def test_how_hard_units_are_is_no_luck():
    """What all arms have in common in a unit changes neither the estimate nor its error."""
    numbers = arms(1, 0.1)
    harder = numbers + np.arange(20)
    np.testing.assert_allclose(luck_between(harder), luck_between(numbers))
    np.testing.assert_allclose(luck_between(3 * numbers).variance, 9 * luck_between(numbers).variance)


@pytest.mark.parametrize("shape", [(1, 20), (9, 1)])
def test_one_arm_or_one_unit_tells_no_luck(shape):
    """Both are refused, with the shape that came."""
    with pytest.raises(
        ValueError, match=rf"at least two arms and two units\. Received: shape=\({shape[0]}, "
    ):
        luck_between(np.zeros(shape))


def test_what_judges_a_pair_knows_nothing_of_it():
    """The luck beside a pair is that between the other arms, whatever the pair does."""
    numbers = arms(2, 0.1, n_arms=7)
    found = luck_beside(numbers)
    assert found.variance.shape == found.error.shape == (7, 7)
    for one, other in [(0, 1), (1, 0), (2, 6)]:
        rest = luck_between(np.delete(numbers, [one, other], axis=0))
        assert Luck(*(each[one, other] for each in found)) == rest
        changed = numbers.copy()
        changed[[one, other]] += [[5.0], [-3.0]]
        assert luck_beside(changed).variance[one, other] == rest.variance
        assert luck_beside(changed).variance[3, 4] > found.variance[3, 4]


# The test.


def test_without_luck_the_test_is_students_over_tasks_welchs():
    """One task gives scipy's t-test; the mean of two tasks is Welch's test of one against the other turned over."""
    rng = np.random.default_rng(3)
    one, two = rng.normal(0.05, 0.1, size=12), rng.normal(0.02, 0.3, size=20)

    def found(*parts):
        moments = np.array([[each.mean(), each.var(ddof=1)] for each in parts]).T
        return student(*moments, [len(each) for each in parts], [None] * len(parts))

    alone = found(one)
    assert alone.p() == pytest.approx(stats.ttest_1samp(one, 0).pvalue)
    assert alone.freedom == pytest.approx(11)
    low, high = stats.ttest_1samp(one, 0).confidence_interval()
    assert (alone.mean - alone.reach(0.975), alone.mean + alone.reach(0.975)) == pytest.approx((low, high))
    both, welch = found(one, two), stats.ttest_ind(one, -two, equal_var=False)
    assert both.p() == pytest.approx(welch.pvalue)
    assert both.freedom == pytest.approx(welch.df)
    less = stats.ttest_1samp(one, MARGIN, alternative="less").pvalue
    more = stats.ttest_1samp(one, -MARGIN, alternative="greater").pvalue
    assert alone.p_equivalence(MARGIN) == pytest.approx(max(less, more))


def test_numbers_without_any_spread_leave_the_decision_to_signs():
    """Nothing varies: the mean is what it is, inside the margin or not."""
    certain = Student(np.array([0.0, 0.04, 0.2]), np.zeros(3), np.full(3, np.inf), np.zeros(3))
    np.testing.assert_array_equal(certain.p(), [0, 0, 0])
    np.testing.assert_array_equal(certain.p_equivalence(MARGIN), [0, 0, 1])


@pytest.mark.parametrize("luck", [0.0, 0.016, 0.03, 0.1])
@pytest.mark.parametrize("quiet", [0.5, 1.0, 2.0])
def test_lucky_searches_are_taken_for_an_effect_no_more_often_than_the_level(luck, quiet):
    """Little luck or much, in arms quieter or louder than shams: with it in the test .05 is kept, at a sixth of .05 too."""
    rng, ps = np.random.default_rng(round(100 * luck + quiet)), []
    for seed in range(1500):
        numbers = arms(seed, luck)
        own = rng.normal(0, luck * math.sqrt(2)) + rng.normal(0, 0.1 * quiet * math.sqrt(2), size=20)
        test = student(np.array([own.mean()]), np.array([own.var(ddof=1)]), [20], [luck_between(numbers)])
        ps.append(float(test.p()))
    for level in (ALPHA, ALPHA / 6):  # Holm over six tasks begins with the second
        assert np.mean(np.array(ps) < level) < level + 4 * math.sqrt(level * (1 - level) / 1500)


def test_units_alone_take_luck_for_an_effect():
    """Without the luck of the search the t-test of two arms that do nothing is far above its level."""
    shares = [
        stats.ttest_1samp(numbers[0] - numbers[1], 0).pvalue < ALPHA
        for numbers in (arms(seed, 0.05) for seed in range(400))
    ]
    assert np.mean(shares) > 3 * ALPHA


@pytest.mark.parametrize("seed", range(6))
def test_a_quiet_arm_has_an_interval_no_wider_than_arms_that_do_nothing(seed):
    """However little its own units vary, and whatever luck is taken off, the interval stays that of eight degrees."""
    luck = luck_between(arms(seed, 0.0))
    found = student(np.array([0.0]), np.array([1e-8]), [20], [luck])
    assert found.freedom == pytest.approx(8)
    assert found.reach(0.975) == pytest.approx(stats.t.ppf(0.975, 8) * math.sqrt(luck.least))


@pytest.mark.parametrize("seed", range(3))
def test_luck_makes_nothing_surer(seed):
    """With luck in it no p is smaller, no interval narrower, no margin smaller, and no fewer units are needed."""
    sample = one_task(np.random.default_rng(seed).normal(-0.05, 0.1, size=12))
    units, lucky = judged(sample, MARGIN, {}, {}), judged(sample, MARGIN, {}, {"one": known(9e-4, 1e-7)})
    assert lucky.estimate == units.estimate
    assert lucky.p >= units.p
    assert lucky.p_equivalence >= units.p_equivalence
    assert lucky.low <= units.low < units.high <= lucky.high
    assert lucky.high - lucky.low > units.high - units.low
    assert lucky.smallest_margin > units.smallest_margin
    assert lucky.units_needed > units.units_needed
    assert lucky.luck == pytest.approx(0.03)
    assert math.isnan(units.luck)
    for name in ("improvement", "improvement_low", "iqm", "p_corrected", "n"):
        assert getattr(lucky, name) == getattr(units, name)


@pytest.mark.parametrize("luck", [0.0, 0.05, 0.3])
def test_an_interval_covers_test_periods_and_luck_together(luck):
    """Where folds differ, which the bootstrap covers, luck is added in quadrature, and nothing where there is none."""
    rng = np.random.default_rng(8)
    values = np.repeat([-0.3, 0.0, 0.3], 6) + rng.normal(0, 0.01, size=18)
    sample = Sample.of({"one": values}, {"one": np.repeat([0, 1, 2], 6)})
    units = judged(sample, MARGIN, {}, {})
    found = judged(sample, MARGIN, {}, {"one": known(luck**2, 1e-12, 0.0, 1e9)})
    of_units = values.var(ddof=1) / 18
    quantile = stats.t.ppf(
        0.975, 17 * (1 + luck**2 / of_units) ** 2
    )  # of units with luck that is known exactly
    for end, alone in ((found.low, units.low), (found.high, units.high)):
        assert abs(end - found.estimate) == pytest.approx(
            math.hypot(alone - found.estimate, quantile * luck), rel=0.02
        )


def test_the_smallest_margin_with_luck_is_where_equivalence_begins():
    """Just above it no practical difference is shown, just below it is not."""
    sample, luck = one_task(np.random.default_rng(4).normal(0, 0.02, size=20)), {"one": known(4e-4, 1e-8)}
    least = judged(sample, MARGIN, {}, luck).smallest_margin
    assert judged(sample, least * 1.001, {}, luck).p_equivalence < ALPHA
    assert judged(sample, least * 0.999, {}, luck).p_equivalence >= ALPHA


def test_much_luck_is_cured_by_no_number_of_units():
    """Where two searches alone set arms apart by more than the margin, units needed are infinite."""
    sample = one_task(np.random.default_rng(5).normal(0, 0.01, size=12))
    assert judged(sample, MARGIN, {}, {"one": known(1e-6)}).units_needed < 20
    assert judged(sample, MARGIN, {}, {"one": known(MARGIN**2)}).units_needed == math.inf


def test_luck_of_another_task_is_none_of_its_own():
    """Only tasks of the sample count, each with its own luck, a k-th of it in the mean over k tasks."""
    values = {name: np.random.default_rng(k).normal(-0.1, 0.1, size=12) for k, name in enumerate("ab")}
    sample = Sample.of(values, {name: [0] * 12 for name in values})
    assert judged(sample, MARGIN, {}, {"c": known(1.0)}) == judged(sample, MARGIN, {}, {})
    found = judged(sample, MARGIN, {}, {"a": known(0.04), "c": known(1.0)})
    assert found.luck == pytest.approx(0.2 / 2)
    assert found.p > judged(sample, MARGIN, {}, {}).p


def test_few_units_have_no_interval_with_luck_either():
    """Five units have a p and no interval; one unit has the p of its sign."""
    luck = {"one": known(1e-4)}
    few = judged(one_task(np.full(5, -0.1)), MARGIN, {}, luck)
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    assert judged(one_task(np.array([-0.1])), MARGIN, {}, luck).p == 1


# In replays.


@pytest.mark.parametrize("sizes", [(9,), (8, 7)])
def test_a_replay_with_luck_reads_what_a_study_reads(monkeypatch, sizes):
    """Each number that the rule reads is that of the single sample, whether luck is one number or one for each sample."""
    for name, value in {"FLIPS": 2**16 - 1, "RESAMPLES": 4000, "ALPHA": 0.05}.items():
        monkeypatch.setattr(calibration, name, value)
    rng = np.random.default_rng(6)
    values = rng.normal(-0.2, 0.05, size=(4, sum(sizes)))
    folds = [np.arange(size) % 3 for size in sizes]
    scales = [[1e-3], [1e-8], [2e-3], [9]]
    each = [Luck(*rng.uniform(0.1, 1, size=(4, 4)) * scales), None][: len(sizes)]
    found = replayed(values, folds, each, MARGIN, "bootstrap")
    for place, row in enumerate(values):
        parts = np.split(row, np.cumsum(sizes)[:-1])
        sample = Sample.of(
            {str(k): part for k, part in enumerate(parts)},
            {str(k): where.tolist() for k, where in enumerate(folds)},
        )
        luck = {"0": Luck(*(column[place] for column in each[0]))}
        whole = judged(sample, MARGIN, {}, luck)
        assert (found.p[place], found.p_equivalence[place]) == pytest.approx(
            (whole.p, whole.p_equivalence), abs=1e-9
        )
        for k, task in enumerate(sample.tasks):
            alone = judged(sample.on(task), MARGIN, {}, luck)
            told = [found.task_estimates[k, place], found.task_ps[k, place]]
            told += [found.task_lows[k, place], found.task_highs[k, place]]
            np.testing.assert_allclose(told, [alone.estimate, alone.p, alone.low, alone.high], atol=1e-9)


def test_a_pair_is_judged_by_the_luck_beside_it_in_resamples_too():
    """Whatever arms a resample holds, each replay has the luck that stands in the table for its pair."""
    numbers = {task: arms(k, 0.1, n_arms=7) for k, task in enumerate(("one", "two"))}
    luck = {task: luck_beside(each) for task, each in numbers.items()}
    pool = Pool(numbers, {task: np.arange(20) % 3 for task in numbers}, luck)
    rng = generator(0, "test")
    for source in (pool, pool.resample(rng), pool.resample(rng)):
        values, _, found = source.pairs(60, rng)
        for (task, table), own, its in zip(numbers.items(), np.split(values, 2, axis=1), found, strict=True):
            means = table.mean(axis=1)  # units come in any order
            for row, judged_by in zip(own, np.array(its).T, strict=True):
                off = np.abs(means[:, None] - means - row.mean())
                pair = np.unravel_index(off.argmin(), off.shape)
                assert off[pair] < 1e-12
                assert tuple(judged_by) == tuple(each[pair] for each in luck[task])


def test_a_pool_without_luck_has_none_in_its_pairs():
    """Then units alone decide."""
    pool = Pool({"one": arms(1, 0.1)}, {"one": np.zeros(20, dtype=int)})
    assert pool.pairs(3, generator(0, "test")).luck == (None,)


def test_the_rule_keeps_its_promise_about_searched_arms_only_if_it_knows_their_luck(monkeypatch):
    """Over studies whose arms differ by the luck of their searches, false verdicts are a multiple of .05 without it."""
    for name, value in {"REPLAYS": 60, "STUDIES": 2, "EACH": 20, "FLIPS": 499}.items():
        monkeypatch.setattr(calibration, name, value)
    shares = {True: [], False: []}
    for seed in range(20):
        numbers = {f"task {k}": arms(100 * seed + k, 0.05) for k in range(3)}
        folds = {task: np.arange(20) % 3 for task in numbers}
        for counted in (True, False):
            luck = {task: luck_beside(each) for task, each in numbers.items()} if counted else {}
            shares[counted].append(sham_rates(Pool(numbers, folds, luck), 6, MARGIN).alone.share)
    honest = np.array(shares[True])
    assert honest.mean() <= ALPHA + 4 * honest.std(ddof=1) / math.sqrt(20)
    assert np.mean(shares[False]) > 3 * ALPHA
