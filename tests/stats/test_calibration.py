"""Replays of the rule: how often it finds something in nothing, and in something, where the answer is known."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from lstmstudy.stats import calibration, rule
from lstmstudy.stats.calibration import Question, power, replayed, sham_rates, sign_flip_rate
from lstmstudy.stats.pool import Pool
from lstmstudy.stats.sample import Sample
from lstmstudy.stats.sign_flips import ALPHA
from lstmstudy.stats.tested import tested as judged  # a name that pytest does not take for a test
from lstmstudy.streams import generator

SLIGHT = 1e-9  # a margin within which nothing is shown
MARGIN = math.log(1.05)


@pytest.fixture
def few(monkeypatch):
    """Return how to set the number of replays."""

    def fewer(**constants):
        for name, value in constants.items():
            monkeypatch.setattr(calibration, name, value)

    fewer(REPLAYS=200, STUDIES=12, EACH=60, FLIPS=499)
    return fewer


def off(share, replays):
    """Return how far a share of replays may lie from the true one by chance."""
    return 4 * math.sqrt(share * (1 - share) / replays)


def noise(seed, arms=10, units=12, tasks=3, spread=0.1):
    """Return arms that differ by chance alone."""
    rng = np.random.default_rng(seed)
    names = [f"task {k}" for k in range(tasks)]
    return Pool(
        {task: rng.normal(-1, spread, size=(arms, units)) for task in names},
        {task: np.arange(units) % 3 for task in names},
    )


def table(*rows):
    """Return a pool of one task and one fold from the errors of its arms."""
    return Pool({"one": np.array(rows, dtype=float)}, {"one": np.zeros(len(rows[0]), dtype=int)})


def question(*contrasts, task="one", fold=0, seeds=None, expected="lower", margin=SLIGHT):
    """Return a claim about one task from the numbers of its contrasts."""
    samples, keys = [], []
    for numbers in contrasts:
        samples.append(Sample.of({task: numbers}, {task: [fold] * len(numbers)}))
        keys.append((np.arange(len(numbers)) if seeds is None else np.asarray(seeds),))
    sides = (expected,) * len(samples) if isinstance(expected, str) else expected
    return Question(tuple(samples), tuple(keys), tuple(sides), (margin,) * len(samples), ({},) * len(samples))


def numbers(seed=0, n=8):
    """Return numbers of which no two sums agree; for eight of them a p is a multiple of 2 / 256."""
    return np.random.default_rng(seed).normal(0, 0.1, size=n)


# The rule in a replay is the rule of a study.


@pytest.mark.parametrize("sizes", [(9,), (6,), (8, 6), (6, 6, 6)])
def test_a_replay_reads_what_a_study_reads(few, monkeypatch, sizes):
    """Every number that the rule reads of many samples at once is the one of a single sample's tests."""
    few(FLIPS=2**18 - 1, RESAMPLES=4000)
    monkeypatch.setattr(
        calibration, "ALPHA", 2.0
    )  # intervals of all samples, not of those alone that need one
    rng = np.random.default_rng(1)
    values = rng.normal(-0.05, 0.1, size=(5, sum(sizes)))
    folds = [np.arange(size) % 3 for size in sizes]
    found = replayed(values, folds, [None] * len(sizes), MARGIN, "bootstrap")
    for place, row in enumerate(values):
        parts = np.split(row, np.cumsum(sizes)[:-1])
        sample = Sample.of(
            {str(k): part for k, part in enumerate(parts)},
            {str(k): where.tolist() for k, where in enumerate(folds)},
        )
        whole = judged(sample, MARGIN, {}, {})
        tasks = [judged(sample.on(task), MARGIN, {}, {}) for task in sample.tasks]
        assert found.estimate[place] == pytest.approx(whole.estimate)
        assert found.p[place] == pytest.approx(whole.p, abs=0.01)
        assert found.p_equivalence[place] == pytest.approx(whole.p_equivalence, abs=0.01)
        if sum(sizes) <= 16:
            assert (found.p[place], found.p_equivalence[place]) == (whole.p, whole.p_equivalence)
        for kind, name in [("estimates", "estimate"), ("ps", "p"), ("lows", "low"), ("highs", "high")]:
            told = getattr(found, f"task_{kind}")[:, place]
            np.testing.assert_allclose(told, [getattr(each, name) for each in tasks], atol=1e-12)


def test_intervals_are_drawn_where_they_may_decide(few):
    """A replay whose p leaves every side open has no intervals; all others have theirs."""
    few()
    values = np.random.default_rng(2).normal(-0.06, 0.1, size=(300, 12))
    found = replayed(values, [np.arange(6) % 2, np.arange(6) % 2], [None, None], MARGIN, "test")
    sure = found.p < ALPHA
    assert 20 < sure.sum() < 280
    assert np.isfinite(found.task_lows[:, sure]).all()
    assert np.isnan(found.task_lows[:, ~sure]).all()
    np.testing.assert_array_equal(np.isnan(found.task_lows), np.isnan(found.task_highs))
    assert (found.task_lows[:, sure] < found.task_highs[:, sure]).all()


# Random signs.


@pytest.mark.parametrize("expected", ["lower", "higher"])
def test_random_signs_find_something_as_often_as_the_test_allows(few, expected):
    """For one claim the rate is the largest p below .05 that eight units have, either side being false."""
    few(REPLAYS=8000)
    exact = 12 / 256
    rate = sign_flip_rate([question(numbers(), expected=expected)])
    assert rate.share == pytest.approx(exact, abs=off(exact, 8000))
    assert rate.low <= rate.share <= rate.high


def test_a_family_of_claims_keeps_its_rate_under_random_signs(few):
    """Claims over tasks and contrasts, with units in common and others apart, find something in at most .05."""
    few(REPLAYS=3000, STUDIES=2, EACH=20)
    rng = np.random.default_rng(3)

    def claim(tasks, contrasts, size):
        seeds = [rng.permutation(20)[:size] for _ in tasks]
        samples = [
            Sample.of(
                {task: rng.standard_t(3, size=size) for task in tasks},
                {task: its % 3 for task, its in zip(tasks, seeds, strict=True)},
            )
            for _ in range(contrasts)
        ]
        return Question(
            tuple(samples),
            (tuple(seeds),) * contrasts,
            ("lower",) * contrasts,
            (SLIGHT,) * contrasts,
            ({},) * contrasts,
        )

    family = [claim("abc", 1, 9), claim("ab", 2, 12), claim("c", 1, 12), claim("a", 1, 18), claim("bc", 1, 7)]
    share = sign_flip_rate(family).share
    assert 0.01 < share <= ALPHA + off(ALPHA, 3000)


@pytest.mark.parametrize("claims", [2, 3, 5])
def test_signs_of_a_unit_are_the_same_in_all_claims(few, monkeypatch, claims):
    """A claim told several times is found just as often as once at the level that Holm leaves it: in the same replays."""
    few(FLIPS=2**10 - 1, REPLAYS=3000, STUDIES=3, EACH=40)
    once = question(numbers(n=10))
    many = sign_flip_rate([once] * claims)
    monkeypatch.setattr(rule, "ALPHA", ALPHA / claims)
    monkeypatch.setattr(calibration, "ALPHA", ALPHA / claims)
    assert sign_flip_rate([once]) == many
    assert 0 < many.share == pytest.approx(ALPHA / claims, abs=off(ALPHA / claims, 3000) + 2**-9)


@pytest.mark.parametrize("other", [{"task": "two"}, {"fold": 1}, {"seeds": range(100, 108)}])
def test_other_units_have_signs_of_their_own(few, other):
    """Another task, fold or seed is another unit: two claims are found almost twice as often as one."""
    few(REPLAYS=8000, STUDIES=2, EACH=20)
    once = 6 / 256  # the largest p that is below .05 when doubled
    together = sign_flip_rate([question(numbers()), question(numbers())]).share
    apart = sign_flip_rate([question(numbers()), question(numbers(), **other)]).share
    assert together == pytest.approx(once, abs=off(once, 8000))
    both = 1 - (1 - once) ** 2
    assert apart == pytest.approx(both, abs=off(both, 8000))


def test_signs_follow_the_seed_and_not_the_place(few):
    """Units in another order in another claim are still the same units."""
    few()
    values, order = numbers(), np.random.default_rng(4).permutation(8)
    one = [question(values), question(values)]
    other = [question(values), question(values[order], seeds=order)]
    assert sign_flip_rate(other) == sign_flip_rate(one)


def test_contrasts_of_a_claim_flip_together(few):
    """A claim of twice the same contrast is found as often as of one, and never if it asks for both sides of it."""
    few()
    values = numbers()
    once = sign_flip_rate([question(values)])
    assert once.share > 0
    assert sign_flip_rate([question(values, values)]) == once
    assert sign_flip_rate([question(values, -values, expected=("lower", "higher"))]) == once
    assert sign_flip_rate([question(values, -values)]) == (0, 0, 0)


def test_differences_too_small_to_matter_are_no_false_verdict(few):
    """Within the margin every replay shows no practical difference, and that is true."""
    few()
    assert sign_flip_rate([question(numbers(), margin=5.0)]) == (0, 0, 0)


def test_a_claim_is_as_sure_as_its_least_sure_contrast(few):
    """Beside a contrast that two of eight units decide, with a p of at least a half, nothing is ever found."""
    few()
    values = numbers()
    unsure = np.where(np.arange(8) < 2, values, 0)
    assert sign_flip_rate([question(values)]).share > 0
    assert sign_flip_rate([question(values, unsure)]) == (0, 0, 0)


def test_a_replay_has_the_numbers_observed(few, monkeypatch):
    """Each column is a unit of the sample with random signs, tasks and their folds in the order of the sample."""
    few(STUDIES=2)
    seen = []

    def spy(values, folds, *others):
        seen.append((values, folds))
        return replayed(values, folds, *others)

    monkeypatch.setattr(calibration, "replayed", spy)
    sample = Sample.of(
        {"second": numbers(1, 3), "first": numbers(2, 7)}, {"second": [2, 0, 1], "first": [1, 0] * 3 + [2]}
    )
    seeds = np.array([9, 3, 4]), np.array([5, 4, 9, 1, 0, 2, 7])
    sign_flip_rate([Question((sample,), (seeds,), ("lower",), (SLIGHT,), ({},))])
    values, folds = seen[0]
    assert [len(each) for each in folds] == [3, 7]
    for own, where, observed, their in zip(
        np.split(values, [3], axis=1), folds, sample.values, sample.folds, strict=True
    ):
        assert (abs(own) == abs(own[0])).all()
        assert sorted(zip(abs(own[0]), where, strict=True)) == sorted(zip(abs(observed), their, strict=True))
        assert (abs(own.mean(axis=0)) < abs(own[0])).all()
    for values, folds in seen[1:]:
        first = folds[0] if len(folds) == 2 else []
        assert set(abs(values[0, : len(first)])) <= set(abs(sample.values[0]))
        assert set(abs(values[0, len(first) :])) <= set(abs(sample.values[1]))


def test_the_interval_of_a_rate_resamples_units(few):
    """Six of twelve units tell something, which is just enough: where a resample has five, nothing is found."""
    few(REPLAYS=1000, STUDIES=20, EACH=400, FLIPS=2**12 - 1)
    found = sign_flip_rate([question([1.0, 0.0] * 6)])
    assert found.share == pytest.approx(2 / 64, abs=off(2 / 64, 1000))
    assert found.low == 0
    assert found.high > 2 / 64


def test_units_are_drawn_task_by_task():
    """A resample has as many units of each task, all of them from it, some of them twice."""
    units = [(task, seed % 3, seed) for task, n in (("one", 12), ("two", 5)) for seed in range(n)]
    rng = generator(0, "test")
    seen = set()
    for _ in range(50):
        drawn = calibration._resampled_units(units, rng)
        assert [task for task, *_ in drawn] == ["one"] * 12 + ["two"] * 5
        assert set(drawn) <= set(units)
        assert len(set(drawn)) < len(drawn)
        seen |= set(drawn)
    assert seen == set(units)


# Pairs of arms.


def marked(arms=4, units=8, tasks=2):
    """Return arms whose differences tell arms and unit: (one - other) * 10 ** unit."""
    names = [f"task {k}" for k in range(tasks)]
    return Pool(
        {task: np.arange(arms)[:, None] * 10.0 ** np.arange(units) for task in names},
        {task: (np.arange(units) + k) % 3 for k, task in enumerate(names)},
    )


@pytest.mark.parametrize("units", [None, 1, 3, 8])
def test_a_pair_is_two_arms_on_the_same_units(units):
    """On each task all numbers of a replay are of one pair of arms that differ, no unit twice, with its fold."""
    pool, wanted = marked(), units or 8
    values, folds, _ = pool.pairs(300, generator(0, "test"), units)
    assert values.shape == (300, 2 * wanted)
    for place, (task, own) in enumerate(zip(pool.errors, np.split(values, 2, axis=1), strict=True)):
        places = np.floor(np.log10(abs(own))).astype(int)
        assert (places == places[0]).all()
        assert len(set(places[0])) == wanted
        apart = own / 10.0**places
        assert (apart == apart[:, :1]).all()
        assert set(apart.ravel()) == {-3, -2, -1, 1, 2, 3}
        np.testing.assert_array_equal(folds[place], pool.folds[task][places[0]])


@pytest.mark.parametrize("units", [9, 16, 21])
def test_more_units_than_there_are_come_from_more_pairs(units):
    """Each next pair has all its units or what is left, none twice, and arms of its own."""
    pool = marked()
    values, folds, _ = pool.pairs(200, generator(0, "test"), units)
    assert values.shape == (200, 2 * units)
    for place, (task, own) in enumerate(zip(pool.errors, np.split(values, 2, axis=1), strict=True)):
        places = np.floor(np.log10(abs(own))).astype(int)
        np.testing.assert_array_equal(folds[place], pool.folds[task][places[0]])
        pieces = np.split(np.arange(units), range(8, units, 8))
        apart = [own[:, piece] / 10.0 ** places[:, piece] for piece in pieces]
        for piece, each in zip(pieces, apart, strict=True):
            assert len(set(places[0, piece])) == len(piece)
            assert (each == each[:, :1]).all()
        assert (apart[0][:, 0] != apart[1][:, 0]).any()


def test_all_pairs_of_arms_are_as_likely_and_tasks_draw_apart():
    """Each ordered pair comes as often, and which pair one task has says nothing about the other's."""
    rng = np.random.default_rng(5)
    arms = {task: rng.normal(size=(3, 1)) for task in ("one", "two")}
    pool = Pool(arms, {task: np.zeros(1, dtype=int) for task in arms})
    values, *_ = pool.pairs(18_000, generator(0, "test"))
    counts = []
    for (one, other), (left, right) in itertools.product(itertools.permutations(range(3), 2), repeat=2):
        asked = arms["one"][one, 0] - arms["one"][other, 0], arms["two"][left, 0] - arms["two"][right, 0]
        counts.append((values == asked).all(axis=1).sum())
    assert sum(counts) == 18_000
    np.testing.assert_allclose(np.array(counts) / 18_000, 1 / 36, atol=off(1 / 36, 18_000))


def test_an_arm_that_is_there_twice_is_never_compared_with_itself():
    """In a resample the copies of an arm are one arm."""
    rows = np.random.default_rng(6).normal(size=(2, 5))
    values, *_ = table(rows[0], rows[1], rows[0], rows[0]).pairs(400, generator(0, "test"))
    apart = sorted(rows[0] - rows[1])
    assert {tuple(sorted(each)) for each in values} == {tuple(apart), tuple(sorted(rows[1] - rows[0]))}


def test_a_resample_draws_whole_arms():
    """Rows come with repetition from those of the task, at least two of them different; units and folds stay."""
    pool, rng = noise(7, arms=3, tasks=2), generator(0, "test")
    drawn = []
    for _ in range(200):
        found = pool.resample(rng)
        rows = {
            task: [int((pool.errors[task] == row).all(axis=1).nonzero()[0][0]) for row in errors]
            for task, errors in found.errors.items()
        }
        assert all(len(each) == 3 and len(set(each)) > 1 for each in rows.values())
        assert found.folds == pool.folds
        drawn.append([tuple(each) for each in rows.values()])
    assert any(one != other for one, other in drawn)
    assert {tuple(sorted(each)) for pair in drawn for each in pair} == {
        each for each in itertools.combinations_with_replacement(range(3), 3) if len(set(each)) > 1
    }


# Arms that do nothing.


def test_arms_that_do_nothing_are_found_no_more_often_than_the_level(few):
    """Over pools of pure noise a claim by itself, and a family of six, find something in at most .05 on average."""
    few(STUDIES=2, EACH=20, REPLAYS=40)
    rates = [sham_rates(noise(seed), 6, MARGIN) for seed in range(24)]
    for kind in ("alone", "family"):
        shares = np.array([getattr(each, kind).share for each in rates])
        assert 0.01 < shares.mean() <= ALPHA + 4 * shares.std(ddof=1) / math.sqrt(24)


@pytest.mark.parametrize("seed", range(2))
def test_the_interval_of_a_sham_rate_holds_the_rate(few, seed):
    """The share lies inside the interval over resamples of the arms, for a claim and for a family."""
    few(STUDIES=30, EACH=25, REPLAYS=100)
    found = sham_rates(noise(seed), 4, MARGIN)
    for rate in found:
        assert 0 <= rate.low <= rate.share <= rate.high <= 1
    assert found.alone.low < found.alone.high


LEVEL = [[0.0] * 8, [0.01, -0.01] * 4, [0.01, 0.01, -0.01, -0.01] * 2]  # no p of two of them is below .5
ODD = 5 + 0.01 * np.arange(8)


def test_an_arm_that_differs_is_found_in_every_pair_that_has_it(few):
    """One of four arms differs, so that half of the pairs show something, and three of four families of two do."""
    few(STUDIES=60)
    found = sham_rates(table(*LEVEL, ODD), 2, SLIGHT)
    assert found.alone.share == pytest.approx(0.5, abs=off(0.5, 2000))
    assert found.family.share == pytest.approx(0.75, abs=off(0.75, 1000))
    # In a third of the resamples that arm is not there, in others it is there several times.
    assert found.alone.low == 0
    assert found.alone.high > 0.55


def test_the_p_of_eight_units_is_too_large_for_a_family_of_eight(few):
    """The smallest p, 2 / 256, times eight is above .05: the claim alone is found, none of the family is."""
    few()
    found = sham_rates(table([0.0] * 8, ODD), 8, SLIGHT)
    assert found.alone == (1, 1, 1)
    assert found.family == (0, 0, 0)


def test_two_arms_that_differ_are_always_found(few):
    """On two tasks a half of the pairs point in opposite ways: that too is a false verdict."""
    few()
    rows = np.array([[0.0] * 8, ODD])
    pool = Pool(dict.fromkeys(("one", "two"), rows), {task: np.arange(8) % 2 for task in ("one", "two")})
    assert sham_rates(pool, 3, SLIGHT) == ((1, 1, 1), (1, 1, 1))


def test_arms_that_differ_by_less_than_the_margin_do_nothing(few):
    """A sure difference that does not matter is no false verdict."""
    few()
    assert sham_rates(table([0.0] * 8, ODD), 1, 10.0) == ((0, 0, 0), (0, 0, 0))


def test_in_a_family_of_one_nothing_is_adjusted(few):
    """Alone and in a family by itself a claim is found in the same replays."""
    few()
    found = sham_rates(noise(8), 1, MARGIN)
    assert found.alone.share == found.family.share > 0


# Power.


def test_power_grows_with_units_and_with_the_effect(few):
    """Of each planted effect more is found with more units, of a larger effect more; a family finds less."""
    few(STUDIES=8, UNITS=(4, 10, 24), PLANTED=(1.03, 1.06, 1.14))
    curves = power(noise(9, tasks=2), 8, math.log(1.02))
    assert [(each.planted, each.units) for each in curves] == [
        (planted, units) for planted in (1.03, 1.06, 1.14) for units in (4, 10, 24)
    ]
    for kind in ("alone", "family"):
        shares = np.array([getattr(each, kind).share for each in curves]).reshape(3, 3)
        assert (np.diff(shares, axis=1) >= 0).all()
        assert (np.diff(shares, axis=0) >= 0).all()
        assert shares[-1, -1] > 0.95
        assert shares[0, 0] < 0.2
    for each in curves:
        assert each.family.share <= each.alone.share
        assert each.alone.low <= each.alone.share <= each.alone.high
        assert each.family.low <= each.family.share <= each.family.high
    assert any(each.family.share < each.alone.share - 0.1 for each in curves)


@pytest.mark.parametrize("units", [12, 24])
def test_power_is_that_of_a_paired_t_test(few, units):
    """For normal noise it is what theory gives for the planted effect, also where units come from two pairs."""
    few(STUDIES=2, UNITS=(units,), PLANTED=(1.08,), FLIPS=999)
    shares = np.array([power(noise(seed, tasks=1), 1, SLIGHT)[0].alone.share for seed in range(24)])
    expected = TTestPower().power(math.log(1.08) / math.hypot(0.1, 0.1), units, ALPHA)
    assert 0.3 < expected < 0.8
    assert shares.mean() == pytest.approx(expected, abs=4 * shares.std(ddof=1) / math.sqrt(24))


def test_what_is_planted_is_a_ratio_of_errors(few):
    """Arms whose errors are in the ratio e hide a smaller planted ratio in half of the pairs, a larger one in none."""
    few(UNITS=(8,), PLANTED=(2.6, 2.8), STUDIES=20)
    found = power(table([0.0] * 8, [1.0] * 8), 1, SLIGHT)
    assert found[0].alone.share == pytest.approx(0.5, abs=off(0.5, 20 * 60))
    assert found[1].alone == (1, 1, 1)


def test_the_interval_of_power_resamples_arms(few):
    """One of four arms is worse, found in a quarter of the pairs; in a third of the resamples it is not there."""
    few(UNITS=(8,), PLANTED=(1.0,), STUDIES=60)
    found = power(table(*LEVEL, ODD), 1, SLIGHT)[0]
    assert found.alone.low == 0
    assert found.alone.high > 0.3


def test_four_units_of_one_task_find_nothing(few):
    """Their smallest p is an eighth, whatever is planted."""
    few(UNITS=(4, 8), PLANTED=(3.0,))
    found = power(noise(10, tasks=1), 1, MARGIN)
    assert [each.alone for each in found] == [(0, 0, 0), (1, 1, 1)]


def test_only_a_gain_counts_as_found(few):
    """An arm that loses what was planted, or gains less than the margin, is not found."""
    few(UNITS=(12,), PLANTED=(0.5, 1.5), STUDIES=4)
    pool = noise(11, tasks=1)
    assert [each.alone.share for each in power(pool, 1, SLIGHT)] == [0, 1]
    assert [each.alone.share for each in power(pool, 1, 2.0)] == [0, 0]


def test_a_family_asks_for_a_p_so_many_times_smaller(few):
    """A family of one is a claim alone; nine units reach 2 / 512, enough for a family of 12 and not of 13."""
    few(UNITS=(9,), PLANTED=(3.0,), FLIPS=511)
    pool = noise(12, tasks=1)
    one = power(pool, 1, MARGIN)[0]
    assert one.family == one.alone == (1, 1, 1)
    assert power(pool, 12, MARGIN)[0].family == (1, 1, 1)
    assert power(pool, 13, MARGIN)[0].family == (0, 0, 0)


# Everything is drawn from named streams.


def test_rates_are_the_same_when_asked_again(few):
    """Two calls with the same numbers give the same rates and intervals, all three of them."""
    few(UNITS=(6, 14), STUDIES=3)
    claims = [question(numbers(1)), question(numbers(2), task="two")]
    assert sign_flip_rate(claims) == sign_flip_rate(claims)
    assert sham_rates(noise(13), 3, MARGIN) == sham_rates(noise(13), 3, MARGIN)
    assert power(noise(13), 3, MARGIN) == power(noise(13), 3, MARGIN)


def test_a_resample_without_any_unit_of_a_claim_finds_nothing_there():
    """A claim of two units beside one of twelve: whatever resamples leave out, there is a rate."""
    many = question(numbers(1))
    few = dataclasses.replace(
        many,
        samples=(Sample.of({"one": many.samples[0].flat[:2]}, {"one": [0, 0]}),),
        seeds=((many.seeds[0][0][:2],),),
    )
    rate = sign_flip_rate([many, few])
    assert 0 <= rate.low <= rate.share <= rate.high <= 1


def test_a_replay_gives_a_task_with_few_units_no_interval():
    """As in a study: below six units of a task no interval of its own can stand against a verdict."""
    values = np.concatenate([np.full(8, -0.6) - 0.01 * np.arange(8), [0.05, 0.051, 0.052, 0.053]])
    found = replayed(values[None], [np.zeros(8, int), np.zeros(4, int)], [None, None], np.log(1.05), "here")
    assert np.isnan(found.task_lows[1]).all()
    assert np.isfinite(found.task_lows[0]).all()


def test_arms_without_any_difference_have_differences_of_zero():
    """Arms that are equal in every unit are told apart by nothing; a single arm is refused."""
    table = np.zeros((3, 8))
    values, *_ = Pool({"a": table}, {"a": np.zeros(8, int)}).pairs(5, np.random.default_rng(0))
    assert not values.any()
    with pytest.raises(ValueError, match=r"at least two arms on every task.*Received: arms=\{'a': 1\}"):
        Pool({"a": table[:1]}, {"a": np.zeros(8, int)})
