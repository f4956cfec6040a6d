"""What claims are about, measured in every unit: of an arm and of its control."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from lstmstudy.claims.table import BEST_MEMBER, GAP_RULE
from lstmstudy.data.schemes import FINAL
from lstmstudy.store.numbers import taken
from lstmstudy.streams import generator
from lstmstudy.study.ablation import single
from lstmstudy.study.estimates import estimates
from lstmstudy.study.measurements import ambiguity_of
from lstmstudy.verdicts.bench import Measured, measured
from lstmstudy.weight_sizes import weight_sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Contrast, Pair
    from lstmstudy.data import Part
    from lstmstudy.runs import Outcome
    from lstmstudy.verdicts.bench import Bench

WATCHED = 5  # epochs over which an alarm looks back
OVERFIT = 1.05  # a test error so many times that of the selected epoch is what an alarm should tell
GAP = 1.05  # a validation error so many times the training error rings the gap rule
LEVEL = 1.1  # times the least validation error on the seeds of the search
Scale = Literal["log ratio", "difference"]


@dataclass(frozen=True)
class Quantity:
    """How a quantity is measured and compared.

    Attributes:
        scale: ``"log ratio"``: ln(arm / control); ``"difference"``: arm minus control.
        unit: What it is, with its unit.
        measure: Returns it on one task.
    """

    scale: Scale
    unit: str
    measure: Callable[[Bench, Contrast, str], Measured]


def error_on_test(bench: Bench, contrast: Contrast, task: str, metric: str | None = None) -> Measured:
    """Return the test error of both; a diverged run counts as its rule says."""
    arm, control = bench.pair(contrast, task)
    if contrast.beyond is not None:
        return _interaction(bench, contrast.beyond, task, arm, control)
    ablation = bench.ablation(control, arm)
    own, other = ablation.paired(arm, control, task, metric=metric)
    if contrast.control == BEST_MEMBER:
        best = ablation.best_member(arm, task)
        members = [
            ablation.paired(single(arm, recipe), arm, task, metric=metric)[0] for recipe in arm.on(task)
        ]
        other = np.stack(members)[best, np.arange(len(best))]
    return measured(ablation, task, [arm, control], own, other)


def _interaction(bench: Bench, beyond: Pair, task: str, arm: Arm, control: Arm) -> Measured:
    """Return the error of an arm over that of its control, here and beyond, in the units that both places have."""
    places = []
    for one, other, where in (
        (arm, control, task),
        (bench.arms.named(beyond.arm), bench.arms.named(beyond.control), beyond.task or task),
    ):
        ablation = bench.ablation(other, one)
        own, its = ablation.paired(one, other, where)
        places.append(measured(ablation, where, [one, other], own / its, own / its))
    seeds = np.intersect1d(places[0].seeds, places[1].seeds)
    rows = [np.flatnonzero(np.isin(place.seeds, seeds)) for place in places]
    return Measured(
        places[0].arm[rows[0]],
        places[1].arm[rows[1]],
        places[0].failed[rows[0]] | places[1].failed[rows[1]],
        places[0].folds[rows[0]],
        places[0].seeds[rows[0]],
    )


def gap(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return the test error over the training error: of the arm, and of the best linear method on the same fold."""
    arm, _ = bench.pair(contrast, task)
    ablation = bench.ablation(arm)
    metric = bench.plan.tasks[task].info.metric
    own = ablation.errors(arm, task) / ablation.errors(arm, task, part="train")
    ((linear, train),) = ablation.references(task, f"train {metric}").items()
    test = ablation.references(task)[linear]
    return measured(ablation, task, [arm], own, test / train)


def alarms(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return how well an alarm tells epochs that overfit from others: sensitivity plus specificity minus 1.

    An alarm that knows nothing has 0, whether it always rings or never; so has every alarm in a run that
    overfits in all epochs, or in none, as such a run tells nothing.
    """
    arm, _ = bench.pair(contrast, task)
    ablation = bench.ablation(arm)
    name = bench.plan.tasks[task].info.metric
    own, other = [], []
    for result in ablation.results(arm, task):
        loss, validation, train, test = (
            result.curves[key] for key in ("loss", f"validation/{name}", f"train/{name}", f"test/{name}")
        )
        if result.diverged is not None:
            own.append(np.nan)
            other.append(np.nan)
            continue
        late = slice(WATCHED, None)
        wrong = (test > OVERFIT * test[result.keeps("selected").epoch])[late]
        rings = (loss[late] < loss[:-WATCHED]) & (validation[late] > validation[:-WATCHED])
        own.append(informedness(rings, wrong))
        ringing = validation > GAP * train if contrast.control == GAP_RULE else np.ones(len(test), dtype=bool)
        other.append(informedness(ringing[late], wrong))
    return measured(ablation, task, [arm], np.array(own), np.array(other))


def informedness(rings: np.ndarray, wrong: np.ndarray) -> float:
    """Return sensitivity plus specificity minus 1 of an alarm, (n_epochs,) each; 0 if all epochs are alike.

    Reference: Youden 1950, Index for rating diagnostic tests, Cancer 3.
    """
    if wrong.all() or not wrong.any():
        return 0.0
    return float(rings[wrong].mean() - rings[~wrong].mean())


def spread(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return how far test predictions of two runs lie apart that differ in their seeds alone: root mean square."""
    pair = bench.pair(contrast, task)
    twins = [bench.arms.twin(arm) for arm in pair]
    ablation = bench.ablation(*pair, *twins)
    both = []
    for arm, twin in zip(pair, twins, strict=True):
        outcomes = zip(ablation.outcomes(arm, task), ablation.outcomes(twin, task), strict=True)
        apart = [_distance(one, two, arm.reading) for one, two in outcomes]
        both.append(np.array(apart, dtype=float))
    return measured(ablation, task, [*pair, *twins], *both)


def _distance(one: Outcome, other: Outcome, reading: str) -> float:
    """Return the root mean square of the difference of two runs' test predictions; NaN if one diverged."""
    results = one.result, other.result
    if any(result.diverged is not None for result in results):
        return np.nan
    predicted = [partial(result.predicted, reading) for result in results]
    return float(
        taken(
            f"distance, {reading}",
            [one, other],
            lambda: np.sqrt(np.mean((predicted[0]() - predicted[1]()) ** 2)),
        )
    )


def noisy_error(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return the test error with noise on the inputs, the same for both; the weights are those selected.

    Padded steps stay as they are. A diverged run counts as its rule says, the naive error being that
    without noise.
    """
    pair = bench.pair(contrast, task)
    ablation = bench.ablation(*reversed(pair))
    info, folds = bench.plan.tasks[task].info, bench.plan.tasks[task].folds
    clean = ablation.paired(*pair, task)
    both = []
    for arm, fallback in zip(pair, clean, strict=True):
        errors = []
        for unit, outcome, naive in zip(
            ablation.units(task), ablation.outcomes(arm, task), fallback, strict=True
        ):
            if outcome.result.diverged is not None:
                errors.append(naive)
                continue
            noise, test = contrast.noise or 0.0, folds[unit.fold].test
            loss = taken(
                f"loss, input noise {noise}",
                [outcome],
                partial(_noisy_loss, bench, outcome, task, test, noise=noise, seed=unit.seed),
            )
            errors.append(np.sqrt(loss) if info.metric == "rmse" else loss)
        both.append(np.array(errors, dtype=float))
    return measured(ablation, task, list(pair), *both)


def _noisy_loss(bench: Bench, outcome: Outcome, task: str, test: Part, *, noise: float, seed: int) -> float:
    """Return the loss at the selected weights on a test part with noise on its inputs."""
    info = bench.plan.tasks[task].info
    probe = bench.probe(task)
    probe.load(outcome.result.weights)
    return probe.loss(replace(test, x=noisy(test.x, noise, seed, padded=info.variable_length)))


def noisy(x: np.ndarray, sd: float, seed: int, *, padded: bool) -> np.ndarray:
    """Return inputs (n, time, features) with normal noise of a standard deviation; steps of zeros stay if `padded`."""
    noise = generator(seed, f"noisy inputs/{sd}").normal(scale=sd, size=x.shape)
    if padded:
        noise *= (x != 0).any(axis=2, keepdims=True)
    return (x + noise).astype(np.float32)


def near_zero(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return the share of the LSTM layers' weights that are near zero."""
    return _weights(bench, contrast, task, lambda outcome: weight_sizes(outcome).share / 100)


def norm(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return the Euclidean norm of the LSTM layers' weights."""
    return _weights(bench, contrast, task, lambda outcome: weight_sizes(outcome).norm)


def _weights(bench: Bench, contrast: Contrast, task: str, size: Callable[..., float]) -> Measured:
    pair = bench.pair(contrast, task)
    ablation = bench.ablation(*reversed(pair))
    both = (np.array([size(outcome) for outcome in ablation.outcomes(arm, task)]) for arm in pair)
    return measured(ablation, task, list(pair), *both)


def updates_to_level(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return after how many epochs of equally many updates the validation error is down to a level.

    The level is 10 % above what the tuned baseline reached on the seeds of its search. A run that never
    gets there, or diverges before, counts as one epoch more than there are.
    """
    pair = bench.pair(contrast, task)
    ablation = bench.ablation(*reversed(pair))
    level = LEVEL * bench.searched(task)[0]
    both = []
    for arm in pair:
        reached = ablation.curves(arm, task, "validation") <= level
        both.append(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, reached.shape[1] + 1))
    return measured(ablation, task, list(pair), *both)


def miss(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return how far a scheme's estimate lies from the error in the future, as ln(larger / smaller)."""
    arm, _ = bench.pair(contrast, task)
    found = estimates(bench.ablation(arm), task)
    off = {name: np.abs(np.log(values / found[FINAL])) for name, values in found.items()}
    numbers = np.arange(len(found[FINAL]))
    return Measured(
        off[str(contrast.scheme)],
        off[str(contrast.control_scheme)],
        np.zeros(len(numbers), dtype=bool),
        numbers,
        numbers,
    )


def gain_and_spread(bench: Bench, contrast: Contrast, task: str) -> Measured:
    """Return the rank correlation over tasks of what averaging gains and how far members lie apart, by seed.

    The gain is ln(mean error of the members / error of their mean). It needs three tasks; with fewer, and
    where a member diverged, there is no number.
    """
    from scipy.stats import spearmanr

    del task
    arm = bench.arms.named(contrast.arm)
    ablation = bench.ablation(arm)
    gains: dict[int, list[tuple[float, float]]] = {}
    for name in arm.tasks:
        info, folds = bench.plan.tasks[name].info, bench.plan.tasks[name].folds
        errors = ablation.errors(arm, name)
        alone = [ablation.errors(single(arm, recipe), name) for recipe in arm.on(name)]
        for place, (unit, models) in enumerate(
            zip(ablation.units(name), ablation.members(arm, name), strict=True)
        ):
            if np.isnan(errors[place]):
                continue
            apart = np.sqrt(ambiguity_of(models, arm.reading, folds[unit.fold].test.y, info).ambiguity)
            gain = np.log(np.mean([each[place] for each in alone]) / errors[place])
            gains.setdefault(unit.seed, []).append((float(gain), float(apart)))
    whole = {seed: pairs for seed, pairs in gains.items() if len(pairs) == len(arm.tasks) > 2}
    values = np.array([spearmanr(*zip(*pairs, strict=True)).statistic for pairs in whole.values()])
    seeds = np.array(list(whole), dtype=int)
    return Measured(values, np.zeros(len(values)), np.zeros(len(values), dtype=bool), seeds, seeds)


QUANTITIES = {
    "test error": Quantity("log ratio", "test error", error_on_test),
    "gap": Quantity("log ratio", "test error over training error", gap),
    "alarms": Quantity("difference", "sensitivity plus specificity minus 1", alarms),
    "spread": Quantity("log ratio", "distance between predictions of two seeds", spread),
    "noisy error": Quantity("log ratio", "test error under noise on the inputs", noisy_error),
    "near zero": Quantity("difference", "share of weights near zero", near_zero),
    "norm": Quantity("log ratio", "norm of the weights", norm),
    "updates to level": Quantity("log ratio", "updates to a level of the validation error", updates_to_level),
    "miss": Quantity("difference", "distance of the estimate from the error that came, as a log ratio", miss),
    "gain and spread": Quantity("difference", "rank correlation over tasks", gain_and_spread),
}
