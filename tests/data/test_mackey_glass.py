"""The floor of the made task is really known."""

from __future__ import annotations

import numpy as np
import pytest

from lstmstudy.data import Fold, Part, Task, open_task
from lstmstudy.data.mackey_glass import DELAY, NOISE_SD, realization, true_map


@pytest.fixture(scope="module")
def task() -> Task:
    """Return the made task with all its realizations."""
    return open_task("mackey_glass")


def _residuals(fold: Fold, part: Part, delay: int = DELAY) -> np.ndarray:
    """Return target minus the true map of the window's values, in the unit of the series."""
    x = part.x[:, :, 0].astype(np.float64) * fold.scale + fold.center
    y = part.y[:, 0].astype(np.float64) * fold.scale + fold.center
    return y - true_map(x[:, -1], x[:, -1 - delay])


def test_the_true_map_of_the_inputs_leaves_the_noise(task: Task) -> None:
    """What F cannot predict from the windows alone has mean 0 and the variance of e."""
    left = np.concatenate(
        [_residuals(fold, part) for fold in task.folds for part in (fold.train, fold.validation, fold.test)]
    )
    error = NOISE_SD**2 * np.sqrt(2 / left.size)
    assert left.size == 12 * 1200
    assert np.var(left) == pytest.approx(NOISE_SD**2, abs=4 * error)
    assert abs(left.mean()) < 4 * NOISE_SD / np.sqrt(left.size)
    assert abs(np.corrcoef(left[:-1], left[1:])[0, 1]) < 4 / np.sqrt(left.size)


@pytest.mark.parametrize("delay", [DELAY - 1, DELAY + 1])
def test_another_delay_leaves_more(task: Task, delay: int) -> None:
    """The check above would notice a window that misses x[t - 17] by one step."""
    fold = task.folds[0]
    assert np.var(_residuals(fold, fold.test, delay)) > 1.2 * NOISE_SD**2


def test_the_floor_is_the_noise_in_standardised_units(task: Task) -> None:
    """In each fold F attains the floor within sampling error, and nothing simple comes near it."""
    assert task.floor is not None
    for fold, floor, references in zip(task.folds, task.floor, task.references, strict=True):
        attained = np.sqrt(np.mean(_residuals(fold, fold.test) ** 2)) / fold.scale
        assert attained == pytest.approx(floor, rel=4 / np.sqrt(2 * len(fold.test.y)))
        assert floor < 0.5 * references["naive"]["rmse"]
        assert floor < 0.9 * references["AR(20)"]["rmse"]


def test_the_series_stays_on_the_attractor(task: Task) -> None:
    """No realization runs away or dies out."""
    for fold in task.folds:
        for part in (fold.train, fold.validation, fold.test):
            values = part.y * fold.scale + fold.center
            assert 0.1 < values.min() < values.max() < 1.6
            assert 0.1 < values.std() < 0.4


def test_realizations_are_fresh_and_repeatable() -> None:
    """The same generator gives the same series, another one another series."""
    first, again, other = (realization(50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
