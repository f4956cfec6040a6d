"""The expected best of random search: what drawing trials with replacement gives, exactly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lstmstudy.stats.expected_best import expected_best

FOUR = [[0.4], [0.3, 0.7], [2.0, 1.0, 5.0], [0.5, 0.2, 0.2, 0.9], [1.0, 1.0, 1.0, 1.0], [-3.0, 0.0, 2.0, 8.0]]


def errors(seed, n=30):
    """Return the errors of so many trials."""
    return np.random.default_rng(seed).lognormal(size=n)


def enumerated(trials):
    """Return the mean of the least over all ways to draw 1, 2, ... of the trials, each as likely."""
    return [
        np.mean([min(drawn) for drawn in itertools.product(trials, repeat=n)])
        for n in range(1, len(trials) + 1)
    ]


@pytest.mark.parametrize("trials", [*FOUR, [0.1, np.inf], [np.inf, 0.3, np.inf, 0.2], [np.inf, np.inf]])
def test_the_curve_is_the_mean_over_all_draws(trials):
    """For few trials it equals the enumeration of every draw with replacement, diverged ones being the worst."""
    np.testing.assert_allclose(expected_best(trials), enumerated(trials), rtol=1e-12, atol=1e-12)


def test_the_curve_is_what_drawing_gives():
    """For many trials it agrees with random draws, within their error."""
    trials, rng = errors(1, 24), np.random.default_rng(2)
    curve = expected_best(trials)
    for n in (2, 5, 24):
        least = rng.choice(trials, size=(20_000, n)).min(axis=1)
        assert curve[n - 1] == pytest.approx(least.mean(), abs=4 * least.std() / np.sqrt(20_000))


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_falls_from_the_mean_towards_the_least(seed):
    """One trial is expected to be the mean, no trial makes it worse, and none beats the best there is."""
    trials = errors(seed)
    curve = expected_best(trials)
    assert curve.shape == (30,)
    assert curve[0] == pytest.approx(trials.mean(), rel=1e-12)
    assert (np.diff(curve) < 0).all()
    assert (curve >= trials.min()).all()
    assert curve[-1] > trials.min()


def test_equal_trials_have_a_flat_curve():
    """Where all trials are the same, more of them expect nothing else."""
    np.testing.assert_allclose(expected_best(np.full(9, 0.7)), 0.7, rtol=1e-12)


def test_the_order_of_trials_does_not_count():
    """Trials are draws from one distribution, so that their order says nothing."""
    trials = errors(3)
    np.testing.assert_array_equal(expected_best(trials[::-1]), expected_best(trials))


def test_the_curve_has_the_unit_of_the_errors():
    """Errors scaled and moved have the curve scaled and moved; the trials given are left as they are."""
    trials = errors(4)
    kept = trials.copy()
    np.testing.assert_allclose(expected_best(5 * trials + 2), 5 * expected_best(trials) + 2, rtol=1e-12)
    np.testing.assert_array_equal(trials, kept)


def test_a_diverged_trial_leaves_nothing_finite_to_expect():
    """As every trial drawn may be the diverged one, the curve is infinite all along, and never NaN."""
    assert np.isposinf(expected_best([0.1, 0.2, np.inf])).all()


@pytest.mark.parametrize("trials", [[], [np.nan], [0.1, np.nan, 0.2], [np.inf, np.nan]])
def test_trials_without_an_error_are_refused(trials):
    """No trial at all, or a NaN among them, is told with what came."""
    with pytest.raises(ValueError, match=r"^Expected the error of each trial.* Received: errors=\[.*\]$"):
        expected_best(trials)
