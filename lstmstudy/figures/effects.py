"""How far an arm moves the test error: over strengths, or over patiences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from lstmstudy.figures.colour import INK_SOFT, technique_colour
from lstmstudy.figures.data import keep
from lstmstudy.figures.labels import (
    CHANGE,
    EndLabel,
    effect_row,
    label_ends,
    log_limits,
    no_difference_band,
    percent_axis,
)
from lstmstudy.figures.style import line, marker, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lstmstudy.stats.effects import Effect

_LOG_FROM = 30.0  # strengths that span more than this ratio stand on a log axis
_TICK = 0.07  # of an axis, that a label of a tick takes
_DODGE = 4.5  # points between variants at one strength
_CHANGE = f"{CHANGE}\nbelow 0 is better"


@styled
def plot_dose_response(
    effects: Sequence[Effect],
    *,
    control: str = "baseline",
    strength: str = "strength",
    ax: Axes | None = None,
) -> Axes:
    """Draw the change of the test error over the strength, one line per variant, with 95 % intervals.

    The y axis is the log ratio, labelled in percent; the control is the line of no change, the band
    around it is ±5 %. Points without a finite estimate are left out, and the line has a gap there.

    Args:
        effects: Effects of arms that differ in strength and variant.
        control: Name of what the arms are compared with.
        strength: What the strength is, such as "rate".
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no effect.
    """
    _check(effects)
    ax = new_axes(ax)
    groups: dict[tuple[str, str, str], list[Effect]] = {}
    for effect in effects:
        groups.setdefault((effect.technique, effect.variant, effect.task), []).append(effect)
    percent_axis(ax, "y", *log_limits(effects, units=False))
    no_difference_band(ax, "y")
    several = {place: len({key[place] for key in groups}) > 1 for place in range(3)}
    labels = []
    for index, (key, group) in enumerate(groups.items()):
        group.sort(key=lambda effect: effect.strength)
        _draw_line(ax, group, dodge=_DODGE * (index - (len(groups) - 1) / 2))
        keep(ax, [effect_row(effect, control) for effect in group])
        text = ", ".join(_words(key[place]) for place in range(3) if several[place] and key[place])
        known = [effect.estimate for effect in group if math.isfinite(effect.estimate)]
        if known and text:
            labels.append(EndLabel(known[-1], text, technique_colour(key[0])))
    _strength_axis(ax, sorted({effect.strength for effect in effects}))
    ax.set_xlabel(strength)
    ax.set_ylabel(_CHANGE)
    label_ends(ax, [*labels, EndLabel(0.0, f"{control} ± 5 %", INK_SOFT)])
    return ax


@styled
def plot_stopping(
    patiences: Sequence[str],
    effects: Sequence[Effect],
    epochs_used: np.ndarray,
    *,
    control: str = "last epoch",
    ax: Axes | None = None,
) -> Axes:
    """Draw the change of the test error per patience, with the epochs that it trains for underneath.

    Args:
        patiences: Short name of each reading, such as "3", (n_arms,).
        effects: Effect of each against the control, in the same order.
        epochs_used: Epochs trained until it stops, (n_arms, n_units).
        control: Name of what the readings are compared with.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If the three do not belong together.
    """
    _check(effects)
    used = np.asarray(epochs_used, dtype=np.float64)
    if not len(patiences) == len(effects) == len(used) or used.ndim != 2:
        msg = (
            "Expected a name, an effect and a row of epochs per arm. Received: "
            f"patiences={len(patiences)}, effects={len(effects)}, epochs_used={used.shape}"
        )
        raise ValueError(msg)
    ax = new_axes(ax)
    percent_axis(ax, "y", *log_limits(effects, units=False))
    no_difference_band(ax, "y")
    means = [_mean(row) for row in used]
    for place, (name, effect, mean) in enumerate(zip(patiences, effects, means, strict=True)):
        _draw_point(ax, place, effect)
        keep(ax, [{"patience": name, **effect_row(effect, control), "epochs trained (mean)": mean}])
    ax.set_xlim(-0.6, len(effects) - 0.4)
    names = [f"{name}\n{_rounded(mean)}" for name, mean in zip(patiences, means, strict=True)]
    ax.set_xticks(range(len(effects)), names)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("patience, and beneath it the epochs trained on average")
    ax.set_ylabel(_CHANGE)
    label_ends(ax, [EndLabel(0.0, f"{control} ± 5 %", INK_SOFT)])
    return ax


def _check(effects: Sequence[Effect]) -> None:
    if not effects:
        msg = f"A figure of effects shows at least one. Received: effects={effects!r}"
        raise ValueError(msg)


def _draw_line(ax: Axes, group: Sequence[Effect], *, dodge: float) -> None:
    """Draw one variant; `dodge` in points keeps the intervals of several variants apart."""
    shift = ScaledTranslation(dodge / 72, 0, ax.figure.dpi_scale_trans)
    strengths = [effect.strength for effect in group]
    estimates = [effect.estimate if math.isfinite(effect.estimate) else math.nan for effect in group]
    colour = technique_colour(group[0].technique)
    label = group[0].variant or group[0].technique
    (drawn,) = ax.plot(
        strengths, estimates, color=colour, ls=line(group[0].variant), lw=1.3, zorder=2, label=label
    )
    drawn.set_transform(ax.transData + shift)
    for effect in group:
        _draw_point(ax, effect.strength, effect, dodge=dodge)


def _draw_point(ax: Axes, x: float, effect: Effect, *, dodge: float = 0.0) -> None:
    if not math.isfinite(effect.estimate):
        return
    transform = ax.transData + ScaledTranslation(dodge / 72, 0, ax.figure.dpi_scale_trans)
    colour = technique_colour(effect.technique, effect.strength)
    if math.isfinite(effect.low) and math.isfinite(effect.high):
        ax.plot([x, x], [effect.low, effect.high], color=colour, lw=1.6, transform=transform, zorder=3)
    (point,) = ax.plot(
        x, effect.estimate, marker=marker(effect.variant), color=colour, ls="none", ms=7, zorder=4
    )
    point.set_transform(transform)


def _strength_axis(ax: Axes, strengths: Sequence[float]) -> None:
    """Put a tick at every strength that has room for its label; on a log axis where they span a large ratio."""
    positive = [value for value in strengths if value > 0]
    low, high = min(strengths), max(strengths)
    if len(positive) == len(strengths) and high / low > _LOG_FROM:
        ax.set_xscale("log")
        factor = (high / low) ** 0.06
        ax.set_xlim(low / factor, high * factor)
    else:
        pad = 0.07 * (high - low) or max(abs(high) * 0.5, 0.5)
        ax.set_xlim(low - pad, high + pad)
    scale = math.log if ax.get_xscale() == "log" else float
    left, right = map(scale, ax.get_xlim())
    ticks: list[float] = []
    for strength in sorted(set(strengths)):
        if not ticks or scale(strength) - scale(ticks[-1]) > _TICK * (right - left):
            ticks.append(strength)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _mean(row: np.ndarray) -> float:
    known = row[np.isfinite(row)]
    return float(known.mean()) if known.size else math.nan


def _rounded(mean: float) -> str:
    return f"{mean:.0f}" if math.isfinite(mean) else "none"
