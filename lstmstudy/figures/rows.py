"""One row per arm: every unit's difference, or arms ranked by their effect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmstudy.figures.colour import INK_SOFT, PAPER, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import (
    CHANGE,
    NOT_AVAILABLE,
    effect_row,
    effect_text,
    log_limits,
    no_difference_band,
    percent,
    percent_axis,
    right_text,
)
from lstmstudy.figures.style import marker, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lstmstudy.stats.effects import Effect

_CHANGE = "change of test error against {control} (%), left is better"


@styled
def plot_paired_differences(
    effects: Sequence[Effect], *, control: str = "baseline", ax: Axes | None = None
) -> Axes:
    """Draw, in a row per arm, the difference of every unit as a dot, and their mean with its interval.

    The x axis is the log ratio, labelled in percent. A unit beyond the axis, such as a diverged one,
    is a triangle at its edge. At the right stands the share of units in which the arm is better.

    Args:
        effects: One per row, from the top.
        control: Name of what the arms are compared with.
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no effect.
    """
    ax = _rows(effects, [effect.arm for effect in effects], ax, row=0.46)
    low, high = log_limits(effects, units=True)
    percent_axis(ax, "x", low, high)
    for place, effect in enumerate(effects):
        _draw_units(ax, place, effect, low, high)
        _draw_interval(ax, place, effect, outlined=True)
        better = 100 * effect.improvement
        right_text(ax, place, f"{better:.0f} %" if math.isfinite(better) else NOT_AVAILABLE)
        keep(
            ax,
            [{"arm": effect.arm, "unit": "mean", **effect_row(effect, control), "units better (%)": better}],
        )
        units = {"unit": range(1, len(effect.log_ratios) + 1), CHANGE: map(percent, effect.log_ratios)}
        keep(ax, points(units, arm=effect.arm))
    right_text(ax, -0.85, "units\nbetter", colour=INK_SOFT)
    ax.set_xlabel(_CHANGE.format(control=control) + "\nfaint: one unit · solid: mean and 95 % interval")
    return ax


@styled
def plot_ranking(effects: Sequence[Effect], *, control: str = "baseline", ax: Axes | None = None) -> Axes:
    """Draw arms ranked by their effect, the best on top, with 95 % intervals and the numbers beside them.

    Arms without a finite estimate come last and say so.

    Args:
        effects: The arms to rank, in any order.
        control: Name of what the arms are compared with.
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no effect.
    """
    ranked = sorted(effects, key=_rank)
    ax = _rows(ranked, [effect.arm for effect in ranked], ax, row=0.34)
    percent_axis(ax, "x", *log_limits(ranked, units=False))
    for place, effect in enumerate(ranked):
        _draw_interval(ax, place, effect, outlined=False)
        right_text(ax, place, effect_text(effect))
        keep(ax, [effect_row(effect, control)])
    ax.set_xlabel(_CHANGE.format(control=control) + "\nbars: 95 % intervals · shaded: within ± 5 %")
    return ax


def _rank(effect: Effect) -> tuple[bool, float, str]:
    known = math.isfinite(effect.estimate)
    return not known, effect.estimate if known else 0.0, effect.arm  # NaN would upset the sorting


def _rows(effects: Sequence[Effect], names: Sequence[str], ax: Axes | None, *, row: float) -> Axes:
    """Return axes with one row per effect, named at the left, the first on top."""
    if not effects:
        msg = f"A figure of effects shows at least one. Received: effects={effects!r}"
        raise ValueError(msg)
    ax = new_axes(ax, height=1.1 + row * len(effects))
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.set_yticks(range(len(effects)), list(names))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    no_difference_band(ax, "x")
    return ax


def _draw_units(ax: Axes, place: int, effect: Effect, low: float, high: float) -> None:
    ratios = np.asarray(effect.log_ratios, dtype=np.float64)
    # NaN means that no error could be compared; infinity is an error without bound, beyond the axis.
    ratios = ratios[~np.isnan(ratios)]
    if not ratios.size:
        return
    colour = technique_colour(effect.technique, effect.strength)
    heights = place + _scatter(ratios)
    inside = (ratios >= low) & (ratios <= high)
    common: dict[str, Any] = {"color": colour, "ls": "none", "mew": 0, "alpha": 0.5, "zorder": 2}
    ax.plot(ratios[inside], heights[inside], marker=marker(effect.variant), ms=5, **common)
    for beyond, edge, arrow in ((ratios > high, high, ">"), (ratios < low, low, "<")):
        if beyond.any():
            spots = np.full(int(beyond.sum()), edge)
            ax.plot(spots, heights[beyond], marker=arrow, ms=7, clip_on=False, **common)


def _draw_interval(ax: Axes, place: int, effect: Effect, *, outlined: bool) -> None:
    if not math.isfinite(effect.estimate):
        return
    colour = technique_colour(effect.technique, effect.strength)
    if math.isfinite(effect.low) and math.isfinite(effect.high):
        ends = [effect.low, effect.high]
        ax.plot(ends, [place, place], color=colour, lw=2.2, zorder=3, solid_capstyle="round")
    edge: dict[str, Any] = {"mec": PAPER, "mew": 1.0} if outlined else {"mew": 0}
    look = marker(effect.variant)
    ax.plot(effect.estimate, place, marker=look, color=colour, ls="none", ms=8, zorder=4, **edge)


def _scatter(values: np.ndarray) -> np.ndarray:
    """Return heights in ±0.25 that keep neighbouring values apart, the same for the same values."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    # The golden ratio's multiples fill the interval evenly, so neighbours in rank are far apart in height.
    return 0.5 * ((rank * 0.618034) % 1.0) - 0.25
