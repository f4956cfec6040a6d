"""A finding: a figure or a table, and the sentence that says what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import say, show_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from lstmstudy.data import TaskInfo
    from lstmstudy.stats.effects import Effect

METRICS = {
    "rmse": "RMSE (training standard deviations)",
    "cross_entropy": "cross-entropy (nats)",
}


@dataclass(frozen=True, eq=False)
class Finding:
    """A figure with its description, and what it says.

    Attributes:
        figure: The figure.
        alt: What the figure shows, for readers who cannot see it.
        sentence: What was found, with numbers from the outcomes.
    """

    figure: Figure
    alt: str
    sentence: str


def show(finding: Finding) -> None:
    """Display the figure and, under it, the sentence."""
    show_figure(finding.figure, alt=finding.alt)
    say(finding.sentence)


def metric_name(info: TaskInfo) -> str:
    """Return the task's metric with its unit."""
    return METRICS[info.metric]


def finite(values: np.ndarray) -> np.ndarray:
    """Return the values of the runs that did not diverge; a NaN if there is none."""
    known = np.asarray(values)[np.isfinite(values)]
    return known if known.size else np.array([np.nan])


def number(value: float) -> str:
    """Return an error to three digits, in words where every run diverged."""
    return f"{value:.3g}" if np.isfinite(value) else "not available, as every run diverged"


def percent(log_ratio: float) -> str:
    """Return a log ratio as a change in percent, with its sign."""
    change = 100 * float(np.expm1(log_ratio))
    return f"{change:+.1f} %".replace("-", "\N{MINUS SIGN}")


def interval(effect: Effect) -> str:
    """Return an effect in percent with its 95 % interval."""
    return f"{percent(effect.estimate)} (95 % interval {percent(effect.low)} to {percent(effect.high)})"


def listed(items: Sequence[str]) -> str:
    """Return items as prose: "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
