"""A finding: a figure with its title, and the sentence that gives the numbers."""

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

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation

Parameters = ParamSpec("Parameters")
Found = TypeVar("Found")
METRICS = {
    "rmse": "RMSE (training standard deviations)",
    "cross_entropy": "cross-entropy (nats)",
}
_FEW = 3  # arms that are all told with their intervals


@dataclass(frozen=True, eq=False)
class Finding:
    """A figure with its description, and what it says.

    Attributes:
        figure: The figure.
        alt: What the figure shows, for readers who cannot see it.
        title: What was found, for readers of titles alone: a short sentence without a full stop.
        sentence: What was found, with numbers from the outcomes.
    """

    figure: Figure
    alt: str
    title: str
    sentence: str


def show(finding: Finding | str) -> None:
    """Display the figure under its title and, below it, the sentence; or a sentence that stands for a figure."""
    if isinstance(finding, str):
        say(finding)
        return
    show_figure(finding.figure, alt=finding.alt, title=finding.title)
    say(finding.sentence)


def of_arms(
    find: Callable[Concatenate[Ablation, Parameters], Found],
) -> Callable[Concatenate[Ablation, Parameters], Found | str]:
    """Let a finding about arms, or about those of one technique, say so where the profile has none of them."""

    @functools.wraps(find)
    def found(ablation: Ablation, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Found | str:
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


def begun(text: str) -> str:
    """Return a text as the beginning of a sentence; what else is a capital stays one."""
    return text[:1].upper() + text[1:]


def plain(arm: str) -> str:
    """Return the name of an arm without the word that it is tuned."""
    return arm.removesuffix(", tuned")


def together_and_apart(infos: Sequence[TaskInfo]) -> dict[str, TaskInfo | None]:
    """Return panels by title: all tasks together, which is None, and each by itself; a single task once."""
    if len(infos) == 1:
        return {infos[0].title: None}
    return {"all tasks": None, **{info.title: info for info in infos}}


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


def with_intervals(effects: Sequence[Effect]) -> tuple[list[str], str]:
    """Return each effect in percent with its 95 % interval, and what to add at the end.

    Where none has one, as there are too few units, this is what is added, and it is said once.
    """
    if any(np.isfinite(effect.low) for effect in effects):
        return [interval(effect) for effect in effects], ""
    missing = "an interval" if len(effects) == 1 else "intervals"
    return [percent(effect.estimate) for effect in effects], f" (too few units for {missing})"


def told(effects: Sequence[Effect]) -> str:
    """Return what several arms do to the test error, in numbers: all of few arms, of many the telling ones.

    These are the arms whose interval is clear of no change, or else the lowest and the highest.
    """
    if len(effects) <= _FEW:
        return f"Change of the test error: {_each(effects)}"
    ranked = sorted(effects, key=lambda effect: effect.estimate)
    below = [effect for effect in ranked if effect.high < 0]
    above = sorted((effect for effect in effects if effect.low > 0), key=lambda effect: -effect.estimate)
    if below or above:
        clear, other = (
            listed([f"{plain(effect.arm)} {percent(effect.estimate)}" for effect in part]) or "none"
            for part in (below, above)
        )
        return f"95 % intervals wholly below no change: {clear}; wholly above it: {other}"
    ends = [*ranked[:2], *ranked[-2:]]
    return f"Change of the test error, two lowest and two highest: {_each(ends)}"


def _each(effects: Sequence[Effect]) -> str:
    texts, missing = with_intervals(effects)
    words = [f"{plain(effect.arm)} {text}" for effect, text in zip(effects, texts, strict=True)]
    return f"{listed(words)}{missing}"


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
