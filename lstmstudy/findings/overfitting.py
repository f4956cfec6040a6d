"""How the baseline overfits, and where it stands beside simple methods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_learning_curves, style, table
from lstmstudy.findings.finding import Finding, finite, interval, listed, metric_name, number

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation
    from lstmstudy.arms import Arm
    from lstmstudy.data import TaskInfo

PARTS = ("train", "validation", "test")


def learning_curves(ablation: Ablation, arm: Arm) -> Finding:
    """Return training, validation and test error over epochs, a panel per task.

    The sentence gives what training to the end costs: test error at the last epoch over that at the
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
    sentence = (
        f"{arm.name.capitalize()}: training to the last epoch changes the test error by {interval(whole)} "
        f"against the selected epoch, on average over {len(tasks)} tasks; most on {worst}, by "
        f"{interval(effects[worst])}."
    )
    alt = (
        f"Learning curves of the {arm.name} on {listed([info.title for info in tasks])}: training error ends at "
        + listed([_ends(ablation, arm, info) for info in tasks])
        + "."
    )
    return Finding(figure, alt, sentence)


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
