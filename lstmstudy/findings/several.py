"""Several techniques side by side: their strengths, and every unit's difference."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import TYPE_CHECKING

from lstmstudy.figures import panels, plot_dose_response, plot_paired_differences, style
from lstmstudy.findings.finding import Finding, interval, listed, of_arms, plain, told
from lstmstudy.findings.titles import known, of_choice, of_several

if TYPE_CHECKING:
    from lstmstudy.study.ablation import Ablation
    from lstmstudy.techniques import Technique

_LABEL = 40  # characters of a row's name in one line


@of_arms
def dose_responses(ablation: Ablation) -> Finding:
    """Return the change of the test error over the strength, a panel per technique, each over the tasks it fits.

    Title and sentence tell the test error at the strength of each that validation alone chooses.
    """
    techniques = {arm.technique.name: arm.technique for arm in ablation.compared if arm.technique}
    with style():
        figure, axes = panels([technique.title for technique in techniques.values()], height=2.7)
        for (name, technique), ax in zip(techniques.items(), axes, strict=True):
            effects = [ablation.effect(arm) for arm in ablation.arms_of(name)]
            plot_dose_response(effects, control=ablation.control.name, strength=_setting(technique), ax=ax)
    chosen = [ablation.effect(ablation.chosen(name)) for name in techniques]
    words = [f"{effect.arm} {interval(effect)}" for effect in chosen]
    title = (
        of_choice(chosen[0])
        if len(chosen) == 1
        else of_several(chosen, "techniques at strengths chosen on validation", named=False)
    )
    sentence = (
        f"Each technique stands at the strength that validation chooses. {told(chosen)}.{_partial(ablation)}"
    )
    alt = (
        f"Change of the test error over the strength of {len(words)} techniques; chosen are {listed(words)}."
    )
    return Finding(figure, alt, title, sentence)


@of_arms
def technique_effects(ablation: Ablation) -> Finding:
    """Return every unit's difference from its control, a row for each arm, whatever its technique.

    An arm that makes no sense on a task has no units there, and the sentence says so. The title tells with
    how many arms, or with which, the interval is clear of no change.
    """
    effects = ablation.effects()
    rows = [dataclasses.replace(effect, arm=textwrap.fill(effect.arm, _LABEL)) for effect in effects]
    with style():
        ax = plot_paired_differences(rows, control=ablation.control.name)
    adjusted = (
        " Intervals are not adjusted for the number of arms." if known(effects) and len(effects) > 1 else ""
    )
    sentence = f"{told(effects)}.{adjusted}{_partial(ablation)}"
    alt = "Paired differences of test error, per arm: " + listed(
        [f"{effect.arm} {interval(effect)}" for effect in effects]
    )
    return Finding(ax.figure, f"{alt}.", of_several(effects, "arms"), sentence)  # type: ignore[arg-type]


def _setting(technique: Technique) -> str:
    """Return the name of the setting that is the strength; where it is none of them, "strength"."""
    settings = technique.settings()
    named = [name for name in settings if settings[name] == technique.strength]
    return named[0].replace("_", " ") if named else "strength"


def _partial(ablation: Ablation) -> str:
    """Return a sentence on what has no part in some tasks, as it does not fit them or has no runs there, or ""."""
    places: dict[str, dict[str, list[str]]] = {}
    for arm in ablation.compared:
        if arm.technique:
            tasks = [info.title for info in ablation.infos if ablation.fits(arm, info.name)]
            places.setdefault(arm.technique.title, {})[plain(arm.name)] = tasks
    words = []
    for title, arms in places.items():
        alike = all(tasks == next(iter(arms.values())) for tasks in arms.values())
        words += [
            f"{title if alike else name} on {listed(tasks)} only"
            for name, tasks in list(arms.items())[: 1 if alike else None]
            if len(tasks) < len(ablation.infos)
        ]
    return f" Not all count on every task: {listed(words)}." if words else ""
