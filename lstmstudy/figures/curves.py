"""Error over epochs: the three parts of a fold, or the arms of a technique."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstmstudy.figures.colour import INK_SOFT, PAPER, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import EndLabel, label_ends
from lstmstudy.figures.style import NOTE_SIZE, SPLITS, line, marker, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

_LOG_FROM = 20.0  # entropies that span more than this ratio are drawn on a log axis
_MANY_ARMS = 4  # with more arms than this, bands would hide each other


class _Band(NamedTuple):
    """Median over units with its 10-90 % band, each (n_epochs,), and how many units diverged."""

    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    diverged: int
    units: int


@styled
def plot_learning_curves(
    curves: Mapping[str, np.ndarray],
    *,
    metric: str,
    selected: Sequence[int] | np.ndarray | None = None,
    references: Mapping[str, float] | None = None,
    floor: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the error of training, validation and test over epochs, labelled at the line ends.

    Per part, the median over units with a band from the 10 % to the 90 % quantile. A diverged unit
    counts as infinitely bad from where it stops being finite. A cross-entropy that spans more than a
    factor of 20 gets a log axis.

    Args:
        curves: Per part ("train", "validation", "test"), errors (n_units, n_epochs).
        metric: Name and unit of the error, such as "RMSE (standard deviations)".
        selected: Selected epoch of each unit, counted from 1, (n_units,); its median is marked.
        references: Test errors of simple references, drawn as thin lines.
        floor: The lowest error possible, where it is known.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If a part is unknown, there is none, or an array is not (n_units, n_epochs).
    """
    unknown = set(curves) - set(SPLITS)
    if unknown or not curves:
        msg = f"`curves` has an entry per part: {', '.join(SPLITS)}. Received: curves={sorted(curves)}"
        raise ValueError(msg)
    ax = new_axes(ax)
    bands = {split: _band(curves[split], split) for split in SPLITS if split in curves}
    looks = [SPLITS[split] for split in bands]
    for look, band in zip(looks, bands.values(), strict=True):
        _draw(ax, band, look.colour, look.line, label=look.label, metric=metric)
    levels = {name: value for name, value in (references or {}).items() if math.isfinite(value)}
    if floor is not None and math.isfinite(floor):
        levels["lowest possible"] = floor
    _finish(ax, bands.values(), metric, levels)
    for name, value in levels.items():
        dashes = (0, (1, 2)) if name == "lowest possible" else "-"
        ax.axhline(value, color=INK_SOFT, lw=0.7, ls=dashes, zorder=1, label=name)
        keep(ax, [{"curve": name, "metric": metric, "level at all epochs": value}])
    labels = [
        EndLabel(_last(band), look.label, look.colour)
        for look, band in zip(looks, bands.values(), strict=True)
    ]
    label_ends(ax, [*labels, *(EndLabel(value, name, INK_SOFT) for name, value in levels.items())])
    if selected is not None:
        _mark_selected(ax, np.asarray(selected, dtype=np.float64), bands, levels, metric)
    return ax


@styled
def plot_arm_curves(
    curves: Mapping[str, np.ndarray],
    *,
    technique: str,
    strengths: Mapping[str, float],
    variants: Mapping[str, str] | None = None,
    metric: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw one part's error over epochs for the arms of a technique, over the baseline in grey.

    Lines are medians over units; the band from the 10 % to the 90 % quantile is left out of the arms
    where there are more than four.

    Args:
        curves: Per arm label, errors (n_units, n_epochs). A label without a strength is the baseline.
        technique: Name of the technique, which gives the hue.
        strengths: Per arm label, its strength, which gives the shade.
        variants: Per arm label, its variant, which gives the line style.
        metric: Name and unit of the error.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no arm, or an array is not (n_units, n_epochs).
    """
    if not curves:
        msg = f"`curves` has an entry per arm. Received: curves={curves!r}"
        raise ValueError(msg)
    ax = new_axes(ax)
    bands = {label: _band(values, label) for label, values in curves.items()}
    named = _shortened([label for label in curves if label in strengths])
    labels = []
    for label, band in bands.items():
        is_arm = label in strengths
        colour = technique_colour(technique, strengths[label]) if is_arm else technique_colour("baseline")
        style = line((variants or {}).get(label, "")) if is_arm else "-"
        banded = not is_arm or len(named) <= _MANY_ARMS
        _draw(ax, band, colour, style, label=label, metric=metric, banded=banded, alpha=0.1)
        labels.append(EndLabel(_last(band), named.get(label, label), colour))
    _finish(ax, bands.values(), metric, {})
    label_ends(ax, labels)
    return ax


def _band(values: np.ndarray, name: str) -> _Band:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        msg = f"Curves are errors (n_units, n_epochs), at least one of each. Received: {name}={matrix.shape}"
        raise ValueError(msg)
    finite = np.isfinite(matrix)
    ordered = np.sort(np.where(finite, matrix, np.inf), axis=0)
    low, middle, high = (_quantile(ordered, share) for share in (0.1, 0.5, 0.9))
    return _Band(low, middle, high, int((~finite).any(axis=1).sum()), len(matrix))


def _quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of sorted columns (n_units, n_epochs); NaN where it is infinite."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    weight = place - below
    value = ordered[below].copy()
    if weight > 0:
        known = np.isfinite(ordered[below + 1])
        value[known] += weight * (ordered[below + 1][known] - value[known])
        value[~known] = np.inf
    return np.where(np.isfinite(value), value, np.nan)


def _draw(
    ax: Axes,
    band: _Band,
    colour: str,
    style: str | tuple[int, tuple[int, ...]],
    *,
    label: str,
    metric: str,
    banded: bool = True,
    alpha: float = 0.15,
) -> None:
    epochs = np.arange(1, len(band.middle) + 1)
    columns = {"epoch": epochs, "median": band.middle}
    if banded and band.units > 1:
        columns |= {"10 % quantile": band.low, "90 % quantile": band.high}
        # Where the upper quantile is infinite the band is open: it ends at the median.
        high = np.where(np.isfinite(band.high), band.high, band.middle)
        ax.fill_between(epochs, band.low, high, where=np.isfinite(high), color=colour, alpha=alpha, lw=0)
    ax.plot(epochs, band.middle, color=colour, ls=style, label=label)
    keep(ax, points(columns, curve=label, metric=metric))
    known = np.flatnonzero(np.isfinite(band.middle))
    if known.size and (known.size == 1 or known[-1] < len(epochs) - 1):
        ax.plot(epochs[known[-1]], band.middle[known[-1]], color=colour, marker="x", ls="none")


def _finish(ax: Axes, bands: Iterable[_Band], metric: str, levels: Mapping[str, float]) -> None:
    """Name the axes, fix their limits and scale, and say how many units diverged."""
    drawn = list(bands)
    epochs = max(len(band.middle) for band in drawn)
    diverged, units = max(band.diverged for band in drawn), max(band.units for band in drawn)
    ax.set_xlabel(f"epoch · {diverged} of {units} runs diverged" if diverged else "epoch")
    ax.set_ylabel(metric)
    ax.set_xlim(1 if epochs > 1 else 0.5, epochs if epochs > 1 else 1.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    middle = np.concatenate([band.middle for band in drawn])
    middle = middle[np.isfinite(middle)]
    if middle.size:
        _set_limits(ax, drawn, middle, levels, log=_wants_log(metric, middle))


def _wants_log(metric: str, middle: np.ndarray) -> bool:
    return "entropy" in metric.lower() and middle.min() > 0 and middle.max() / middle.min() > _LOG_FROM


def _set_limits(
    ax: Axes, bands: Sequence[_Band], middle: np.ndarray, levels: Mapping[str, float], *, log: bool
) -> None:
    """Set limits that show the medians whole, and bands and references as far as they do not squash them."""
    to, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    low, high = float(to(middle.min())), float(to(middle.max()))
    reach = 0.6 * max(high - low, 0.05 * abs(high), 1e-9)
    edges = np.concatenate([part for band in bands for part in (band.low, band.high)])
    values = [*edges[np.isfinite(edges)], *levels.values()]
    near = [float(to(value)) for value in values if value > 0 or not log]
    bottom = min([low, *(value for value in near if value >= low - reach)])
    top = max([high, *(value for value in near if value <= high + reach)])
    pad = 0.06 * max(top - bottom, 1e-9)
    if log:
        ax.set_yscale("log")
    ax.set_ylim(float(back(bottom - pad)), float(back(top + pad)))


def _last(band: _Band) -> float:
    known = band.middle[np.isfinite(band.middle)]
    return float(known[-1]) if known.size else math.nan


def _mark_selected(
    ax: Axes, selected: np.ndarray, bands: Mapping[str, _Band], levels: Mapping[str, float], metric: str
) -> None:
    selected = selected[np.isfinite(selected)]
    if not selected.size:
        return
    epoch = float(np.median(selected))
    ax.axvline(epoch, color=INK_SOFT, lw=0.8, ls=(0, (2, 2)), zorder=1, label="median selected epoch")
    keep(ax, [{"curve": "median selected epoch", "epoch": epoch}])
    for split in ("validation", "test"):
        if split in bands:
            middle = bands[split].middle
            value = float(np.interp(epoch, np.arange(1, len(middle) + 1), middle))
            look = SPLITS[split]
            ax.plot(epoch, value, marker=marker(""), color=look.colour, mec=PAPER, ls="none", zorder=4)
            name = f"{look.label} at the median selected epoch"
            keep(ax, [{"curve": name, "metric": metric, "epoch": epoch, "median": value}])
    start, end = ax.get_xlim()
    on_left = epoch > start + 0.6 * (end - start)
    first = epoch - 0.45 * (end - start) if on_left else epoch
    ax.annotate(
        f"selected: epoch {epoch:g}",
        xy=(epoch, _clear_height(ax, (first, first + 0.45 * (end - start)), bands.values(), levels.values())),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if on_left else 4, 0),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="center",
        fontsize=NOTE_SIZE,
        color=INK_SOFT,
    )


def _clear_height(
    ax: Axes, beside: tuple[float, float], bands: Iterable[_Band], levels: Iterable[float]
) -> float:
    """Return the height, as a share of the axes, that lies clear of every line between two epochs."""
    to_axes = ax.transData + ax.transAxes.inverted()
    taken = [to_axes.transform(np.array([[beside[0], level] for level in levels]).reshape(-1, 2))[:, 1]]
    for band in bands:
        epochs = np.arange(1, len(band.middle) + 1)
        near = (epochs >= beside[0]) & (epochs <= beside[1]) & np.isfinite(band.middle)
        points = np.column_stack([epochs[near], band.middle[near]])
        taken.append(to_axes.transform(points)[:, 1] if len(points) else np.empty(0))
    heights = np.concatenate(taken)
    choices = np.linspace(0.05, 0.95, 19)
    if not heights.size:
        return float(choices[0])
    clearance = np.abs(choices[:, None] - heights[None, :]).min(axis=1)
    return float(choices[np.argmax(np.minimum(clearance, 0.15))])  # clear enough at the lowest such height


def _shortened(labels: Sequence[str]) -> dict[str, str]:
    """Return per label what is left of it without the words that all of them begin with."""
    words = [label.split() for label in labels]
    shared = 0
    while len(words) > 1 and min(map(len, words)) > shared + 1 and len({part[shared] for part in words}) == 1:
        shared += 1
    return {label: " ".join(part[shared:]) for label, part in zip(labels, words, strict=True)}
