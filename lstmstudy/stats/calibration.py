"""How honest the rule is: how often it finds something where there is nothing, and where there is something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstmstudy.stats.luck import student
from lstmstudy.stats.rule import (
    BY_TASK,
    CONTRADICTED,
    LOWER,
    SUPPORTED,
    Evidence,
    Expected,
    shown,
    verdict,
)
from lstmstudy.stats.sample import FEWEST, resampled
from lstmstudy.stats.sign_flips import ALPHA, holm, two_sided, within
from lstmstudy.streams import generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from lstmstudy.stats.luck import Luck, Student
    from lstmstudy.stats.pool import Pool
    from lstmstudy.stats.sample import Sample

FLIPS = 999  # ways to sign the units of a replay
RESAMPLES = 400  # for the interval of a task in a replay
REPLAYS = 1000
STUDIES = 60  # resamples of the runs, from which a rate has its interval
EACH = 250  # replays of each
PLANTED = (1.05, 1.10)  # errors of the arm that gains, relative: what power is asked for
UNITS = (4, 6, 8, 12, 18, 24)
FALSE = (SUPPORTED, CONTRADICTED, BY_TASK)


class Rate(NamedTuple):
    """A share of replays, with a 95 % interval over resamples of the runs that it rests on."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Question:
    """A claim as the rule sees it.

    Attributes:
        samples: The numbers of each contrast.
        seeds: For each contrast and task, the seed of each unit: which numbers belong to one unit.
        expected: The side that the claim gives each contrast.
        margins: Of no practical difference, for each contrast.
        luck: For each contrast, by task, the luck of the search that it is judged by.
    """

    samples: tuple[Sample, ...]
    seeds: tuple[tuple[npt.NDArray[np.int64], ...], ...]
    expected: tuple[Expected, ...]
    margins: tuple[float, ...]
    luck: tuple[Mapping[str, Luck], ...]


def replayed(
    values: npt.NDArray[np.float64],
    folds: Sequence[npt.NDArray[np.int64]],
    luck: Sequence[Luck | None],
    margin: float,
    role: str,
) -> Evidence:
    """Return what the rule reads of many samples of one shape; the p is not adjusted.

    Args:
        values: The numbers, (n_samples, n_units), task after task.
        folds: Of each task, the fold of each unit.
        luck: Of each task, the luck of the search in its numbers: one, or one for each sample; None if there is none.
        margin: Of no practical difference.
        role: Names the random stream of the resampling.
    """
    sizes = [len(each) for each in folds]
    weights = np.concatenate([np.full(size, 1 / size / len(sizes)) for size in sizes])
    p, p_equivalence = two_sided(values * weights, FLIPS), within(values, weights, margin, FLIPS)
    parts = np.split(values, np.cumsum(sizes)[:-1], axis=1)
    if any(each is not None for each in luck) and min(sizes) > 1:
        whole = _with_luck(parts, luck)
        p, p_equivalence = np.maximum(p, whole.p()), np.maximum(p_equivalence, whole.p_equivalence(margin))
    sure = p < ALPHA  # elsewhere the interval decides nothing
    estimates, ps, lows, highs = [], [], [], []
    for task, (own, where, its) in enumerate(zip(parts, folds, luck, strict=True)):
        estimates.append(own.mean(axis=1))
        ps.append(two_sided(own / len(where), FLIPS))
        low, high = np.full((2, len(values)), np.nan)
        if sure.any() and len(where) >= FEWEST:
            means = resampled(where, RESAMPLES, 0, f"{role}/{task}") @ own[sure].T
            low[sure], high[sure] = np.quantile(means, [0.025, 0.975], axis=0)
        if its is not None and len(where) > 1:
            lucky = _with_luck([own], [its])
            ps[-1] = np.maximum(ps[-1], lucky.p())
            low, high = lucky.interval(low, high)
        lows.append(low)
        highs.append(high)
    by_task = (np.array(each) for each in (estimates, ps, lows, highs))
    return Evidence(values @ weights, p, p_equivalence, *by_task)


def _with_luck(parts: Sequence[npt.NDArray[np.float64]], luck: Sequence[Luck | None]) -> Student:
    """Return the tests of many samples with the luck of the search in them, from the numbers of each task."""
    return student(
        np.array([each.mean(axis=1) for each in parts]),
        np.array([each.var(axis=1, ddof=1) for each in parts]),
        [each.shape[1] for each in parts],
        luck,
    )


def sign_flip_rate(questions: Sequence[Question]) -> Rate:
    """Return how often any claim of the family gets a verdict when signs are random: the family-wise rate.

    The numbers are those observed; each unit keeps or flips the signs of all its numbers, in all claims
    together. A false verdict says that an arm is better or worse, or that this depends on the task.
    """
    units = sorted({key for question in questions for sample in _keys(question) for key in sample})
    rng = generator(0, "calibration/signs")
    share = _flipped_share(questions, units, REPLAYS, rng)
    shares = [_flipped_share(questions, _resampled_units(units, rng), EACH, rng) for _ in range(STUDIES)]
    return _rate(share, shares)


_Key = tuple[str, int, int]  # task, fold, seed


def _keys(question: Question) -> list[list[_Key]]:
    """Return the unit of each number, for each contrast."""
    return [
        [
            (task, int(fold), int(seed))
            for task, folds, its in zip(sample.tasks, sample.folds, seeds, strict=True)
            for fold, seed in zip(folds, its, strict=True)
        ]
        for sample, seeds in zip(question.samples, question.seeds, strict=True)
    ]


def _resampled_units(units: Sequence[_Key], rng: np.random.Generator) -> list[_Key]:
    """Return units drawn with repetition, as many as each task has."""
    drawn = []
    for task in dict.fromkeys(task for task, *_ in units):
        own = [key for key in units if key[0] == task]
        drawn += [own[place] for place in rng.integers(len(own), size=len(own))]
    return drawn


def _flipped_share(
    questions: Sequence[Question], units: Sequence[_Key], replays: int, rng: np.random.Generator
) -> float:
    signs = 1 - 2 * rng.integers(0, 2, size=(replays, len(units)))
    found = []
    for question in questions:
        each = []
        contrasts = (_keys(question), question.samples, question.margins, question.luck)
        for keys, sample, margin, luck in zip(*contrasts, strict=True):
            place = {key: position for position, key in enumerate(keys)}
            taken = [position for position, key in enumerate(units) if key in place]
            rows = np.array([place[units[position]] for position in taken])
            if not len(rows):
                each.append(_nothing(replays))  # a resample may lack every unit of a contrast
                continue
            task_of = np.array([sample.tasks.index(units[position][0]) for position in taken])
            order = np.argsort(task_of, kind="stable")
            rows, columns = rows[order], np.array(taken)[order]
            where = np.concatenate(sample.folds)[rows]
            there = np.unique(task_of)
            folds = [where[task_of[order] == task] for task in there]
            its = [luck.get(sample.tasks[task]) for task in there]
            values = signs[:, columns] * sample.flat[rows]
            each.append(replayed(values, folds, its, margin, "calibration/signs"))
        found.append((question, each))
    return float(_family(found).any(axis=0).mean())


def _nothing(replays: int) -> Evidence:
    """Return what the rule reads of a contrast without units: nothing that could be found."""
    one, none = np.ones(replays), np.full((1, replays), np.nan)
    return Evidence(0 * one, one, one, 0 * one[None], one[None], none, none)


def _family(found: Sequence[tuple[Question, Sequence[Evidence]]]) -> npt.NDArray[np.bool_]:
    """Return which claims get a false verdict in which replay, (n_claims, n_replays)."""
    adjusted = holm(np.array([np.max([each.p for each in evidence], axis=0) for _, evidence in found]))
    return np.array(
        [
            _false([shown(each._replace(p=p)) for each in evidence], question.expected)
            for (question, evidence), p in zip(found, adjusted, strict=True)
        ]
    )


def _false(contrasts: Sequence[npt.NDArray[np.int64]], expected: Sequence[Expected]) -> npt.NDArray[np.bool_]:
    codes = np.array(contrasts).T
    words = {row: verdict(row, expected) in FALSE for row in {tuple(map(int, row)) for row in codes}}
    return np.array([words[tuple(map(int, row))] for row in codes])


class ShamRates(NamedTuple):
    """How often the rule finds something in arms that do nothing: for a claim by itself, and in a family."""

    alone: Rate
    family: Rate


def sham_rates(pool: Pool, claims: int, margin: float) -> ShamRates:
    """Return false-verdict rates over pairs of arms that differ by chance alone.

    Args:
        pool: The arms.
        claims: Size of the family in which Holm adjusts.
        margin: Of no practical difference.
    """
    rng = generator(0, "calibration/sham")

    def shares(some: Pool, replays: int) -> tuple[float, float]:
        families = max(replays // claims, 20)
        found = replayed(*some.pairs(families * claims, rng), margin, "calibration/sham")
        alone = _false([shown(found)], ["lower"]).mean()
        adjusted = holm(found.p.reshape(claims, families)).ravel()
        family = _false([shown(found._replace(p=adjusted))], ["lower"]).reshape(claims, families)
        return float(alone), float(family.any(axis=0).mean())

    point = shares(pool, 10 * REPLAYS)
    alone, family = zip(*[shares(pool.resample(rng), 4 * EACH) for _ in range(STUDIES)], strict=True)
    return ShamRates(_rate(point[0], alone), _rate(point[1], family))


class Power(NamedTuple):
    """How often a planted effect is found, with so many units of each task.

    Attributes:
        planted: Error of the control over that of the arm.
        units: Of each task.
        alone: Share found by a claim by itself.
        family: Share found by the first of a family, whose p is adjusted for all.
    """

    planted: float
    units: int
    alone: Rate
    family: Rate


def power(pool: Pool, claims: int, margin: float) -> list[Power]:
    """Return the power of the rule for planted effects over the number of units.

    Args:
        pool: Arms that differ by chance alone, to which the effect is added.
        claims: Size of the family.
        margin: Of no practical difference.
    """
    rng = generator(0, "calibration/power")

    def shares(some: Pool, planted: float, units: int, replays: int) -> tuple[float, float]:
        pairs = some.pairs(replays, rng, units)
        found = replayed(
            pairs.values - math.log(planted), pairs.folds, pairs.luck, margin, "calibration/power"
        )
        adjusted = found._replace(p=np.minimum(found.p * claims, 1))
        return float(np.mean(shown(found) == LOWER)), float(np.mean(shown(adjusted) == LOWER))

    curves = []
    for planted in PLANTED:
        for units in UNITS:
            draws = [shares(pool.resample(rng), planted, units, 60) for _ in range(STUDIES)]
            alone, family = zip(*draws, strict=True)
            curves.append(
                Power(
                    planted,
                    units,
                    _rate(float(np.mean(alone)), alone),
                    _rate(float(np.mean(family)), family),
                )
            )
    return curves


def _rate(share: float, shares: Sequence[float]) -> Rate:
    """Return a share with the interval of those of the resamples; it holds the share, whatever chance did."""
    low, high = np.quantile(shares, [0.025, 0.975])
    return Rate(share, min(float(low), share), max(float(high), share))
