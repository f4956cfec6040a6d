"""Validation schemes split targets as they say, and teach nothing that is held out."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit

from lstmstudy.data import CATALOG, open_task
from lstmstudy.data.build import FUTURE, scheme_series
from lstmstudy.data.cache import cache_path
from lstmstudy.data.folds import Bounds, forecasting_fold
from lstmstudy.data.realizations import changing, stationary
from lstmstudy.data.references import autoregression
from lstmstudy.data.schemes import (
    FINAL,
    FOLDS,
    SCHEMES,
    development,
    folds_of,
    place_of,
    scheme_folds,
    splits,
)

TASKS = [name for name, info in CATALOG.items() if info.realizations]
FORWARD = ["rolling", "expanding", "holdout"]
SHAPES = [(120, 4, 1), (121, 4, 3), (119, 9, 2)]  # length of the series, window, horizon
_task = functools.cache(open_task)
every_shape = pytest.mark.parametrize(("n", "window", "horizon"), SHAPES)


def info_of(window=4, horizon=1):
    """Return the facts about a small task."""
    return dataclasses.replace(CATALOG["stationary_series"], window=window, horizon=horizon)


def wave(n=120):
    """Return a series in which no value occurs twice."""
    return np.sin(np.arange(n) / 3) + np.random.default_rng(0).normal(size=n)


def contained(targets, info):
    """Return every position that the samples of some targets contain, inputs and targets."""
    inputs = [target - info.horizon - lag for target in targets for lag in range(info.window)]
    return {*targets, *inputs}


@every_shape
@pytest.mark.parametrize("scheme", SCHEMES)
def test_held_out_targets_are_of_the_development_part_and_train_nothing(scheme, n, window, horizon):
    """Each split holds out some development targets, trains on others, and lists both in the order of time."""
    info = info_of(window, horizon)
    targets = development(n, 20, info)
    assert (targets[0], targets[-1]) == (window + horizon, n - 20 - horizon)
    for split in splits(scheme, targets, info):
        for part in (split.train, split.held_out):
            assert len(part)
            assert (np.diff(part) > 0).all()
            assert np.isin(part, targets).all()
        assert not np.isin(split.train, split.held_out).any()


@every_shape
@pytest.mark.parametrize("scheme", FORWARD)
def test_training_targets_end_before_the_held_out_part_is_known(scheme, n, window, horizon):
    """Both parts are without gaps, and horizon - 1 targets between them are used by none."""
    info = info_of(window, horizon)
    for split in splits(scheme, development(n, 20, info), info):
        for part in (split.train, split.held_out):
            np.testing.assert_array_equal(part, np.arange(part[0], part[-1] + 1))
        assert split.held_out[0] - split.train[-1] == horizon


@every_shape
def test_rolling_and_expanding_hold_out_the_same_blocks(n, window, horizon):
    """Blocks follow one another to the end; a rolling part has a fixed size, an expanding one forgets nothing."""
    info = info_of(window, horizon)
    targets = development(n, 20, info)
    rolling, expanding = (splits(scheme, targets, info) for scheme in ("rolling", "expanding"))
    held_out = np.concatenate([split.held_out for split in rolling])
    np.testing.assert_array_equal(held_out, targets[-5 * (len(targets) // 10) :])
    for one, other in zip(rolling, expanding, strict=True):
        np.testing.assert_array_equal(one.held_out, other.held_out)
        assert len(one.train) == 4 * (len(targets) // 10)
        assert other.train[0] == targets[0]
        assert one.train[-1] == other.train[-1]
    assert len({len(split.train) for split in expanding}) == 5


@every_shape
def test_blocks_share_no_value_with_what_trains(n, window, horizon):
    """Training and held-out samples have no position in common, and one target more would have."""
    info = info_of(window, horizon)
    targets = development(n, 20, info)
    blocks = splits("blocked", targets, info)
    np.testing.assert_array_equal(np.concatenate([split.held_out for split in blocks]), targets)
    for split in blocks:
        held_out = contained(split.held_out, info)
        assert not contained(split.train, info) & held_out
        for unused in np.setdiff1d(targets, [*split.train, *split.held_out]):
            assert contained([unused], info) & held_out
    assert min(len(split.train) for split in blocks) < len(targets) - len(targets) // 5  # there is a gap


@every_shape
def test_shuffled_parts_hold_out_each_target_once(n, window, horizon):
    """Everything that is not held out trains, neighbours too, and every realization is shuffled anew."""
    info = info_of(window, horizon)
    targets = development(n, 20, info)
    parts = splits("k-fold", targets, info, 3)
    np.testing.assert_array_equal(np.sort(np.concatenate([part.held_out for part in parts])), targets)
    for part in parts:
        np.testing.assert_array_equal(np.sort(np.concatenate([part.train, part.held_out])), targets)
        assert np.ptp(part.held_out) > len(targets) / 2
    again, other = (splits("k-fold", targets, info, realization)[0] for realization in (3, 4))
    np.testing.assert_array_equal(parts[0].held_out, again.held_out)
    assert not np.array_equal(parts[0].held_out, other.held_out)


def test_a_holdout_is_the_last_quarter():
    """All that is known before the last quarter trains."""
    targets = development(200, 50, info_of())
    (split,) = splits("holdout", targets, info_of())
    np.testing.assert_array_equal(np.concatenate([split.train, split.held_out]), targets)
    assert len(split.held_out) == len(targets) // 4


@every_shape
def test_they_are_those_of_scikit_learn_where_it_has_them(n, window, horizon):
    """TimeSeriesSplit and KFold give the same targets, but for the gaps that KFold lacks."""
    info = info_of(window, horizon)
    targets = development(n, 20, info)
    tenth = len(targets) // 10
    forward = {"n_splits": 5, "test_size": tenth, "gap": horizon - 1}
    theirs = {
        "rolling": TimeSeriesSplit(max_train_size=4 * tenth, **forward),
        "expanding": TimeSeriesSplit(**forward),
        "blocked": KFold(5),
    }
    for scheme, splitter in theirs.items():
        for ours, (train, held_out) in zip(
            splits(scheme, targets, info), splitter.split(targets), strict=True
        ):
            np.testing.assert_array_equal(ours.held_out, targets[held_out])
            if scheme != "blocked":
                np.testing.assert_array_equal(ours.train, targets[train])
            else:
                apart = np.abs(targets[train, None] - ours.held_out).min(axis=1) >= window + horizon
                np.testing.assert_array_equal(ours.train, targets[train][apart])


def test_too_short_a_series_is_an_error():
    """The message says how long it was."""
    with pytest.raises(ValueError, match=r"at least 40 targets\. Received: length=64, future=20"):
        development(64, 20, info_of())
    assert len(development(65, 20, info_of())) == 40


def test_the_number_of_a_fold_says_what_it_is():
    """Every realization has each split of each scheme once and one final fit, and no fold is of two."""
    places = [place_of(fold) for fold in range(3 * FOLDS)]
    assert len(set(places)) == len(places)
    for realization in range(3):
        own = [place_of(fold) for fold in folds_of(realization)]
        assert {place.realization for place in own} == {realization}
        counts = {scheme: sum(place.scheme == scheme for place in own) for scheme in (*SCHEMES, FINAL)}
        assert counts == {**SCHEMES, FINAL: 1}
        for scheme, n in counts.items():
            assert [place.split for place in own if place.scheme == scheme] == list(range(n))
    assert list(itertools.chain(*map(folds_of, range(3)))) == list(range(3 * FOLDS))


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_folds_that_the_numbers_say(name):
    """Training and validation parts are the splits of the place; the final fit trains on all of them."""
    task, info = _task(name), CATALOG[name]
    assert len(task.folds) == info.n_folds == info.realizations * FOLDS
    for realization in {0, info.realizations - 1}:
        series = scheme_series(info, realization)
        targets = development(series.size, FUTURE[name], info)
        for number in folds_of(realization):
            place, fold = place_of(number), task.folds[number]
            np.testing.assert_array_equal(
                fold.test.indices, np.arange(series.size - FUTURE[name], series.size)
            )
            if place.scheme == FINAL:
                np.testing.assert_array_equal(fold.train.indices, targets)
                assert fold.validation.indices == targets[0] - 1  # set aside, as nothing is selected
                continue
            split = splits(place.scheme, targets, info, realization)[place.split]
            np.testing.assert_array_equal(fold.train.indices, split.train)
            np.testing.assert_array_equal(fold.validation.indices, split.held_out)


@pytest.mark.parametrize("name", TASKS)
def test_the_future_is_in_no_scheme(name):
    """Every position in a training or held-out sample lies before the first target of the future."""
    for fold in _task(name).folds[:FOLDS]:
        for part in (fold.train, fold.validation):
            assert max(contained(part.indices, CATALOG[name])) < fold.test.indices[0]


@every_shape
def test_windows_reach_back_and_never_forward(n, window, horizon):
    """An input ends `horizon` steps before its target; in the unit of the series it is the series itself."""
    info, series = info_of(window, horizon), wave(n)
    for fold in scheme_folds(series, 20, info):
        for part in (fold.train, fold.validation, fold.test):
            inputs = part.indices[:, None] - horizon - np.arange(window)[::-1]
            np.testing.assert_allclose(part.x[:, :, 0] * fold.scale + fold.center, series[inputs], atol=1e-5)
            np.testing.assert_allclose(
                part.y[:, 0] * fold.scale + fold.center, series[part.indices], atol=1e-5
            )


@every_shape
def test_the_scaler_knows_what_the_training_samples_contain(n, window, horizon):
    """Other values elsewhere leave scaler and training part unchanged bit for bit; one inside does not."""
    info, series = info_of(window, horizon), wave(n)
    for number, fold in enumerate(scheme_folds(series, 20, info)):
        inside = sorted(contained(fold.train.indices, info))
        assert (fold.center, fold.scale) == pytest.approx((series[inside].mean(), series[inside].std()))
        elsewhere = np.full(n, 7.0)
        elsewhere[inside] = series[inside]
        changed = scheme_folds(elsewhere, 20, info)[number]
        assert (changed.center, changed.scale) == (fold.center, fold.scale)
        assert changed.train.x.tobytes() == fold.train.x.tobytes()
        assert changed.test.x.tobytes() != fold.test.x.tobytes()
        elsewhere[inside[len(inside) // 2]] += 1
        assert scheme_folds(elsewhere, 20, info)[number].center != fold.center


def test_the_final_fit_is_the_usual_fold():
    """It trains on what the study's own split by time trains on, with the same scaler."""
    info, series = info_of(5, 2), wave()
    final = scheme_folds(series[1:], 20, info)[-1]  # one target is set aside
    usual = forecasting_fold(series[2:], Bounds(98, 100, 118), info)
    np.testing.assert_array_equal(final.train.x, usual.train.x)
    np.testing.assert_array_equal(final.train.y, usual.train.y)
    assert (final.center, final.scale) == (usual.center, usual.scale)


@pytest.mark.parametrize(("kind", "has_unit_root"), [(stationary, False), (changing, True)])
def test_a_series_is_the_autoregression_that_it_says(kind, has_unit_root):
    """Fitted to a long realization, an AR(3) leaves the noise, and its weights sum to 1 with a unit root."""
    series = kind(20_000, np.random.default_rng(5))
    targets = np.arange(3, series.size)
    lags = np.column_stack([series[targets - lag] for lag in (1, 2, 3)])
    weights = np.linalg.lstsq(lags, series[targets])[0]
    left = series[targets] - lags @ weights
    assert left.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(np.corrcoef(left[:-1], left[1:])[0, 1]) < 0.03
    roots = np.abs(np.roots([1.0, *-weights]))  # inverse roots of the process
    assert (roots.max() > 0.999) == has_unit_root
    assert (weights.sum() == pytest.approx(1.0, abs=0.001)) == has_unit_root
    if not has_unit_root:
        assert roots.max() < 1 / 1.1 + 0.03


def test_a_stationary_series_stays_and_a_changing_one_wanders():
    """The future is nearly always within the range of the past in one, and often not in the other."""
    inside = {}
    for name in ("stationary_series", "changing_series"):
        series = [scheme_series(CATALOG[name], realization) for realization in range(30)]
        futures = [(each[-100:], each[:-100]) for each in series]
        inside[name] = np.median(
            [np.mean((late > early.min()) & (late < early.max())) for late, early in futures]
        )
    assert inside["stationary_series"] > 0.95
    assert inside["changing_series"] < 0.85


def test_realizations_differ_and_the_two_kinds_share_their_noise():
    """Each realization is another series; the same number has the same innovations in both kinds."""
    one, other = (scheme_series(CATALOG["stationary_series"], realization) for realization in (0, 1))
    assert np.abs(np.corrcoef(one, other)[0, 1]) < 0.5
    left = []
    for name in ("stationary_series", "changing_series"):
        series = scheme_series(CATALOG[name], 2)
        targets = np.arange(3, series.size)
        left.append(series[targets] - autoregression(series, targets, 3, series.size))
    assert np.corrcoef(*left)[0, 1] > 0.95


def test_hundreds_of_folds_lie_in_few_arrays(tmp_path):
    """The cached task is opened often, and an archive of thousands of arrays takes a second."""
    task = open_task("sunspots_schemes", tmp_path)
    with np.load(cache_path(tmp_path, "sunspots_schemes"), allow_pickle=False) as file:
        assert len(file.files) < FOLDS
    again = open_task("sunspots_schemes", tmp_path)
    assert again.content == task.content
    for one, other in zip(task.folds, again.folds, strict=True):
        np.testing.assert_array_equal(one.validation.x, other.validation.x)
        assert not other.validation.x.flags.writeable
