"""Effects: paired log ratios, tasks of equal weight, and an interval that resamples folds and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from lstmstudy.stats.effects import bootstrap_interval, improvement_share, log_ratio


def units(seed=0, n=12, spread=0.1, mean=-0.2):
    """Return log ratios of `n` units."""
    return np.random.default_rng(seed).normal(mean, spread, size=n)


def test_log_ratios_change_sign_with_the_sides():
    """Arm over control is minus control over arm, and halving an error is minus the logarithm of 2."""
    arm, control = np.exp(units(1)), np.exp(units(2))
    np.testing.assert_array_equal(log_ratio(arm, control), -log_ratio(control, arm))
    assert log_ratio(np.array([0.5]), np.array([1.0]))[0] == pytest.approx(-np.log(2))


def test_log_ratios_do_not_depend_on_the_unit_of_measurement():
    """Multiplying both errors by one factor changes nothing."""
    arm, control = np.exp(units(1)), np.exp(units(2))
    np.testing.assert_allclose(log_ratio(40 * arm, 40 * control), log_ratio(arm, control), atol=1e-12)


def test_the_interval_of_a_constant_has_no_width():
    """Where all units of all tasks agree, both ends are that number."""
    values = {"one": np.full(6, -0.25), "two": np.full(4, -0.25)}
    low, high = bootstrap_interval(values, {"one": [0, 1, 2, 0, 1, 2], "two": [0, 0, 1, 1]})
    assert low == pytest.approx(-0.25, abs=1e-12)
    assert high == pytest.approx(-0.25, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_the_estimate(seed):
    """The equal-weight mean lies strictly inside the interval of values that vary."""
    values = {"one": units(seed, 12), "two": units(seed + 100, 9, mean=0.3)}
    folds = {"one": [k % 3 for k in range(12)], "two": [k % 3 for k in range(9)]}
    low, high = bootstrap_interval(values, folds)
    assert low < np.mean([numbers.mean() for numbers in values.values()]) < high


def test_the_interval_is_deterministic():
    """The same values give the same ends; another seed of the resampling gives close but other ones."""
    values, folds = {"one": units()}, {"one": [k % 3 for k in range(12)]}
    first = bootstrap_interval(values, folds)
    assert bootstrap_interval(values, folds) == first
    other = bootstrap_interval(values, folds, seed=1)
    assert other != first
    np.testing.assert_allclose(other, first, atol=0.02)


def test_the_interval_of_one_fold_is_that_of_the_mean_of_its_units():
    """With a single fold the width is the one that theory gives for the mean of n units."""
    numbers = units(3, n=200)
    low, high = bootstrap_interval({"one": numbers}, {"one": [0] * 200})
    assert high - low == pytest.approx(2 * 1.96 * numbers.std() / np.sqrt(200), rel=0.08)


def test_folds_that_differ_widen_the_interval():
    """The same numbers are less sure when what they differ by is the fold."""
    numbers = np.repeat([-0.3, 0.0, 0.3], 4) + units(4, mean=0, spread=0.01)
    by_fold = bootstrap_interval({"one": numbers}, {"one": [0] * 4 + [1] * 4 + [2] * 4})
    mixed = bootstrap_interval({"one": numbers}, {"one": [0, 1, 2] * 4})
    assert by_fold[1] - by_fold[0] > 1.3 * (mixed[1] - mixed[0])


def test_tasks_weigh_the_same_whatever_their_number_of_units():
    """A task with a hundred units moves the interval no more than one with two."""
    values = {"large": np.full(100, -1.0), "small": np.full(2, 1.0)}
    folds = {"large": [0] * 100, "small": [0, 0]}
    assert bootstrap_interval(values, folds) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert improvement_share(values) == 0.5


def test_a_tie_is_half_an_improvement():
    """Better counts one, equal one half, worse nothing."""
    assert improvement_share({"one": np.array([-0.1, 0.0, 0.1, 0.2])}) == 0.375
    assert improvement_share({"one": np.zeros(3)}) == 0.5
    assert improvement_share({"one": np.array([-1.0])}) == 1.0
