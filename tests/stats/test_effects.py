"""Effects: paired log ratios, and the share of units that improve with tasks of equal weight."""

from __future__ import annotations

import numpy as np
import pytest

from lstmstudy.stats.effects import TINY, improvement_share, log_ratio


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


def test_an_error_of_zero_counts_as_the_least_that_has_a_logarithm():
    """Zero and anything below the least are that number, on both sides; two zeros do not differ."""
    arm, control = np.array([0.0, 0.5, 0.0, TINY / 2, TINY]), np.array([0.5, 0.0, 0.0, TINY, TINY / 9])
    far = np.log(TINY / 0.5)
    np.testing.assert_allclose(log_ratio(arm, control), [far, -far, 0, 0, 0], atol=1e-12)


def test_tasks_weigh_the_same_whatever_their_number_of_units():
    """A task with a hundred units moves the share no more than one with two."""
    assert improvement_share({"large": np.full(100, -1.0), "small": np.full(2, 1.0)}) == 0.5


def test_a_tie_is_half_an_improvement():
    """Better counts one, equal one half, worse nothing."""
    assert improvement_share({"one": np.array([-0.1, 0.0, 0.1, 0.2])}) == 0.375
    assert improvement_share({"one": np.zeros(3)}) == 0.5
    assert improvement_share({"one": np.array([-1.0])}) == 1.0
