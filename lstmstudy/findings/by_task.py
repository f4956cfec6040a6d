"""Chosen arms on each task, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.figures import effect_cell, table
from lstmstudy.findings.finding import counted, listed, of_arms

if TYPE_CHECKING:
    from lstmstudy.study.ablation import Ablation


@of_arms
def task_table(ablation: Ablation) -> str:
    """Show the chosen arms' effects on each task; return a sentence on which of them turn with the task."""
    import pandas as pd

    rows, turning = [], []
    for arm in ablation.finalists:
        fitting = [info for info in ablation.infos if ablation.fits(arm, info.name)]
        effects = {info.title: ablation.effect(arm, info.name) for info in fitting}
        cells = {
            info.title: effect_cell(effects[info.title]) if info in fitting else "unfit"
            for info in ablation.infos
        }
        rows.append({"arm": arm.name, **cells})
        helped = [title for title, effect in effects.items() if effect.high < 0]
        harmed = [title for title, effect in effects.items() if effect.low > 0]
        if helped and harmed:
            turning.append(f"{arm.name} (better on {listed(helped)}, worse on {listed(harmed)})")
    table(
        pd.DataFrame(rows),
        caption="Change of test error on each task, with 95 % intervals; negative is better",
    )
    if not turning:
        return f"None of {counted(len(rows), 'technique')} has intervals on opposite sides of no change on two tasks."
    depend = "depends" if len(turning) == 1 else "depend"
    return f"Of {counted(len(rows), 'technique')}, {len(turning)} {depend} on the task: {listed(turning)}."
