"""Several techniques side by side: their strengths, and every unit's difference."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING

from lstmstudy.figures import panels, plot_dose_response, plot_paired_differences, style
from lstmstudy.findings.finding import Finding, counted, interval, listed, of_arms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.ablation import Ablation
    from lstmstudy.techniques import Technique

_LABEL = 40  # characters of a row's name in one line


@of_arms
def dose_responses(ablation: Ablation) -> Finding:
    """Return the change of the test error over the strength, a panel per technique, each over the tasks it fits.

    The sentence gives the strength of each that validation alone chooses, and its test error.
    """
    techniques = {arm.technique.name: arm.technique for arm in ablation.compared if arm.technique}
    with style():
        figure, axes = panels([technique.title for technique in techniques.values()], height=2.7)
        for (name, technique), ax in zip(techniques.items(), axes, strict=True):
            effects = [ablation.effect(arm) for arm in ablation.arms_of(name)]
            plot_dose_response(effects, control=ablation.control.name, strength=_setting(technique), ax=ax)
    chosen = [ablation.effect(ablation.chosen(name)) for name in techniques]
    words = [f"{effect.arm} {interval(effect)}" for effect in chosen]
    sentence = f"Strengths that validation chooses, and the change of the test error: {listed(words)}.{_partial(ablation)}"
    alt = (
        f"Change of the test error over the strength of {len(words)} techniques; chosen are {listed(words)}."
    )
    return Finding(figure, alt, sentence)


@of_arms
def technique_effects(ablation: Ablation) -> Finding:
    """Return every unit's difference from its control, a row for each arm, whatever its technique.

    An arm that makes no sense on a task has no units there, and the sentence says so.
    """
    effects = ablation.effects()
    rows = [dataclasses.replace(effect, arm=textwrap.fill(effect.arm, _LABEL)) for effect in effects]
    with style():
        ax = plot_paired_differences(rows, control=ablation.control.name)
    better = [effect.arm for effect in effects if effect.high < 0]
    worse = [effect.arm for effect in effects if effect.low > 0]
    words = [
        f"{len(arms)} {'have' if len(arms) != 1 else 'has'} an interval wholly {where} no change"
        + (f" ({_names(arms)})" if arms else "")
        for where, arms in (("below", better), ("above", worse))
    ]
    sentence = (
        f"Of {counted(len(effects), 'arm')}, {words[0]} and {words[1]}; intervals are not adjusted for the number of arms."
        f"{_partial(ablation)}"
    )
    alt = "Paired differences of test error, per arm: " + listed(
        [f"{effect.arm} {interval(effect)}" for effect in effects]
    )
    return Finding(ax.figure, f"{alt}.", sentence)  # type: ignore[arg-type]


def _setting(technique: Technique) -> str:
    """Return the name of the setting that is the strength; where it is none of them, "strength"."""
    settings = technique.settings()
    named = [name for name in settings if settings[name] == technique.strength]
    return named[0].replace("_", " ") if named else "strength"


def _names(arms: Sequence[str]) -> str:
    """Return arms as prose, apart by semicolons where a name has a comma."""
    names = [arm.removesuffix(", tuned") for arm in arms]
    return "; ".join(names) if any(", " in name for name in names) else listed(names)


def _partial(ablation: Ablation) -> str:
    """Return a sentence on techniques that do not fit all tasks, or ""."""
    fitting = {
        arm.technique.title: [info.title for info in ablation.infos if ablation.fits(arm, info.name)]
        for arm in ablation.compared
        if arm.technique
    }
    words = [
        f"{title} counts {listed(tasks)} only"
        for title, tasks in fitting.items()
        if len(tasks) < len(ablation.infos)
    ]
    return f" As it does not fit every task, {listed(words)}." if words else ""
