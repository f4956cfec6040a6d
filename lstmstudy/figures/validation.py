"""Validation schemes: their splits over time, and how near their estimates come to the held-out future."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.patches import Patch

from lstmstudy.figures.colour import INK
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import MARGIN, no_difference_band, percent, percent_axis
from lstmstudy.figures.style import NOTE_SIZE, SPLITS, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

_BARS = {
    "train": ("trained on", 0.34),
    "validation": ("held out", 0.8),
    "test": ("future", 0.8),
}  # and height
_MANY = 50  # more dots than this would hide each other


class Bar(NamedTuple):
    """One split: the positions of the targets of its parts, each ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@styled
def plot_splits(schemes: Mapping[str, Sequence[Bar]], *, ax: Axes | None = None) -> Axes:
    """Draw each split as a row over time: what trains, what is held out, and the future that no split sees.

    What a split leaves out is empty. Training targets are thin, held-out ones thick.

    Args:
        schemes: The splits by the name of their scheme, from the top; the last split of all is the final
            fit, whose validation part is not drawn.
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.
    """
    rows = sum(len(bars) for bars in schemes.values())
    ax = new_axes(ax, height=1.2 + 0.17 * (rows + len(schemes)))
    place, ticks, final = 0.0, [], list(schemes)[-1]
    for scheme, bars in schemes.items():
        ticks.append(place + (len(bars) - 1) / 2)
        for number, bar in enumerate(bars, 1):
            shown = ("train", "test") if scheme == final else ("train", "validation")
            for part in shown:
                label, height = _BARS[part]
                colour = SPLITS[part].colour
                stretches = _stretches(getattr(bar, part))
                ax.broken_barh(stretches, (place - height / 2, height), color=colour, lw=0)
                columns = {
                    "first position": [begin + 0.5 for begin, _ in stretches],
                    "positions": [length for _, length in stretches],
                }
                keep(ax, points(columns, scheme=scheme, split=number, part=label))
            place += 1
        place += 1  # a row between schemes
    ax.set_ylim(place - 1.2, -0.8)
    ax.set_yticks(ticks, list(schemes))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("position of the target in the series")
    patches = [Patch(color=SPLITS[part].colour, label=label) for part, (label, _) in _BARS.items()]
    ax.legend(handles=patches, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return ax


def _stretches(positions: np.ndarray) -> list[tuple[float, float]]:
    """Return begin and length of every stretch of neighbouring positions, each position one wide."""
    breaks = np.flatnonzero(np.diff(positions) > 1) + 1
    return [(run[0] - 0.5, float(len(run))) for run in np.split(positions, breaks)]


class Estimated(NamedTuple):
    """How far one scheme's estimate is from the truth: log ratio per realization, mean and its interval."""

    log_ratios: np.ndarray
    mean: float
    low: float
    high: float


@styled
def plot_estimates(
    schemes: Mapping[str, Estimated], *, xlabel: str, sizes: bool = False, ax: Axes | None = None
) -> Axes:
    """Draw, in a row per scheme, every realization as a dot, and the mean with its 95 % interval.

    Of more than 50 realizations a faint bar from the 10 % to the 90 % quantile is drawn instead. The x axis is a log ratio, labelled in percent; the band is ±5 %. An interval needs six realizations.

    Args:
        schemes: By name, from the top.
        xlabel: What the ratio is.
        sizes: Whether the log ratios have lost their sign, so that the axis begins at 0.
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.
    """
    ax = new_axes(ax, height=1.1 + 0.46 * len(schemes))
    shown = {name: _spread(each.log_ratios) for name, each in schemes.items()}
    ends = [end for name, each in schemes.items() for end in (*shown[name], each.low, each.high)]
    ends = [end for end in ends if math.isfinite(end)]
    low, high = 0.0 if sizes else min(-1.6 * MARGIN, *ends), max(1.6 * MARGIN, *ends)
    pad = 0.05 * (high - low)
    percent_axis(ax, "x", low if sizes else low - pad, high + pad)
    no_difference_band(ax, "x")
    _rows(ax, list(schemes))
    colour = SPLITS["validation"].colour
    many = any(len(each.log_ratios) > _MANY for each in schemes.values())
    what = f"{xlabel.partition(' (%)')[0]} (%)"
    for place, (name, each) in enumerate(schemes.items()):
        if many:
            ax.plot(shown[name], [place, place], color=colour, lw=9, alpha=0.25, solid_capstyle="butt")
        else:
            _dots(ax, place, each.log_ratios)
        numbers = ("10 % quantile", "90 % quantile") if many else range(1, len(each.log_ratios) + 1)
        keep(ax, points({"realization": numbers, what: map(percent, shown[name])}, scheme=name))
        if math.isfinite(each.low):
            ax.plot([each.low, each.high], [place, place], color=colour, lw=2.2, solid_capstyle="round")
        ax.plot(each.mean, place, marker="o", color=colour, ls="none", ms=8, mec=INK, mew=0.8, zorder=4)
        mean, low, high = map(percent, (each.mean, each.low, each.high))
        who = {"scheme": name, "realization": "mean"}
        keep(ax, [{**who, what: mean, "lower end (%)": low, "upper end (%)": high}])
    faint = "80 % of realizations" if many else "one realization"
    ax.set_xlabel(f"{xlabel}\nfaint: {faint} · solid: mean and 95 % interval")
    return ax


@styled
def plot_split_errors(
    splits: Mapping[str, np.ndarray],
    estimates: Mapping[str, float],
    truth: float,
    *,
    xlabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw, in a row per scheme, the error of each split and the pooled estimate beside the true error.

    Args:
        splits: By scheme, from the top, the error of each split, (n_splits,).
        estimates: By scheme, its estimate.
        truth: Error in the held-out future.
        xlabel: Name and unit of the error.
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.
    """
    ax = new_axes(ax, height=1.1 + 0.46 * len(splits))
    _rows(ax, list(splits))
    ax.axvline(truth, color=SPLITS["test"].colour, lw=1.6, zorder=1)
    keep(ax, [{"scheme": "future", "split": None, xlabel: truth}])
    ax.annotate(
        " future",
        xy=(truth, 1.0),
        xycoords=("data", "axes fraction"),
        va="bottom",
        ha="center",
        fontsize=NOTE_SIZE,
        color=SPLITS["test"].colour,
    )
    for place, (scheme, errors) in enumerate(splits.items()):
        _dots(ax, place, errors)
        colour, pooled = SPLITS["validation"].colour, estimates[scheme]
        ax.plot(pooled, place, marker="o", color=colour, ls="none", ms=8, mec=INK, mew=0.8)
        keep(ax, points({"split": range(1, len(errors) + 1), xlabel: errors}, scheme=scheme))
        keep(ax, [{"scheme": scheme, "split": "estimate", xlabel: pooled}])
    ax.set_xlabel(xlabel + "\nfaint: one split · solid: the scheme's estimate")
    return ax


def _rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(range(len(names)), list(names))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _dots(ax: Axes, place: int, values: np.ndarray) -> None:
    heights = place + 0.2 * np.sin(2.4 * np.arange(len(values)))  # apart, and always in the same way
    ax.plot(values, heights, "o", color=SPLITS["validation"].colour, ms=5, mew=0, alpha=0.5, zorder=2)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return what of the values is drawn: all, or two quantiles of many."""
    return values if len(values) <= _MANY else np.quantile(values, [0.1, 0.9])
