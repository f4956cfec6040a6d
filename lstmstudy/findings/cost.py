"""What each technique costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import table
from lstmstudy.findings.finding import finite, of_arms

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation


@of_arms
def cost_table(ablation: Ablation) -> str:
    """Show training seconds and epochs of each chosen arm beside the baseline's; return a sentence.

    Seconds are those recorded when the run was trained, without compiling.
    """
    import pandas as pd

    control = ablation.control
    arms = [control, *ablation.finalists]
    base = {info.name: np.median(ablation.seconds(control, info.name)) for info in ablation.infos}
    rows = []
    for arm in arms:
        fitting = [info.name for info in ablation.infos if ablation.fits(arm, info.name)]
        relative = [np.median(ablation.seconds(arm, task)) / base[task] for task in fitting]
        epochs = [np.mean(finite(ablation.cost(arm, task))) for task in fitting]
        seconds = [np.median(ablation.seconds(arm, task)) for task in fitting]
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
