"""One technique: its curves, its strengths, its paired differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import (
    panels,
    plot_arm_curves,
    plot_dose_response,
    plot_paired_differences,
    style,
    table,
)
from lstmstudy.findings.finding import (
    Finding,
    counted,
    finite,
    interval,
    listed,
    metric_name,
    of_arms,
    percent,
)

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation
    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Claim


@of_arms
def arm_curves(ablation: Ablation, technique: str, *, part: str = "test") -> Finding:
    """Return one part's error over epochs for every arm of a technique, a panel per task."""
    arms = ablation.arms_of(technique)
    title = _title(arms)
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.1)
        for info, ax in zip(ablation.infos, axes, strict=True):
            curves = {arm.name: ablation.curves(arm, info.name, part) for arm in (ablation.control, *arms)}
            plot_arm_curves(
                curves,
                technique=technique,
                strengths={arm.name: arm.technique.strength for arm in arms if arm.technique},
                variants={arm.name: arm.technique.variant for arm in arms if arm.technique},
                metric=f"{part} {metric_name(info)}",
                ax=ax,
            )
    later = [
        info.title
        for info in ablation.infos
        if _median_kept(ablation, arms, info.name) > _median_kept(ablation, [ablation.control], info.name)
    ]
    where = f"on {listed(later)}" if later else "on none of the tasks"
    sentence = f"With {title} the selected epoch comes later than the baseline's {where} (median over units and arms)."
    alt = f"{part.capitalize()} error over epochs of {len(arms)} arms with {title} and of the baseline, per task."
    return Finding(figure, alt, sentence)


@of_arms
def dose_response(ablation: Ablation, technique: str, *, strength: str = "rate") -> Finding:
    """Return the change of the test error over the strength: on all tasks, and on each.

    The sentence names the arm that validation alone chooses, and its test error.
    """
    arms = ablation.arms_of(technique)
    places = [None, *(info.name for info in ablation.infos)]
    titles = ["all tasks", *(info.title for info in ablation.infos)]
    with style():
        figure, axes = panels(titles, height=3.0)
        for place, ax in zip(places, axes, strict=True):
            effects = [ablation.effect(arm, place) for arm in arms]
            plot_dose_response(effects, strength=strength, ax=ax)
    chosen = ablation.chosen(technique)
    sentence = (
        f"Validation chooses {chosen.name}; it changes the test error by {interval(ablation.effect(chosen))} "
        f"on average over {counted(len(ablation.infos), 'task')}: {_by_task(ablation, chosen)}."
    )
    alt = (
        f"Change of the test error over the {strength} of {_title(arms)}, for all tasks and for each: "
        + listed([f"{arm.name} {percent(ablation.effect(arm).estimate)}" for arm in arms])
        + "."
    )
    return Finding(figure, alt, sentence)


@of_arms
def validation_optima(ablation: Ablation, technique: str, claim: Claim) -> str:
    """Show which strength has the lowest validation error in each unit; return the share within a claim's range.

    The baseline stands for a strength of 0. Units of all tasks on which the grid is trained count, for each
    form of the technique.
    """
    import pandas as pd

    arms, (low, high) = ablation.arms_of(technique), claim.strengths or (0.0, np.inf)
    rows, inside, total = [], 0, 0
    for variant in dict.fromkeys(arm.technique.variant for arm in arms if arm.technique):
        own = [arm for arm in arms if arm.technique and arm.technique.variant == variant]
        strengths = [0.0, *(arm.technique.strength for arm in own if arm.technique)]
        for info in ablation.infos:
            errors = [
                ablation.counted_errors(arm, info.name, part="validation") for arm in (ablation.control, *own)
            ]
            best = np.array(strengths)[np.argmin(errors, axis=0)]
            inside += int(((best >= low) & (best <= high)).sum())
            total += len(best)
            counts = {f"{strength:g}": int((best == strength).sum()) for strength in strengths}
            rows.append({"task": info.title, "form": variant, **counts})
    table(
        pd.DataFrame(rows), caption="Units in which each strength has the lowest validation error; 0 is none"
    )
    return (
        f"The best strength on validation lies between {low:g} and {high:g} in {inside} of "
        f"{counted(total, 'case')} (a unit with each form); it is described, not judged, as there is no share that "
        "chance would give."
    )


@of_arms
def paired_differences(ablation: Ablation, technique: str) -> Finding:
    """Return every unit's difference from the baseline, a row per arm of a technique."""
    arms = ablation.arms_of(technique)
    effects = [ablation.effect(arm) for arm in arms]
    reads = all(arm.technique and arm.technique.is_reading for arm in arms)
    control = "the last epoch" if reads else "baseline"
    with style():
        ax = plot_paired_differences(effects, control=control)
    better = sum(effect.high < 0 for effect in effects)
    worse = sum(effect.low > 0 for effect in effects)
    units = len(effects[0].log_ratios)
    sentence = (
        f"Of {counted(len(effects), 'arm')} with {_title(arms)}, {better} have an interval wholly below no change, "
        f"{worse} wholly above it, over {units} paired units; intervals are not adjusted for the number of arms."
    )
    alt = "Paired differences of test error, per arm: " + listed(
        [f"{effect.arm} {interval(effect)}" for effect in effects]
    )
    return Finding(ax.figure, f"{alt}.", sentence)  # type: ignore[arg-type]


def _title(arms: list[Arm]) -> str:
    return next(arm.technique.title for arm in arms if arm.technique).partition(",")[0]


def _by_task(ablation: Ablation, arm: Arm) -> str:
    return listed(
        [f"{info.title} {percent(ablation.effect(arm, info.name).estimate)}" for info in ablation.infos]
    )


def _median_kept(ablation: Ablation, arms: list[Arm], task: str) -> float:
    return float(np.median(finite(np.concatenate([ablation.kept(arm, task, "selected") for arm in arms]))))
