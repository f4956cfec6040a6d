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
    begun,
    counted,
    finite,
    interval,
    listed,
    metric_name,
    of_arms,
    percent,
    together_and_apart,
    told,
    with_intervals,
)
from lstmstudy.findings.titles import fitting, known, of_choice, of_several, some
from lstmstudy.techniques.combination import Combination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.claims.table import Claim
    from lstmstudy.data import TaskInfo
    from lstmstudy.study.ablation import Ablation


@of_arms
def arm_curves(ablation: Ablation, technique: str, *, part: str = "test") -> Finding:
    """Return one part's error over epochs for every arm of a technique, a panel per task.

    Title and sentence tell where the selected epoch comes later than the baseline's.
    """
    arms = ablation.arms_of(technique)
    title, infos, epochs = _title(arms), _tasks(ablation, arms), {}
    combined = any(isinstance(arm.technique, Combination) for arm in arms)
    with style():
        figure, axes = panels([info.title for info in infos], height=3.1)
        for info, ax in zip(infos, axes, strict=True):
            own = _fitting(ablation, arms, info)
            # A single combination goes by its title; its arm's name tells every part.
            names = {arm: title if combined and len(own) == 1 else arm.name for arm in own}
            curves = {ablation.control.name: ablation.curves(ablation.control, info.name, part)}
            plot_arm_curves(
                curves | {names[arm]: ablation.curves(arm, info.name, part) for arm in own},
                technique=technique,
                strengths={names[arm]: arm.technique.strength for arm in own if arm.technique},
                variants={names[arm]: arm.technique.variant for arm in own if arm.technique},
                metric=f"{part} {metric_name(info)}",
                ax=ax,
            )
            epochs[info.title] = (
                _median_kept(ablation, own, info.name),
                _median_kept(ablation, [ablation.control], info.name),
            )
    words = [f"{_epoch(own)} against {_epoch(other)} on {task}" for task, (own, other) in epochs.items()]
    sentence = f"Selected epoch, a median over units and arms, against the baseline's: {listed(words)}."
    alt = f"{part.capitalize()} error over epochs of {counted(len(arms), 'arm')} with {title} and of the baseline, per task."
    return Finding(figure, alt, _moved(f"the {title}" if combined else title, epochs), sentence)


@of_arms
def dose_response(ablation: Ablation, technique: str, *, strength: str = "rate") -> Finding:
    """Return the change of the test error over the strength: on all tasks, and on each.

    Title and sentence tell which arm validation alone chooses, and its test error.
    """
    arms = ablation.arms_of(technique)
    places = together_and_apart(_tasks(ablation, arms))
    with style():
        figure, axes = panels(list(places), height=3.0)
        for info, ax in zip(places.values(), axes, strict=True):
            own = _fitting(ablation, arms, info) if info else arms
            effects = [ablation.effect(arm, info.name if info else None) for arm in own]
            plot_dose_response(effects, strength=strength, ax=ax)
    chosen = ablation.chosen(technique)
    effect = ablation.effect(chosen)
    (text,), missing = with_intervals([effect])
    sentence = f"{begun(chosen.name)} changes the test error by {text} {_where(ablation, chosen)}{missing}."
    alt = (
        f"Change of the test error over the {strength} of {_title(arms)}, for all tasks and for each: "
        + listed([f"{arm.name} {percent(ablation.effect(arm).estimate)}" for arm in arms])
        + "."
    )
    return Finding(figure, alt, of_choice(effect), sentence)


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
            if len(_fitting(ablation, own, info)) < len(own):
                continue
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
    adjusted = (
        "; intervals are not adjusted for the number of arms" if known(effects) and len(effects) > 1 else ""
    )
    units = sorted({len(effect.log_ratios) for effect in effects})
    over = " to ".join(dict.fromkeys(f"{number}" for number in (units[0], units[-1])))
    sentence = f"{told(effects)}. Each is over {over} paired units{adjusted}."
    alt = "Paired differences of test error, per arm: " + listed(
        [f"{effect.arm} {interval(effect)}" for effect in effects]
    )
    title = of_several(effects, f"arms with {_title(arms)}", named=False)
    return Finding(ax.figure, f"{alt}.", title, sentence)  # type: ignore[arg-type]


def _title(arms: list[Arm]) -> str:
    return next(arm.technique.title for arm in arms if arm.technique).partition(",")[0]


def _fitting(ablation: Ablation, arms: Sequence[Arm], info: TaskInfo) -> list[Arm]:
    """Return the arms that have a part in a task."""
    return [arm for arm in arms if ablation.fits(arm, info.name)]


def _tasks(ablation: Ablation, arms: Sequence[Arm]) -> list[TaskInfo]:
    """Return the tasks in which at least one of the arms has a part."""
    return [info for info in ablation.infos if _fitting(ablation, arms, info)]


def _where(ablation: Ablation, arm: Arm) -> str:
    """Return on which task an effect is; on several, the mean over them and each."""
    infos = _tasks(ablation, [arm])
    if len(infos) == 1:
        return f"on {infos[0].title}"
    words = [f"{info.title} {percent(ablation.effect(arm, info.name).estimate)}" for info in infos]
    return f"on average over {len(words)} tasks: {listed(words)}"


def _moved(name: str, epochs: Mapping[str, tuple[float, float]]) -> str:
    """Return on which tasks a technique's selected epoch comes later than the baseline's, and where earlier."""
    later = [task for task, (own, other) in epochs.items() if own > other]
    earlier = [task for task, (own, other) in epochs.items() if own < other]
    with_it = f"With {name} the selected epoch"
    if not np.isfinite(list(epochs.values())).all(axis=1).any():
        return fitting(f"{with_it} cannot be compared, as every run diverged")
    if not later and not earlier:
        return fitting(f"{with_it} stays where the baseline has it")
    places = [
        f"{word} on {listed(tasks)}" for word, tasks in (("later", later), ("earlier", earlier)) if tasks
    ]
    counts = f"later on {some(len(later), len(epochs), 'tasks')}"
    return fitting(
        f"{with_it} comes {', '.join(places)}",
        f"{with_it} comes {counts}{f', earlier on {len(earlier)}' if earlier else ''}",
    )


def _epoch(median: float) -> str:
    return f"{median:g}" if np.isfinite(median) else "none, as every run diverged,"


def _median_kept(ablation: Ablation, arms: list[Arm], task: str) -> float:
    return float(np.median(finite(np.concatenate([ablation.kept(arm, task, "selected") for arm in arms]))))
