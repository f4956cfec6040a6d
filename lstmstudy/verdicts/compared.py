"""The arms that are compared on every task: their effects, and what they cost, from the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmstudy.claims.table import Contrast
from lstmstudy.grids import load_technique
from lstmstudy.plan import COMPARISON
from lstmstudy.verdicts.contrasts import Judgement, contrast_found, finite_or_none, sample_of
from lstmstudy.verdicts.document import ArmCost, TechniqueFound
from lstmstudy.verdicts.rows import DECLARED, TECHNIQUE, VALIDATION, contrast_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmstudy.plan import Plan
    from lstmstudy.verdicts.rows import Row
    from lstmstudy.verdicts.tables import Tables

MARGIN = 0.05  # of no practical difference, as of the claims


def techniques_found(plan: Plan, rows: Sequence[Row], overlap: Mapping[str, float]) -> list[TechniqueFound]:
    """Return every compared technique against its control; of the ways to read, the one that validation chooses."""
    bench, found = Judgement(overlap), dict[str, tuple[float, TechniqueFound]]()
    for number, arm in enumerate(plan.compared_arms):
        own = contrast_rows(rows, TECHNIQUE, number, DECLARED)
        if arm.technique is None or arm.control is None or not own:
            continue
        words, control = (each.name.replace(", tuned", "") for each in (arm, arm.control))
        reading = "last" if arm.control.reading == "last" and "last" not in control else None
        contrast = Contrast(arm=words, control=control, expect="lower", control_reading=reading)
        judged = bench.judged(contrast, MARGIN, own)
        technique = TechniqueFound(
            arm=words,
            technique=arm.technique.name,
            chapter=load_technique(arm.technique.name, plan.folder).notebook,
            effect=contrast_found(judged, judged.whole.p),
        )
        chosen = contrast_rows(rows, TECHNIQUE, number, VALIDATION)
        rank = sample_of(chosen).estimate if chosen else 0.0
        key = arm.technique.name if chosen else words
        if key not in found or rank < found[key][0]:
            found[key] = (rank, technique)
    return [technique for _, technique in found.values()]


def costs_found(tables: Tables, control: str) -> list[ArmCost]:
    """Return what each arm of the comparison costs beside the baseline, on the tasks that have both."""
    runs = {row["run"]: row for row in tables.runs}
    arms = [row for row in tables.arms if row["chapter"] == COMPARISON]
    names = list(dict.fromkeys(row["arm"] for row in arms))
    baseline = {
        task: _means(arms, runs, control, task)
        for task in dict.fromkeys(row["task"] for row in arms if row["arm"] == control)
    }
    costs = []
    for name in names:
        own = [row for row in arms if row["arm"] == name]
        tasks = [task for task in dict.fromkeys(row["task"] for row in own) if task in baseline]
        if not tasks:
            continue
        ratios = np.array([_means(arms, runs, name, task) / baseline[task] for task in tasks])
        failed = [bool(runs[run]["diverged"]) for row in own for run in row["runs"].split()]
        parameters, updates = (finite_mean(column) for column in ratios.T)
        costs.append(
            ArmCost(
                arm=name,
                parameters=finite_or_none(parameters),
                updates_to_best=finite_or_none(updates),
                failed=sum(failed),
                runs=len(failed),
            )
        )
    return costs


def _means(
    arms: Sequence[dict[str, str]], runs: dict[str, dict[str, str]], name: str, task: str
) -> np.ndarray:
    """Return parameters, and updates up to the epoch that is read, as means over the units of an arm on a task."""
    found = []
    for row in arms:
        if (row["arm"], row["task"]) != (name, task):
            continue
        models = [runs[run] for run in row["runs"].split()]
        kept = [model.get(f"{row['reading']} epoch", "") for model in models]
        updates = [
            float(epoch) * float(model["updates"]) if epoch else np.nan
            for epoch, model in zip(kept, models, strict=True)
        ]
        found.append((sum(float(model["parameters"] or "nan") for model in models), sum(updates)))
    return np.array([finite_mean(column) for column in np.array(found).T])


def finite_mean(values: np.ndarray) -> float:
    """Return the mean of the finite values; NaN if there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
