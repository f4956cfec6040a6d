"""What each technique costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import table
from lstmstudy.findings.finding import finite

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation


def cost_table(ablation: Ablation) -> str:
    """Show training seconds and epochs of each chosen arm beside the baseline's; return a sentence.

    Seconds are those recorded when the run was trained, without compiling.
    """
    import pandas as pd

    plan = ablation.plan
    names = dict.fromkeys(arm.technique.name for arm in ablation.compared if arm.technique)
    arms = [plan.baseline, *(ablation.chosen(name) for name in names)]
    base = {info.name: np.median(ablation.seconds(plan.baseline, info.name)) for info in plan.infos}
    rows = []
    for arm in arms:
        relative = [np.median(ablation.seconds(arm, info.name)) / base[info.name] for info in plan.infos]
        epochs = [np.mean(finite(ablation.cost(arm, info.name))) for info in plan.infos]
        seconds = [np.median(ablation.seconds(arm, info.name)) for info in plan.infos]
        rows.append(
            {
                "arm": arm.name,
                "seconds for a run (median, mean of tasks)": float(np.mean(seconds)),
                "times the baseline": float(np.mean(relative)),
                "epochs needed": float(np.mean(epochs)),
            }
        )
    table(
        pd.DataFrame(rows),
        caption="Cost of training: whole trajectories, and the epochs that the reading needs",
    )
    trained = [
        row for row, arm in zip(rows, arms, strict=True) if arm.technique and not arm.technique.is_reading
    ]
    dearest = max(trained, key=lambda row: float(str(row["times the baseline"])), default=rows[0])
    return f"The dearest is {dearest['arm']}: {float(str(dearest['times the baseline'])):.2f} times the baseline's seconds."
