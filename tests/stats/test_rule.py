"""The rule: what numbers of contrasts show, and which verdict on a claim follows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lstmstudy.stats.rule import (
    BY_TASK,
    CONTRADICTED,
    DEPENDS,
    HIGHER,
    INCONCLUSIVE,
    LOWER,
    NO_DIFFERENCE,
    OPEN,
    SAME,
    SUPPORTED,
    VERDICTS,
    Evidence,
    shown,
    verdict,
)

CODES = (LOWER, SAME, HIGHER, DEPENDS, INCONCLUSIVE)
SIDES = ("lower", "higher")
NAN = math.nan


def task(estimate=0.0, p=1.0, low=NAN, high=NAN):
    """Return what is known of one task."""
    return estimate, p, low, high


def evidence(estimate, p=1.0, equivalence=1.0, tasks=((0.0, 1.0, NAN, NAN),)):
    """Return what is known of one contrast."""
    return Evidence(
        np.array(estimate), np.array(p), np.array(equivalence), *np.array(tasks, dtype=np.float64).T
    )


def any_evidence(seed, n=4000, tasks=3):
    """Return random numbers of many contrasts, many of them near a border, as an array of each kind."""
    rng = np.random.default_rng(seed)
    ps = [0, 0.001, 0.01, 0.016, 0.02, 0.03, 0.049, 0.05, 0.051, 0.2, 1, NAN]
    numbers = [-0.2, -0.01, 0, 0.01, 0.2]
    ends = [*numbers, NAN]
    return Evidence(
        rng.choice(numbers, size=n),
        rng.choice(ps, size=n),
        rng.choice(ps[4:], size=n),
        rng.choice(numbers, size=(tasks, n)),
        rng.choice(ps, size=(tasks, n)),
        rng.choice(ends, size=(tasks, n)),
        rng.choice(ends, size=(tasks, n)),
    )


def column(found, place):
    """Return one of many contrasts."""
    return Evidence(*(each[..., place] for each in found))


def mirrored(found):
    """Return the same numbers with arm and control changed."""
    return Evidence(
        -found.estimate,
        found.p,
        found.p_equivalence,
        -found.task_estimates,
        found.task_ps,
        -found.task_highs,
        -found.task_lows,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (evidence(-0.1, p=0.049), LOWER),
        (evidence(0.1, p=0.049), HIGHER),
        (evidence(-0.1, p=0.05), INCONCLUSIVE),
        (evidence(0.1, p=0.05), INCONCLUSIVE),
        (evidence(0.0, p=0.001), INCONCLUSIVE),
        (evidence(-0.1, p=NAN), INCONCLUSIVE),
        (evidence(0.0, equivalence=0.049), SAME),
        (evidence(0.0, equivalence=0.05), INCONCLUSIVE),
        (evidence(0.0, equivalence=NAN), INCONCLUSIVE),
    ],
)
def test_a_contrast_shows_what_a_p_below_a_twentieth_says(found, expected):
    """The side of the mean by the two-sided p, none by the one-sided ones; .05 itself and NaN say nothing."""
    assert shown(found) == expected


@pytest.mark.parametrize("p", [0.0, 0.001, 0.05, 1.0])
@pytest.mark.parametrize("estimate", [-0.04, 0.04])
def test_a_difference_too_small_to_matter_is_none(estimate, p):
    """Where both one-sided tests reject, no difference is shown however sure its side is."""
    assert shown(evidence(estimate, p=p, equivalence=0.01)) == SAME


@pytest.mark.parametrize(
    ("ps", "expected"),
    [
        ((0.024, 0.024), DEPENDS),
        ((0.024, 0.049), DEPENDS),
        ((0.026, 0.026), INCONCLUSIVE),
        ((0.025, 0.001), DEPENDS),
        ((0.001, 0.05), INCONCLUSIVE),
        ((0.001, NAN), INCONCLUSIVE),
    ],
)
def test_two_tasks_of_opposite_sign_count_after_holm(ps, expected):
    """The smaller p is doubled, the larger one is not, and both have to lie below .05."""
    assert shown(evidence(0.0, tasks=[task(-0.3, ps[0]), task(0.3, ps[1])])) == expected
    assert shown(evidence(0.0, tasks=[task(-0.3, ps[1]), task(0.3, ps[0])])) == expected


def test_more_tasks_ask_more_of_each():
    """What two of two tasks show, two of three do not: Holm counts all tasks of the claim."""
    two = [task(-0.3, 0.02), task(0.3, 0.02)]
    assert shown(evidence(0.0, tasks=two)) == DEPENDS
    assert shown(evidence(0.0, tasks=[*two, task(0.1, 0.6)])) == INCONCLUSIVE


@pytest.mark.parametrize("sign", [-1, 1])
def test_tasks_that_agree_do_not_depend_on_the_task(sign):
    """Tasks that are all sure of one side, one with a mean of 0 among them, contradict one another in nothing."""
    tasks = [task(sign * 0.3, 0.001), task(sign * 0.1, 0.001), task(0.0, 0.001)]
    assert shown(evidence(sign * 0.2, p=0.001, tasks=tasks)) == (LOWER if sign < 0 else HIGHER)


def test_the_first_that_holds_is_shown():
    """Opposite tasks come before no difference, which comes before a side, which comes before nothing."""
    apart = [task(-0.3, 0.001), task(0.3, 0.001)]
    agree = [task(-0.3, 0.001), task(-0.3, 0.001)]
    assert shown(evidence(-0.1, 0.001, 0.001, apart)) == DEPENDS
    assert shown(evidence(-0.1, 0.001, 0.001, agree)) == SAME
    assert shown(evidence(-0.1, 0.001, 1, agree)) == LOWER
    assert shown(evidence(-0.1, 1, 1, agree)) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("low", "high", "blocks"),
    [
        (0.01, 0.2, True),
        (0.0, 0.2, False),
        (-0.01, 0.2, False),
        (-0.2, -0.1, False),
        (-0.2, 0.0, False),
        (NAN, NAN, False),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_task_wholly_on_the_other_side_blocks(low, high, blocks, place):
    """One interval beyond 0 is enough, on any task; one that touches 0, lies on the same side or is unknown is not."""
    tasks = [task(-0.3, 0.001, -0.4, -0.2)] * 3
    tasks[place] = task(0.1, 0.3, low, high)
    found = evidence(-0.2, p=0.001, tasks=tasks)
    assert shown(found) == (INCONCLUSIVE if blocks else LOWER)
    assert shown(mirrored(found)) == (INCONCLUSIVE if blocks else HIGHER)


@pytest.mark.parametrize("seed", range(3))
def test_unknown_intervals_decide_nothing(seed):
    """Without intervals a contrast shows what it did, or a side that an interval had blocked."""
    found = any_evidence(seed)
    nothing = np.full_like(found.task_lows, NAN)
    before, after = shown(found), shown(found._replace(task_lows=nothing, task_highs=nothing))
    moved = before != after
    assert moved.any()
    assert set(before[moved]) == {INCONCLUSIVE}
    assert set(after[moved]) == {LOWER, HIGHER}


@pytest.mark.parametrize("seed", range(3))
def test_changing_the_sides_changes_lower_and_higher_alone(seed):
    """Control over arm shows the other side; what is no side stays."""
    found = any_evidence(seed)
    before, after = shown(found), shown(mirrored(found))
    assert set(before) == set(CODES)
    side = np.isin(before, (LOWER, HIGHER))
    np.testing.assert_array_equal(after[side], -before[side])
    np.testing.assert_array_equal(after[~side], before[~side])


@pytest.mark.parametrize("tasks", [1, 2, 4])
def test_many_at_once_are_shown_one_by_one(tasks):
    """A column of many contrasts shows what it shows alone, and so does a table of them."""
    found = any_evidence(7, n=600, tasks=tasks)
    together = shown(found)
    assert together.shape == (600,)
    assert together.tolist() == [int(shown(column(found, place))) for place in range(600)]
    table = Evidence(*(each.reshape(*each.shape[:-1], 20, 30) for each in found))
    np.testing.assert_array_equal(shown(table), together.reshape(20, 30))


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_tasks_does_not_count(seed):
    """Tasks in another order show the same."""
    found = any_evidence(seed)
    turned = Evidence(*(each[::-1] if each.ndim == 2 else each for each in found))
    np.testing.assert_array_equal(shown(turned), shown(found))


@pytest.mark.parametrize("seed", range(3))
def test_a_larger_p_shows_no_other_side(seed):
    """Adjusting p upwards can only take a side away; what tasks and one-sided tests show does not hang on it."""
    found = any_evidence(seed)
    before, after = shown(found), shown(found._replace(p=np.minimum(3 * found.p, 1)))
    moved = before != after
    assert moved.any()
    assert set(before[moved]) == {LOWER, HIGHER}
    assert set(after[moved]) == {INCONCLUSIVE}


@pytest.mark.parametrize(
    ("contrasts", "expected", "words"),
    [
        ([LOWER], ["lower"], SUPPORTED),
        ([HIGHER], ["higher"], SUPPORTED),
        ([HIGHER], ["lower"], CONTRADICTED),
        ([LOWER], ["higher"], CONTRADICTED),
        ([SAME], ["lower"], NO_DIFFERENCE),
        ([DEPENDS], ["higher"], BY_TASK),
        ([INCONCLUSIVE], ["lower"], OPEN),
        ([LOWER, HIGHER], ["lower", "higher"], SUPPORTED),
        ([LOWER, HIGHER], ["higher", "lower"], CONTRADICTED),
        ([LOWER, HIGHER], ["lower", "lower"], OPEN),
        ([LOWER, LOWER], ["lower", "higher"], OPEN),
        ([LOWER, SAME], ["lower", "lower"], OPEN),
        ([SAME, SAME], ["lower", "higher"], NO_DIFFERENCE),
        ([SAME, INCONCLUSIVE], ["lower", "lower"], OPEN),
        ([LOWER, DEPENDS], ["lower", "lower"], BY_TASK),
        ([SAME, SAME, DEPENDS], ["lower", "lower", "lower"], BY_TASK),
        ([LOWER, LOWER, INCONCLUSIVE], ["lower", "lower", "lower"], OPEN),
    ],
)
def test_a_verdict_is_what_all_contrasts_say(contrasts, expected, words):
    """One task-dependent contrast decides; for the rest all of them have to agree, each on its own side."""
    assert verdict(contrasts, expected) == words


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_combination_has_one_of_the_verdicts(n):
    """Whatever contrasts show and claims expect, each verdict is given just where its definition holds."""
    for contrasts in itertools.product(CODES, repeat=n):
        for expected in itertools.product(SIDES, repeat=n):
            words = verdict(contrasts, expected)
            assert words in VERDICTS
            sided = [
                {"lower": LOWER, "higher": HIGHER}[side] * each
                for each, side in zip(contrasts, expected, strict=True)
            ]
            told = set(contrasts) <= {LOWER, HIGHER}
            assert (words == BY_TASK) == (DEPENDS in contrasts)
            assert (words == NO_DIFFERENCE) == (set(contrasts) == {SAME})
            assert (words == SUPPORTED) == (told and min(sided) == 1)
            assert (words == CONTRADICTED) == (told and max(sided) == -1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_changing_all_sides_changes_supported_and_contradicted_alone(n):
    """Both what is shown and what is expected may be turned: either turns the verdict, both leave it."""
    turned = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}
    for contrasts in itertools.product(CODES, repeat=n):
        other = [-each if each in {LOWER, HIGHER} else each for each in contrasts]
        for expected in itertools.product(SIDES, repeat=n):
            against = ["lower" if side == "higher" else "higher" for side in expected]
            words = verdict(contrasts, expected)
            assert verdict(other, expected) == turned.get(words, words)
            assert verdict(contrasts, against) == turned.get(words, words)
            assert verdict(other, against) == words
