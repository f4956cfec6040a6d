"""Early stopping: what each patience keeps and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import panels, plot_stopping, style
from lstmstudy.findings.finding import Finding, finite, interval, listed, of_arms, percent
from lstmstudy.findings.titles import UNSURE, fitting, known, sides

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmstudy.arms import Arm
    from lstmstudy.stats.effects import Effect
    from lstmstudy.study.ablation import Ablation


@of_arms
def stopping(ablation: Ablation) -> Finding:
    """Return the change of the test error per patience against the last epoch, a panel per task.

    Beside the patiences stands the selected epoch, which no rule can know before the end. The title tells
    which patiences are better than the last epoch, and which are worse.
    """
    plan = ablation.plan
    arms: list[Arm] = [*ablation.arms_of("early_stopping"), replace(plan.baseline, name="selected epoch")]
    names = [f"{arm.technique.strength:g}" if arm.technique else "best" for arm in arms]
    control = replace(plan.baseline, reading="last")
    with style():
        figure, axes = panels([info.title for info in ablation.infos], height=3.2)
        for info, ax in zip(ablation.infos, axes, strict=True):
            effects = [
                replace(ablation.effect(arm, info.name, control=control), technique="early_stopping")
                for arm in arms
            ]
            used = np.stack([ablation.cost(arm, info.name) for arm in arms])
            plot_stopping(names, effects, used, ax=ax)
    chosen = ablation.chosen("early_stopping")
    epochs = np.mean([np.mean(finite(ablation.cost(chosen, info.name))) for info in ablation.infos])
    sentence = (
        f"Of the patiences, validation chooses {chosen.name.rpartition(' ')[2]}: test error "
        f"{interval(ablation.effect(chosen))} against the last epoch, after {epochs:.1f} of "
        f"{plan.profile.training.epochs} epochs on average."
    )
    patiences = {name: ablation.effect(arm, control=control) for name, arm in zip(names, arms, strict=True)}
    best = patiences.pop(names[-1])
    alt = "Change of the test error against the last epoch, over all tasks: " + listed(
        [
            *(f"patience {name} {percent(effect.estimate)}" for name, effect in patiences.items()),
            f"selected epoch {percent(best.estimate)}",
        ]
    )
    return Finding(figure, f"{alt}.", _title(patiences), sentence)


def _title(patiences: Mapping[str, Effect]) -> str:
    """Return which patiences lower and raise the test error against the last epoch."""
    found = sides(patiences, "patience ")
    if known(patiences.values()):
        return fitting(
            f"Against the last epoch the test error is {found}"
            if found
            else "No patience changes the test error clearly against the last epoch"
        )
    seen = f"the test error is {found}" if found else "no patience changes the test error"
    return fitting(f"Against the last epoch {seen}; {UNSURE}", f"{seen}; {UNSURE}")
