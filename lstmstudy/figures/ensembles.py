"""What the disagreement of several models is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures.colour import INK_SOFT, PAPER, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.labels import NOT_AVAILABLE, finite_range
from lstmstudy.figures.style import NOTE_SIZE, new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


@styled
def plot_ambiguity(
    arms: Sequence[str],
    techniques: Sequence[str],
    ensemble: np.ndarray,
    ambiguity: np.ndarray,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw, in a row per ensemble, its squared error and its members' disagreement as one stacked bar.

    The whole bar is the mean squared error of the average member. Behind it stands the share that
    averaging takes away.

    Args:
        arms: Name of each ensemble, from the top.
        techniques: Name of its technique, which gives the hue.
        ensemble: Mean squared error of the members' mean, (n_arms,).
        ambiguity: Mean squared distance of the members from their mean, (n_arms,).
        ax: Axes to draw on; a new figure, as high as the rows need, if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no arm, or the lengths differ.
    """
    kept, gained = np.asarray(ensemble, dtype=np.float64), np.asarray(ambiguity, dtype=np.float64)
    if not len(arms) or not len(arms) == len(techniques) == len(kept) == len(gained):
        lengths = [len(arms), len(techniques), len(kept), len(gained)]
        msg = f"Expected at least one arm, and a technique and two errors for each. Received: {lengths=}"
        raise ValueError(msg)
    ax = new_axes(ax, height=1.1 + 0.5 * len(arms))
    places = np.arange(len(arms))
    colours = [technique_colour(technique) for technique in techniques]
    ax.barh(places, kept, color=colours, height=0.6, label="error of the mean")
    ax.barh(
        places,
        gained,
        left=kept,
        height=0.6,
        color=PAPER,
        edgecolor=colours,
        hatch="///",
        label="disagreement",
    )
    total = kept + gained
    known = np.isfinite(total) & (total > 0)
    shares = np.divide(100 * gained, total, out=np.full(len(arms), np.nan), where=known)
    for place, share, end in zip(places, shares, total, strict=True):
        ax.annotate(
            f"{share:.0f} %" if known[place] else NOT_AVAILABLE,
            xy=(end if known[place] else 0, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=NOTE_SIZE,
            color=INK_SOFT,
        )
    columns = {
        "arm": arms,
        "mean squared error of the mean": kept,
        "members' disagreement (mean squared)": gained,
        "disagreement (% of both)": shares,
    }
    keep(ax, points(columns))
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set_yticks(places, list(arms))
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 1.15 * finite_range(total, default=(0.0, 1.0))[1])
    ax.set_xlabel("mean squared error: filled that of the mean,\nhatched the members' disagreement")
    return ax
