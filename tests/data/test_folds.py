"""Folds keep time in order, classes in proportion, and everything learned inside the training part."""

from __future__ import annotations

import dataclasses
import functools
from itertools import pairwise

import numpy as np
import pytest

from lstmstudy.data import CATALOG, TASK_NAMES, Fold, Part, Task, TaskInfo, open_task, sources
from lstmstudy.data.build import CUT
from lstmstudy.data.folds import classification_folds, forecasting_folds, rolling_origins, stratified_order
from lstmstudy.data.windows import modelled_series

RAW = {"sunspots": sources.sunspots, "elnino": sources.elnino, "co2": sources.co2}
CLASSIFICATION = [name for name in TASK_NAMES if CATALOG[name].kind == "classification"]
HORIZONS = [1, 2, 7]
_task = functools.cache(open_task)  # building each task once is enough for reading it


def _parts(fold: Fold) -> tuple[Part, Part, Part]:
    return fold.train, fold.validation, fold.test


def _same(one: Part, other: Part) -> bool:
    """Tell whether two parts agree bit for bit."""
    names = [field.name for field in dataclasses.fields(Part)]
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)


def _with_horizon(name: str, horizon: int) -> TaskInfo:
    return dataclasses.replace(CATALOG[name], horizon=horizon)


@pytest.mark.parametrize("name", TASK_NAMES)
def test_parts_have_the_promised_shapes(name: str) -> None:
    """Types, shapes and finite values agree with what the catalog says, and nobody can change them."""
    task = _task(name)
    info = task.info
    assert (info, len(task.folds), len(task.references)) == (CATALOG[name], info.n_folds, info.n_folds)
    for part in (part for fold in task.folds for part in _parts(fold)):
        n = len(part.indices)
        assert part.x.shape == (n, info.window, info.n_features)
        types = [array.dtype.name for array in (part.x, part.lengths, part.y, part.indices)]
        assert np.isfinite(part.x).all()
        assert np.isfinite(part.y).all()
        assert part.lengths.shape == (n,)
        assert not part.x.flags.writeable
        if info.kind == "forecasting":
            assert types == ["float32", "int32", "float32", "int64"]
            assert part.y.shape == (n, 1)
        else:
            assert types == ["float32", "int32", "int32", "int64"]
            assert part.y.shape == (n,)
        assert (part.lengths.min() < info.window) == info.variable_length


@pytest.mark.parametrize("name", TASK_NAMES)
def test_parts_of_a_fold_share_no_sample(name: str) -> None:
    """Each target or sample stands in one part only, once."""
    for fold in _task(name).folds:
        everything = np.concatenate([part.indices for part in _parts(fold)])
        assert np.unique(everything).size == everything.size


@pytest.mark.parametrize("name", TASK_NAMES)
def test_every_fold_trains_on_something_else(name: str) -> None:
    """No two folds of a task repeat one another."""
    hashes = {fold.train.x.tobytes() for fold in _task(name).folds}
    assert len(hashes) == CATALOG[name].n_folds


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("horizon", HORIZONS)
def test_targets_stay_in_their_part_and_order(name: str, horizon: int) -> None:
    """Targets of a part are contiguous and end horizon - 1 steps before the next part begins."""
    for fold in forecasting_folds(RAW[name](), _with_horizon(name, horizon)):
        train, validation, test = (part.indices for part in _parts(fold))
        for part in (train, validation, test):
            np.testing.assert_array_equal(part, np.arange(part[0], part[-1] + 1))
        assert train[0] == CATALOG[name].window + horizon - 1
        assert validation[0] - train[-1] == horizon
        assert test[0] - validation[-1] == horizon


@pytest.mark.parametrize("name", RAW)
def test_origins_roll_to_the_end_of_the_series(name: str) -> None:
    """Test parts follow one another up to the last value, and the training part grows."""
    n = modelled_series(RAW[name](), differenced=CATALOG[name].differenced).size
    bounds = rolling_origins(n, 3)
    folds = _task(name).folds
    assert bounds[-1].stop == n
    for earlier, later in pairwise(bounds):
        assert earlier.stop == later.test
    for earlier_fold, later_fold in pairwise(folds):
        assert later_fold.test.indices[0] == earlier_fold.test.indices[-1] + 1
        assert later_fold.train.indices[-1] > earlier_fold.train.indices[-1]
    for fold in folds:
        assert len(fold.test.y) / n == pytest.approx(0.12, abs=0.01)
        assert len(fold.validation.y) / n == pytest.approx(0.15, abs=0.01)
        assert len(fold.train.y) > 2 * len(fold.validation.y)


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("horizon", HORIZONS)
def test_windows_hold_exactly_the_values_before_the_target(name: str, horizon: int) -> None:
    """An input ends `horizon` steps before its target, and the target is the value at its index."""
    info = _with_horizon(name, horizon)
    series = modelled_series(RAW[name](), differenced=info.differenced)
    for fold in forecasting_folds(RAW[name](), info):
        standardised = ((series - fold.center) / fold.scale).astype(np.float32)
        for part in _parts(fold):
            np.testing.assert_array_equal(part.y[:, 0], standardised[part.indices])
            for window, target in zip(part.x[:, :, 0], part.indices, strict=True):
                newest = target - horizon
                np.testing.assert_array_equal(window, standardised[newest - info.window + 1 : newest + 1])


@pytest.mark.parametrize("factor", [3.0, np.nan])
@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("horizon", HORIZONS)
def test_a_perturbed_future_changes_nothing_learned(name: str, horizon: int, factor: float) -> None:
    """Values after a part leave that part, the parts before it and the scaler as they were, bit for bit."""
    info = _with_horizon(name, horizon)
    raw = RAW[name]()
    for number, fold in enumerate(forecasting_folds(raw, info)):
        for part, unchanged in ((fold.train, 1), (fold.validation, 2)):
            perturbed = raw.copy()
            perturbed[part.indices[-1] + 1 + info.differenced :] *= factor
            changed = forecasting_folds(perturbed, info)[number]
            assert (changed.center, changed.scale) == (fold.center, fold.scale)
            for one, other in zip(_parts(fold)[:unchanged], _parts(changed), strict=False):
                assert _same(one, other)
            assert not _same(fold.test, changed.test)


def test_the_scaler_sees_the_training_part() -> None:
    """The check above would pass with a constant scaler; this one would not."""
    series = sources.sunspots()
    fold = forecasting_folds(series, CATALOG["sunspots"])[0]
    learned = series[: fold.train.indices[-1] + 1]
    assert (fold.center, fold.scale) == (learned.mean(), learned.std())


def test_a_series_too_short_for_its_window_is_an_error() -> None:
    """The message says which task and how long the series was."""
    with pytest.raises(ValueError, match=r"sunspots: .* window of 24 values.*Received: length=40"):
        forecasting_folds(np.arange(40, dtype=np.float64), CATALOG["sunspots"])


def test_made_targets_follow_one_another() -> None:
    """A realization is split once, in the order of time, right after the first window."""
    for fold in _task("mackey_glass").folds:
        everything = np.concatenate([part.indices for part in _parts(fold)])
        np.testing.assert_array_equal(everything, np.arange(20, 1220))
        assert [len(part.y) for part in _parts(fold)] == [400, 200, 600]


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_every_class_is_in_every_part_in_proportion(name: str) -> None:
    """Training and validation parts hold each class as often as the pool does, to one sample or two."""
    task = _task(name)
    source = CUT.get(name, name)
    data = {"digits_rows": sources.digits_rows, "japanese_vowels": sources.japanese_vowels}[source]()
    shares = np.bincount(data.labels[data.pool]) / data.pool.size
    for fold in task.folds:
        assert np.unique(fold.test.y).size == task.info.n_outputs
        for part in (fold.train, fold.validation):
            counts = np.bincount(part.y, minlength=task.info.n_outputs)
            assert counts.min() > 0
            assert np.abs(counts - shares * len(part.y)).max() < 2


@pytest.mark.parametrize(
    ("name", "sizes", "test"),
    [
        ("digits_rows", (200, 200, 600), range(1197, 1797)),
        ("japanese_vowels", (180, 90, 370), range(270, 640)),
    ],
)
def test_the_test_part_is_the_same_in_all_folds(name: str, sizes: tuple[int, ...], test: range) -> None:
    """Folds draw their training part anew from the pool and never touch the test samples."""
    for fold in _task(name).folds:
        assert tuple(len(part.y) for part in _parts(fold)) == sizes
        np.testing.assert_array_equal(fold.test.indices, test)
        np.testing.assert_array_equal(fold.test.y, _task(name).folds[0].test.y)
        np.testing.assert_array_equal(fold.test.lengths, _task(name).folds[0].test.lengths)
        assert max(fold.train.indices.max(), fold.validation.indices.max()) < 898


@pytest.mark.parametrize("per_channel", [False, True])
def test_validation_and_test_samples_teach_the_scaler_nothing(*, per_channel: bool) -> None:
    """Other values outside the training part leave it unchanged bit for bit."""
    data, info = sources.japanese_vowels(), dataclasses.replace(CATALOG["japanese_vowels"], n_folds=2)
    split = functools.partial(
        classification_folds, info=info, train=180, validation=90, per_channel=per_channel
    )
    for number, fold in enumerate(split(data)):
        x = data.x.copy()
        outside = np.setdiff1d(np.arange(len(x)), fold.train.indices)
        x[outside] += 10.0
        changed = split(dataclasses.replace(data, x=x))[number]
        assert _same(fold.train, changed.train)
        assert not _same(fold.validation, changed.validation)


@pytest.mark.parametrize("name", [name for name in CLASSIFICATION if name not in CUT])
def test_padding_is_zero_and_valid_steps_are_standardised(name: str) -> None:
    """Zeros stand after each sequence's end only, and the scaler counted valid steps of the training part."""
    for fold in _task(name).folds:
        for part in _parts(fold):
            valid = np.arange(part.x.shape[1]) < part.lengths[:, None]
            assert not part.x[~valid].any()
            if name == "japanese_vowels":  # speech has no exact zeros, blank pixels may
                assert part.x[valid].any(axis=1).all()
        steps = fold.train.x[np.arange(fold.train.x.shape[1]) < fold.train.lengths[:, None]]
        axis = 0 if name == "japanese_vowels" else None
        np.testing.assert_allclose(steps.mean(axis=axis, dtype=np.float64), 0.0, atol=1e-6)
        np.testing.assert_allclose(steps.std(axis=axis, dtype=np.float64), 1.0, atol=1e-6)


def test_any_stretch_of_the_stratified_order_is_stratified() -> None:
    """Every prefix holds each class in proportion, within one sample, and each sample occurs once."""
    labels = np.repeat(np.arange(3), [60, 30, 10]).astype(np.int32)
    order = stratified_order(labels, np.random.default_rng(5))
    assert sorted(order) == list(range(100))
    for size in range(1, 101):
        counts = np.bincount(labels[order[:size]], minlength=3)
        assert np.abs(counts - size * np.array([0.6, 0.3, 0.1])).max() <= 2
    assert not np.array_equal(order, stratified_order(labels, np.random.default_rng(6)))


def test_a_pool_too_small_is_an_error() -> None:
    """Asking for more samples than there are names both numbers."""
    with pytest.raises(ValueError, match=r"pool of 898 samples\. Received: train=800, validation=99"):
        classification_folds(
            sources.digits_rows(), CATALOG["digits_rows"], train=800, validation=99, per_channel=False
        )


def test_references_and_floor_stand_beside_every_fold() -> None:
    """Each task has its simple methods with both metrics; only made tasks have a floor."""
    tasks: list[Task] = [_task(name) for name in TASK_NAMES]
    for task in tasks:
        info = task.info
        expected = (
            {"naive", "seasonal naive", f"AR({info.ar_order})"}
            if info.kind == "forecasting"
            else {"majority class", "logistic regression"}
        )
        for references in task.references:
            assert set(references) == expected
            *_, linear = references
            for name, scores in references.items():
                training = {f"train {metric}" for metric in (info.metric, info.secondary) if name == linear}
                assert set(scores) == {info.metric, info.secondary} | training
                assert all(0 < scores[metric] < 10 for metric in (info.metric, info.secondary))
                assert all(0 <= scores[metric] < 10 for metric in training)
        assert (task.floor is not None) == (
            info.name in {"mackey_glass", "stationary_series", "changing_series"}
        )
