"""What is said of one contrast: each number against the library or the simulation that defines it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lstmstudy.stats.effects import improvement_share
from lstmstudy.stats.rule import INCONCLUSIVE, LOWER, SAME, shown
from lstmstudy.stats.sample import Sample, bootstrap_interval
from lstmstudy.stats.sign_flips import ALPHA, equivalence, sign_flip_p, within
from lstmstudy.stats.tested import corrected_p, evidence, units_needed
from lstmstudy.stats.tested import tested as judged  # a name that pytest does not take for a test

MARGIN = math.log(1.05)


def units(seed=0, n=12, mean=-0.05, spread=0.1):
    """Return the numbers of `n` units."""
    return np.random.default_rng(seed).normal(mean, spread, size=n)


def spread_of(size, n=40, seed=0):
    """Return numbers whose mean is 0 and whose standard deviation is just `size`."""
    values = units(seed, n)
    return size * (values - values.mean()) / values.std(ddof=1)


def sample(folds=3, **values):
    """Return a sample whose units go through the folds in turn."""
    return Sample.of(values, {task: [k % folds for k in range(len(each))] for task, each in values.items()})


@pytest.mark.parametrize("spreads", [(0.15,), (0.1, 0.25)])
def test_so_many_units_show_that_nothing_differs_four_times_in_five(spreads):
    """In simulations with that many units of each task and no difference, the margin is shown in 80 %."""
    asked = units_needed(
        sample(**{f"task {k}": spread_of(each) for k, each in enumerate(spreads)}), MARGIN, {}
    )
    n, rng = int(asked), np.random.default_rng(1)
    assert n == asked > 60
    values = np.concatenate([rng.normal(0, each, size=(2500, n)) for each in spreads], axis=1)
    ps = within(values, np.full(values.shape[1], 1 / values.shape[1]), MARGIN, draws=1999)
    assert np.mean(ps < ALPHA) == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 2500))


def test_units_needed_follow_the_spread_and_the_margin():
    """Twice the spread or half the margin ask for four times the units; a second task asks for half of each."""
    one = units_needed(sample(one=spread_of(0.5)), MARGIN, {})
    assert units_needed(sample(one=spread_of(1.0)), MARGIN, {}) == pytest.approx(4 * one, abs=4)
    assert units_needed(sample(one=spread_of(0.5)), MARGIN / 2, {}) == pytest.approx(4 * one, abs=4)
    both = sample(one=spread_of(0.5), two=spread_of(0.5, n=25, seed=1))
    assert units_needed(both, MARGIN, {}) == pytest.approx(one / 2, abs=1)
    assert units_needed(sample(one=spread_of(0.5) + 3), MARGIN, {}) == one


@pytest.mark.parametrize("sizes", [(1,), (1, 12)])
def test_one_unit_of_a_task_tells_no_spread(sizes):
    """How many units are needed is unknown, and so is the corrected p."""
    found = sample(**{f"task {k}": units(k, n) for k, n in enumerate(sizes)})
    assert units_needed(found, MARGIN, {}) == math.inf
    assert math.isnan(corrected_p(found, {}))


@pytest.mark.parametrize("seed", range(4))
def test_without_overlap_the_corrected_p_is_that_of_a_t_test(seed):
    """For one task it is the t-test of a mean; an overlap on some other task does not count."""
    values = units(seed)
    expected = stats.ttest_1samp(values, 0).pvalue
    assert corrected_p(sample(one=values), {}) == pytest.approx(expected, rel=1e-12)
    assert corrected_p(sample(one=values), {"one": 0.0, "two": 0.5}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_without_overlap_the_corrected_p_over_two_tasks_is_that_of_welch(seed):
    """The sum of two means, one of them with its sign changed, is what Welch's test compares."""
    one, two = units(seed, 12), units(seed + 9, 7, spread=0.3)
    expected = stats.ttest_ind(one, -two, equal_var=False).pvalue
    assert corrected_p(sample(one=one, two=two), {}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "ratio", "factor"), [(5, 1 / 4, 1.50), (25, 1 / 4, 2.69), (100, 1 / 9, 3.48)])
def test_overlap_divides_t_by_the_published_factor(n, ratio, factor):
    """The naive t is divided by 1.50, 2.69 and 3.48 for five folds, five times five and ten times ten."""
    values = units(n, n)
    naive = stats.ttest_1samp(values, 0).statistic
    corrected = stats.t.isf(corrected_p(sample(one=values), {"one": ratio}) / 2, n - 1)
    assert abs(naive) / corrected == pytest.approx(factor, abs=0.005)
    assert corrected == pytest.approx(
        abs(values.mean()) / math.sqrt((1 / n + ratio) * values.var(ddof=1)), rel=1e-9
    )


def test_more_overlap_is_less_sure():
    """The p rises with the share of training data that units have in common, on any task."""
    found = sample(one=units(1), two=units(2))
    for task in found.tasks:
        ps = [corrected_p(found, {task: ratio}) for ratio in (0.0, 0.1, 0.25, 1.0, 10.0)]
        assert ps == sorted(set(ps))


def test_numbers_without_spread_have_no_corrected_p():
    """A t-test of a constant is undefined."""
    assert math.isnan(corrected_p(sample(one=np.full(8, -0.1)), {"one": 0.25}))


@pytest.mark.parametrize("sizes", [(12,), (7, 12, 9)])
def test_a_contrast_is_what_its_parts_say(sizes):
    """Estimate, interval, p, equivalence and middle half are those of the tests that are named."""
    found = sample(**{f"task {k}": units(k, n) for k, n in enumerate(sizes)})
    overlap = {"task 0": 0.25}
    told = judged(found, MARGIN, overlap, {})
    same = equivalence(found, MARGIN)
    assert told.n == sizes
    assert told.estimate == found.estimate
    assert (told.low, told.high) == bootstrap_interval(found)
    assert told.p == sign_flip_p(found)
    assert (told.p_equivalence, told.smallest_margin) == same
    assert told.units_needed == units_needed(found, MARGIN, {})
    assert told.p_corrected == corrected_p(found, overlap) != corrected_p(found, {})
    assert told.iqm == pytest.approx(stats.trim_mean(np.concatenate(found.values), 0.25), rel=1e-12)


def test_the_middle_half_leaves_the_extremes_out():
    """Of eight numbers the four in the middle count, however far the others lie, over all tasks together."""
    told = judged(sample(one=np.array([-1e3, -5, 1, 2]), two=np.array([3, 6, 1e3, 1e6])), MARGIN, {}, {})
    assert told.iqm == pytest.approx(3)


def test_an_improvement_is_a_number_below_zero():
    """Ties count half, tasks equally, and the interval of the share is that of the same units."""
    values = {"one": np.array([-0.1, -0.2, 0.0, 0.3, -0.1, 0.0, -0.4]), "two": np.full(6, 0.2)}
    told = judged(sample(**values), MARGIN, {}, {})
    assert told.improvement == pytest.approx((5 / 7 + 0) / 2) == improvement_share(values)
    shares = {"one": np.array([1, 1, 0.5, 0, 1, 0.5, 1]), "two": np.zeros(6)}
    assert (told.improvement_low, told.improvement_high) == bootstrap_interval(sample(**shares))
    assert told.improvement_low < told.improvement < told.improvement_high


def test_all_ties_are_half_an_improvement():
    """Where nothing differs at all, the share is a half and surely so."""
    told = judged(sample(one=np.zeros(12)), MARGIN, {}, {})
    assert told.improvement == 0.5
    assert (told.improvement_low, told.improvement_high) == pytest.approx((0.5, 0.5), abs=1e-12)
    assert (told.estimate, told.p) == (0, 1)
    assert told.p_equivalence == 2**-12


@pytest.mark.parametrize("seed", range(3))
def test_changing_the_sides_mirrors_a_contrast(seed):
    """Control over arm has the mirrored estimate and interval, the rest of the share, and the same p values."""
    values = {"one": units(seed, 8), "two": units(seed + 9, 12)}
    told = judged(sample(**values), MARGIN, {}, {})
    other = judged(sample(**{task: -each for task, each in values.items()}), MARGIN, {}, {})
    assert (other.estimate, other.iqm) == pytest.approx((-told.estimate, -told.iqm))
    assert (other.low, other.high) == pytest.approx((-told.high, -told.low))
    assert other.improvement == pytest.approx(1 - told.improvement)
    assert (other.improvement_low, other.improvement_high) == pytest.approx(
        (1 - told.improvement_high, 1 - told.improvement_low)
    )
    assert (other.p, other.p_equivalence) == (told.p, told.p_equivalence)
    assert other.p_corrected == pytest.approx(told.p_corrected)
    assert other.units_needed == told.units_needed


def test_few_units_have_no_interval_and_still_a_p():
    """Five units have neither interval, and the p that their signs allow."""
    told = judged(sample(one=-np.abs(units(1, 5)) - 0.01), MARGIN, {}, {})
    assert all(
        math.isnan(each) for each in (told.low, told.high, told.improvement_low, told.improvement_high)
    )
    assert told.p == 2 * 0.5**5


def test_the_rule_reads_the_tests_and_the_adjusted_p():
    """It sees the mean and the one-sided p over all tasks, each task's own numbers, and the p it is given."""
    found = sample(one=units(1, 12, mean=-0.3), two=units(2, 9, mean=-0.2))
    whole = judged(found, MARGIN, {}, {})
    tasks = [judged(found.on(task), MARGIN, {}, {}) for task in found.tasks]
    read = evidence(whole, tasks, 0.04)
    assert (read.estimate, read.p, read.p_equivalence) == (whole.estimate, 0.04, whole.p_equivalence)
    assert read.task_estimates.tolist() == [each.estimate for each in tasks]
    assert read.task_ps.tolist() == [each.p for each in tasks]
    assert read.task_lows.tolist() == [each.low for each in tasks]
    assert read.task_highs.tolist() == [each.high for each in tasks]
    assert shown(read) == LOWER
    assert shown(evidence(whole, tasks, 0.06)) == INCONCLUSIVE
    alone = judged(found, 1.0, {}, {})
    assert shown(evidence(alone, tasks, 0.04)) == SAME


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_as_many_units_are_asked_for_as_signs_need(tasks):
    """However small the spread, fewer than five units in all could show nothing by their signs."""
    names = [f"task {number}" for number in range(tasks)]
    values = {name: np.random.default_rng(1).normal(scale=1e-4, size=30) for name in names}
    sample = Sample.of(values, {name: [0] * 30 for name in names})
    assert tasks * units_needed(sample, 0.05, {}) >= 5
    zeros = Sample.of({"one": np.zeros(5)}, {"one": [0] * 5})
    assert judged(zeros, 0.05, {}, {}).p_equivalence < 0.05
