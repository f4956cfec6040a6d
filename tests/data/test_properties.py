"""No value of the future reaches the past, whatever series, window, horizon, gaps and folds there are."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from engine import WAVES
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lstmstudy.data.folds import classification_folds, joined_fold, rolling_origins, stratified_order
from lstmstudy.data.schemes import SCHEMES, development, splits
from lstmstudy.data.sources import Sequences

PARTS = ("train", "validation", "test")


@dataclasses.dataclass
class Case:
    """Series with the facts of their task and the bounds of one fold."""

    series: list
    info: object
    bounds: list

    def fold(self):
        """Return the fold; examples that are too short, or whose training part is constant, are none."""
        try:
            return joined_fold(self.series, self.bounds, self.info)
        except ValueError as error:
            assert "too short" in str(error) or "at least one" in str(error) or "constant" in str(error)  # noqa: PT017
            assume(False)

    def edited(self, edit):
        """Return the case with series that `edit` changed in place, given each with its bounds."""
        series = [values.copy() for values in self.series]
        for values, bound in zip(series, self.bounds, strict=True):
            edit(values, bound)
        return dataclasses.replace(self, series=series)


@st.composite
def cases(draw, *, gaps=None):
    """Return one to three series of one to three channels, with gaps or without."""
    window, horizon, channels = (
        draw(st.integers(1, 6)),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 3)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    lengths = draw(st.lists(st.integers(40, 110), min_size=1, max_size=3))
    series = [rng.normal(size=(n, channels)) * 10.0 ** rng.integers(-3, 4, size=channels) for n in lengths]
    masked = draw(st.booleans()) if gaps is None else gaps
    if masked:
        for values in series:
            values[rng.random(values.shape) < draw(st.sampled_from([0.02, 0.3]))] = np.nan
    n_folds = draw(st.integers(1, 3))
    number = draw(st.integers(0, n_folds - 1))
    info = dataclasses.replace(
        WAVES, window=window, horizon=horizon, n_features=channels, variable_length=masked, n_folds=n_folds
    )
    return Case(series, info, [rolling_origins(n, n_folds)[number] for n in lengths])


def same(one, other):
    """Whether two parts have the same bits."""
    return all(
        getattr(one, field.name).tobytes() == getattr(other, field.name).tobytes()
        for field in dataclasses.fields(one)
    )


@given(cases())
def test_what_lies_behind_the_last_training_target_teaches_nothing(case):
    """Any other future: inputs, targets and scale of training are the same to the last bit."""
    fold = case.fold()

    def later(values, bound):
        values[bound.validation - (case.info.horizon - 1) :] = 1e6

    other = case.edited(later).fold()
    assert same(fold.train, other.train)
    assert (fold.center, fold.scale) == (other.center, other.scale)
    assert (fold.x_center, fold.x_scale) == (other.x_center, other.x_scale)


@given(cases())
def test_what_lies_behind_the_last_validation_target_selects_nothing(case):
    """Any other test part: what is selected by is the same to the last bit."""
    fold = case.fold()

    def later(values, bound):
        values[bound.test - (case.info.horizon - 1) :] = 1e6

    assert same(fold.validation, case.edited(later).fold().validation)


@given(cases(gaps=False))
@example(
    Case([np.arange(80.0)[:, None] ** 2], dataclasses.replace(WAVES, window=1), list(rolling_origins(80, 1)))
)
def test_every_target_is_in_one_part_behind_its_own_window(case):
    """Windows are the values up to a horizon before their targets; parts lose only the targets that the horizon asks for."""
    fold, info = case.fold(), case.info
    everything = np.concatenate(case.series)
    expected = {part: [] for part in PARTS}
    start = 0
    for values, bound in zip(case.series, case.bounds, strict=True):
        borders = (info.window + info.horizon - 1, bound.validation, bound.test, bound.stop)
        for part, first, stop in zip(PARTS, borders, borders[1:], strict=False):
            last = stop - (info.horizon - 1 if part != "test" else 0)
            expected[part] += range(start + first, start + last)
        start += len(values)
    for part in PARTS:
        found = getattr(fold, part)
        assert found.indices.tolist() == expected[part]
        x = found.x.astype(np.float64) * fold.x_scale + fold.x_center
        y = found.y.astype(np.float64) * fold.scale + fold.center
        windows = [
            everything[t - info.horizon - info.window + 1 : t - info.horizon + 1] for t in expected[part]
        ]
        scale = np.abs(everything).max(axis=0) + np.abs(fold.x_center)
        assert (np.abs(x - np.array(windows)) <= 1e-5 * scale).all()
        assert (np.abs(y[:, 0] - everything[expected[part], 0]) <= 1e-5 * scale[0]).all()


@given(cases(gaps=True))
def test_a_masked_window_holds_its_known_steps_and_nothing_else(case):
    """Known steps stand in front in their order, zeros behind them; a target is left out only without a value or any step."""
    fold, info = case.fold(), case.info
    whole = case.edited(lambda values, _: np.nan_to_num(values, copy=False))
    every = dataclasses.replace(whole, info=dataclasses.replace(info, variable_length=False)).fold()
    everything = np.concatenate(case.series)
    known = ~np.isnan(everything).any(axis=1)
    for part in PARTS:
        found, wanted = getattr(fold, part), []
        for target in getattr(every, part).indices:
            steps = np.arange(target - info.horizon - info.window + 1, target - info.horizon + 1)
            if known[steps].any() and not np.isnan(everything[target, 0]):
                wanted.append((target, steps[known[steps]]))
        assert found.indices.tolist() == [target for target, _ in wanted]
        assert found.lengths.tolist() == [len(steps) for _, steps in wanted]
        assert np.isfinite(found.x).all()
        for x, (_, steps) in zip(found.x, wanted, strict=True):
            expected = (everything[steps] - fold.x_center) / fold.x_scale
            np.testing.assert_allclose(x[: len(steps)], expected, rtol=1e-4, atol=1e-4)
            assert not x[len(steps) :].any()
            assert x[: len(steps)].any(axis=1).all()


@given(cases())
def test_a_scale_is_that_of_the_known_training_steps(case):
    """Mean and deviation of each channel over all that is known up to the last training target of each series."""
    fold, info = case.fold(), case.info
    seen = [
        values[: bound.validation - (info.horizon - 1)]
        for values, bound in zip(case.series, case.bounds, strict=True)
    ]
    rows = np.concatenate(seen)
    rows = rows[~np.isnan(rows).any(axis=1)]
    np.testing.assert_allclose(fold.x_center, rows.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fold.x_scale, rows.std(axis=0), rtol=1e-9)
    assert (fold.center, fold.scale) == (fold.x_center[0], fold.x_scale[0])


@given(st.integers(30, 400), st.integers(1, 6))
def test_test_parts_roll_to_the_end_without_a_gap(n, n_folds):
    """Each begins where the one before ends, the last one ends with the series, and validation lies right before."""
    bounds = rolling_origins(n, n_folds)
    assert bounds[-1].stop == n
    assert all(one.stop == other.test for one, other in itertools.pairwise(bounds))
    assert all(bound.validation < bound.test < bound.stop for bound in bounds)


@st.composite
def labelled(draw):
    """Return labelled sequences with a pool and a test part, and the sizes of both other parts."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    n, classes = draw(st.integers(12, 60)), draw(st.integers(2, 4))
    lengths = rng.integers(1, 6, size=n).astype(np.int32)
    x = rng.normal(size=(n, 5, 2))
    x[np.arange(5) >= lengths[:, None]] = 0
    labels = rng.integers(0, classes, size=n).astype(np.int32)
    order = rng.permutation(n)
    test, pool = np.sort(order[: n // 4]), np.sort(order[n // 4 :])
    train = draw(st.integers(2, pool.size - 1))
    validation = draw(st.integers(1, pool.size - train))
    return Sequences(x, lengths, labels, pool, test), train, validation


@given(labelled(), st.booleans())
def test_a_labelled_sample_is_in_one_part_at_most_and_scales_come_from_training(made, per_channel):
    """Parts are disjoint, of the sizes asked for, the pool all used where they add up to it; other samples teach nothing."""
    data, train, validation = made
    info = dataclasses.replace(WAVES, kind="classification", n_folds=2, variable_length=True)

    def folds(x):
        sequences = dataclasses.replace(data, x=x)
        return classification_folds(
            sequences, info, train=train, validation=validation, per_channel=per_channel
        )

    for number, fold in enumerate(folds(data.x)):
        parts = [getattr(fold, part).indices for part in PARTS]
        assert [part.size for part in parts] == [train, validation, data.test.size]
        used = np.concatenate(parts)
        assert np.unique(used).size == used.size
        assert set(parts[0]) | set(parts[1]) <= set(data.pool)
        x = data.x.copy()
        others = np.setdiff1d(np.arange(len(x)), parts[0])
        x[others] += 5
        other = folds(x)[number]
        assert same(fold.train, other.train)
        assert (fold.x_center, fold.x_scale) == (other.x_center, other.x_scale)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 9))
def test_every_stretch_of_a_stratified_order_has_its_share_of_each_class(labels, seed):
    """It holds each sample once, and of each class within one sample at either end what its length asks for."""
    values = np.array(labels, dtype=np.int32)
    order = stratified_order(values, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    for label in set(labels):
        places = np.flatnonzero(values[order] == label)
        ranks = np.arange(1, len(places) + 1)
        # A class at a time: between two of its samples lie at most two gaps of others.
        assert (
            np.abs(places / len(labels) - ranks / len(places)) <= len(set(labels)) * 2 / len(places)
        ).all()


@given(st.integers(60, 200), st.integers(1, 6), st.integers(1, 4), st.sampled_from(sorted(SCHEMES)))
def test_schemes_hold_out_what_they_do_not_train_on(n, window, horizon, scheme):
    """No target on both sides, each once where a scheme covers all, and no held-out value in training where order counts."""
    info = dataclasses.replace(WAVES, window=window, horizon=horizon)
    try:
        targets = development(n, 12, info)
    except ValueError as error:
        assert "at least 40" in str(error)  # noqa: PT017
        return
    found = splits(scheme, targets, info)
    assert len(found) == SCHEMES[scheme]
    for split in found:
        assert split.train.size
        assert not set(split.train) & set(split.held_out)
        assert set(split.train) | set(split.held_out) <= set(targets)
        if scheme == "blocked":
            reach = window + horizon - 1
            lags = np.array([0, *range(horizon, horizon + window)])
            assert min(abs(t - h) for t in (split.train.min(), split.train.max()) for h in split.held_out) > 0
            assert not set((split.train[:, None] - lags).ravel()) & set(split.held_out)
            assert not set((split.held_out[:, None] - lags).ravel()) & set(split.train)
            assert np.abs(split.train[:, None] - split.held_out).min() > reach
        elif scheme != "k-fold":
            assert split.train.max() + horizon <= split.held_out.min()
    if scheme in ("blocked", "k-fold"):
        assert sorted(np.concatenate([split.held_out for split in found])) == targets.tolist()


@given(st.integers(1, 3), st.integers(1, 8), st.integers(0, 30))
def test_a_series_without_room_is_one_line(horizon, window, n):
    """Too short a series ends in an error that says what came, never in an empty part."""
    info = dataclasses.replace(WAVES, window=window, horizon=horizon)
    series = np.arange(float(n))[:, None] ** 2
    try:
        fold = joined_fold([series], [rolling_origins(n, 1)[0]], info)
    except ValueError as error:
        assert "Received: " in str(error)  # noqa: PT017
        return
    assert all(len(getattr(fold, part).y) for part in PARTS)


def test_these_properties_would_see_a_leak():
    """The change of the future that they rest on does change the part that lies there."""
    case = Case([np.sin(np.arange(60.0))[:, None]], WAVES, list(rolling_origins(60, 1)))

    def later(values, bound):
        values[bound.test :] = 1e6

    fold, other = case.fold(), case.edited(later).fold()
    assert same(fold.train, other.train)
    assert not same(fold.test, other.test)
