"""Noise on gradients over the updates, and what noise on weights costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from lstmstudy.figures.colour import INK_SOFT, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import EndLabel, finite_range, label_ends
from lstmstudy.figures.style import line, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

_LINES = ("-", "--", "-.", ":")
_SIZE = "size of one entry of a gradient"


class NoiseLine(NamedTuple):
    """The standard deviation of the noise at some updates, (n_updates,), of one arm."""

    label: str
    variant: str
    strength: float
    deviations: np.ndarray


class Rise(NamedTuple):
    """How far the loss rises at each size of the noise, (n_sizes,), with one arm; NaN if not known."""

    label: str
    technique: str
    strength: float | None
    loss: np.ndarray


@styled
def plot_noise_schedule(
    updates: np.ndarray,
    noise: Sequence[NoiseLine],
    gradients: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    technique: str = "gradient_noise",
    ax: Axes | None = None,
) -> Axes:
    """Draw the standard deviation of gradient noise over updates, and beside it how large gradients are.

    Both axes are logarithmic. Gradients are known at a few updates; a thin line joins them.

    Args:
        updates: The updates, counted from 1, (n_updates,).
        noise: A line for each arm.
        gradients: By name: some updates counted from 1, and the size of an entry at each.
        technique: Name of the technique, which gives the hue.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no noise.
    """
    if not noise:
        msg = f"A figure of noise shows at least one arm. Received: noise={noise!r}"
        raise ValueError(msg)
    ax = new_axes(ax)
    ax.set_xscale("log")
    ax.set_yscale("log")
    labels = []
    for each in noise:
        colour = technique_colour(technique, each.strength)
        ax.plot(updates, each.deviations, color=colour, ls=line(each.variant), label=each.label)
        columns = {"update": updates, f"{_SIZE} (standard deviation)": each.deviations}
        keep(ax, points(columns, curve=each.label))
        labels.append(EndLabel(float(each.deviations[-1]), each.label, colour))
    grey = technique_colour("baseline")
    for (name, (places, sizes)), dashes in zip(gradients.items(), _cycle(len(gradients)), strict=True):
        ax.plot(places, sizes, color=grey, ls=dashes, lw=1.0, marker="o", ms=5, label=name)
        keep(ax, points({"update": places, f"{_SIZE} (root mean square)": sizes}, curve=name))
        labels.append(EndLabel(float(sizes[-1]), name, grey))
    ends = [each.deviations for each in noise] + [sizes for _, sizes in gradients.values()]
    low, high = finite_range(np.concatenate(ends), default=(0.1, 1.0))
    ax.set_ylim(low / 1.5, 1.5 * high)
    ax.set_xlim(0.9, 1.1 * float(max(updates)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("update, counted from 1")
    ax.set_ylabel(f"{_SIZE}\n(standard deviation, root mean square)")
    label_ends(ax, labels)
    return ax


@styled
def plot_flatness(
    sizes: Sequence[float], rises: Sequence[Rise], *, loss: str, ax: Axes | None = None
) -> Axes:
    """Draw how far the training loss rises over the size of noise on the weights, a line per arm.

    Args:
        sizes: Size of the noise as a share of each matrix's norm, (n_sizes,).
        rises: A line for each arm.
        loss: Name and unit of the loss.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no arm, or a line has another number of sizes.
    """
    shapes = [np.shape(rise.loss) for rise in rises]
    if not rises or any(shape != (len(sizes),) for shape in shapes):
        msg = f"Expected at least one arm, each with {len(sizes)} sizes of noise. Received: rises={shapes}"
        raise ValueError(msg)
    ax = new_axes(ax)
    places = 100 * np.asarray(sizes)
    labels = []
    for rise, dashes in zip(rises, _cycle(len(rises)), strict=True):
        colour = technique_colour(rise.technique, rise.strength)
        ax.plot(places, rise.loss, color=colour, ls=dashes, marker="o", ms=5, label=rise.label)
        columns = {"noise on the weights (%)": places, "rise of the training loss": rise.loss}
        keep(ax, points(columns, arm=rise.label, loss=loss))
        labels.append(EndLabel(float(rise.loss[-1]), rise.label, colour))
    low, high = finite_range(np.concatenate([rise.loss for rise in rises]), default=(0.0, 1.0))
    pad = 0.08 * max(high - low, 1e-9)
    ax.set_ylim(min(low, 0.0) - pad, max(high, 0.0) + pad)
    ax.axhline(0.0, color=INK_SOFT, lw=0.8, zorder=1)
    ax.xaxis.set_major_locator(FixedLocator(list(places)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("noise on the weights (% of each matrix's norm)")
    ax.set_ylabel(f"rise of the training loss\n({loss})")
    label_ends(ax, labels)
    return ax


def _cycle(n: int) -> list[str]:
    """Return a line style for each of `n` lines, so that colour is not the only difference."""
    return [_LINES[place % len(_LINES)] for place in range(n)]
