"""How honest the rule is, and what search could have found: rates, power, expected best."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstmstudy.figures.colour import INK, INK_SOFT, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import EndLabel, label_ends
from lstmstudy.figures.style import new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

_NOMINAL = 0.05
_LOW, _HIGH = "lower end (%)", "upper end (%)"


class Share(NamedTuple):
    """A share with its 95 % interval, each from 0 to 1."""

    share: float
    low: float
    high: float


@styled
def plot_rates(rates: Mapping[str, Share], *, ax: Axes | None = None) -> Axes:
    """Draw rates of false verdicts, a row each, with their intervals and the line of 5 %.

    Args:
        rates: By name of the row.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.
    """
    ax = new_axes(ax, height=1.2 + 0.45 * len(rates))
    shares, lows, highs = _percents(rates.values())
    for place, (share, low, high) in enumerate(zip(shares, lows, highs, strict=True)):
        ax.plot([low, high], [place, place], color=INK, lw=2.2, solid_capstyle="round")
        ax.plot(share, place, marker="o", ms=8, color=INK, ls="none")
    columns = {"case": rates, "false verdicts (%)": shares, _LOW: lows, _HIGH: highs}
    keep(ax, points(columns))
    ax.axvline(100 * _NOMINAL, color=INK_SOFT, lw=0.9, ls="--")
    ax.set_yticks(range(len(rates)), list(rates))
    ax.set_ylim(len(rates) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, max(20.0, 105 * max(rate.high for rate in rates.values())))
    ax.set_xlabel("false verdicts (%), dashed: 5 %")
    return ax


@styled
def plot_power(
    units: Sequence[int], curves: Mapping[str, Sequence[Share]], *, asked: int, ax: Axes | None = None
) -> Axes:
    """Draw the share of planted effects that is found over the number of units, a line per effect.

    Args:
        units: Units of each task, ascending.
        curves: By name of the effect, the share found at each number of units.
        asked: Units with which this study judges.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.
    """
    ax = new_axes(ax, height=3.2)
    labels = []
    looks = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))
    for (name, shares), (line, mark) in zip(curves.items(), looks, strict=False):
        middle, lows, highs = _percents(shares)
        ax.plot(units, middle, ls=line, marker=mark, ms=5, color=INK)
        ax.fill_between(units, lows, highs, color=INK, alpha=0.08, lw=0)
        keep(ax, points({"units": units, "found (%)": middle, _LOW: lows, _HIGH: highs}, effect=name))
        labels.append(EndLabel(middle[-1], name, INK))
    ax.axvline(asked, color=INK_SOFT, lw=0.9, ls="--")
    ax.set_ylim(0, 100)
    ax.set_xticks(list(units))
    ax.set_xlabel(f"units of each task (dashed: {asked}, as here)")
    ax.set_ylabel("found (%)")
    label_ends(ax, labels)
    return ax


@styled
def plot_expected_best(
    curves: Mapping[str, np.ndarray], techniques: Mapping[str, str], *, ax: Axes | None = None
) -> Axes:
    """Draw the validation metric to expect of the best of so many trials, a line per arm.

    Args:
        curves: By arm, the expected best of 1, 2, ... trials, (n_trials,); NaN where all diverged.
        techniques: By arm, the technique that gives the line its colour.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.
    """
    ax = new_axes(ax, height=3.2)
    labels = []
    for name, curve in curves.items():
        colour = technique_colour(techniques[name])
        trials = np.arange(1, len(curve) + 1)
        ax.plot(trials, curve, color=colour, lw=1.4)
        keep(ax, points({"trials": trials, "expected best validation error": curve}, arm=name))
        if np.isfinite(curve[-1]):
            labels.append(EndLabel(float(curve[-1]), name, colour))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("trials of random search")
    ax.set_ylabel("expected best\nvalidation error")
    label_ends(ax, labels)
    return ax


def _percents(shares: Iterable[Share]) -> tuple[list[float], list[float], list[float]]:
    """Return shares, their lower ends and their upper ends, all in percent."""
    several = list(shares)
    shown, lows, highs = ([100 * each[place] for each in several] for place in range(3))
    return shown, lows, highs
