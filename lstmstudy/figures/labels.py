"""Words and numbers on figures: labels at line ends, percent axes, effects as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from lstmstudy.figures.colour import BAND, INK, INK_SOFT, text_colour
from lstmstudy.figures.style import NOTE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lstmstudy.stats.effects import Effect

NOT_AVAILABLE = "not available"
CHANGE = "change of test error (%)"
MINUS = "\N{MINUS SIGN}"
_ROOM = 36  # characters of a label at the end of a line
MARGIN = math.log(1.05)  # half-width of the band of no practical difference, as a log ratio

# Round changes in percent, in the order in which an axis takes them as ticks while there is room.
_ROUND = (
    *(0, -50, 100, -20, 25, -10, 10, 50, -35, -5, 5, 200, -75, 300, -90, 900, -99, 10_000, 500, -30, 30),
    *(-2, 2, -40, 75, -15, 15, -1, 1, -60, 150, -0.5, 0.5),
)


class EndLabel(NamedTuple):
    """A label for the right end of a line at height `y`, in data units."""

    y: float
    text: str
    colour: str


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Return positions near `wanted`, at least `gap` apart and inside [low, high] if that can be.

    Order is kept; labels that would overlap move apart by the least squares of their moves.

    Args:
        wanted: Where each label would stand, (n_labels,).
        gap: Least distance of two neighbours.
        low: Lowest position allowed.
        high: Highest position allowed.
    """
    order = np.argsort(wanted, kind="stable")
    # Minus the gaps, the condition is "never decreasing": pool neighbours that violate it.
    pools: list[list[float]] = []
    for rank, index in enumerate(order):
        pools.append([float(wanted[index]) - rank * gap, 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, size = pools.pop()
            before, count = pools.pop()
            pools.append([(before * count + mean * size) / (count + size), count + size])
    top = max(low, high - gap * (len(order) - 1))
    placed = np.empty(len(order))
    rank = 0
    for mean, size in pools:
        for _ in range(int(size)):
            placed[order[rank]] = min(max(mean, low), top) + rank * gap
            rank += 1
    return placed


def label_ends(ax: Axes, labels: Sequence[EndLabel]) -> None:
    """Write each label beside the right end of its line, moved up or down where two would overlap.

    The limits and scale of the y axis must be final. A label whose height lies outside the axis is
    written at the nearer edge with an arrow and its value.
    """
    shown = [label for label in labels if math.isfinite(label.y)]
    if not shown:
        return
    figure_height = ax.figure.get_figure(root=True).get_figheight() * 72
    # Layout takes a little of the height for labels and titles, so gaps are made larger than the text.
    gap = 1.4 * NOTE_SIZE / (figure_height * ax.get_position().height)
    low, high = ax.get_ylim()
    to_axes = ax.transData + ax.transAxes.inverted()
    leader = {"arrowstyle": "-", "lw": 0.7, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
    heights = [float(to_axes.transform((0.0, min(max(label.y, low), high)))[1]) for label in shown]
    for label, height, place in zip(shown, heights, spread(heights, gap, 0.0, 1.0), strict=True):
        arrow = "↑ " if label.y > high else "↓ " if label.y < low else ""
        value = f" {label.y:.3g}" if arrow else ""
        ax.annotate(
            f"{arrow}{_clipped(label.text)}{value}",
            xy=(1.0, height),
            xytext=(1.025, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=NOTE_SIZE,
            color=text_colour(label.colour),
            annotation_clip=False,
            arrowprops=leader | {"color": label.colour},
        )


def right_text(ax: Axes, place: float, text: str, *, colour: str = INK) -> None:
    """Write a text at the right of the row at height `place`, in data units."""
    ax.annotate(
        text,
        xy=(1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        fontsize=NOTE_SIZE,
        color=colour,
        annotation_clip=False,
    )


def _clipped(text: str) -> str:
    """Return a text that leaves room for the lines that it names; the data of the figure have it whole."""
    return text if len(text) <= _ROOM else f"{text[: _ROOM - 1].rstrip(' ,')}…"


def percent(log_ratio: float) -> float:
    """Return ``ln(arm / control)`` as a change in percent, -100 and up."""
    return math.inf if log_ratio >= 700 else 100 * math.expm1(log_ratio)


def signed(value: float, digits: int = 0) -> str:
    """Return a number with its sign, a true minus, and no sign on zero."""
    if not math.isfinite(value):
        return NOT_AVAILABLE
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def effect_text(effect: Effect) -> str:
    """Return an effect in percent as text: the estimate, then its interval in brackets."""
    if not math.isfinite(effect.estimate):
        return NOT_AVAILABLE
    text = f"{signed(percent(effect.estimate), 1)} %"
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        return text
    low, high = percent(effect.low), percent(effect.high)
    digits = 1 if high - low < 4 else 0  # whole percents would hide a narrow interval
    return f"{text} [{signed(low, digits)}, {signed(high, digits)}]"


def effect_row(effect: Effect, control: str) -> dict[str, object]:
    """Return an effect against the control of that name as a row of a figure's data, in percent."""
    return {
        "arm": effect.arm,
        "against": control,
        "variant": effect.variant,
        "strength": effect.strength,
        "task": effect.task,
        CHANGE: percent(effect.estimate),
        "lower end (%)": percent(effect.low),
        "upper end (%)": percent(effect.high),
        "units": len(effect.log_ratios),
    }


def percent_axis(ax: Axes, which: str, low: float, high: float, *, apart: float = 0.085) -> None:
    """Give axis `which` ("x" or "y") the log ratios [low, high] as limits and round percents as ticks.

    Underneath, the axis stays logarithmic in the error, so that halving and doubling are equally far
    from no change.
    """
    gap = apart * (high - low)
    ticks: list[float] = []
    for change in _ROUND:
        place = math.log1p(change / 100)
        if low <= place <= high and all(abs(place - math.log1p(other / 100)) >= gap for other in ticks):
            ticks.append(change)
    ticks.sort()
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator([math.log1p(change / 100) for change in ticks]))
    texts = [signed(change, 0 if change == int(change) else 1) for change in ticks]
    axis.set_major_formatter(FixedFormatter(texts))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)


def log_limits(effects: Sequence[Effect], *, units: bool) -> tuple[float, float]:
    """Return limits of a log-ratio axis that show every interval and, if `units`, most single units.

    A diverged unit may lie a thousand percent away; the axis does not stretch for it.
    """
    ends = np.array(
        [end for effect in effects for end in (effect.estimate, effect.low, effect.high)], dtype=float
    )
    low, high = finite_range(ends, default=(0.0, 0.0))
    if units:
        values = np.concatenate([np.asarray(effect.log_ratios, dtype=np.float64) for effect in effects])
        values = values[np.isfinite(values)]
        if values.size:
            first, third = np.quantile(values, [0.25, 0.75])
            reach = 3 * max(third - first, MARGIN)
            near = values[(values >= first - reach) & (values <= third + reach)]
            low, high = min(low, float(near.min())), max(high, float(near.max()))
    low, high = min(low, -1.6 * MARGIN), max(high, 1.6 * MARGIN)
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def finite_range(values: np.ndarray, *, default: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the greatest finite entry, or `default` if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else default


def no_difference_band(ax: Axes, which: str) -> None:
    """Shade the band of ±5 % along axis `which` and draw the line of no change."""
    span, zero = (ax.axvspan, ax.axvline) if which == "x" else (ax.axhspan, ax.axhline)
    span(math.log(1 / 1.05), MARGIN, color=BAND, alpha=0.16, lw=0, zorder=0)
    zero(0.0, color=INK_SOFT, lw=0.9, zorder=1)
