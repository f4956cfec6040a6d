"""All techniques side by side, each at the strength that validation chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.figures import effect_text, plot_ranking, style, table
from lstmstudy.findings.finding import Finding, interval, listed

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation


def ranking(ablation: Ablation) -> Finding:
    """Return the techniques ranked by test error, each at the strength that validation alone chose.

    A technique that is a reading is compared with the baseline at its last epoch, every other with the
    baseline at its selected epoch.
    """
    names = list(dict.fromkeys(arm.technique.name for arm in ablation.compared if arm.technique))
    effects = [ablation.effect(ablation.chosen(name)) for name in names]
    with style():
        ax = plot_ranking(effects, control="its control")
    ranked = sorted(effects, key=lambda effect: effect.estimate)
    words = [f"{effect.arm} {interval(effect)}" for effect in ranked]
    sentence = f"Strengths chosen on validation, change of test error from best to worst: {listed(words)}."
    return Finding(ax.figure, f"Ranking of {len(effects)} techniques: {listed(words)}.", sentence)  # type: ignore[arg-type]


def task_table(ablation: Ablation) -> str:
    """Show the chosen arms' effects on each task; return a sentence on which of them turn with the task."""
    import pandas as pd

    names = dict.fromkeys(arm.technique.name for arm in ablation.compared if arm.technique)
    tasks = ablation.plan.infos
    rows, turning = [], []
    for name in names:
        arm = ablation.chosen(name)
        effects = {info.title: ablation.effect(arm, info.name) for info in tasks}
        rows.append({"arm": arm.name, **{title: effect_text(effect) for title, effect in effects.items()}})
        helped = [title for title, effect in effects.items() if effect.high < 0]
        harmed = [title for title, effect in effects.items() if effect.low > 0]
        if helped and harmed:
            turning.append(f"{arm.name} (better on {listed(helped)}, worse on {listed(harmed)})")
    table(
        pd.DataFrame(rows),
        caption="Change of test error on each task, with 95 % intervals; negative is better",
    )
    if not turning:
        return (
            f"None of the {len(rows)} techniques has intervals on opposite sides of no change on two tasks."
        )
    return f"Of {len(rows)} techniques, {len(turning)} depend on the task: {listed(turning)}."
