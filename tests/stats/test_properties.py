"""What must hold of tests, verdicts, effects and readings whatever the numbers are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lstmstudy.readings import READINGS, Kept, Validation, kept_epochs, read
from lstmstudy.stats.effects import improvement_share, log_ratio
from lstmstudy.stats.luck import Luck
from lstmstudy.stats.rule import BY_TASK, CONTRADICTED, OPEN, SUPPORTED, shown, verdict
from lstmstudy.stats.sample import Sample
from lstmstudy.stats.sign_flips import equivalence, holm, sign_flip_p
from lstmstudy.stats.tested import evidence
from lstmstudy.stats.tested import tested as all_of

MARGIN = math.log1p(0.05)
# Of a size that log ratios have; many ties.
NUMBERS = st.one_of(st.sampled_from([-0.3, -0.05, 0.0, 0.05, 0.3]), st.floats(-3, 3, width=32))
# Of the search, on some of the tasks.
LUCK = st.dictionaries(
    st.sampled_from(["task 0", "task 1"]),
    st.builds(
        lambda sd, off: Luck(*(np.array(each) for each in (sd**2, (off * sd**2) ** 2, 1.5 * sd**2, 8.0))),
        st.floats(0, 1),
        st.floats(0, 2),
    ),
)
MIRROR = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}


@st.composite
def samples(draw, fewest=1, most=5, tasks=3):
    """Return the numbers of some tasks, sixteen at most: then all ways to sign them are counted."""
    tasks = draw(st.integers(1, tasks))
    values = {
        f"task {number}": draw(st.lists(NUMBERS, min_size=fewest, max_size=most)) for number in range(tasks)
    }
    folds = {name: [unit % 3 for unit in range(len(numbers))] for name, numbers in values.items()}
    return Sample.of(values, folds)


def changed(sample, change):
    """Return a sample with other numbers in the same folds."""
    return Sample(sample.tasks, tuple(change(each) for each in sample.values), sample.folds)


def decided(sample, expect="lower", luck=None):
    """Return the verdict on a claim with one contrast, whose arms may have been searched apart."""
    tests = [all_of(sample.on(task), MARGIN, {}, luck or {}) for task in sample.tasks]
    whole = all_of(sample, MARGIN, {}, luck or {})
    return verdict([int(shown(evidence(whole, tests, whole.p)))], [expect])


@given(samples(), st.randoms(use_true_random=False), st.floats(0.01, 100))
def test_a_p_is_a_share_and_knows_neither_order_nor_unit(sample, random, factor):
    """It lies in (0, 1], and shuffled units, another unit of measurement and changed sides leave it."""
    p = sign_flip_p(sample)
    assert 0 < p <= 1
    orders = [random.sample(range(len(each)), len(each)) for each in sample.values]
    shuffled = Sample(
        sample.tasks,
        tuple(each[order] for each, order in zip(sample.values, orders, strict=True)),
        tuple(each[order] for each, order in zip(sample.folds, orders, strict=True)),
    )
    assert sign_flip_p(shuffled) == p
    assert sign_flip_p(changed(sample, lambda each: each * factor)) == p
    assert sign_flip_p(changed(sample, np.negative)) == p


@given(st.lists(st.floats(0, 2, width=32), min_size=1, max_size=8), st.floats(0, 3, width=32))
def test_units_on_one_side_that_move_away_from_it_have_no_larger_p(numbers, shift):
    """Where all units agree, a larger effect is as clear or clearer, on either side."""
    one = Sample.of({"task": numbers}, {"task": [0] * len(numbers)})
    assert sign_flip_p(changed(one, lambda each: each + shift)) <= sign_flip_p(one)
    assert sign_flip_p(changed(one, lambda each: -each - shift)) <= sign_flip_p(one)


@given(samples(), st.floats(0.01, 2), st.floats(1, 10))
def test_equivalence_is_a_share_has_no_side_and_grows_with_the_margin(sample, margin, more):
    """Its p lies in (0, 1], changed sides leave it, and a wider margin is shown as well or better."""
    found = equivalence(sample, margin)
    assert 0 < found.p <= 1
    assert equivalence(changed(sample, np.negative), margin).p == found.p
    assert equivalence(sample, margin * more).p <= found.p


@given(samples(fewest=6, most=8, tasks=2), LUCK)
def test_arm_and_control_that_change_places_mirror_the_verdict(sample, luck):
    """Supported becomes contradicted and the other way round; the three others stay, and so do they all if the claim turns too."""
    found, other = decided(sample, luck=luck), changed(sample, np.negative)
    assert decided(other, luck=luck) == MIRROR.get(found, found)
    assert decided(other, "higher", luck) == found


@given(samples(fewest=6, most=8, tasks=2), LUCK)
def test_the_order_of_units_and_tasks_is_no_part_of_a_verdict(sample, luck):
    """Tasks and, within folds, units in the reverse order give the same verdict but where an interval decides."""
    turned = Sample(
        sample.tasks[::-1],
        tuple(each[::-1].copy() for each in sample.values[::-1]),
        tuple(each[::-1].copy() for each in sample.folds[::-1]),
    )
    before, after = decided(sample, luck=luck), decided(turned, luck=luck)
    if OPEN not in (before, after):  # resamples are other ones: an interval next to 0 may block or not
        assert after == before


@given(samples(fewest=7, most=8, tasks=2), st.floats(0.5, 5))
def test_a_clear_effect_on_every_task_is_supported(sample, effect):
    """Numbers that lie below the margin in every unit of every task support the claim and no other."""
    clear = changed(sample, lambda each: -effect - np.abs(each))
    assert decided(clear) == SUPPORTED
    assert decided(clear, "higher") == CONTRADICTED
    opposite = Sample.of(
        {"a": -effect - np.abs(clear.values[0]), "b": effect + np.abs(clear.values[0])},
        {"a": clear.folds[0].tolist(), "b": clear.folds[0].tolist()},
    )
    assert decided(opposite) == BY_TASK


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_holm_only_raises_keeps_the_order_and_goes_with_the_claims(ps, random):
    """An adjusted p is at least the p and at most 1, the smallest is multiplied by their number, and order moves along."""
    found = holm(ps)
    assert (found >= ps).all()
    assert (found <= 1).all()
    assert found.min() == min(1, min(ps) * len(ps))
    assert (np.diff(found[np.argsort(ps, kind="stable")]) >= 0).all()
    order = random.sample(range(len(ps)), len(ps))
    np.testing.assert_array_equal(holm(np.array(ps)[order]), found[order])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_further_claims_make_no_p_smaller(ps, more):
    """In a larger family each claim has the same adjusted p or a larger one."""
    assert (holm([*ps, *more])[: len(ps)] >= holm(ps)).all()


ERRORS = arrays(np.float64, st.integers(1, 9), elements=st.floats(0, 1e6))


@given(ERRORS, st.data())
def test_log_ratios_change_their_sign_with_the_sides_and_add_up(arm, data):
    """Arm over control is minus control over arm, nothing over itself is 0, and a way over a third arm is as long."""
    same = arrays(np.float64, arm.shape, elements=st.floats(0, 1e6))
    control, third = data.draw(same), data.draw(same)
    found = log_ratio(arm, control)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(log_ratio(control, arm), -found)
    np.testing.assert_array_equal(log_ratio(arm, arm), np.zeros_like(arm))
    np.testing.assert_allclose(log_ratio(arm, third) + log_ratio(third, control), found, atol=1e-9)


@given(samples())
def test_shares_of_better_units_add_up_to_one(sample):
    """Those in which the arm is better and those in which the control is, ties counted half for both."""
    values = dict(zip(sample.tasks, sample.values, strict=True))
    other = {task: -each for task, each in values.items()}
    assert 0 <= improvement_share(values) <= 1
    assert improvement_share(values) + improvement_share(other) == pytest.approx(1)


def replayed(metric, patience):
    """Return what early stopping keeps, written as its description reads."""
    best, best_epoch, trained = math.inf, 0, 0
    for epoch, value in enumerate(metric):
        trained = epoch + 1
        if value < best:
            best, best_epoch = value, epoch
        if epoch - best_epoch >= patience:
            break
    return Kept(best_epoch, trained)


CURVES = st.lists(
    st.one_of(st.sampled_from([1.0, 2.0]), st.floats(0, 1e3), st.just(math.nan), st.just(math.inf)),
    min_size=1,
    max_size=30,
)


@given(CURVES, st.integers(1, 12))
@example([math.inf, 1.0], 1)
def test_a_reading_is_a_naive_replay(curve, patience):
    """Whatever the curve: patience, the best, the last and a fixed epoch are what a loop over the epochs finds."""
    length = next((epoch for epoch, value in enumerate(curve) if not math.isfinite(value)), len(curve))
    validation, metric = Validation(np.array(curve)), curve[:length]
    if not length:
        for reading in READINGS:
            with pytest.raises(ValueError, match="Received: metric="):
                read(validation, reading)
        assert kept_epochs(validation) == []
        return
    stopped = replayed(metric, patience)
    assert read(validation, f"patience {patience}") == stopped
    assert stopped.cost <= stopped.epoch + 1 + patience
    assert read(validation, "selected") == Kept(metric.index(min(metric)), length)
    assert read(validation, "last") == Kept(length - 1, length)
    assert read(validation, f"epoch {patience}") == Kept(min(patience, length) - 1, min(patience, length))
    assert read(validation, f"patience {len(curve)}") == read(validation, "selected")
    assert {stopped.epoch, length - 1} <= set(kept_epochs(validation, (f"patience {patience}", "last")))
