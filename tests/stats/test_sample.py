"""Samples: numbers of units with tasks of equal weight, and an interval that resamples folds, then units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lstmstudy.stats.sample import DRAWS, FEWEST, Sample, bootstrap_interval, resampled


def units(seed=0, n=12, spread=0.1, mean=-0.2):
    """Return log ratios of `n` units."""
    return np.random.default_rng(seed).normal(mean, spread, size=n)


def sample(folds=3, **values):
    """Return a sample whose units go through the folds in turn."""
    return Sample.of(values, {task: [k % folds for k in range(len(each))] for task, each in values.items()})


def width(of):
    """Return how wide the interval of a sample is."""
    low, high = bootstrap_interval(of)
    return high - low


def test_tasks_weigh_the_same_whatever_their_number_of_units():
    """A task with a hundred units moves the estimate and its interval no more than one with six."""
    found = sample(large=np.full(100, -1.0), small=np.full(6, 1.0))
    assert found.estimate == 0
    assert bootstrap_interval(found) == pytest.approx((0, 0), abs=1e-12)


def test_the_estimate_is_the_mean_of_the_means_of_tasks():
    """It is the weighted sum of all numbers, and the mean of what each task says by itself."""
    found = sample(one=units(1, 7), two=units(2, 12), three=units(3, 5))
    assert found.estimate == pytest.approx(np.mean([found.on(task).estimate for task in found.tasks]))
    assert found.estimate == pytest.approx(found.flat @ found.weights)
    assert found.weights.sum() == pytest.approx(1)
    assert found.estimate != pytest.approx(found.flat.mean(), abs=1e-6)


def test_a_sample_is_taken_apart_task_by_task():
    """A slice of all numbers is its task's; one task and the others are the parts of the whole."""
    found = sample(one=units(1, 7), two=units(2, 12), three=units(3, 5))
    for task, numbers, folds, place in zip(found.tasks, found.values, found.folds, found.slices, strict=True):
        np.testing.assert_array_equal(found.flat[place], numbers)
        own, others = found.on(task), found.without(task)
        assert own.tasks == (task,)
        np.testing.assert_array_equal(own.flat, numbers)
        np.testing.assert_array_equal(own.folds[0], folds)
        assert others.tasks == tuple(name for name in found.tasks if name != task)
        assert own.estimate + 2 * others.estimate == pytest.approx(3 * found.estimate)
        assert [len(each) for each in others.folds] == [len(each) for each in others.values]
    assert found.fewest == 5
    assert found.without("three").fewest == 7


@pytest.mark.parametrize(
    ("values", "folds"),
    [
        ({"one": [0.1, math.nan]}, {"one": [0, 1]}),
        ({"one": [0.1, 0.2], "two": [math.inf, 0.2]}, {"one": [0, 1], "two": [0, 1]}),
        ({"one": [0.1, -math.inf]}, {"one": [0, 1]}),
        ({"one": [0.1, 0.2], "two": []}, {"one": [0, 1], "two": []}),
        ({}, {}),
        ({"one": [0.1, 0.2]}, {"one": [0]}),
        ({"one": [0.1]}, {"one": [0, 1]}),
    ],
    ids=["nan", "infinite", "minus infinite", "empty task", "no task", "fold missing", "number missing"],
)
def test_numbers_that_have_no_mean_are_refused(values, folds):
    """A number that is not finite, a task without units or without a fold for each: the message ends with what came."""
    with pytest.raises(ValueError, match=r"^Expected [^\n]+ Received: (tasks|values)=[\s\S]+$"):
        Sample.of(values, folds)


def test_the_only_task_cannot_be_left_out():
    """What is left of a sample has at least one task."""
    with pytest.raises(ValueError, match=r"Received: tasks=\(\), sizes=\[\]$"):
        sample(one=units()).without("one")


@pytest.mark.parametrize("sizes", [(5,), (1,), (5, 12), (12, 5), (12, 12, 2)])
def test_five_units_on_any_task_have_no_interval(sizes):
    """One task with fewer than six units leaves both ends unknown, however many the others have."""
    found = sample(**{f"task {k}": units(k, n) for k, n in enumerate(sizes)})
    assert all(math.isnan(end) for end in bootstrap_interval(found))


def test_six_units_on_every_task_have_an_interval():
    """The fewest with which an interval is given is the fewest of which a sign-flip test can reach .05."""
    assert all(math.isfinite(end) for end in bootstrap_interval(sample(one=units(1, 6), two=units(2, 9))))
    assert 2 * 0.5**FEWEST < 0.05 < 2 * 0.5 ** (FEWEST - 1)


@pytest.mark.parametrize("folds", [[0] * 7, [0, 1, 2] * 4, [2, 2, 2, 7, 7, 4, 4, 4, 4]])
def test_a_resample_is_a_mean(folds):
    """The weights of every resample sum to 1 and none is negative."""
    weights = resampled(np.array(folds), 500, 0, "test")
    assert weights.shape == (500, len(folds))
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_a_resample_draws_folds_first():
    """Each fold comes in whole as often as it is drawn: three draws of three, as likely as chance has it."""
    folds = np.array([0, 1, 2] * 4)
    weights = resampled(folds, DRAWS, 0, "test")
    times = 3 * np.stack([weights[:, folds == fold].sum(axis=1) for fold in range(3)])
    np.testing.assert_allclose(times, times.round(), atol=1e-12)
    counts = times.round().astype(int)
    for share, chance in [
        ((counts == 1).all(axis=0).mean(), 6 / 27),
        ((counts == 3).any(axis=0).mean(), 3 / 27),
        *(((each >= 1).mean(), 19 / 27) for each in counts),
    ]:
        assert share == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / DRAWS))


def test_a_fold_drawn_twice_has_its_units_drawn_twice():
    """The units of a fold are drawn anew for each place that it takes, with repetition, each as likely."""
    folds = np.array([0, 0, 0, 1, 1, 1])
    weights = resampled(folds, DRAWS, 0, "test")
    np.testing.assert_allclose(6 * weights, (6 * weights).round(), atol=1e-12)
    counts = (6 * weights).round().astype(int)
    twice = counts[counts[:, :3].sum(axis=1) == 6][:, :3]
    assert (twice % 2 == 1).any()
    assert 4 in counts
    # Of 6 draws from a fold, one unit gets k with the chance of a binomial.
    for k in range(5):
        chance = stats.binom.pmf(k, 6, 1 / 3)
        assert (twice[:, 0] == k).mean() == pytest.approx(
            chance, abs=4 * math.sqrt(chance * (1 - chance) / len(twice))
        )
    # Of 6 draws from all units, each gets one: its weight is that in the mean.
    spread = weights.std(axis=0) / math.sqrt(DRAWS)
    assert (abs(weights.mean(axis=0) - 1 / 6) < 4 * spread).all()


def test_the_interval_of_a_constant_has_no_width():
    """Where all units of all tasks agree, both ends are that number."""
    found = sample(one=np.full(7, -0.25), two=np.full(11, -0.25))
    assert bootstrap_interval(found) == pytest.approx((-0.25, -0.25), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_estimate(seed):
    """The equal-weight mean lies strictly inside the interval of values that vary."""
    found = sample(one=units(seed, 12), two=units(seed + 100, 9, mean=0.3))
    low, high = bootstrap_interval(found)
    assert low < found.estimate < high


def test_the_interval_moves_and_scales_with_the_numbers():
    """Three times the numbers plus one, or the numbers with the sides changed, have the same interval moved."""
    values = units(5)
    low, high = bootstrap_interval(sample(one=values))
    assert bootstrap_interval(sample(one=3 * values + 1)) == pytest.approx((3 * low + 1, 3 * high + 1))
    assert bootstrap_interval(sample(one=-values)) == pytest.approx((-high, -low))


def test_the_interval_is_deterministic():
    """The same numbers give the same ends; another seed of the resampling gives close but other ones."""
    first = bootstrap_interval(sample(one=units()))
    assert bootstrap_interval(sample(one=units())) == first
    assert bootstrap_interval(sample(one=units()), seed=0) == first
    other = bootstrap_interval(sample(one=units()), seed=1)
    assert set(other).isdisjoint(first)
    np.testing.assert_allclose(other, first, atol=0.02)


@pytest.mark.parametrize("n", [8, 40])
def test_the_interval_of_one_fold_is_the_percentile_bootstrap(n):
    """With one task and one fold it is scipy's, within the Monte-Carlo error of a quantile of so many draws."""
    values = units(3, n)
    found = bootstrap_interval(sample(1, one=values))
    other = stats.bootstrap(
        (values,), np.mean, n_resamples=100_000, method="percentile", rng=np.random.default_rng(0)
    )
    # sqrt(q (1 - q) / draws) over the density of a normal at its 2.5 % quantile
    error = math.sqrt(0.025 * 0.975 * (1 / DRAWS + 1e-5)) / stats.norm.pdf(stats.norm.ppf(0.025))
    np.testing.assert_allclose(
        found, other.confidence_interval, atol=4 * error * other.standard_error, rtol=0
    )


def test_folds_that_differ_widen_the_interval():
    """The same numbers are less sure when what they differ by is the fold."""
    numbers = np.repeat([-0.3, 0.0, 0.3], 4) + units(4, mean=0, spread=0.01)
    by_fold = Sample.of({"one": numbers}, {"one": np.repeat([0, 1, 2], 4)})
    assert width(by_fold) > 1.3 * width(sample(3, one=numbers))


def test_units_that_agree_within_folds_are_as_sure_as_there_are_folds():
    """Four copies of each of ten numbers, a fold each, have the spread of ten numbers and not of forty."""
    numbers = units(4, 10)
    copies = Sample.of({"one": np.repeat(numbers, 4)}, {"one": np.repeat(np.arange(10), 4)})
    assert width(copies) == pytest.approx(width(sample(1, one=numbers)), rel=0.1)
    assert width(copies) > 1.7 * width(sample(1, one=np.repeat(numbers, 4)))


def test_tasks_are_resampled_apart():
    """Two tasks with the same numbers are surer than one of them, by the square root of 2."""
    numbers = units(6, 30)
    assert width(sample(1, one=numbers)) == pytest.approx(
        math.sqrt(2) * width(sample(1, one=numbers, two=numbers)), rel=0.1
    )


def coverage(studies, truth):
    """Return the share of studies whose interval holds the truth."""
    ends = np.array([bootstrap_interval(each) for each in studies])
    return np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))


def nominal(shrunk, freedom):
    """Return the coverage of normal quantiles around a mean whose variance is estimated, and too small."""
    return 1 - 2 * stats.t.sf(stats.norm.ppf(0.975) * math.sqrt(shrunk), freedom)


def test_the_interval_covers_the_mean_of_independent_units():
    """Over 800 studies of two tasks it holds the true mean as often as theory gives a percentile interval."""
    rng = np.random.default_rng(1)
    studies = [
        sample(1, one=rng.normal(0.3, 0.1, size=40), two=rng.normal(-0.1, 0.1, size=40)) for _ in range(800)
    ]
    expected = nominal(39 / 40, 78)
    assert expected == pytest.approx(0.95, abs=0.01)
    assert coverage(studies, 0.1) == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / 800)
    )


def test_the_interval_covers_the_mean_over_folds():
    """Where folds differ more than seeds it still holds the true mean; taking units for independent would not."""
    rng = np.random.default_rng(2)
    numbers = rng.normal(0, 0.1, size=(600, 20, 1)) + rng.normal(0, 0.03, size=(600, 20, 4))
    folds = np.repeat(np.arange(20), 4)
    studies = [Sample.of({"one": each.ravel()}, {"one": folds}) for each in numbers]
    blind = [sample(1, one=each.ravel()) for each in numbers]
    of_folds, of_units = 0.1**2 + 0.03**2 / 4, 0.03**2 * 3 / 4 / 4
    expected = nominal((of_folds * 19 / 20 + of_units) / of_folds, 19)
    assert coverage(studies, 0) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 600))
    assert coverage(blind, 0) < 0.8


def test_a_resample_counts_its_units_equally_whatever_fold_they_come_from():
    """Of a large and a small fold, both drawn, each unit weighs the same, as in the estimate."""
    values = {"one": np.concatenate([np.zeros(10), np.ones(2)])}
    sample = Sample.of(values, {"one": [0] * 10 + [1] * 2})
    means = resampled(sample.folds[0], 4000, 0, "here") @ sample.flat
    assert sample.estimate == pytest.approx(1 / 6)
    # Drawn fold by fold, so the mean of resamples is (0 + 2/12 + 2/12 + 1) / 4.
    assert means.mean() == pytest.approx((0 + 1 / 6 + 1 / 6 + 1) / 4, abs=0.02)
