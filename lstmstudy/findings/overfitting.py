"""How the baseline overfits, and where it stands beside simple methods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.data.task import PARTS
from lstmstudy.figures import panels, plot_learning_curves, style, table
from lstmstudy.findings.finding import (
    Finding,
    begun,
    counted,
    finite,
    listed,
    metric_name,
    number,
    with_intervals,
)
from lstmstudy.findings.titles import UNSURE, acts, clear, fitting, known, size, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation


def learning_curves(ablation: Ablation, arm: Arm) -> Finding:
    """Return training, validation and test error over epochs, a panel per task.

    Title and sentence give what training to the end costs: test error at the last epoch over that at the
    selected one.
    """
    tasks = ablation.infos
    with style():
        figure, axes = panels([info.title for info in tasks], height=3.1)
        for info, ax in zip(tasks, axes, strict=True):
            plot_learning_curves(
                {part: ablation.curves(arm, info.name, part) for part in PARTS},
                metric=metric_name(info),
                selected=ablation.kept(arm, info.name, "selected"),
                references=_best_reference(ablation, info),
                floor=_floor(ablation, info),
                ax=ax,
            )
    last = replace(arm, reading="last")
    effects = {info.title: ablation.effect(last, info.name, control=arm) for info in tasks}
    whole = ablation.effect(last, control=arm)
    worst = max(effects, key=lambda title: effects[title].estimate)
    (whole_text, worst_text), missing = with_intervals([whole, effects[worst]])
    most = f", most on {worst}, by {worst_text}" if len(tasks) > 1 else f" on {worst}"
    mean = f", on average over {counted(len(tasks), 'task')}" if len(tasks) > 1 else ""
    sentence = (
        f"{begun(arm.name)}: training to the last epoch changes the test error by {whole_text} against the "
        f"selected epoch{mean}{most}{missing}."
    )
    alt = (
        f"Learning curves of the {arm.name} on {listed([info.title for info in tasks])}: training error ends at "
        + listed([_ends(ablation, arm, info) for info in tasks])
        + "."
    )
    name = "the baseline's test error" if arm.technique is None else f"the test error with {arm.name}"
    titles = [_title(each, whole, list(effects.values())) for each in (name, "the test error")]
    return Finding(figure, alt, fitting(*titles), sentence)


def reference_table(ablation: Ablation, arm: Arm) -> str:
    """Show the arm's test error beside simple methods, a row per task; return a sentence on where it loses."""
    import pandas as pd

    rows, loses, diverged = [], [], 0
    for info in ablation.infos:
        errors = {part: ablation.errors(arm, info.name, part=part) for part in PARTS}
        error = float(np.mean(finite(errors["test"])))
        diverged += int(np.isnan(errors["test"]).sum())
        best, value = next(iter(_best_reference(ablation, info).items()))
        others = {name: float(np.mean(values)) for name, values in ablation.references(info.name).items()}
        floor = _floor(ablation, info)
        rows.append(
            {
                "task": info.title,
                "metric": metric_name(info),
                "training": float(np.mean(finite(errors["train"]))),
                "validation": float(np.mean(finite(errors["validation"]))),
                "test": error,
                "simple methods, test": "; ".join(f"{name} {number:.3g}" for name, number in others.items()),
                "lowest possible": float("nan") if floor is None else floor,
            }
        )
        if not error < value:
            loses.append(f"{info.title} ({number(error)} against {value:.3g} of {best})")
    table(
        pd.DataFrame(rows),
        caption=f"Errors of the {arm.name} at the selected epoch, means over units, beside simple methods",
    )
    left_out = f" Its {diverged} diverged runs are left out of these means." if diverged else ""
    if not loses:
        return f"The {arm.name} beats every simple method on all {len(rows)} tasks.{left_out}"
    return f"The {arm.name} loses to a simple method on {len(loses)} of {len(rows)} tasks: {listed(loses)}.{left_out}"


def _title(name: str, whole: Effect, by_task: Sequence[Effect]) -> str:
    """Return what training to the last epoch does to an error, on average and on how many tasks clearly."""
    last, by = "Training to the last epoch", size(whole.estimate)
    what = f"{last} {acts(whole.estimate)} {name}"
    found = [clear(effect) for effect in by_task]
    higher, lower = (some(found.count(side), len(found), "tasks") for side in (1, -1))
    if not known([whole]):
        return fitting(f"{what} by {by}; {UNSURE}")
    if {-1, 1} <= set(found):
        return fitting(f"{last} raises {name} clearly on {higher}, lowers it on {found.count(-1)}")
    if len(found) > 1 and any(found):
        if max(found, key=abs) * whole.estimate > 0:
            return fitting(f"{what} by {by}, clearly on {higher if whole.estimate > 0 else lower}")
        return fitting(
            f"{last} {'raises' if 1 in found else 'lowers'} {name} clearly on {higher if 1 in found else lower}"
        )
    if clear(whole):
        return fitting(f"{what} clearly, by {by}")
    return fitting(f"{last} does not change {name} clearly")


def _ends(ablation: Ablation, arm: Arm, info: TaskInfo) -> str:
    train, test = (
        number(float(np.median(finite(ablation.curves(arm, info.name, part)[:, -1]))))
        for part in ("train", "test")
    )
    return f"{train} and test error at {test} on {info.title}"


def _best_reference(ablation: Ablation, info: TaskInfo) -> dict[str, float]:
    means = {name: float(np.mean(values)) for name, values in ablation.references(info.name).items()}
    best = min(means, key=lambda name: means[name])
    return {best: means[best]}


def _floor(ablation: Ablation, info: TaskInfo) -> float | None:
    floors = ablation.plan.tasks[info.name].floor
    if floors is None:
        return None
    return float(np.mean([floors[unit.fold] for unit in ablation.units(info.name)]))
