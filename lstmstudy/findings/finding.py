"""A finding: a figure or a table, and the sentence that says what it shows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import numpy as np

from lstmstudy.figures import say, show_figure
from lstmstudy.techniques import TECHNIQUES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from lstmstudy.ablation import Ablation
    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.stats.effects import Effect

Parameters = ParamSpec("Parameters")
Found = TypeVar("Found")
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


def show(finding: Finding | str) -> None:
    """Display the figure and, under it, the sentence; or a sentence that stands for a figure."""
    if isinstance(finding, str):
        say(finding)
        return
    show_figure(finding.figure, alt=finding.alt)
    say(finding.sentence)


def of_arms(
    find: Callable[Concatenate[Ablation, Parameters], Found],
) -> Callable[Concatenate[Ablation, Parameters], Found | str]:
    """Let a finding about arms, or about those of one technique, say so where the profile has none of them."""

    @functools.wraps(find)
    def found(ablation: Ablation, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Found | str:
        technique = TECHNIQUES.get(str(args[0])) if args else None
        if technique is not None and not any(_has(arm, technique.name) for arm in ablation.compared):
            return f"This profile has no arm of {technique.title.partition(',')[0]}."
        if not ablation.compared:
            return "This profile has no such arms."
        return find(ablation, *args, **kwargs)

    return found


def _has(arm: Arm, technique: str) -> bool:
    """Whether an arm is about a technique, or has it among others."""
    own = [arm.technique] if arm.technique is not None else arm.recipe.techniques
    return technique in [each.name for each in own]


def counted(number: int, thing: str) -> str:
    """Return a number of things in words, such as "1 arm" or "2 arms"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


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
    return f"{percent(effect.estimate)} ({between(effect.low, effect.high)})"


def between(low: float, high: float) -> str:
    """Return a 95 % interval of log ratios in words; it says so where there are too few units for one."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return "too few units for an interval"
    return f"95 % interval {percent(low)} to {percent(high)}"


def listed(items: Sequence[str]) -> str:
    """Return items as prose: "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
