"""What each technique costs, beside what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.figures import effect_cell, table
from lstmstudy.findings.finding import finite, of_arms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstmstudy.study.ablation import Ablation
    from lstmstudy.verdicts.document import ArmCost


@of_arms
def cost_table(ablation: Ablation, costs: Sequence[ArmCost]) -> str:
    """Show seconds, parameters and updates of each chosen arm beside the baseline's; return a sentence.

    Seconds are those recorded when the run was trained, without compiling: the median over units, the mean
    over tasks. Epochs are those that the reading needs.

    Args:
        ablation: The arms.
        costs: What arms cost apart from seconds, as in the study's findings.
    """
    import pandas as pd

    control = ablation.control
    arms = [control, *ablation.finalists]
    base = {info.name: np.median(ablation.seconds(control, info.name)) for info in ablation.infos}
    known = {cost.arm: cost for cost in costs}
    rows = []
    for arm in arms:
        fitting = [info.name for info in ablation.infos if ablation.fits(arm, info.name)]
        relative = [np.median(ablation.seconds(arm, task)) / base[task] for task in fitting]
        epochs = [np.mean(finite(ablation.cost(arm, task))) for task in fitting]
        seconds = [np.median(ablation.seconds(arm, task)) for task in fitting]
        cost = known.get(arm.name)
        rows.append(
            {
                "arm": arm.name,
                "change of test error": "" if arm is control else effect_cell(ablation.effect(arm)),
                "seconds": float(np.mean(seconds)),
                "x seconds": float(np.mean(relative)),
                "epochs": float(np.mean(epochs)),
                "x updates": (
                    cost.updates_to_best if cost and cost.updates_to_best is not None else float("nan")
                ),
                "x weights": cost.parameters if cost else float("nan"),
            }
        )
    table(
        pd.DataFrame(rows),
        caption="Cost of a run beside what it brings; x: times the baseline's; updates up to the epoch that counts",
    )
    trained = [
        row for row, arm in zip(rows, arms, strict=True) if arm.technique and not arm.technique.is_reading
    ]
    dearest = max(trained, key=lambda row: float(str(row["x seconds"])), default=rows[0])
    return f"The dearest is {dearest['arm']}: {float(str(dearest['x seconds'])):.2f} times the baseline's seconds."
