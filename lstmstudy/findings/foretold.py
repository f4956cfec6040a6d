"""Schemes side by side: what they foretell beside the error that came, and what a title says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.schemes import FINAL, SCHEMES
from lstmstudy.figures import panels, style
from lstmstudy.figures.validation import Estimated, plot_estimates
from lstmstudy.findings.finding import Finding, counted, listed, percent
from lstmstudy.findings.titles import clear, fitting, known, some
from lstmstudy.stats.effects import log_ratio
from lstmstudy.stats.sample import Sample, bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BIAS = "estimate against the error in the future (%), left is too hopeful"
_NOTHING = 0.0005  # as a log ratio; a smaller mean is none
MISS = "size of the miss (%), left is better"


def compared(
    series: Mapping[str, Mapping[str, np.ndarray]],
    what: str,
    xlabel: str,
    title: Callable[[Mapping[str, Mapping[str, Estimated]]], str],
) -> Finding:
    """Return schemes side by side, a panel per series, from one log ratio or its size per realization."""
    text = size_of if xlabel == MISS else percent
    words, spans, found = [], [], {}
    with style():
        figure, axes = panels(list(series), height=3.4)
        for (name, values), ax in zip(series.items(), axes, strict=True):
            schemes = found[name] = {scheme: _estimated(numbers) for scheme, numbers in values.items()}
            plot_estimates(schemes, xlabel=xlabel, sizes=xlabel == MISS, ax=ax)
            n = len(next(iter(values.values())))
            means = [f"{scheme} {text(each.mean)}" for scheme, each in schemes.items()]
            words.append(f"{name} ({counted(n, 'realization')}): {listed(means)}")
            ends = [
                f"{scheme} {text(each.low)} to {text(each.high)}"
                if np.isfinite(each.low)
                else f"{scheme} too few realizations for one"
                for scheme, each in schemes.items()
            ]
            spans.append(f"{name}: {listed(ends)}")
    alt = f"{what}, 95 % intervals of the mean. {'; '.join(spans)}."
    return Finding(figure, alt, title(found), f"{what}. {'; '.join(words)}.")


def of_bias(found: Mapping[str, Mapping[str, Estimated]]) -> str:
    """Return with how many schemes the estimate is below the error that came, on each series."""
    surely = all(known(schemes.values()) for schemes in found.values())
    hopeful = {
        name: [
            scheme
            for scheme, each in schemes.items()
            if (clear(each) < 0 if surely else each.mean < -_NOTHING)
        ]
        for name, schemes in found.items()
    }
    ranked = sorted(hopeful.items(), key=lambda pair: -len(pair[1]))
    low, total = sum(map(len, hopeful.values())), sum(map(len, found.values()))
    what, doubt = (
        ("the estimate is clearly too low", "")
        if surely
        else ("the estimate is too low", "; too few realizations to judge")
    )
    if not low:
        return fitting(f"With no scheme {what}{doubt}")
    counts = [f"with {some(len(each), len(SCHEMES), 'schemes')} on {name}" for name, each in ranked]
    if len(found) == 2 and ranked[0][1] == ranked[1][1]:
        every = some(low // 2, len(SCHEMES), "schemes")
        return fitting(
            f"{what} with {listed(ranked[0][1])} on both series{doubt}",
            f"{what} with {every} on both series{doubt}",
        )
    named = [f"with {listed(each) or 'none'} on {name}" for name, each in ranked]
    return fitting(
        f"{what} {', '.join(named)}{doubt}",
        f"{what} {', '.join(counts)}{doubt}",
        f"{what} {counts[0]}{doubt}",
        f"{what} in {low} of {total} cases{doubt}",
    )


def of_misses(found: Mapping[str, Mapping[str, Estimated]], model: str = "") -> str:
    """Return which scheme misses least, and which most where it is the same on all series."""
    ranked = {name: _ranked(schemes) for name, schemes in found.items()}
    best = {schemes[0]: f"on {name}" for name, schemes in ranked.items()}
    worst = {schemes[-1] for schemes in ranked.values()}
    n = min(len(each.log_ratios) for schemes in found.values() for each in schemes.values())
    what = model or f"over {counted(n, 'realization')}"
    if len(best) == 1:
        where = "both series" if len(found) == 2 else listed(list(found))
        most = f" and {worst.pop()} most" if len(worst) == 1 else ""
        return fitting(f"{what} {next(iter(best))} misses least{most} on {where}")
    (first, place), *others = best.items()
    rest = "".join(f", {scheme} {where}" for scheme, where in others)
    return fitting(f"{what} {first} misses least {place}{rest}")


def ratios_of(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return ln(estimate / error that came) of each scheme, (n_realizations,)."""
    return {scheme: log_ratio(found[scheme], found[FINAL]) for scheme in SCHEMES}


def misses_of(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the absolute log ratios: too high by a factor counts as much as too low by it."""
    return {scheme: np.abs(ratios) for scheme, ratios in ratios_of(found).items()}


def size_of(log_ratio: float) -> str:
    """Return the size of a miss in percent, which has no sign."""
    return percent(log_ratio).removeprefix("+")


def _ranked(schemes: Mapping[str, Estimated]) -> list[str]:
    """Return schemes from the one that misses least to the one that misses most."""
    return sorted(schemes, key=lambda scheme: schemes[scheme].mean)


def _estimated(values: np.ndarray) -> Estimated:
    """Return the mean over realizations with its interval."""
    low, high = bootstrap_interval(Sample.of({"mean": values}, {"mean": [0] * len(values)}))
    return Estimated(values, float(values.mean()), low, high)
