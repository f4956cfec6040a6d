"""What a price on weights does to them, and how high it is before training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from lstmstudy.figures.colour import INK_SOFT, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import EndLabel, finite_range, label_ends, percent, percent_axis, signed
from lstmstudy.figures.style import line, marker, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_DODGE = 4.5  # points between variants at one strength


class Change(NamedTuple):
    """How a quantity differs from the control's, at one strength of a technique.

    Attributes:
        technique: Its name, which gives the hue.
        variant: What is held fixed along the strengths; may be empty.
        strength: Its strength, above 0.
        estimate: Mean difference, or mean log ratio; NaN if it is not known.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    technique: str
    variant: str
    strength: float
    estimate: float
    low: float
    high: float


class PriceLine(NamedTuple):
    """The price of the initial weights over the strength, in multiples of the loss, (n_strengths,) each."""

    technique: str
    label: str
    variant: str
    strengths: np.ndarray
    multiples: np.ndarray


@styled
def plot_weight_changes(
    changes: Sequence[Change],
    *,
    quantity: str,
    strength: str,
    relative: bool,
    control: str = "baseline",
    ax: Axes | None = None,
) -> Axes:
    """Draw how a quantity of the weights differs from the control's, over the strength, a line per variant.

    Points without a finite estimate are left out. The strengths stand on a log axis.

    Args:
        changes: One for each arm of a technique, in any order.
        quantity: What differs, with its unit.
        strength: What the strength is, such as "l2".
        relative: Whether estimates are log ratios, labelled in percent; else they are differences.
        control: Name of what the arms are compared with, the line at no difference.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no change.
    """
    if not changes:
        msg = f"A figure of changes shows at least one. Received: changes={changes!r}"
        raise ValueError(msg)
    ax = new_axes(ax)
    ends = np.array([end for change in changes for end in change[3:]], dtype=np.float64)
    low, high = finite_range(np.append(ends, 0.0), default=(0.0, 0.0))
    pad = 0.08 * max(high - low, 0.05 if relative else 1.0)
    if relative:
        percent_axis(ax, "y", low - pad, high + pad)
    else:
        ax.set_ylim(low - pad, high + pad)
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: signed(value, 0 if high - low > 5 else 1))
        )
    ax.axhline(0.0, color=INK_SOFT, lw=0.9, zorder=1)
    groups: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda change: change.strength):
        groups.setdefault(change.variant, []).append(change)
    labels = [EndLabel(0.0, control, INK_SOFT)]
    for place, (variant, group) in enumerate(groups.items()):
        _draw_line(ax, group, dodge=_DODGE * (place - (len(groups) - 1) / 2))
        keep(ax, [_row(change, quantity, control, relative=relative) for change in group])
        known = [change.estimate for change in group if math.isfinite(change.estimate)]
        if known and len(groups) > 1:
            labels.append(EndLabel(known[-1], variant, technique_colour(group[0].technique)))
    _strength_axis(ax, [change.strength for change in changes], strength)
    ax.set_ylabel(quantity)
    label_ends(ax, labels)
    return ax


@styled
def plot_prices(prices: Sequence[PriceLine], *, loss: str, ax: Axes | None = None) -> Axes:
    """Draw the price of the initial weights over its coefficient, as a multiple of the loss, on log axes.

    Args:
        prices: One for each technique and choice of matrices.
        loss: Name of the loss, which is 1 on the y axis.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no price, or one is not above 0.
    """
    if not prices or not all((price.multiples > 0).all() for price in prices):
        received = [price.multiples.tolist() for price in prices]
        msg = f"A figure of prices shows at least one, all above 0. Received: prices={received}"
        raise ValueError(msg)
    ax = new_axes(ax)
    multiples = np.concatenate([price.multiples for price in prices])
    ax.set_yscale("log")
    ax.set_ylim(0.6 * min(multiples.min(), 1.0), 1.7 * max(multiples.max(), 1.0))
    ax.axhline(1.0, color=INK_SOFT, lw=0.9, zorder=1)
    labels = [EndLabel(1.0, loss, INK_SOFT)]
    for price in prices:
        colour = technique_colour(price.technique)
        ax.plot(
            price.strengths,
            price.multiples,
            color=colour,
            ls=line(price.variant),
            marker=marker(price.variant),
            lw=1.3,
            label=price.label,
        )
        columns = {"coefficient": price.strengths, "price (multiples of the loss)": price.multiples}
        keep(ax, points(columns, curve=price.label, loss=loss))
        labels.append(EndLabel(float(price.multiples[-1]), price.label, colour))
    _strength_axis(ax, [value for price in prices for value in price.strengths], "coefficient")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("price of the initial weights\n(multiples of the loss)")
    label_ends(ax, labels)
    return ax


def _row(change: Change, quantity: str, control: str, *, relative: bool) -> dict[str, object]:
    """Return a change as a row of a figure's data; log ratios in percent."""
    ends = [percent(end) if relative else end for end in change[3:]]
    columns = (quantity, f"{quantity}, lower end", f"{quantity}, upper end")
    who = {"technique": change.technique, "variant": change.variant, "against": control}
    return {**who, "strength": change.strength, **dict(zip(columns, ends, strict=True))}


def _draw_line(ax: Axes, group: Sequence[Change], *, dodge: float) -> None:
    """Draw one variant; `dodge` in points keeps the intervals of several variants apart."""
    shifted = ax.transData + ScaledTranslation(dodge / 72, 0, ax.figure.dpi_scale_trans)
    name, variant = group[0].technique, group[0].variant
    strengths, estimates = ([change[place] for change in group] for place in (2, 3))
    (drawn,) = ax.plot(
        strengths, estimates, color=technique_colour(name), ls=line(variant), lw=1.3, label=variant or name
    )
    drawn.set_transform(shifted)
    for change in group:
        if not math.isfinite(change.estimate):
            continue
        colour = technique_colour(name, change.strength)
        ax.plot([change.strength] * 2, change[4:], color=colour, lw=1.6, transform=shifted, zorder=3)
        (point,) = ax.plot(
            change.strength, change.estimate, marker=marker(variant), color=colour, ls="none", ms=7, zorder=4
        )
        point.set_transform(shifted)


def _strength_axis(ax: Axes, strengths: Sequence[float], name: str) -> None:
    """Put a tick at every strength on a log axis."""
    low, high = min(strengths), max(strengths)
    factor = max((high / low) ** 0.06, 1.1)
    ax.set_xscale("log")
    ax.set_xlim(low / factor, high * factor)
    ax.xaxis.set_major_locator(FixedLocator(sorted(set(strengths))))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel(name)
