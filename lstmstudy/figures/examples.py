"""A sequence as it was, and as an augmentation changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures.colour import INK_SOFT, technique_colour
from lstmstudy.figures.data import keep, points
from lstmstudy.figures.style import new_axes, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_LINES = ("-", "--", ":")


@styled
def plot_example(
    original: np.ndarray, changed: Sequence[np.ndarray], *, technique: str, ax: Axes | None = None
) -> Axes:
    """Draw a sequence in grey, and over it what several draws of an augmentation made of it.

    Args:
        original: The values at each step, (n_steps,).
        changed: One sequence of the same length for each draw.
        technique: Name of the augmentation, which gives the hue.
        ax: Axes to draw on; a new figure if None.

    Returns:
        The axes.

    Raises:
        ValueError: If there is no draw, or the lengths differ.
    """
    shapes = [np.shape(each) for each in changed]
    if not shapes or any(shape != np.shape(original) for shape in shapes):
        msg = f"Expected at least one draw, of the shape {np.shape(original)}. Received: changed={shapes}"
        raise ValueError(msg)
    ax = new_axes(ax)
    colour, steps = technique_colour(technique), np.arange(1, len(original) + 1)
    ax.plot(steps, original, color=INK_SOFT, lw=3.5, alpha=0.45, label="as measured")
    keep(ax, points({"time step": steps, "value (sd)": original}, curve="as measured"))
    for number, values in enumerate(changed):
        dashes, name = _LINES[number % len(_LINES)], f"draw {number + 1}"
        ax.plot(steps, values, color=colour, ls=dashes, lw=1.2, label=name)
        keep(ax, points({"time step": steps, "value (sd)": values}, curve=name))
    ax.set_xlabel("time step")
    ax.set_ylabel("value (sd)")
    return ax
