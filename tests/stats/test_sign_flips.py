"""Sign flips: exact tests of a mean, of its lying within a margin, and Holm's adjustment, against other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from lstmstudy.stats.sample import Sample
from lstmstudy.stats.sign_flips import (
    ALPHA,
    DRAWS,
    equivalence,
    flips,
    holm,
    sign_flip_p,
    two_sided,
    within,
)


def units(seed=0, n=10, mean=0.03, spread=0.1):
    """Return the numbers of `n` units."""
    return np.random.default_rng(seed).normal(mean, spread, size=n)


def sample(*values):
    """Return a sample of one task for each array."""
    named = {f"task {k}": np.asarray(each, dtype=float) for k, each in enumerate(values)}
    return Sample.of(named, {task: [0] * len(each) for task, each in named.items()})


def counted(numbers):
    """Return the exact two-sided p of the sum of whole numbers, by adding them one by one to all sums."""
    chances = np.ones(1)
    for size in np.abs(numbers):
        step = np.zeros(2 * size + 1)
        step[[0, -1]] = 0.5
        chances = np.convolve(chances, step)
    sums = np.arange(len(chances)) - np.abs(numbers).sum()
    return chances[np.abs(sums) >= abs(numbers.sum())].sum()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 12])
def test_few_units_are_signed_in_all_ways(n):
    """Every way is there once, the observed one first."""
    ways = flips(n)
    assert ways.shape == (2**n, n)
    assert set(np.unique(ways)) == {-1, 1}
    assert len({tuple(way) for way in ways}) == 2**n
    assert (ways[0] == 1).all()


def test_many_units_are_signed_at_random():
    """Above 16 units there are as many random ways as asked for behind the observed one, signs apart and even."""
    assert len(flips(16)) == 2**16
    ways = flips(17)
    assert ways.shape == (DRAWS + 1, 17)
    assert (abs(ways) == 1).all()
    assert (ways[0] == 1).all()
    drawn = ways[1:]
    products = drawn.T @ drawn / DRAWS - np.eye(17)
    assert abs(drawn.mean(axis=0)).max() < 4.5 / math.sqrt(DRAWS)
    assert abs(products).max() < 4.5 / math.sqrt(DRAWS)


@pytest.mark.parametrize("draws", [999, 1023])
def test_fewer_draws_leave_few_units_exact(draws):
    """Ways are all counted where they are no more than the draws and the observed one, drawn where they are more."""
    assert len(flips(9, draws)) == 512
    assert len(flips(10, draws)) == draws + 1
    assert (flips(10, 1023).sum(axis=0) == 0).all()
    assert flips(14, draws).shape == (draws + 1, 14)


@pytest.mark.parametrize("n", [2, 5, 6, 9, 12])
@pytest.mark.parametrize("mean", [0.0, 0.05, -0.2])
def test_the_exact_p_is_that_of_a_permutation_test(n, mean):
    """Up to 12 units of one task it equals scipy's, which flips the signs of a single sample."""
    values = units(n, n, mean)
    other = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(sample(values)) == pytest.approx(other.pvalue, rel=1e-12)


@pytest.mark.parametrize("sizes", [(2, 6), (6, 5), (3, 4, 5)])
def test_the_p_over_tasks_is_that_of_the_mean_of_their_means(sizes):
    """A permutation test of what each unit adds to the mean over tasks of equal weight gives the same p."""
    found = sample(*(units(k, n, 0.05) for k, n in enumerate(sizes)))
    other = stats.permutation_test(
        (found.flat * found.weights,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(found) == pytest.approx(other.pvalue, rel=1e-12)
    assert sign_flip_p(found) != sign_flip_p(sample(found.flat))


@pytest.mark.parametrize("seed", range(6))
def test_the_p_of_signed_ranks_is_that_of_wilcoxon(seed):
    """Ranks with signs have the exact p of the signed-rank test."""
    rng = np.random.default_rng(seed)
    values = rng.permutation(np.arange(1, 12)) * rng.choice([-1, 1], size=11, p=[0.3, 0.7])
    other = stats.wilcoxon(values, method="exact")
    assert sign_flip_p(sample(values)) == pytest.approx(other.pvalue, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ([1, 1, 1, 1, 1], 2 / 32),
        ([1, 1, 1, 1, -1], 12 / 32),
        ([1, 1, 0, 0], 8 / 16),
        ([0.1, 0.2, -0.3], 1),
        ([0.1, 0.2, 0.3], 2 / 8),
        ([0.3, 0.1, -0.2], 6 / 8),
        ([0, 0, 0, 0, 0, 0], 1),
    ],
)
def test_ties_count_as_far(values, p):
    """Sums that are equal, be it up to rounding, are as far as the observed one; all zeros have p 1."""
    assert sign_flip_p(sample(values)) == p


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [17, 24, 40])
def test_many_units_have_the_exact_p_within_its_error(n, seed):
    """Above 16 units the p agrees with the exact one, counted for whole numbers, within its Monte-Carlo error."""
    rng = np.random.default_rng(seed)
    values = np.round(100 * rng.normal(0.1 * seed, 1, size=n)).astype(int)
    exact = counted(values)
    assert sign_flip_p(sample(values)) == pytest.approx(
        exact, abs=4 * math.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS
    )


def test_counting_sums_is_exact():
    """The count that other tests compare with equals a sign-flip p where all ways are counted."""
    values = np.array([5, -3, 8, 2, 2, -1, 7])
    assert counted(values) == sign_flip_p(sample(values))


@pytest.mark.parametrize("n", [20, 40])
def test_a_random_p_is_never_zero(n):
    """The observed way counts, so that the p is at least one in 100 000, and that where no other is as far."""
    p = sign_flip_p(sample(np.full(n, 3.0)))
    assert p >= 1 / 100_000
    if n == 40:
        assert p == 1 / 100_000


@pytest.mark.parametrize("n", [1, 4, 5, 6, 10, 16])
def test_units_that_agree_have_the_smallest_p(n):
    """It is twice a half to the number of units: both tails of one way."""
    assert sign_flip_p(sample(np.abs(units(n, n)) + 0.01)) == 2 * 0.5**n


@pytest.mark.parametrize("n", [9, 30])
def test_the_p_has_no_side_and_no_unit(n):
    """Numbers with changed sides, or in another unit of measurement, have the very same p."""
    values = units(3, n)
    p = sign_flip_p(sample(values))
    assert sign_flip_p(sample(-values)) == p
    assert sign_flip_p(sample(1e6 * values)) == p
    assert sign_flip_p(sample(1e-9 * values)) == p


@pytest.mark.parametrize("weights", [np.full(10, 0.1), np.repeat([1 / 12, 1 / 8], [6, 4])])
def test_the_test_is_exact(weights):
    """Over all signs of given numbers, a p of at most a comes in just the share a of cases, for every p there is."""
    values = np.abs(units(4, 10)) + 0.01
    ps = two_sided(flips(10) * values * weights)
    for level in np.unique(ps):
        assert np.mean(ps <= level) == level


@pytest.mark.parametrize("margin", [0.02, 0.5])
def test_the_equivalence_test_keeps_its_level(margin):
    """Numbers symmetric around the margin itself are called within it in no more than the share of each p."""
    values, weights = np.abs(units(4, 10)) + 0.01, np.repeat([1 / 12, 1 / 8], [6, 4])
    for side in (-1, 1):
        ps = within(flips(10) * values + side * margin, weights, margin)
        assert (ps.min() == 2**-10) == (margin == 0.5)
        for level in np.unique(ps):
            assert np.mean(ps <= level) <= level


@pytest.mark.parametrize("n", [7, 20])
def test_many_samples_at_once_have_the_p_of_each(n):
    """Both vectorized tests equal those of single samples, whatever the weights."""
    values = np.stack([units(seed, n, 0.02) for seed in range(12)])
    parts = [sample(each[:3], each[3:]) for each in values]
    weights = parts[0].weights
    np.testing.assert_array_equal(two_sided(values * weights), [sign_flip_p(each) for each in parts])
    for margin in (0.01, 0.05, 0.2):
        np.testing.assert_array_equal(
            within(values, weights, margin), [equivalence(each, margin).p for each in parts]
        )


@pytest.mark.parametrize("n", [6, 12, 25])
@pytest.mark.parametrize("seed", range(4))
def test_equivalence_has_no_side(n, seed):
    """Arm and control changed, the p and the smallest margin stay."""
    values = units(seed, n)
    one, other = equivalence(sample(values), 0.05), equivalence(sample(-values), 0.05)
    assert one.p == other.p
    assert one.margin == pytest.approx(other.margin, rel=2e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_wider_margin_is_shown_the_more(seed):
    """The p falls with the margin, from above a half at none to the smallest there is."""
    found = sample(units(seed, 7), units(seed + 50, 5))
    ps = [equivalence(found, margin).p for margin in np.linspace(1e-6, 1, 60)]
    assert (np.diff(ps) <= 0).all()
    assert ps[0] > 0.4
    assert ps[-1] == 2**-12


@pytest.mark.parametrize("n", [5, 8, 14, 20])
@pytest.mark.parametrize("asked", [0.001, 0.05, 3.0])
def test_the_smallest_margin_is_where_the_p_crosses_a_twentieth(n, asked):
    """At that margin no difference is shown, a little below it is not, whatever margin was asked about."""
    found = sample(units(n, n))
    least = equivalence(found, asked).margin
    assert equivalence(found, least).p < ALPHA
    assert equivalence(found, least * (1 - 2e-4)).p >= ALPHA
    assert (equivalence(found, asked).p < ALPHA) == (asked >= least)
    assert least > abs(found.estimate)


@pytest.mark.parametrize("sizes", [(1,), (4,), (2, 2), (1, 3)])
def test_four_units_show_no_margin(sizes):
    """The smallest p of one side is a sixteenth, so that no margin is wide enough."""
    found = equivalence(sample(*(units(k, n) for k, n in enumerate(sizes))), 0.05)
    assert found.margin == math.inf
    assert found.p >= 0.5 ** sum(sizes)


def test_the_smallest_margin_has_the_unit_of_the_numbers():
    """Numbers in another unit of measurement have the margin in that unit, and the p of the margin in that unit."""
    one, other = (equivalence(sample(by * units(2)), by * 0.05) for by in (1, 1000))
    assert other.p == one.p
    assert other.margin == pytest.approx(1000 * one.margin, rel=2e-4)


def test_units_without_any_difference_are_equivalent():
    """All zeros have the smallest p, and lie within a margin that is next to nothing."""
    found = equivalence(sample(np.zeros(6)), 0.05)
    assert found.p == 2**-6
    assert 0 < found.margin < 1e-9


@pytest.mark.parametrize("side", [-1, 1])
def test_a_constant_lies_within_any_wider_margin(side):
    """Units that all differ by .03 are shown to differ by less than .031, and not by less than .029."""
    found = equivalence(sample(np.full(6, side * 0.03)), 0.031)
    assert found.p == 2**-6
    assert found.margin == pytest.approx(0.03, rel=2e-4)
    assert equivalence(sample(np.full(6, side * 0.03)), 0.029).p == 1


@pytest.mark.parametrize("n", [40, 80])
@pytest.mark.parametrize("mean", [-0.03, 0.0, 0.03])
def test_equivalence_agrees_with_two_t_tests(n, mean):
    """For many normal numbers the p is that of two one-sided t-tests, up to terms of order 1 / n."""
    values = units(n, n, mean)
    for margin in (0.01, 0.03, 0.05, 0.1):
        other = DescrStatsW(values).ttost_mean(-margin, margin)[0]
        error = 4 * math.sqrt(other * (1 - other) / DRAWS)
        assert equivalence(sample(values), margin).p == pytest.approx(other, abs=error + 0.2 / n)


def test_holm_is_that_of_the_textbook():
    """The smallest of three is tripled, the next doubled, and none overtakes the one before it."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06], rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("seed", range(4))
def test_holm_is_that_of_statsmodels(n, seed):
    """Random p values, small, large and equal ones among them, are adjusted as statsmodels does it."""
    ps = np.round(np.random.default_rng(seed).beta(0.3, 2, size=n), 2 + seed)
    np.testing.assert_allclose(holm(ps), multipletests(ps, method="holm")[1], rtol=1e-12)


def test_holm_adjusts_each_column_by_itself():
    """Along the first axis only, for columns and for tables; what is given is left as it is."""
    ps = np.random.default_rng(1).random((6, 4, 5)) ** 3
    kept, found = ps.copy(), holm(ps)
    for row in range(4):
        for place in range(5):
            np.testing.assert_array_equal(found[:, row, place], holm(ps[:, row, place]))
    np.testing.assert_array_equal(ps, kept)


def test_holm_of_one_is_itself():
    """A family of one adjusts nothing, and no adjusted p passes 1."""
    assert holm([0.3]).tolist() == [0.3]
    assert holm([0.5, 0.9, 0.7]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("margin", [0.0, -0.1])
def test_a_margin_that_is_no_margin_is_refused(margin):
    """Without a margin there is nothing that could be shown to be smaller."""
    sample = Sample.of({"one": [0.1, -0.1]}, {"one": [0, 0]})
    with pytest.raises(ValueError, match=r"above 0\. Received: margin="):
        equivalence(sample, margin)
