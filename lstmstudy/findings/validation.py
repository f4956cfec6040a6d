"""Validation schemes: the error that each foretells beside the error in the held-out future."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lstmstudy.data.build import FUTURE, scheme_series
from lstmstudy.data.catalog import CATALOG
from lstmstudy.data.schemes import (
    FINAL,
    SCHEMES,
    Split,
    development,
    folds_of,
    place_of,
    splits,
)
from lstmstudy.data.windows import cut_windows
from lstmstudy.figures import style, table
from lstmstudy.figures.validation import Bar, plot_split_errors, plot_splits
from lstmstudy.findings.finding import Finding, listed, number, percent
from lstmstudy.findings.foretold import (
    BIAS,
    MISS,
    compared,
    misses_of,
    of_bias,
    of_misses,
    ratios_of,
    size_of,
)
from lstmstudy.findings.titles import fitting, size, some
from lstmstudy.store.numbers import taken
from lstmstudy.study.estimates import Trained, estimates, pooled, realizations, split_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lstmstudy.data import TaskInfo
    from lstmstudy.study.ablation import Ablation

Found = TypeVar("Found")
LAGS = 20  # of the Ljung-Box test
LEVEL = 0.05
LINEAR = 200  # realizations of the linear check, in which nothing is trained


def _of_series(find: Callable[[Ablation], Found]) -> Callable[[Ablation], Found | str]:
    """Let a finding about validation schemes say so where the profile trains none."""

    @functools.wraps(find)
    def found(ablation: Ablation) -> Found | str:
        if not all(info.realizations for info in ablation.infos):
            return "This profile trains no validation schemes."
        return find(ablation)

    return found


@_of_series
def split_bars(ablation: Ablation) -> Finding:
    """Return how each scheme splits the first series, drawn from the folds that are trained.

    The title names the schemes that train on values later than some of those held out.
    """
    folds = ablation.plan.tasks[_made(ablation)[0].name].folds
    bars: dict[str, list[Bar]] = {}
    for fold in folds_of(0):
        parts = (folds[fold].train, folds[fold].validation, folds[fold].test)
        bars.setdefault(place_of(fold).scheme, []).append(Bar(*(part.indices for part in parts)))
    with style():
        ax = plot_splits(bars)
    words = [
        f"{scheme} ({len(bars[scheme])}) trains on {_from_to(bar.train for bar in bars[scheme])} and holds out "
        f"{_from_to(bar.validation for bar in bars[scheme])}"
        for scheme in SCHEMES
    ]
    final = bars[FINAL][0]
    sentence = (
        f"Of {len(final.train)} development targets, a split of {listed(words)}; the final fit trains on all, and "
        f"{len(final.test)} later targets tell its error. In brackets stands the number of splits."
    )
    alt = f"The splits over time, a row each: {listed([f'{len(each)} of {name}' for name, each in bars.items()])}."
    ahead = [
        scheme for scheme in SCHEMES if any(bar.train.max() > bar.validation.min() for bar in bars[scheme])
    ]
    return Finding(ax.figure, alt, _of_splits(ahead), sentence)  # type: ignore[arg-type]


@_of_series
def estimate_bias(ablation: Ablation) -> Finding:
    """Return how far each scheme's estimate lies above or below the error that came, a panel per series."""
    ratios = {info.title: ratios_of(estimates(ablation, info.name)) for info in _made(ablation)}
    return compared(ratios, "Estimate against the error that came, on average", BIAS, of_bias)


@_of_series
def estimate_errors(ablation: Ablation) -> Finding:
    """Return the size of each scheme's miss, upwards or downwards, a panel per series."""
    misses = {info.title: misses_of(estimates(ablation, info.name)) for info in _made(ablation)}
    return compared(misses, "Size of the miss, on average", MISS, of_misses)


def linear_check(n: int = LINEAR) -> Finding:
    """Return the size of each scheme's miss for a linear autoregression in place of the network.

    It is fitted by least squares on as many values as the process has, so that many more realizations of
    the same generator than of networks can be had. Nothing is trained.

    Args:
        n: Number of realizations.
    """
    misses = {}
    for info in (info for info in CATALOG.values() if info.realizations > 1):
        rows = [linear_estimates(info, realization) for realization in range(n)]
        misses[info.title] = misses_of({name: np.array([row[name] for row in rows]) for name in rows[0]})
    title = functools.partial(of_misses, model="for a linear autoregression")
    return compared(misses, "Linear autoregression, size of the miss, on average", MISS, title)


def linear_estimates(info: TaskInfo, realization: int) -> dict[str, float]:
    """Return by scheme what it foretells of an autoregression, and under `FINAL` the error that came."""
    series = scheme_series(info, realization)
    targets = development(series.size, FUTURE[info.name], info)
    found = {scheme: splits(scheme, targets, info, realization) for scheme in SCHEMES}
    found[FINAL] = (Split(targets, np.arange(series.size - FUTURE[info.name], series.size)),)
    return {
        scheme: pooled((_linear_error(series, split, info), len(split.held_out)) for split in each)
        for scheme, each in found.items()
    }


def _linear_error(series: np.ndarray, split: Split, info: TaskInfo) -> float:
    """Return the RMSE on the held-out targets of an autoregression fitted to the others."""

    def design(targets: np.ndarray) -> np.ndarray:
        lags = cut_windows(series, targets, info.ar_order, info.horizon)[:, :, 0]
        return np.column_stack([np.ones(len(targets)), lags])

    weights = np.linalg.lstsq(design(split.train), series[split.train])[0]
    return float(np.sqrt(np.mean((design(split.held_out) @ weights - series[split.held_out]) ** 2)))


@_of_series
def residual_check(ablation: Ablation) -> str:
    """Show whether k-fold's residuals are autocorrelated, and how far off it is then; return a sentence.

    The residuals of all held-out samples, in the order of time, go through the Ljung-Box test. Where it finds
    nothing, k-fold is held to be valid.

    Reference: Bergmeir, Hyndman and Koo 2018, Computational Statistics & Data Analysis 120:70-83.
    """
    import pandas as pd

    rows, words = [], []
    for info in ablation.infos:
        misses = misses_of(estimates(ablation, info.name))
        p = np.array([_autocorrelation(trained) for trained in realizations(ablation, info.name)])
        passed = p >= LEVEL
        row = {
            "series": info.title,
            "realizations": len(p),
            "median p": float(np.median(p)),
            "no autocorrelation found in": int(passed.sum()),
        }
        for scheme in ("k-fold", "holdout"):
            for found, chosen in (("not found", passed), ("found", ~passed)):
                miss = size_of(float(misses[scheme][chosen].mean())) if chosen.any() else "none"
                row[f"{scheme} off by, where {found}"] = miss
        rows.append(row)
        words.append(f"{passed.sum()} of {len(p)} realizations of {info.title}")
    table(
        pd.DataFrame(rows),
        caption=f"Ljung-Box test of k-fold's residuals ({LAGS} lags, level {LEVEL:g}), and the mean size of the "
        "miss of two schemes where autocorrelation is found and where it is not",
    )
    return f"The test finds no autocorrelation in k-fold's residuals in {listed(words)}."


def _autocorrelation(trained: Sequence[Trained]) -> float:
    outcomes = [each.outcome for each in _shuffled(trained)]
    return float(taken(f"Ljung-Box p, {LAGS} lags", outcomes, lambda: ljung_box(residuals(trained))))


def _shuffled(trained: Iterable[Trained]) -> list[Trained]:
    return [each for each in trained if each.place.scheme == "k-fold"]


def residuals(trained: Iterable[Trained]) -> np.ndarray:
    """Return k-fold's errors on all development targets of a realization, in the order of time, (n,).

    Each comes from the split that held the target out; in the unit of the series.
    """
    shuffled = _shuffled(trained)
    errors = [
        fold.scale * (outcome.result.predicted("last", "validation") - fold.validation.y)[:, 0]
        for _, fold, outcome in shuffled
    ]
    order = np.argsort(np.concatenate([fold.validation.indices for _, fold, _ in shuffled]))
    return np.concatenate(errors)[order]


def ljung_box(values: np.ndarray) -> float:
    """Return the p value of the Ljung-Box test at 20 lags, of residuals in the order of time, (n,)."""
    from statsmodels.stats.diagnostic import acorr_ljungbox

    return float(acorr_ljungbox(values, lags=[LAGS], model_df=0)["lb_pvalue"].iloc[0])


@_of_series
def real_series(ablation: Ablation) -> Finding:
    """Return what each split and scheme foretells of a real series, beside the error that came."""
    info = next(info for info in ablation.infos if info.realizations == 1)
    (trained,) = realizations(ablation, info.name)
    errors = split_errors(ablation, trained)
    foretold = {scheme: pooled(errors[scheme]) for scheme in SCHEMES}
    truth = pooled(errors[FINAL])
    with style():
        ax = plot_split_errors(
            {scheme: np.array([error for error, _ in errors[scheme]]) for scheme in SCHEMES},
            foretold,
            truth,
            xlabel=f"RMSE, {info.unit}",
        )
    words = [
        f"{scheme} {number(value)} ({percent(float(np.log(value / truth)))})"
        for scheme, value in foretold.items()
    ]
    sentence = f"{info.title}: the error in the future was {number(truth)}; foretold were {listed(words)}."
    alt = f"Errors of every split, and estimates: {listed(words)}."
    ratios = {scheme: float(np.log(value / truth)) for scheme, value in foretold.items()}
    return Finding(ax.figure, alt, _of_one_series(ratios), sentence)  # type: ignore[arg-type]


def _made(ablation: Ablation) -> list[TaskInfo]:
    return [info for info in ablation.infos if info.realizations > 1]


def _of_splits(ahead: Sequence[str]) -> str:
    """Return which schemes train on values that come after those they hold out."""
    what = "train on values that come after those they hold out"
    if not ahead:
        return f"No splits {what}"
    if len(ahead) == len(SCHEMES):
        return f"The splits of every scheme {what}"
    return fitting(f"Only {listed(ahead)} splits {what}")


def _of_one_series(ratios: Mapping[str, float]) -> str:
    """Return with how many schemes the estimate is too low on one series, and which comes nearest."""
    best = min(ratios, key=lambda scheme: abs(ratios[scheme]))
    low = sum(ratio < 0 for ratio in ratios.values())
    number, side = (low, "low") if low else (len(ratios), "high")
    apart = size(ratios[best])
    how = f"comes nearest, {apart} too {'low' if ratios[best] < 0 else 'high'}"
    nearest = f"{best} {'meets the error that came' if apart == size(0) else how}"
    return fitting(
        f"With {some(number, len(ratios), 'schemes')} the estimate on one real series is too {side}; {nearest}",
        f"On one real series {nearest}",
    )


def _from_to(parts: Iterable[np.ndarray]) -> str:
    """Return how many targets the parts have: "40", or "100 to 180"."""
    sizes = sorted({len(part) for part in parts})
    return f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
